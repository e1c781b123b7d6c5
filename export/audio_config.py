"""What speech models hear, by preprocessor_config.json or processor_config.json: an option that changes
features is understood or refused."""

from __future__ import annotations

from typing import Any

from satchel.checkpoints.checkpoint import Checkpoint
from satchel.runtime.audio import AudioFormat, WaveFormat
from satchel.runtime.errors import CheckpointError, UnsupportedError, shown

FILE = "preprocessor_config.json"
EXTRACTOR = "WhisperFeatureExtractor"
FIELDS = {  # key -> field of AudioFormat, and its value where the file does not say
    "sampling_rate": ("sampling_rate", 16_000),
    "feature_size": ("mels", 80),
    "n_fft": ("n_fft", 400),
    "hop_length": ("hop_length", 160),
    "chunk_length": ("seconds", 30),
}
# What else WhisperFeatureExtractor reads, and the value that is done here. It makes mel_filters,
# n_samples and nb_max_frames anew, returns masks beside the features, and reads no other key.
NEUTRAL = {"dither": 0, "padding_side": "right", "padding_value": 0}


WAVES = "Wav2Vec2FeatureExtractor"
WINDOW_SECONDS, OVERLAP_SECONDS = (
    30,
    5,
)  # of what is read at once; those on either side lend context
# What else Wav2Vec2FeatureExtractor reads. Nothing is padded, so nothing is masked.
UNPADDED = ("padding_side", "padding_value", "return_attention_mask")


def wave_format(checkpoint: Checkpoint, stride: int, field: int, tidied: bool) -> WaveFormat:
    """The preprocessing of a checkpoint whose frames are so made, from its folder."""
    raw, file = checkpoint.preprocessor_config, checkpoint.preprocessor_file
    if not raw:
        raise CheckpointError(f"{shown(checkpoint.source)} has no {FILE}")
    named = raw.get("feature_extractor_type") or WAVES
    if named != WAVES:
        raise UnsupportedError(
            f"{file}: feature extractor {shown(named)} is not supported here; known: {WAVES}"
        )
    if raw.get("feature_size", 1) != 1:
        raise UnsupportedError(f"{file}: feature_size = {shown(raw['feature_size'])}; expected 1")
    rate = raw.get("sampling_rate", 16_000)
    known = rate if type(rate) is int else 0
    form = WaveFormat(
        sampling_rate=rate,
        normalized=raw.get("do_normalize", True),
        stride=stride,
        field=field,
        window=max(2, WINDOW_SECONDS * known // stride),
        overlap=min(OVERLAP_SECONDS * known // stride, WINDOW_SECONDS * known // stride // 3),
        tidied=tidied,
    )
    if problem := form.problem():
        raise CheckpointError(f"{file}: {problem}", "CKPT_CONFIG")
    return form


def audio_format(checkpoint: Checkpoint) -> AudioFormat:
    """The preprocessing of a checkpoint, from its folder."""
    raw = checkpoint.preprocessor_config
    if not raw:
        raise CheckpointError(f"{shown(checkpoint.source)} has no {FILE}")
    return read_format(raw, checkpoint.preprocessor_file)


def read_format(raw: dict[str, Any], file: str = FILE) -> AudioFormat:
    """The preprocessing that the content of a file describes.

    Raises UnsupportedError with the option that is not supported, CheckpointError with what makes no
    sense.
    """
    named = raw.get("feature_extractor_type") or EXTRACTOR
    if named != EXTRACTOR:
        raise UnsupportedError(
            f"{file}: feature extractor {shown(named)} is not supported; known: {EXTRACTOR}"
        )
    values = dict(FIELDS.values())
    for key, value in raw.items():
        if key in FIELDS:
            values[FIELDS[key][0]] = value
        elif value not in (None, NEUTRAL.get(key, value)):
            raise UnsupportedError(
                f"{file}: {shown(key)} = {shown(value)} is not supported; a bundle takes "
                f"{NEUTRAL[key]}"
            )
    form = AudioFormat(**values)
    if problem := form.problem():
        raise CheckpointError(f"{file}: {problem}", "CKPT_CONFIG")
    return form
