"""How `satchel.sentence` opens: bundles without PyTorch, checkpoints once, and nothing over the net."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import satchel
from satchel.packing import pack as packing
from satchel.runtime.errors import BundleError, SatchelError, StorageError, UnsupportedError
from satchel.sentence import CrossEncoder, SentenceTransformer, SparseEncoder, kept
from tests.sentence_models import PAIRS, TEXTS, assert_close, save_dense
from tests.test_imports import run_watched
from tests.tiny_encoders import save_encoder

pytest_plugins = "tests.sentence_models"
FOLDER = "made"


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    save_dense(tmp_path)
    return tmp_path / FOLDER


def opened(source: Any, cache: Path, **options: Any) -> SentenceTransformer:
    settings: dict[str, Any] = {"profile": "fp32", "cache_folder": cache} | options
    return SentenceTransformer(source, **settings)


def no_export(*arguments: Any, **options: Any) -> Any:
    raise AssertionError("an export")


def test_a_bundle_needs_neither_torch_nor_a_socket(both: Any) -> None:
    code = """
from satchel.sentence import CrossEncoder, SentenceTransformer, SparseEncoder, util
dense, cross, sparse = sys.argv[1:]
model = SentenceTransformer(dense, device="cpu")
vectors = model.encode_query(["the fox", "a dog"], normalize_embeddings=True, show_progress_bar=True)
assert model.similarity(vectors, vectors).shape == (2, 2)
assert len(model.encode("x", precision="binary")) == 8 and model.fingerprint
assert util.semantic_search(vectors, vectors, top_k=1)[0][0]["corpus_id"] == 0
assert len(CrossEncoder(cross).rank("the fox", ["a dog", "the fox"])) == 2
model = SparseEncoder(sparse)
assert model.decode(model.encode("the fox"), top_k=2)
assert "transformers" not in sys.modules and "torch" not in sys.modules
"""
    kinds = ("SentenceTransformer", "CrossEncoder", "SparseEncoder")
    run_watched(code, *(str(both(kind)[1].bundle) for kind in kinds))


def test_a_kept_bundle_needs_no_torch_either(saved: Path, tmp_path: Path) -> None:
    opened(saved, tmp_path / "cache")
    code = """
from satchel.sentence import SentenceTransformer
SentenceTransformer(sys.argv[1], profile="fp32", cache_folder=sys.argv[2]).encode("x")
"""
    run_watched(code, str(saved), str(tmp_path / "cache"))


def test_a_checkpoint_is_packed_once(saved: Path, tmp_path: Path, monkeypatch: Any) -> None:
    cache = tmp_path / "cache"
    first = opened(saved, cache)
    assert first.bundle.parent == cache / "bundles" and first.bundle.name.startswith("made-")
    monkeypatch.setattr(packing, "pack", no_export)
    again = opened(str(saved), cache)
    assert again.bundle == first.bundle
    assert_close(again.encode(TEXTS), first.encode(TEXTS))
    moved = tmp_path / "elsewhere" / FOLDER
    moved.parent.mkdir()
    saved.rename(moved)
    assert opened(moved, cache).bundle == first.bundle
    (moved / "onnx").mkdir()
    (moved / "onnx" / "model.onnx").write_bytes(b"x")
    (moved / ".cache").write_bytes(b"x")
    assert opened(moved, cache).bundle == first.bundle
    assert opened(first.bundle, cache).bundle == first.bundle


def test_what_else_makes_another_bundle(saved: Path, tmp_path: Path, monkeypatch: Any) -> None:
    cache, made = tmp_path / "cache", []

    def noting(source: Path, out: Path, **options: Any) -> Any:
        made.append((out.name, options["library_class"], str(options["profile"])))
        return real(source, out, **options)

    real = packing.pack
    monkeypatch.setattr(packing, "pack", noting)
    monkeypatch.setenv(kept.VARIABLE, str(cache))
    SentenceTransformer(saved, profile="fp32")
    own = tmp_path / "own.toml"
    text = (Path(satchel.__file__).parents[2] / "quantize/profiles/fp32.toml").read_text()
    own.write_text(text)
    SentenceTransformer(saved, profile=own)
    own.write_text(text + "\n# another\n")
    SentenceTransformer(saved, profile=own)
    config = saved / "config_sentence_transformers.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"prompts": {"query": "dog "}}))
    assert SentenceTransformer(saved, profile="fp32").prompts["query"] == "dog "
    names = [name for name, *_ in made]
    assert len(names) == len(set(names)) == 4 == len(list((cache / "bundles").glob("made-*")))
    with pytest.raises(SatchelError, match=r"profile .*no.toml' is not a file"):
        SentenceTransformer(saved, profile="no.toml")


def test_an_export_that_fails_leaves_nothing(saved: Path, tmp_path: Path) -> None:
    (saved / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(SatchelError, match=r"model\.safetensors"):
        opened(saved, tmp_path / "cache")
    assert [path for path in (tmp_path / "cache/bundles").iterdir() if path.suffix != ".lock"] == []


def test_a_killed_export_leaves_no_bundle(saved: Path, tmp_path: Path) -> None:
    code = """
