"""What speech models hear, by preprocessor_config.json or processor_config.json: an option that changes
features is understood or refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from satchel.checkpoints.checkpoint import Checkpoint
from satchel.runtime.audio import AudioFormat, WaveFormat
from satchel.runtime.errors import CheckpointError, UnsupportedError, shown
from satchel.runtime.filter_banks import HOP, BankFormat, Framed

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


WAVES, BANKS = "Wav2Vec2FeatureExtractor", "SeamlessM4TFeatureExtractor"
WINDOW_SECONDS, OVERLAP_SECONDS = (
    30,
    5,
)  # of what is read at once; those on either side lend context
# What else both read. Nothing is padded, so nothing is masked.
UNPADDED = ("padding_side", "padding_value", "return_attention_mask")


def framed_format(checkpoint: Checkpoint, facts: Mapping[str, Any], tidied: bool) -> Framed:
    """The preprocessing of a checkpoint, from its folder, and how `facts` say that frames are made."""
    raw, file = checkpoint.preprocessor_config, checkpoint.preprocessor_file
    if not raw:
        raise CheckpointError(f"{shown(checkpoint.source)} has no {FILE}")
    heard = BANKS if "width" in facts else WAVES
    named = raw.get("feature_extractor_type") or heard
    if named != heard:
        raise UnsupportedError(
            f"{file}: feature extractor {shown(named)} is not supported here; known: {heard}"
        )
    rate = raw.get("sampling_rate", 16_000)
    form: Framed
    if heard == BANKS:
        form = _banks(raw, rate, facts["shrunk"], tidied)
        if form.problem() is None and form.width != facts["width"]:
            raise CheckpointError(
                f"{file} makes rows of {form.width} numbers, whereas config.json says that the model "
                f"reads {facts['width']}",
                "CKPT_CONFIG",
            )
    else:
        if raw.get("feature_size", 1) != 1:
            size = shown(raw["feature_size"])
            raise UnsupportedError(f"{file}: feature_size = {size}; expected 1")
        form = WaveFormat(
            sampling_rate=rate,
            normalized=raw.get("do_normalize", True),
            stride=facts["stride"],
            field=facts["field"],
            tidied=tidied,
            **_windows(rate, facts["stride"]),
        )
    if problem := form.problem():
        raise CheckpointError(f"{file}: {problem}", "CKPT_CONFIG")
    return form


def _banks(raw: dict[str, Any], rate: Any, shrunk: int, tidied: bool) -> BankFormat:
    stacked = raw.get("stride", 2)
    step = HOP * shrunk * (stacked if type(stacked) is int and stacked > 0 else 1)
    return BankFormat(
        sampling_rate=rate,
        mels=raw.get("num_mel_bins", 80),
        stacked=stacked,
        shrunk=shrunk,
        tidied=tidied,
        **_windows(rate, step),
    )


def _windows(rate: Any, stride: int) -> dict[str, int]:
    """Frames of a window and of its overlap; a rate that makes no sense is refused elsewhere."""
    known = rate if type(rate) is int else 0
    frames = WINDOW_SECONDS * known // stride
    return {
        "window": max(2, frames),
        "overlap": min(OVERLAP_SECONDS * known // stride, frames // 3),
    }


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
