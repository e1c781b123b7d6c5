"""preprocessor_config.json of speech models, read strictly: an option that changes features is understood
or refused."""

from __future__ import annotations

from typing import Any

from satchel.models.checkpoint import Checkpoint
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
COSMETIC = frozenset(  # say nothing about the features: made anew from the fields, or names
    """feature_extractor_type mel_filters n_samples nb_max_frames processor_class
    return_attention_mask transformers_version""".split()  # noqa: SIM905
)
NEUTRAL = {"dither": 0, "do_normalize": False, "padding_side": "right", "padding_value": 0}


def audio_format(checkpoint: Checkpoint) -> AudioFormat:
    """The preprocessing of a checkpoint, from its folder."""
    raw = checkpoint.preprocessor_config
    if not raw:
        raise CheckpointError(f"{shown(checkpoint.source)} has no {FILE}")
    return read_format(raw)


def read_format(raw: dict[str, Any]) -> AudioFormat:
    """The preprocessing that the content of preprocessor_config.json describes.

    Raises UnsupportedError with the option that is not supported, CheckpointError with what makes no
    sense.
    """
    named = raw.get("feature_extractor_type", EXTRACTOR)
    if named != EXTRACTOR:
        raise UnsupportedError(
            f"{FILE}: feature extractor {shown(named)} is not supported; known: {EXTRACTOR}"
        )
    values = dict(FIELDS.values())
    for key, value in raw.items():
        if key in FIELDS:
            values[FIELDS[key][0]] = value
        elif not (key in COSMETIC or (key in NEUTRAL and value in (None, NEUTRAL[key]))):
            raise UnsupportedError(f"{FILE}: {shown(key)} = {shown(value)} is not supported")
    result = AudioFormat(**values)
    if problem := result.problem():
        raise CheckpointError(f"{FILE}: {problem}", "CKPT_CONFIG")
    return result
