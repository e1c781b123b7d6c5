"""Sound in: features equal those of transformers, for any signal and length."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from transformers import WhisperFeatureExtractor
from transformers.models.whisper import feature_extraction_whisper

from satchel.export.audio_config import read_format
from satchel.runtime.audio import AudioFormat
from satchel.runtime.errors import BundleError, CheckpointError, SatchelError, UsageError

RATE = 16_000
WINDOW = 30 * RATE
EXACT, TORCH = (
    1e-6,
    2e-4,
)  # transformers computes in float64, and in float32 where torch is installed
PLAIN = AudioFormat(RATE, 80, 400, 160, 30)


def sweep(time: np.ndarray) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * (50 * time + 130 * time**2))


def speech(time: np.ndarray) -> np.ndarray:
    """A voice of changing pitch with formants, in syllables with silence between."""
    pitch = 2 * np.pi * (120 * time + 15 * np.sin(2 * time))
    formants = [(700, 0.5), (1220, 0.3), (2600, 0.1)]
    weights = [sum(g / (1 + ((120 * k - f) / 90) ** 2) for f, g in formants) for k in range(1, 33)]
    voice = sum(weight * np.sin(k * pitch) for k, weight in enumerate(weights, 1))
    return 0.2 * voice * np.maximum(0, np.sin(2 * np.pi * 1.7 * time))


def noise(time: np.ndarray) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 0.1, len(time))


SIGNALS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "sweep": sweep,
    "speech": speech,
    "noise": noise,
    "whisper": lambda time: noise(time) * 1e-4,
    "bang": lambda time: np.where(time < 0.5, noise(time) * 9, noise(time) * 1e-3),
    "silence": np.zeros_like,
    "overdriven": lambda time: 20 * speech(time),
}
LENGTHS = [1, 159, 160, 4321, WINDOW - 300, WINDOW - 1, WINDOW, WINDOW + 1, 2 * WINDOW + 12345]


def signal(name: str, length: int) -> np.ndarray:
    return SIGNALS[name](np.arange(length) / RATE).astype(np.float32)


def theirs(extractor: Any, samples: np.ndarray) -> np.ndarray:
    """Features of a short waveform filled up with silence, or of a long one whole."""
    whole = {"truncation": False, "padding": "longest"} if len(samples) > WINDOW else {}
    return extractor(samples, sampling_rate=RATE, return_tensors="np", **whole)["input_features"][0]


@pytest.fixture
def in_float64(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feature_extraction_whisper, "is_torch_available", lambda: False)


@pytest.mark.parametrize("mels", [80, 128])
@pytest.mark.parametrize("name", SIGNALS)
def test_features_equal_transformers(name: str, mels: int, in_float64: None) -> None:
    extractor = WhisperFeatureExtractor(feature_size=mels)
    form = read_format(json.loads(extractor.to_json_string()))
    assert form == AudioFormat.from_dict(json.loads(json.dumps(form.to_dict())))
    samples = signal(name, 7 * RATE + 77)
    found, wanted = form.log_mel(samples), theirs(extractor, samples)
    assert found.dtype == np.float32 and found.shape == (mels, 3000)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=EXACT)


@pytest.mark.parametrize("length", LENGTHS)
def test_lengths_equal_transformers(length: int, in_float64: None) -> None:
    samples = signal("noise", length)
    found, wanted = PLAIN.log_mel(samples), theirs(WhisperFeatureExtractor(), samples)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=EXACT)


@pytest.mark.parametrize("name", SIGNALS)
def test_features_are_near_those_by_torch(name: str) -> None:
    samples = signal(name, WINDOW)
    found, wanted = PLAIN.log_mel(samples), theirs(WhisperFeatureExtractor(), samples)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=TORCH)


@pytest.mark.parametrize(
    "options",
    [
        {"n_fft": 512, "hop_length": 128, "chunk_length": 5},
        {"sampling_rate": 22_050, "feature_size": 40, "chunk_length": 3},
        {"sampling_rate": 48_000, "n_fft": 1200, "hop_length": 480, "chunk_length": 2},
    ],
)
def test_other_numbers_equal_transformers(options: dict[str, int], in_float64: None) -> None:
    extractor, form = WhisperFeatureExtractor(**options), read_format(options)
    samples = signal("speech", form.sampling_rate)
    wanted = extractor(samples, sampling_rate=form.sampling_rate, return_tensors="np")
    np.testing.assert_allclose(form.log_mel(samples), wanted["input_features"][0], atol=EXACT)
    assert form.log_mel(samples).shape == (form.mels, form.window_frames)


def test_the_caller_keeps_his_samples() -> None:
    samples = signal("noise", 1000)
    before = samples.copy()
    first = PLAIN.log_mel(samples)
    np.testing.assert_array_equal(samples, before)
    np.testing.assert_array_equal(PLAIN.log_mel(samples), first)


def test_importing_loads_no_library() -> None:
    code = (
        "import sys, satchel.runtime.audio, satchel.runtime.waveform; "
        "assert not {'soundfile', 'soxr', 'torch', 'scipy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_files_of_older_checkpoints_are_read() -> None:
    older = {
        "chunk_length": 30,
        "feature_extractor_type": "WhisperFeatureExtractor",
        "feature_size": 80,
        "hop_length": 160,
        "mel_filters": [[0.0] * 201] * 80,
        "n_fft": 400,
        "n_samples": 480000,
        "nb_max_frames": 3000,
        "padding_side": "right",
        "padding_value": 0.0,
        "processor_class": "WhisperProcessor",
        "return_attention_mask": False,
        "sampling_rate": 16000,
    }
    assert read_format(older) == PLAIN == read_format({})


BROKEN: list[dict[str, Any]] = [
    {"mels": 0},
    {"mels": 80.0},
    {"mels": True},
    {"mels": 300},  # more than the spectrum can tell apart
    {"n_fft": 401},
    {"n_fft": 1 << 20},
    {"hop_length": 0},
    {"n_fft": 100},
    {"sampling_rate": 8000},
    {"sampling_rate": "16000"},
    {"seconds": 0},
    {"seconds": 10**9},
    {"dither": 0.1},
]


@pytest.mark.parametrize("changes", BROKEN)
def test_a_broken_manifest_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(BundleError, match=next(iter(changes))):
        AudioFormat.from_dict(PLAIN.to_dict() | changes)
    incomplete = PLAIN.to_dict()
    del incomplete["mels"]
    with pytest.raises(BundleError, match="audio"):
        AudioFormat.from_dict(incomplete)


UNSUPPORTED: list[tuple[dict[str, Any], str]] = [
    ({"feature_extractor_type": "Wav2Vec2FeatureExtractor"}, "Wav2Vec2"),
    ({"dither": 0.01}, "dither"),
    ({"padding_value": 0.5}, "padding_value"),
    ({"padding_side": "left"}, "padding_side"),
    ({"feature_size": "many"}, "mels"),
    ({"chunk_length": 2.5}, "seconds"),
    ({"sampling_rate": 8000}, "sampling_rate"),
]


@pytest.mark.parametrize(("options", "word"), UNSUPPORTED)
def test_unsupported_preprocessing_is_named(options: dict[str, Any], word: str) -> None:
    with pytest.raises(SatchelError, match=word) as raised:
        read_format(options)
    assert not isinstance(raised.value, UsageError)
    assert isinstance(raised.value, CheckpointError) or raised.value.code == "UNSUPPORTED"
