"""Vectors of two functions never mix: the fingerprint of a bundle, beside its vectors and of a model."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import satchel
from satchel.cli import vectors
from satchel.cli.main import main
from satchel.cli.seal import sealed_anew
from satchel.cli.vector_function import VectorFunction
from satchel.runtime import sealed
from satchel.runtime.bundle import open_bundle
from satchel.runtime.errors import UsageError
from satchel.runtime.fingerprint import fingerprint
from satchel.runtime.manifest import File, Manifest
from satchel.sentence import SentenceTransformer
from tests.sentence_models import PROMPTS, TEXTS, save_cross, save_dense
from tests.tiny import edit_config
from tests.tiny_encoders import save_encoder

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("function")
    save_dense(folder, prompts=PROMPTS)
    satchel.pack(folder / "made", folder / "bundle", profile="fp32")
    return folder / "bundle"


@pytest.fixture
def manifest(bundle: Path) -> Manifest:
    return open_bundle(bundle).manifest


def test_the_manifest_carries_it(bundle: Path, manifest: Manifest, tmp_path: Path) -> None:
    assert manifest.extra == {"fingerprint": fingerprint(manifest)}
    again = tmp_path / "again"
    satchel.pack(bundle.parent / "made", again, profile="fp32")
    assert fingerprint(open_bundle(again).manifest) == fingerprint(manifest)
    older = dataclasses.replace(manifest, extra={}, format_version=1, satchel_version="0.0.1")
    assert fingerprint(older) == fingerprint(manifest)
    save_cross(tmp_path)
    satchel.pack(tmp_path / "made", tmp_path / "cross", profile="fp32")
    other = open_bundle(tmp_path / "cross").manifest
    assert other.extra == {}
    with pytest.raises(UsageError, match="'classify' makes no vectors"):
        fingerprint(other)


def test_whatever_moves_vectors_changes_it(manifest: Manifest) -> None:
    assert manifest.text is not None
    files = manifest.files
    others = [
        dataclasses.replace(manifest, files=files | {name: File(file.size, "0" * 64)})
        for name, file in files.items()
    ]
    changes: list[dict[str, Any]] = [
        {"max_length": 95},
        {"prompts": {"query": "to a "}},
        {"default_prompt": "query"},
        {"lower_case": True},
        {"pad_to_context": 0},
        {"cut_left": True},
        {"normalized": False},
    ]
    for change in changes:
        text = dataclasses.replace(manifest.text, **change)
        others.append(dataclasses.replace(manifest, text=text))
    found = [fingerprint(one) for one in (manifest, *others)]
    assert len(set(found)) == len(found) == len(files) + len(changes) + 1
    same = dataclasses.replace(manifest.text, similarity="dot")
    same.prompts["other"] = ""
    assert fingerprint(dataclasses.replace(manifest, text=same)) == found[0]


def test_an_edited_manifest_is_sealed_with_another(bundle: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in bundle.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    before = open_bundle(copy).manifest
    text = (copy / "manifest.json").read_text()
    (copy / "manifest.json").write_text(text.replace('"to the "', '"of it "'))
    assert sealed_anew(copy) and not sealed_anew(copy)
    after = sealed.read((copy / "manifest.json").read_text())
    assert after.extra["fingerprint"] == fingerprint(after) != fingerprint(before)


def test_of_a_model(bundle: Path, manifest: Manifest) -> None:
    def of(**options: Any) -> str:
        return SentenceTransformer(bundle, threads=1, **options).fingerprint

    assert of() == of(similarity_fn_name="dot") == fingerprint(manifest)
    changed = [of(truncate_dim=8), of(prompts={"query": "a "}), of(default_prompt_name="query")]
    model = SentenceTransformer(bundle, threads=1)
    model.max_seq_length = 12
    assert len({of(), *changed, model.fingerprint}) == 5


def command(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def test_vectors_are_added_to_those_of_the_same(
    bundle: Path, manifest: Manifest, tmp_path: Path, capsys: Capture
) -> None:
    out = tmp_path / "v.npy"
    (tmp_path / "a.txt").write_text("\n".join(TEXTS))
    whole = ["embed", bundle, "--out", out]
    assert command(*whole, "--file", tmp_path / "a.txt", "--append") == 0
    assert json.loads((tmp_path / "v.npy.json").read_text()) == {
        "fingerprint": fingerprint(manifest),
        "inputs": "texts",
        "prompt": None,
        "window": None,
        "dims": None,
    }
    assert command(*whole, "the fox", "--append") == 0
    assert command(*whole, "--file", tmp_path / "a.txt", "--append") == 0
    assert "4 vectors of 64" in capsys.readouterr().out
    model = satchel.load(bundle)
    assert isinstance(model, satchel.EncoderModel)
    expected = model.embed([*TEXTS, "the fox", *TEXTS])
    np.testing.assert_allclose(np.load(out), expected, atol=1e-6)
    assert {path.name for path in tmp_path.iterdir()} == {"a.txt", "v.npy", "v.npy.json"}


def test_vectors_of_another_function_are_refused(
    bundle: Path, tmp_path: Path, capsys: Capture
) -> None:
    save_encoder(tmp_path / "plain", "bert", num_hidden_layers=1)
    edit_config(tmp_path / "plain", layer_norm_eps=1e-5)
    satchel.pack(tmp_path / "plain", tmp_path / "other", profile="fp32")
    out = tmp_path / "v.npy"
    (tmp_path / "a.txt").write_text("\n".join(TEXTS))
    assert command("embed", bundle, "x", "--out", out) == 0
    kept = out.read_bytes()
    capsys.readouterr()
    for arguments, words in (
        ([tmp_path / "other", "x"], "fingerprint"),
        ([tmp_path / "other", "--file", tmp_path / "a.txt"], "fingerprint"),
        ([bundle, "x", "--prompt", "query"], "prompt None there, 'to the ' here"),
        ([bundle, "--file", tmp_path / "a.txt", "--window", "3"], "window None there, 3 here"),
        ([bundle, "x", "--overwrite"], "do not go together"),
    ):
        assert command("embed", *arguments, "--out", out, "--append") == 2
        errors = capsys.readouterr().err
        assert words in errors and errors.count("\n") == 1
    assert out.read_bytes() == kept and not (tmp_path / "v.npy.part").exists()
    assert command("embed", bundle, "x", "--append") == 2
    assert "--append is for --out" in capsys.readouterr().err
    for text, words in (
        ("[]", "is not what satchel embed wrote"),
        ("{", "is not what"),
        (None, "has no 'v.npy.json'"),
    ):
        record = tmp_path / "v.npy.json"
        record.write_text(text) if text is not None else record.unlink()
        assert command("embed", bundle, "x", "--out", out, "--append") == 2
        assert words in capsys.readouterr().err
    assert command("embed", tmp_path / "other", "x", "--out", out, "--overwrite") == 0
    assert command("embed", tmp_path / "other", "x", "--out", out, "--append") == 0
    assert np.load(out).shape == (2, 64)


def test_files_that_hold_something_else(tmp_path: Path) -> None:
    out, function = tmp_path / "v.npy", VectorFunction("0" * 64, "texts")
    function.write(out)
    rows = np.zeros((1, 4), np.float32)
    for other in (
        rows.astype(np.float64),
        rows[0],
        np.zeros((3, 5), np.float32),
        np.asfortranarray(np.zeros((3, 4), np.float32)),
    ):
        np.save(out, other)
        with pytest.raises(UsageError, match=r"expected float32 .n, 4."):
            vectors.save(out, rows, function, append=True)
    out.write_bytes(b"\x93NUMPY")
    with pytest.raises(UsageError, match=r"not a whole \.npy file"):
        vectors.save(out, rows, function, append=True)


def test_a_killed_run_of_more_goes_on(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(vectors, "CHUNK", 4)
    out, function = tmp_path / "v.npy", VectorFunction("0" * 64, "texts")
    source = tmp_path / "a.txt"
    source.write_text("\n".join(map(str, range(10))))
    first = np.arange(12, dtype=np.float32).reshape(3, 4)
    vectors.save(out, first, function)

    def embed(texts: Any) -> Any:
        return np.array([[float(text)] * 4 for text in texts], np.float32)

    def dying(texts: Any) -> Any:
        if "8" in texts:
            raise KeyboardInterrupt
        return embed(texts)

    with pytest.raises(KeyboardInterrupt):
        vectors.embed_file(source, out, 4, dying, {}, function, append=True)
    np.testing.assert_array_equal(np.load(out), first)
    part = tmp_path / "v.npy.part"
    cut = part.read_bytes()
    assert vectors.embed_file(source, out, 4, embed, {}, function, append=True) == (10, 8)
    expected = np.concatenate([first, embed(list(map(str, range(10))))])
    np.testing.assert_array_equal(np.load(out), expected)

    vectors.save(out, first, function, overwrite=True)
    with pytest.raises(KeyboardInterrupt):
        vectors.embed_file(source, out, 4, dying, {}, function, append=True)
    assert part.read_bytes() == cut
    part.write_bytes(cut[:140])  # killed among the rows that were there
    assert vectors.embed_file(source, out, 4, embed, {}, function, append=True) == (10, 0)
    np.testing.assert_array_equal(np.load(out), expected)
