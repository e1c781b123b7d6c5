"""The verbs for encoder bundles, in this process: what they print, and how they refuse."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import satchel
from satchel.cli import vectors
from satchel.cli.main import main
from satchel.cli.vector_function import VectorFunction
from tests.loading import load_as
from tests.manifests import said
from tests.outcome import refused
from tests.test_encoder_images import PROCESSOR
from tests.test_images import CASES, save
from tests.tiny import edit_config
from tests.tiny_encoders import save_encoder

Capture = pytest.CaptureFixture[str]
NAMES = {"0": "O", "1": "B-CAT", "2": "I-CAT"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """The bundle folder of a task, exported by the command line and made once."""
    known: dict[str, str] = {}

    def get(task: str) -> str:
        if task not in known:
            folder = tmp_path_factory.mktemp(task)
            source, out = folder / "checkpoint", folder / "out"
            if task == "image-classify":
                save(source, CASES["vit-classify"])
                (source / "preprocessor_config.json").write_text(json.dumps(PROCESSOR))
            elif task == "rank":
                save_encoder(source, "bert", "classify", num_labels=1)
            else:
                save_encoder(source, "bert", task)
                edit_config(source, **({"id2label": NAMES} if task == "tokens" else {}))
            arguments = ["--profile", "fp32", *(["--task", "embed"] if task == "embed" else [])]
            assert main(["export", str(source), str(out), *arguments]) == 0
            known[task] = str(out)
        return known[task]

    return get


def run(capsys: Capture, *arguments: object) -> str:
    capsys.readouterr()
    assert main([str(argument) for argument in arguments]) == 0
    return capsys.readouterr().out


def test_embed_prints_vectors_or_writes_them(made: Any, capsys: Capture, tmp_path: Path) -> None:
    bundle = made("embed")
    expected = load_as(satchel.EncoderModel, bundle).embed(["the fox", "x"])
    lines = run(capsys, "embed", bundle, "the fox", "x").splitlines()
    np.testing.assert_allclose([json.loads(line) for line in lines], expected, atol=1e-6)
    assert "2 vectors of 64" in run(
        capsys, "embed", bundle, "the fox", "x", "--out", tmp_path / "v.npy"
    )
    np.testing.assert_allclose(np.load(tmp_path / "v.npy"), expected, atol=1e-6)
    assert {path.name for path in tmp_path.iterdir()} == {"v.npy", "v.npy.json"}


def test_a_killed_run_goes_on(
    made: Any, capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vectors, "CHUNK", 8)
    bundle, source, out = made("embed"), tmp_path / "lines.txt", tmp_path / "v.npy"
    lines = [f"the fox {number} é" for number in range(30)] + ["", "last"]
    source.write_bytes("\r\n".join(lines).encode())
    model = load_as(satchel.EncoderModel, bundle)
    asked: list[str] = []

    def dying(rows: Any) -> Any:
        if len(asked) >= 16:
            raise KeyboardInterrupt
        asked.extend(rows)
        return model.embed(rows)

    function = VectorFunction("0" * 64, "texts")
    with pytest.raises(KeyboardInterrupt):
        vectors.embed_file(source, out, 64, dying, {}, function)
    with (tmp_path / "v.npy.part").open("ab") as file:
        file.write(b"half a row")
    assert asked == lines[:16] and not out.exists()
    asked.clear()
    assert vectors.embed_file(source, out, 64, model.embed, {}, function) == (32, 16)
    np.testing.assert_allclose(np.load(out), model.embed(lines), atol=1e-6)
    assert {path.name for path in tmp_path.iterdir()} == {"lines.txt", "v.npy", "v.npy.json"}

    again = ["embed", bundle, "--file", source, "--out", out, "--window", "3"]
    assert main([str(part) for part in again]) == 2
    assert "v.npy' exists; --overwrite replaces it" in capsys.readouterr().err
    out.unlink()
    with pytest.raises(KeyboardInterrupt):
        vectors.embed_file(source, out, 64, dying, {"window": 1}, function)
    (tmp_path / "v.npy.part.json").unlink()
    assert main([str(part) for part in again]) == 2
    assert "v.npy.part' is from another run" in capsys.readouterr().err
    assert "32 vectors of 64 numbers\n" in run(capsys, *again, "--overwrite")
    assert {path.name for path in tmp_path.iterdir()} == {"lines.txt", "v.npy", "v.npy.json"}
    found = np.load(out, mmap_mode="r")
    assert found.dtype == np.float32 and found.flags.c_contiguous
    np.testing.assert_allclose(found, model.embed(lines, window=3), atol=1e-6)


def test_classify_and_rank(made: Any, capsys: Capture) -> None:
    lines = run(capsys, "classify", made("classify"), "the fox", "two\nlines").splitlines()
    assert len(lines) == 2 and lines[1].startswith("LABEL_") and lines[1].endswith("two lines")
    found = json.loads(run(capsys, "classify", made("classify"), "the fox", "--json"))
    assert set(found[0]) == {"label", "score", "scores"}
    ranked = run(capsys, "rank", made("rank"), "--query", "who?", "the fox", "a dog").splitlines()
    scores = [float(line.split()[1]) for line in ranked]
    assert scores == sorted(scores, reverse=True) and {line[0] for line in ranked} == {"0", "1"}


def test_tokens_answer_and_fill_mask(made: Any, capsys: Capture, tmp_path: Path) -> None:
    text = "The café fox sees 狐狸 and runs."
    spans = json.loads(run(capsys, "tokens", made("tokens"), text, "--json"))
    assert spans and all(span["text"] == text[span["start"] : span["end"]] for span in spans)
    assert len(run(capsys, "tokens", made("tokens"), text).splitlines()) == len(spans)
    (tmp_path / "c.txt").write_text(text, "utf-8")
    question = ["answer", made("answer"), "--question", "who?", "--context", tmp_path / "c.txt"]
    found = json.loads(run(capsys, *question, "--json"))
    assert found["text"] == text[found["start"] : found["end"]]
    assert (found["text"] or "(no answer)") in run(capsys, *question)
    lines = run(capsys, "fill-mask", made("fill-mask"), "the [MASK] runs", "--top", "3")
    assert len(lines.splitlines()) == 3


def test_lines_of_a_file(made: Any, capsys: Capture, tmp_path: Path) -> None:
    lines = [f"the fox sees {number} dogs" for number in range(70)] + ["", "\t\x1b[2J é"]
    (tmp_path / "lines.txt").write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode())
    (tmp_path / "masks.txt").write_text("the [MASK] runs\na [MASK]", "utf-8")
    (tmp_path / "context.txt").write_text("The fox sees it. " * 30, "utf-8")
    file = ["--file", tmp_path / "lines.txt"]

    model = load_as(satchel.EncoderModel, made("classify"))
    printed = run(capsys, "classify", made("classify"), *file).splitlines()
    expected = model.classify(lines)
    assert [line.split("\t")[:2] for line in printed] == [
        [str(number), one.label] for number, one in enumerate(expected, 1)
    ]
    assert all(len(line.split("\t")) == 4 for line in printed)
    assert printed[-1].endswith("\t\\x1b[2J é") and printed[-2].endswith("\t")
    found = [
        json.loads(line)
        for line in run(capsys, "classify", made("classify"), *file, "--json").splitlines()
    ]
    assert [one["label"] for one in found] == [one.label for one in expected]

    spans = run(capsys, "tokens", made("tokens"), *file, "--json", "--window", "4").splitlines()
    assert len(spans) == len(lines) and json.loads(spans[-2]) == []
    assert all(one["text"] == lines[0][one["start"] : one["end"]] for one in json.loads(spans[0]))

    filled = run(
        capsys, "fill-mask", made("fill-mask"), "--file", tmp_path / "masks.txt", "--top", "2"
    )
    assert [line.split("\t")[0] for line in filled.splitlines()] == ["1", "1", "2", "2"]

    context = ["--context", tmp_path / "context.txt"]
    many = run(capsys, "answer", made("answer"), *file, *context, "--json").splitlines()
    one = run(capsys, "answer", made("answer"), "--question", lines[3], *context, "--json")
    assert len(many) == len(lines) and json.loads(many[3]) == json.loads(one)
    best = json.loads(
        run(capsys, "answer", made("answer"), "--question", "x", *context, "--top", "3", "--json")
    )
    assert len(best) == 3 and best[0]["score"] >= best[2]["score"]

    ranked = run(capsys, "rank", made("rank"), "--query", "who?", *file, "--json")
    assert {one["index"] for one in json.loads(ranked)} == set(range(len(lines)))


def test_pairs_of_texts(made: Any, capsys: Capture, tmp_path: Path) -> None:
    pairs = [("the fox", "a dog"), ("it", ""), ("runs", "é")]
    model = load_as(satchel.EncoderModel, made("classify"))
    expected = [one.score for one in model.classify(pairs)]
    given = [part for pair in pairs for part in ("--pair", *pair)]
    found = json.loads(run(capsys, "classify", made("classify"), *given, "--json"))
    assert [one["score"] for one in found] == pytest.approx(expected, abs=1e-6)
    assert "the fox | a dog" in run(capsys, "classify", made("classify"), *given)
    (tmp_path / "pairs.tsv").write_text("\n".join("\t".join(pair) for pair in pairs), "utf-8")
    file = ["--pair-file", tmp_path / "pairs.tsv"]
    lines = run(capsys, "classify", made("classify"), *file, "--json").splitlines()
    assert [json.loads(line)["score"] for line in lines] == pytest.approx(expected, abs=1e-6)
    assert run(capsys, "classify", made("classify"), *file).startswith("1\t")


def test_images(made: Any, capsys: Capture, tmp_path: Path) -> None:
    Image.new("RGB", (60, 50), (200, 30, 90)).save(tmp_path / "a.png")
    bundle, image = made("image-classify"), tmp_path / "a.png"
    assert run(capsys, "classify", bundle, "--image", image, image).count("a.png") == 2
    assert "images" in run(capsys, "inspect", bundle)


@pytest.mark.parametrize("task", ["embed", "classify", "image-classify"])
def test_inspect_and_verify(task: str, made: Any, capsys: Capture) -> None:
    page = run(capsys, "inspect", made(task))
    assert f"(encoder, {task})" in page and "chat" not in page
    assert ("labels" in page) == (task != "embed")
    assert "FAILED" not in run(capsys, "verify", made(task))


@pytest.mark.parametrize(("task", "figure"), [("embed", "1x16"), ("image-classify", "4 images")])
def test_bench(task: str, figure: str, made: Any, capsys: Capture) -> None:
    page = run(capsys, "bench", made(task), "--repeats", "1", "--threads", "1")
    assert figure in page and "load (s)" in page and "peak rss (MB)" in page


def test_verify_finds_another_answer(made: Any, capsys: Capture) -> None:
    path = Path(made("answer")) / "manifest.json"
    kept = path.read_text("utf-8")
    said("probe", "encoder", "reference", 3, value=9e3)(path.parent)
    assert main(["verify", made("answer")]) == 5
    assert "encoder against the reference model" in capsys.readouterr().err
    path.write_text(kept, "utf-8")


def test_options_stand_anywhere(made: Any, capsys: Capture) -> None:
    for order in (["x y", "--window", "3"], ["--window", "3", "x y"]):
        assert len(run(capsys, "embed", made("embed"), *order).splitlines()) == 1
        spans = run(capsys, "tokens", made("tokens"), "--json", *order)
        assert spans == run(capsys, "tokens", "--json", made("tokens"), *order)
    split = run(capsys, "classify", "--threads", 1, made("classify"), "a", "--debug", "b")
    assert len(split.splitlines()) == 2
    assert run(capsys, "tokens", made("tokens"), "--json", "") == "[]\n"
    for wrong in (["tokens", made("tokens"), "x", "y"], ["embed"], ["embed", "x", "--nonsense"]):
        assert main(wrong) == 2
        assert capsys.readouterr().err.startswith("error[USAGE]: ")


def test_refused_in_one_line(made: Any, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    bundle, source, out = made("embed"), tmp_path / "lines.txt", tmp_path / "v.npy"
    (tmp_path / "empty.txt").touch()
    kept, one_tab = tmp_path / "kept.npy", tmp_path / "tabs.tsv"
    kept.write_bytes(b"precious")
    one_tab.write_text("a\tb\na\tb\tc\n")
    source.write_bytes(b"fine\nfine\n\xff\xfe\n")
    cases: list[tuple[list[object], str, str]] = [
        (["embed", bundle], "USAGE", "--file"),
        (["embed", bundle, "x", "--file", source], "USAGE", "one of them"),
        (["embed", bundle, "--file", source], "USAGE", "--out"),
        (["embed", bundle, "--file", source, "--out", tmp_path / "v.txt"], "USAGE", ".npy"),
        (["embed", bundle, "x", "--out", tmp_path / "no" / "v.npy"], "STORAGE", "existing"),
        (["embed", bundle, "--file", tmp_path / "no", "--out", out], "STORAGE", "No such file"),
        (["embed", bundle, "--file", tmp_path, "--out", out], "STORAGE", "directory"),
        (
            ["embed", bundle, "--file", tmp_path / "empty.txt", "--out", out],
            "EMPTY_PROMPT",
            "lines",
        ),
        (["embed", bundle, "x", "--out", kept], "USAGE", "--overwrite replaces it"),
        (["embed", bundle, "--file", source, "--out", kept], "USAGE", "--overwrite replaces it"),
        (["embed", bundle, "x", "--overwrite"], "USAGE", "--out"),
        (["embed", bundle, "--image", "x.png", "--window", "3"], "USAGE", "not for --image"),
        (["embed", bundle, "--image", "x.png", "--prompt", ""], "USAGE", "not for --image"),
        (["classify", made("classify")], "USAGE", "--pair-file"),
        (["classify", made("classify"), "x", "--pair", "x", "y"], "USAGE", "one of them"),
        (["classify", made("classify"), "--pair-file", one_tab], "USAGE", "line 2 has 2 tabs"),
        (["classify", made("classify"), "--file", tmp_path / "empty.txt"], "EMPTY_PROMPT", "lines"),
        (["classify", made("classify"), "--file", source], "PROMPT_ENCODING", "line 3"),
        (["tokens", made("tokens"), "x", "--file", source], "USAGE", "one of them"),
        (["tokens", made("tokens"), "x", "--window", "99"], "USAGE", "window"),
        (
            ["fill-mask", made("fill-mask"), "--file", one_tab],
            "USAGE",
            "line 1: the text has 0 masks",
        ),
        (["rank", made("rank"), "--query", "x"], "USAGE", "a passage or --file"),
        (["rank", made("rank"), "--query", "x", "--file", source], "PROMPT_ENCODING", "line 3"),
        (["answer", made("answer"), "--context", one_tab], "USAGE", "--question or --file"),
        (
            ["answer", made("answer"), "--question", "x", "--context", one_tab, "--top", "0"],
            "USAGE",
            "top",
        ),
        (["embed", bundle, "x", "--prompt", "query"], "USAGE", "unknown"),
        (["embed", bundle, "x", "--window", "-1"], "USAGE", "window"),
        (["embed", bundle, "--image", source], "WRONG_TASK", "use satchel embed TEXT"),
        (["classify", bundle, "x"], "WRONG_TASK", "use satchel embed TEXT"),
        (["generate", bundle, "x"], "WRONG_TASK", "use satchel embed TEXT"),
        (["chat", bundle], "WRONG_TASK", "use satchel embed TEXT"),
        (["fill-mask", made("fill-mask"), "x"], "USAGE", "[MASK]"),
        (["fill-mask", made("fill-mask"), "[MASK]", "--top", "0"], "USAGE", "top"),
        (["rank", made("classify"), "--query", "x", "y"], "USAGE", "one label"),
        (["classify", made("image-classify"), "--image", source], "USAGE", "cannot read"),
        (
            ["answer", made("answer"), "--question", "x", "--context", source],
            "PROMPT_ENCODING",
            "UTF",
        ),
        (["answer", made("answer"), "--question", "x", "--context", tmp_path], "STORAGE", "folder"),
        (["embed", tmp_path / "nothing", "x"], "BUNDLE", "does not exist"),
    ]
    for arguments, code, word in cases:
        refused(capfd, arguments, code, word, within=tmp_path)


def test_a_line_that_is_not_text(made: Any, capsys: Capture, tmp_path: Path) -> None:
    (tmp_path / "lines.txt").write_bytes(b"fine\nfine\n\xff\xfe\n")
    arguments = ["embed", made("embed"), "--file", str(tmp_path / "lines.txt")]
    assert main([*arguments, "--out", str(tmp_path / "v.npy")]) == 2
    assert "line 3 is not UTF-8" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["lines.txt"]


def test_embed_prints_what_is_not_zero(made: Any, capfd: Capture, tmp_path: Path) -> None:
    bundle, lines = made("embed"), tmp_path / "lines.txt"
    lines.write_text("the fox\nx\n")
    expected = load_as(satchel.EncoderModel, bundle).embed(["the fox", "x"])
    for given in (["the fox", "x"], ["--file", lines]):
        rows = [
            json.loads(line)
            for line in run(capfd, "embed", bundle, *given, "--sparse").splitlines()
        ]
        for row, vector in zip(rows, expected, strict=True):
            assert row["indices"] == np.flatnonzero(vector).tolist()
            np.testing.assert_allclose(row["values"], vector[row["indices"]], atol=1e-6)
    given = ["embed", bundle, "x", "--sparse", "--out", tmp_path / "v.npy"]
    refused(capfd, given, "USAGE", "--out is for others", within=tmp_path)
