"""The comparisons where our kernels are installed: satchel enters on them and on ONNX Runtime's."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import satchel
from tests.benchmark_commands import compared, on_linux, refused
from tests.test_sentence import save_sentence
from tests.tiny import save_checkpoint

pytest_plugins = "tests.benchmark_commands"
pytestmark = [
    on_linux,
    pytest.mark.skipif(
        find_spec("satchel_kernels") is None,
        reason="satchel-kernels is not installed: make kernels",
    ),
]
STOCK = "satchel, stock kernels"


@pytest.fixture(scope="module")
def decoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("decoder")
    save_checkpoint(folder / "checkpoint", "llama", max_position_embeddings=640)
    satchel.pack(folder / "checkpoint", folder / "int8", force=True)
    return folder / "int8"


def entered(result: Any) -> dict[str, Any]:
    """The two entrants by name, which ran on what they are named after."""
    entrants = {one["name"]: one for one in result["entrants"]}
    assert list(entrants) == ["satchel", STOCK]
    assert all(one["failure"] is None for one in entrants.values())
    assert entrants["satchel"]["versions"]["kernels"].startswith("satchel-kernels ")
    assert entrants[STOCK]["versions"]["kernels"] == "ONNX Runtime's own"
    assert set(result["ratios"]) == {STOCK}
    return entrants


@pytest.mark.parametrize("growth", [False, True])
def test_decoders_on_either_kernels(growth: bool, decoder: Path, tmp_path: Path) -> None:
    printed, result = compared(
        "decoders.py", tmp_path, "--bundle", decoder, *["--growth"] * growth, "--peers", "--quick",
        "--threads", 1, "--gguf", decoder.parent / "checkpoint" / "model.safetensors",
        "--pictures", tmp_path / "pictures", kernels="1",
    )  # fmt: skip
    entered(result)
    assert "kernels satchel-kernels " in printed and "kernels ONNX Runtime's own" in printed
    assert set(result["ratios"][STOCK]) == set(result["entrants"][0]["samples"])
    if growth:
        assert " | ratio | decode, satchel (tok/s) | " in printed
    else:
        ways = result["limits"]["int8"]
        assert any(way.startswith("satchel-kernels") for way in ways), ways


def test_encoders_on_either_kernels(tmp_path: Path) -> None:
    save_sentence(tmp_path / "checkpoint", "mean", ["normalize"])
    checkpoint = tmp_path / "checkpoint" / "made"
    satchel.pack(checkpoint, tmp_path / "int8", profile="int8", force=True)
    _, result = compared(
        "encoders.py", tmp_path, tmp_path / "int8", "--checkpoint", checkpoint, "--peers", "--quick",
        "--texts", 8, "--threads", 1, kernels="1",
    )  # fmt: skip
    entered(result)
    assert result["best_peer"] == {}


def test_seq2seq_on_either_kernels(tmp_path: Path) -> None:
    arguments = ("--quick", "--models", "t5", "--peers", "--threads", 1)
    _, result = compared("seq2seq.py", tmp_path, *arguments, kernels="1")
    entered(result["t5"])


def test_a_bad_switch_is_refused(tmp_path: Path) -> None:
    refused("seq2seq.py", tmp_path / "home", "SATCHEL_KERNELS=yes", kernels="yes")
