"""Pairs of tiny bundles, int8 beside float32 of one checkpoint, made once."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import satchel
from satchel.cli.main import main
from satchel.runtime import sealed
from satchel.runtime.bundle import sha256_of
from satchel.runtime.manifest import MANIFEST, File
from tests.test_encoder_images import PROCESSOR
from tests.test_images import CASES, save
from tests.tiny import save_checkpoint
from tests.tiny_encoders import save_encoder
from tests.tiny_seq2seq import save_seq2seq
from tests.tiny_speech import save_speech

TEXT = "The fox sees the dog.\n\nIt runs on and on; is it the cat?\r\nA line of 12 words?\n"


def _picture(folder: Path, name: str) -> None:
    save(folder, CASES[name])
    (folder / "preprocessor_config.json").write_text(json.dumps(PROCESSOR))


CHECKPOINTS: dict[str, Callable[[Path], Any]] = {
    "llama": lambda folder: save_checkpoint(folder, "llama", num_hidden_layers=2),
    "t5": lambda folder: save_seq2seq(folder, "t5"),
    "whisper": save_speech,
    "embed": lambda folder: save_encoder(folder, "modernbert"),
    "rank": lambda folder: save_encoder(folder, "bert", "classify", num_labels=1),
    "vit": lambda folder: _picture(folder, "vit-classify"),
} | {
    task: lambda folder, task=task: save_encoder(folder, "bert", task)
    for task in ("classify", "tokens", "answer", "fill-mask")
}


@pytest.fixture(scope="session")
def rounded(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A kind of bundle -> a folder with its `int8` and its `fp32`."""
    known: dict[str, Path] = {}

    def get(kind: str) -> Path:
        if kind not in known:
            folder = known[kind] = tmp_path_factory.mktemp(kind)
            source = folder / "checkpoint"
            source.mkdir()
            CHECKPOINTS[kind](source)
            for profile in ("fp32", "int8"):
                satchel.pack(source, folder / profile, profile=profile, force=True)
            # Float32 layers in the basis of int8: what int8's can be compared with.
            satchel.pack(source, folder / "basis", keep_fp32=["*"], force=True)
            shutil.rmtree(source)
        return known[kind]

    return get


def report_of(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, *arguments: object
) -> tuple[dict[str, Any], str]:
    """The report of `satchel quality`, as JSON and as it is printed."""
    file = tmp_path / "report.json"
    capsys.readouterr()
    status = main(["quality", *map(str, arguments), "--json", str(file)])
    output, errors = capsys.readouterr()
    assert status == 0, errors
    return json.loads(file.read_text("utf-8")), output


def both(folder: Path) -> tuple[Any, Any]:
    """The int8 and the float32 bundle, loaded."""
    return satchel.load(folder / "int8", threads=1), satchel.load(folder / "fp32", threads=1)


def text_file(tmp_path: Path, content: str = TEXT) -> Path:
    """A file with this text."""
    path = tmp_path / "text.txt"
    path.write_bytes(content.encode())
    return path


def altered(folder: Path, out: Path, weight: str, factor: float) -> Path:
    """A copy of a float32 bundle with one matrix multiplied."""
    shutil.copytree(folder, out)
    manifest = sealed.read((out / MANIFEST).read_text("utf-8"))
    for graph in manifest.graphs.values():
        model = onnx.load(str(out / graph.file), load_external_data=False)
        for tensor in model.graph.initializer:
            if tensor.name == weight:
                place = {entry.key: entry.value for entry in tensor.external_data}
                size = (int(place["length"]) // 4,)
                path, offset = out / place["location"], int(place["offset"])
                np.memmap(path, np.float32, "r+", offset, size)[:] *= factor
    files = {name: File(file.size, sha256_of(out / name)) for name, file in manifest.files.items()}
    assert files != manifest.files
    (out / MANIFEST).write_bytes(sealed.written(replace(manifest, files=files)).encode("utf-8"))
    return out
