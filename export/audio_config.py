"""What speech models hear, by preprocessor_config.json or processor_config.json: an option that changes
features is understood or refused."""

from __future__ import annotations

from typing import Any

from satchel.checkpoints.checkpoint import Checkpoint
from satchel.runtime.audio import AudioFormat
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