import os, sys
from satchel.export import publish
publish._sync = lambda path: os._exit(9)
from satchel.sentence import SentenceTransformer
SentenceTransformer(sys.argv[1], profile="fp32", cache_folder=sys.argv[2])
"""
    done = subprocess.run([sys.executable, "-c", code, str(saved), str(tmp_path / "cache")])
    assert done.returncode == 9
    model = opened(saved, tmp_path / "cache")
    assert model.encode("the fox").shape == (64,)
    others = {path.name for path in model.bundle.parent.iterdir()} - {model.bundle.name}
    assert all(name.endswith(".lock") for name in others)  # the killed one's folder is gone


@pytest.mark.parametrize("locks", [True, False])
def test_processes_at_once(locks: bool, saved: Path, tmp_path: Path) -> None:
    code = """
import sys
if sys.argv[3] == "False":
    sys.modules["fcntl"] = None
from satchel.sentence import SentenceTransformer
print(SentenceTransformer(sys.argv[1], profile="fp32", cache_folder=sys.argv[2]).encode("x").sum())
"""
    command = [sys.executable, "-c", code, str(saved), str(tmp_path / "cache"), str(locks)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    answers = [process.communicate()[0] for process in running]
    assert [process.returncode for process in running] == [0, 0]
    assert answers[0] == answers[1]
    assert len(list((tmp_path / "cache" / "bundles").glob("made-*"))) == 1


def test_a_damaged_bundle_is_named(saved: Path, tmp_path: Path) -> None:
    model = opened(saved, tmp_path / "cache")
    (model.bundle / "tokenizer.json").write_text("{}")
    with pytest.raises(BundleError, match=r"tokenizer.json has 2 bytes"):
        opened(saved, tmp_path / "cache")


def test_where_bundles_are_kept(monkeypatch: Any, tmp_path: Path) -> None:
    monkeypatch.delenv(kept.VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    if sys.platform == "linux":
        assert kept.cache_folder() == tmp_path / "satchel"
    monkeypatch.setenv(kept.VARIABLE, str(tmp_path / "own"))
    assert kept.cache_folder() == tmp_path / "own"
    assert kept.cache_folder(tmp_path / "given") == tmp_path / "given"
    (tmp_path / "file").touch()
    save_encoder(tmp_path / "plain", "bert", num_hidden_layers=1)
    if os.name == "posix":
        with pytest.raises(StorageError, match="cannot make"):
            opened(tmp_path / "plain", tmp_path / "file")


def test_names_on_the_hub(monkeypatch: Any, saved: Path, tmp_path: Path) -> None:
    asked: list[Any] = []

    def download(name: str, revision: str | None, offline: bool) -> Path:
        asked.append((name, revision, offline))
        return saved

    monkeypatch.setattr(kept, "download", download)
    monkeypatch.chdir(tmp_path)
    opened("all-MiniLM-L6-v2", tmp_path / "cache", local_files_only=True)
    opened("somebody/all-MiniLM-L6-v2", tmp_path / "cache", revision="v2")
    assert asked == [
        ("sentence-transformers/all-MiniLM-L6-v2", None, True),
        ("somebody/all-MiniLM-L6-v2", "v2", False),
    ]
    for kind, owner in ((CrossEncoder, "cross-encoder"), (SparseEncoder, "sparse-encoder")):
        with pytest.raises(UnsupportedError, match="was saved by SentenceTransformer"):
            kind("x", cache_folder=tmp_path / "cache")
        assert asked[-1] == (f"{owner}/x", None, False)
    with pytest.raises(SatchelError, match="does not exist and is not a hub id"):
        opened("./no/such/folder", tmp_path / "cache")
    with pytest.raises(SatchelError, match="applies to hub ids"):
        opened(saved, tmp_path / "cache", revision="v2")


def test_a_name_that_is_not_there_is_one_line(tmp_path: Path, monkeypatch: Any) -> None:
    pytest.importorskip("huggingface_hub")
    monkeypatch.chdir(tmp_path)
    for options, words in (
        ({"local_files_only": True}, "is not in the hub's cache"),
        ({}, "cannot reach the hub"),
    ):
        with pytest.raises(StorageError, match=words) as caught:
            opened("nobody/nothing", tmp_path / "cache", **options)
        assert "\n" not in str(caught.value)


def test_models_that_no_class_opens(tmp_path: Path) -> None:
    from tests.test_images import CASES, save

    save(tmp_path / "images", CASES["vit-classify"])
    with pytest.raises(UnsupportedError, match="is no text encoder"):
        opened(tmp_path / "images", tmp_path / "cache")


def test_one_label_and_several_of_a_bundle(tmp_path: Path) -> None:
    """A bundle says itself how its scores read, also where a plain folder's would be otherwise."""
    save_encoder(tmp_path / "plain", "bert", "classify", num_hidden_layers=1, num_labels=3)
    satchel.pack(tmp_path / "plain", tmp_path / "bundle", profile="fp32")
    scores = CrossEncoder(tmp_path / "bundle").predict(PAIRS)
    np.testing.assert_allclose(scores.sum(-1), 1, atol=1e-5)
