"""Better schemes for the layers that cost most, where an int8 bundle falls short."""

from __future__ import annotations

from pathlib import Path

import pytest

import satchel
from satchel.export.check import Check
from satchel.quantize import improve
from tests.tiny_encoders import save_encoder


def test_what_falls_short() -> None:
    passed, failed = Check("a", 1.0, 2.0), Check("b", 3.0, 2.0)
    assert improve.short([passed], {"mean_kl": 0.009, "top1": 0.5}) == (False, False)
    assert improve.short([passed, failed], {}) == (True, False)
    assert improve.short([passed], {"mean_kl": 0.02}) == (False, True)
    assert improve.short([passed], {"encoder.agreement": 0.98}) == (False, True)
    both = {"encoder.agreement": 0.98, "encoder.mean_kl": 0.001}
    assert improve.short([passed], both) == (False, False)


def test_as_few_layers_as_it_takes_have_better_schemes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_encoder(tmp_path / "checkpoint", "bert", "fill-mask", num_hidden_layers=3)
    monkeypatch.setattr(improve, "PART", 0.5)
    monkeypatch.setattr(improve, "MOST_KL", 1.0)
    plain = satchel.pack(tmp_path / "checkpoint", tmp_path / "plain")
    assert not plain.manifest.quantization["layers"]
    reached = float(plain.manifest.quality["encoder.mean_kl"])
    monkeypatch.setattr(improve, "MOST_KL", 0.9 * reached)
    packed = satchel.pack(tmp_path / "checkpoint", tmp_path / "out")
    layers = packed.manifest.quantization["layers"]
    assert 0 < len(layers) <= 6 and {scheme["kind"] for scheme in layers.values()} == {"fp32"}
    assert packed.manifest.quality["encoder.mean_kl"] <= 0.9 * reached
    [note] = [note for note in packed.notes if "better schemes" in note]
    assert next(iter(layers)) in note
    monkeypatch.setattr(improve, "MOST_KL", 0.0)  # which no part of the layers reaches
    again = satchel.pack(tmp_path / "checkpoint", tmp_path / "again")
    assert again.manifest.files == plain.manifest.files
