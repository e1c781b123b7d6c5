"""Labels, layers and bad input of `satchel quality`."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import satchel
from satchel.measure.error_rate import distance, nearest
from satchel.measure.fidelity import sentences
from satchel.measure.labelled import answer, differences, read_cases
from tests.loading import load_as
from tests.manifests import said
from tests.outcome import refused
from tests.quality_bundles import TEXT, altered, both, report_of, text_file

pytest_plugins = "tests.quality_bundles"

Capture = pytest.CaptureFixture[str]


def test_labels_are_counted(rounded: Any, capsys: Capture, tmp_path: Path) -> None:
    folder = rounded("classify")
    texts = sentences()[:40]
    own, right = ([one.label for one in model.classify(texts)] for model in both(folder))
    known = satchel.load(folder / "int8").manifest.labels
    assert known is not None
    names = known.names
    labels = [*right[:37], *(next(n for n in names if n != label) for label in right[37:])]
    lines = [f"{label}\t{text}\n" for label, text in zip(labels, texts, strict=True)]
    file = text_file(tmp_path, "".join(lines))
    arguments = ["--reference", folder / "fp32", "--labels", file]
    report, output = report_of(capsys, tmp_path, folder / "int8", *arguments)
    wrong = sum(a != b for a, b in zip(own, labels, strict=True))
    found = report["labels"]
    assert found["reference"] == {"count": 40, "wrong": 3, "error_rate": 3 / 40}
    assert found["bundle"] == {"count": 40, "wrong": wrong, "error_rate": wrong / 40}
    assert found["beside"]["same"] == sum(a == b for a, b in zip(own, right, strict=True))
    assert "7.50% wrong (3)" in output and "Counted: an answer is wrong unless" in output
    assert report["measured"][0]["on"] == f"40 sources of '{file}'"


def test_pairs_are_labelled(rounded: Any, capsys: Capture, tmp_path: Path) -> None:
    bundle = rounded("classify") / "int8"
    pair = ("the fox", "it sees the dog")
    label = load_as(satchel.EncoderModel, bundle).classify(pair).label
    file = text_file(tmp_path, "\t".join((label, *pair)))
    report, output = report_of(capsys, tmp_path, bundle, "--labels", file)
    assert report["labels"]["bundle"]["wrong"] == 0 and "With --reference" in output
    assert report["measured"] == []


class Speller:
    """In place of a bundle that writes: what it was told."""

    def __init__(self, manifest: Any, answers: dict[str, str]) -> None:
        self.manifest, self.answers = manifest, answers

    def generate(self, sources: list[str]) -> list[Any]:
        return [SimpleNamespace(text=self.answers[source]) for source in sources]


def test_targets_are_counted(rounded: Any, tmp_path: Path) -> None:
    manifest = satchel.load(rounded("t5") / "int8").manifest
    lines = ["tomato\tT AH M EY T OW", "tomato\tT AH M AA T OW", "cat\tK AE T", "", "dog\tD AO G"]
    lines += [f"word {number}\tA B" for number in range(80)]  # of more than one batch
    cases = read_cases(text_file(tmp_path, "\r\n".join(lines)), manifest)
    assert len(cases) == 83 and cases[0].right == ["T AH M EY T OW", "T AH M AA T OW"]
    told: dict[Any, str] = {case.asked: case.right[-1] for case in cases}
    other = answer(Speller(manifest, told), cases, iter)
    told |= {"cat": "K  AE T ", "dog": "D G G UH", "word 7": "B"}
    own = answer(Speller(manifest, told), cases, iter)
    words = 6 + 3 + 3 + 80 * 2
    assert own.figures() == {
        "count": 83,
        "wrong": 2,
        "error_rate": 2 / 83,
        "words": words,
        "wrong_words": 3,
        "word_error_rate": 3 / words,
    }
    assert other.figures()["wrong"] == 0
    assert differences(own, other) == {
        "same": 80,
        "only_here_wrong": 2,
        "only_reference_wrong": 0,
    }


def test_what_a_bundle_writes_is_counted(rounded: Any, capsys: Capture, tmp_path: Path) -> None:
    bundle = rounded("t5") / "int8"
    sources = ["the fox", "a dog"]
    texts = [
        "".join(one.text.split("\t"))
        for one in load_as(satchel.Seq2seqModel, bundle).generate(sources)
    ]
    right = " ".join(texts[0].split())
    file = text_file(tmp_path, f"the fox\t{right}\na dog\tanother {' '.join(texts[1].split())}\n")
    report, output = report_of(capsys, tmp_path, bundle, "--labels", file)
    assert report["labels"]["bundle"]["wrong"] == 1 and report["labels"]["cases"] == 2
    assert report["labels"]["bundle"]["wrong_words"] == 1
    assert "50.00% wrong (1)" in output and report["measured"] == []


@pytest.mark.parametrize(
    ("found", "expected", "edits"),
    [
        ("", "", 0),
        ("a b c", "a b c", 0),
        ("a c", "a b c", 1),
        ("b c a", "a b c", 2),
        ("", "a b", 2),
    ],
)
def test_distance_counts_edits(found: str, expected: str, edits: int) -> None:
    assert distance(found.split(), expected.split()) == edits
    assert distance(expected.split(), found.split()) == edits


def test_the_nearest_target_is_that_for_its_length() -> None:
    assert nearest(["a", "b"], [["a", "c"], ["a", "b", "d", "e", "f"]]) == (1, 2)
    assert nearest([], [[], ["a"]]) == (0, 0)


LAYERS = {  # kind -> (weight, graph), of a layer without a bias
    "llama": ("model.layers.1.mlp.down_proj", "decoder"),
    "t5": ("encoder.layers.1.mlp.down_proj", "encoder"),
    "embed": ("trunk.layers.1.mlp.down_proj", "encoder"),
}


@pytest.mark.parametrize("kind", LAYERS)
def test_a_layer_that_is_wrong_stands_out(
    kind: str, rounded: Any, capsys: Capture, tmp_path: Path
) -> None:
    """One matrix is half as large again: alone, that layer is wrong by a half, and no other is."""
    folder, (layer, graph) = rounded(kind) / "fp32", LAYERS[kind]
    bundle = altered(folder, tmp_path / "altered", f"{layer}.weight", 1.5)
    report, output = report_of(capsys, tmp_path, bundle, "--reference", folder, "--layers")
    rows = report["layers"]
    place = [(row["layer"], row["graph"]) for row in rows].index((layer, graph))
    assert rows[place]["own"] == pytest.approx(0.5, abs=1e-3)
    assert rows[place]["error"] == pytest.approx(0.5, abs=1e-3)
    others = rows[:place] + rows[place + 1 :]
    assert all(row["own"] < 1e-4 for row in others)
    assert all(row["error"] < 1e-4 for row in rows[:place])
    behind = [row for row in rows[place + 1 :] if row["graph"] == graph]
    assert behind and all(row["error"] > 1e-3 for row in behind)
    [line] = [line for line in output.splitlines() if "worst own" in line]
    assert layer in line and "0.5000" in line


def test_the_error_of_the_head_is_that_of_the_logits(
    rounded: Any, capsys: Capture, tmp_path: Path
) -> None:
    folder = rounded("llama")
    arguments = ["--reference", folder / "basis", "--text", text_file(tmp_path), "--layers"]
    report, _ = report_of(capsys, tmp_path, folder / "int8", *arguments)
    text = TEXT.replace("\r", "").rstrip("\n")
    own, right = (
        load_as(satchel.DecoderModel, folder / name).logits(text) for name in ("int8", "basis")
    )
    row = report["layers"][-1]
    assert row["operator"] == "MatMulNBits"
    error = np.linalg.norm(own - right) / np.linalg.norm(right)
    assert row["error"] == pytest.approx(error, rel=1e-3)
    assert 0 < row["own"] < row["error"]
    assert len(report["layers"]) == 2 * 4 + 2


def test_shared_weights_are_layers_of_their_own(
    rounded: Any, capsys: Capture, tmp_path: Path
) -> None:
    folder = rounded("t5")
    arguments = ["--reference", folder / "basis", "--text", text_file(tmp_path), "--layers"]
    report, _ = report_of(capsys, tmp_path, folder / "int8", *arguments)
    tables = [row for row in report["layers"] if row["layer"] == "decoder.embeddings.words"]
    assert [(row["graph"], row["operator"]) for row in tables] == [
        ("encoder", "Gather"),
        ("decoder", "Gather"),
        ("decoder", "MatMulIntegerToFloat"),
    ]
    assert (
        tables[0]["own"] == tables[0]["error"] == 0 < tables[2]["own"]
    )  # a small one stays float32


def test_layers_in_another_basis_are_refused(rounded: Any, capfd: Any, tmp_path: Path) -> None:
    folder = tmp_path / "turned"
    shutil.copytree(rounded("t5") / "int8", folder)
    said("quantization", "rotated", value=True)(folder)
    arguments = ["quality", folder, "--reference", rounded("t5") / "fp32", "--layers"]
    refused(capfd, arguments, "USAGE", "turned", "--keep-fp32 '*'", within=tmp_path)


def test_bad_input_is_one_line(rounded: Any, capfd: Any, tmp_path: Path) -> None:
    llama, t5, embed, classify = (rounded(kind) for kind in ("llama", "t5", "embed", "classify"))
    bundle = llama / "int8"
    files = {
        "latin": "line\nd\xe9j\xe0".encode("latin-1"),
        "empty": b"",
        "blank": b"\n  \n",
        "short": b"too short",
        "labelled": b"LABEL_0\tgood\nLABEL_9\tbad\n",
        "bare": b"LABEL_0 good\n",
        "nothing": b"\ttarget\n",
        "three": b"a\tb\tc\n",
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    file = {name: tmp_path / name for name in files}

    def bad(code: str, words: list[str], *arguments: object) -> None:
        refused(capfd, ["quality", *arguments], code, *words, within=tmp_path)

    bad("PROMPT_ENCODING", ["latin", "line 2 is not UTF-8"], bundle, "--text", file["latin"])
    bad("EMPTY_PROMPT", ["empty", "no lines"], bundle, "--text", file["empty"])
    bad("EMPTY_PROMPT", ["blank lines"], bundle, "--text", file["blank"])
    bad("USAGE", ["too short: 9 tokens"], bundle, "--text", file["short"])
    bad("STORAGE", ["No such file"], bundle, "--text", tmp_path / "missing")
    bad("STORAGE", ["directory"], bundle, "--text", tmp_path)
    bad("USAGE", ["--limit 0"], bundle, "--limit", 0)
    bad("USAGE", ["--layers needs --reference"], bundle, "--layers")
    bad("USAGE", ["is the bundle itself"], bundle, "--reference", bundle)
    bad("BUNDLE", ["does not exist"], bundle, "--reference", tmp_path / "no-bundle")
    bad("STORAGE", ["--json", "existing folder"], bundle, "--json", tmp_path / "no" / "x.json")
    bad("STORAGE", ["--json"], bundle, "--json", tmp_path)
    bad("USAGE", ["inside the bundle"], bundle, "--json", bundle / "x.json")
    words = ["do not belong together", "family", "architecture", "task", "source checkpoint"]
    bad("USAGE", words, bundle, "--reference", embed / "fp32")
    words = ["needs --reference"]
    bad("USAGE", words, embed / "int8", "--text", file["short"])
    words = ["--labels is for bundles made for classify or text-to-text", "generate"]
    bad("USAGE", words, bundle, "--labels", file["labelled"])
    words = ["line 2", "LABEL_9", "known: 'LABEL_0', 'LABEL_1'"]
    bad("USAGE", words, classify / "int8", "--labels", file["labelled"])
    words = ["line 1 is not label<TAB>text"]
    bad("USAGE", words, classify / "int8", "--labels", file["bare"])
    for name in ("nothing", "three", "bare"):
        words = ["line 1 is not source<TAB>target"]
        bad("USAGE", words, t5 / "int8", "--labels", file[name])
    bad("EMPTY_PROMPT", ["blank lines"], t5 / "int8", "--labels", file["blank"])
    bad("USAGE", ["no labels to choose"], rounded("rank") / "int8", "--labels", file["labelled"])
    words = ["--text", "reads no text"]
    for kind in ("vit", "whisper"):
        folder = rounded(kind)
        arguments = ["--reference", folder / "fp32", "--text", file["short"]]
        bad("USAGE", words, folder / "int8", *arguments)


def test_what_smoothing_moves_is_no_error(rounded: Any, capsys: Capture, tmp_path: Path) -> None:
    """Norms of an int8 encoder give other numbers, which the weights behind them make good."""
    folder = rounded("embed")
    arguments = ["--reference", folder / "basis", "--layers"]
    report, _ = report_of(capsys, tmp_path, folder / "int8", *arguments)
    assert all(0 < row["own"] < 0.03 for row in report["layers"])
