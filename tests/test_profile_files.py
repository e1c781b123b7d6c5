"""Profiles as data: the shipped ones, files of one's own, objects; and what a scheme says of itself."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import satchel
from satchel.cli.main import main
from satchel.quantize.profile import named
from satchel.quantize.profiles import NAMES, path_of
from satchel.quantize.schemes import BLOCKS8, FP32, SCHEMES, scheme
from satchel.quantize.schemes.blocks import BlockScheme
from satchel.quantize.schemes.channels import Channels, quantize
from satchel.runtime.errors import UsageError
from tests.generating import opened
from tests.tiny import save_checkpoint

OWN = """
like = "int8"
cache = "float32"

[roles]
down_proj = "fp32"

[layers]
"*.layers.0.*.qkv_proj" = "blocks8:16"
"""


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoint")
    save_checkpoint(folder, "llama")
    return folder


def products(folder: Path) -> Counter[str]:
    graph = onnx.load(str(folder / "decoder.onnx"), load_external_data=False).graph
    return Counter(node.op_type for node in graph.node if "MatMul" in node.op_type)


def test_a_file_of_ones_own(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "mine.toml", tmp_path / "out"
    path.write_text(OWN)
    assert main(["export", str(checkpoint), str(out), "--profile", str(path), "--force"]) == 0
    capsys.readouterr()
    found = products(out)
    # Two layers: qkv and gate_up behind a rotated stream; o_proj, the head and one qkv in blocks.
    assert found == {"FusedMatMul": 2, "MatMulIntegerToFloat": 1 + 2, "MatMulNBits": 2 + 1 + 1}
    manifest = satchel.load(out).manifest
    assert manifest.cache is not None
    assert manifest.quantization["name"] == "mine" and manifest.cache.dtype == "float32"
    assert main(["inspect", str(out)]) == 0
    page = capsys.readouterr().out
    for line in (
        "decoder: blocks8, blocks of 64",
        "down_proj: fp32",
        "qkv_proj, gate_up_proj: channel8",
        "*.layers.0.*.qkv_proj: blocks8, blocks of 16",
        "tables: blocks8, blocks of 64",
    ):
        assert line in " ".join(page.split()), page


def test_a_profile_that_is_an_object(checkpoint: Path, tmp_path: Path) -> None:
    mine = dataclasses.replace(named("fp32"), name="mine", default=BLOCKS8)
    satchel.pack(checkpoint, tmp_path / "out", profile=mine, force=True)
    assert products(tmp_path / "out") == {"MatMulNBits": 2 * 4 + 1}


def test_shipped_profiles_are_files() -> None:
    assert {path.stem for path in path_of("int8").parent.glob("*.toml")} == set(NAMES)
    assert [named(name).name for name in NAMES] == list(NAMES)


BAD: dict[str, tuple[str, str]] = {
    "no scheme": ('default = "int3"\ntables = "fp32"', "default: scheme 'int3' is unknown; known"),
    "no size": ('like = "int8"\ntables = "blocks8:48"', "blocks8 or blocks4 with one of 16, 32"),
    "a size of none": ('like = "int8"\n[roles]\no_proj = "fp32:64"', "roles: scheme 'fp32:64'"),
    "another type": ('like = "int8"\ntables = 8', "tables: 8; expected the name of a scheme"),
    "no table": ('like = "int8"\nroles = "fp32"', "roles: 'fp32'; expected a table of names"),
    "no flag": ('like = "int8"\nrotated = 1', "rotated: 1; expected true or false"),
    "no cache": ('like = "int8"\ncache = "int4"', "cache: 'int4'; expected float32 or int8"),
    "unknown key": ('like = "int8"\nheads = "fp32"', "'heads' is unknown; known: name, like"),
    "unknown like": ('like = "int5"', "like = 'int5' is unknown; known: int8"),
    "taken name": ('name = "fp32"\nlike = "int8"', "name = 'fp32'; expected one that no shipped"),
    "nothing": ("", "default is missing"),
    "no TOML": ("default = ", "is not TOML"),
    "no layer": ('like = "int8"\n[roles]\nmiddle = "fp32"', "'middle': no such layer; there are"),
}


@pytest.mark.parametrize("name", BAD)
def test_files_that_make_no_profile(name: str, checkpoint: Path, tmp_path: Path) -> None:
    content, message = BAD[name]
    path = tmp_path / "mine.toml"
    path.write_text(content)
    with pytest.raises(UsageError, match=r"--profile .*mine\.toml") as caught:
        satchel.pack(checkpoint, tmp_path / "out", profile=path)
    assert message in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("path", ["nowhere.toml", "folder.toml"])
def test_a_file_that_cannot_be_read(path: str, checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(UsageError, match="not a file that can be read"):
        satchel.pack(checkpoint, tmp_path / "out", profile=tmp_path / path)


def weight(rows: int, columns: int) -> Any:
    return np.random.default_rng(0).normal(size=(rows, columns)).astype(np.float32)


@pytest.mark.parametrize("kind", SCHEMES)
@pytest.mark.parametrize("shape", [(48, 128), (40, 96), (33, 50)])
def test_a_scheme_restores_and_counts(kind: str, shape: tuple[int, int]) -> None:
    found, matrix = SCHEMES[kind], weight(*shape)
    error = np.abs(found.restored(matrix) - matrix).max() / np.abs(matrix).max()
    assert error <= {"fp32": 0, "blocks8": 0.004, "blocks4": 0.07, "channel8": 0.004}[kind]
    held: Any = matrix
    if isinstance(found, BlockScheme):
        blocks = found._quantized(matrix, None)
        held = [blocks.values, blocks.scales, *([] if blocks.zeros is None else [blocks.zeros])]
    elif kind == "channel8":
        channels: Channels = quantize(matrix)
        held = [channels.values, channels.scales]
    size = sum(part.nbytes for part in held) if isinstance(held, list) else held.nbytes
    assert found.bytes(*shape) == size


def test_every_scheme_gets_better_until_none_does() -> None:
    for found in SCHEMES.values():
        steps = 0
        while (better := found.better()) is not None:
            assert better[0].bytes(512, 512) > found.bytes(512, 512) and 0 <= better[1] < 1
            found, steps = better[0], steps + 1
        assert found is FP32 and steps < len(SCHEMES)


def test_schemes_are_named_in_text() -> None:
    assert scheme("blocks8:32").to_dict() == {"kind": "blocks8", "block": 32}
    assert scheme("blocks8") == BLOCKS8 and scheme("fp32") is FP32


def sinks(folder: Path) -> list[str]:
    """The input of each attention that keeps it from tiles."""
    graph = onnx.load(str(folder / "decoder.onnx"), load_external_data=False).graph
    nodes = [node for node in graph.node if node.op_type == "GroupQueryAttention"]
    return [node.input[11] if len(node.input) > 11 else "" for node in nodes]


@pytest.mark.parametrize("cache", ["int8", "float32"])
def test_attention_without_tiles_changes_no_number(
    checkpoint: Path, tmp_path: Path, cache: str
) -> None:
    tiled = dataclasses.replace(named("int8-portable"), name="tiled", untiled=False)
    folders = [tmp_path / "untiled", tmp_path / "tiled"]
    satchel.pack(checkpoint, folders[0], profile="int8-portable", cache=cache, force=True)
    satchel.pack(checkpoint, folders[1], profile=tiled, cache=cache, force=True)
    assert all(sinks(folders[0])) and not any(sinks(folders[1]))
    ids = [list(range(3, 60)), [5], list(range(100, 120))]
    ours, other = (opened(folder) for folder in folders)
    for row in ids:
        np.testing.assert_array_equal(ours.logits(row), other.logits(row))
    asked: dict[str, Any] = {"max_new_tokens": 20, "temperature": 0.0, "lookup": False}
    assert [one.logprobs for one in ours.generate(ids, **asked)] == [
        one.logprobs for one in other.generate(ids, **asked)
    ]


def test_rows_of_no_whole_pages_change_no_number(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "checkpoint", "llama", vocab_size=4096, tie_word_embeddings=True)
    paged = dataclasses.replace(named("int8-portable"), name="paged", staggered=False)
    folders, products = [tmp_path / "staggered", tmp_path / "paged"], []
    for folder, profile in zip(folders, (named("int8-portable"), paged), strict=True):
        satchel.pack(tmp_path / "checkpoint", folder, profile=profile, force=True)
        graph = onnx.load(str(folder / "decoder.onnx"), load_external_data=False).graph
        widths = {tensor.name: tensor.dims[-1] for tensor in graph.initializer if tensor.dims}
        read = [node.input for node in graph.node if node.op_type == "MatMulIntegerToFloat"]
        products.append([(widths[names[1]], widths[names[3]]) for names in read])
    assert (4096 + 64, 4096 + 64) in products[0] and (4096, 4096) in products[1]
    assert all(width % 4096 for pair in products[0] for width in pair)
    ours, other = (opened(folder) for folder in folders)
    for row in ([5], list(range(4000, 4096)), list(range(3, 60))):
        np.testing.assert_array_equal(ours.logits(row), other.logits(row))
