"""What `satchel quality` says of a bundle equals what numpy says of its answers."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import satchel
from satchel.cli import main
from satchel.error_rate import distance, nearest
from satchel.labelled import answer, differences, read_cases
from satchel.quantize.quality import sentences, shipped_text
from satchel.runtime.image import sample_images
from tests.outcome import refused
from tests.quality_bundles import altered
from tests.test_imports import run_watched

pytest_plugins = "tests.quality_bundles"

Capture = pytest.CaptureFixture[str]
TEXT = "The fox sees the dog.\n\nIt runs on and on; is it the cat?\r\nA line of 12 words?\n"
EXACT = {"rel": 1e-4, "abs": 1e-7}


def run(capsys: Capture, tmp_path: Path, *arguments: object) -> tuple[dict[str, Any], str]:
    """The report of `satchel quality`, as JSON and as it is printed."""
    file = tmp_path / "report.json"
    capsys.readouterr()
    status = main(["quality", *(str(part) for part in arguments), "--json", str(file)])
    output, errors = capsys.readouterr()
    assert status == 0, errors
    return json.loads(file.read_text("utf-8")), output


def both(folder: Path) -> tuple[Any, Any]:
    return satchel.load(folder / "int8", threads=1), satchel.load(folder / "fp32", threads=1)


def text_file(tmp_path: Path, content: str = TEXT) -> Path:
    path = tmp_path / "text.txt"
    path.write_bytes(content.encode())
    return path


def log_probabilities(logits: np.ndarray) -> np.ndarray:
    exact = logits.astype(np.float64)
    return exact - np.log(np.exp(exact).sum(-1, keepdims=True))


def expected_figures(samples: list[tuple[list[int], np.ndarray, np.ndarray]]) -> dict[str, float]:
    """Of (ids that are predicted, logits of the bundle, logits of the reference)."""
    divergence, same, losses, reference_losses = [], [], [], []
    for ids, own, reference in samples:
        found, right = log_probabilities(own), log_probabilities(reference)
        divergence += (np.exp(right) * (right - found)).sum(-1).tolist()
        same += (found.argmax(-1) == right.argmax(-1)).tolist()
        losses += [-row[token] for row, token in zip(found, ids, strict=False)]
        reference_losses += [-row[token] for row, token in zip(right, ids, strict=False)]
    own_perplexity, perplexity = np.exp(np.mean(losses)), np.exp(np.mean(reference_losses))
    return {
        "mean_kl": np.mean(divergence),
        "p99_kl": np.quantile(divergence, 0.99),
        "top1": np.mean(same),
        "perplexity": own_perplexity,
        "reference_perplexity": perplexity,
        "perplexity_ratio": own_perplexity / perplexity,
        "tokens": len(divergence),
    }


def softmax(logits: np.ndarray) -> np.ndarray:
    return np.exp(log_probabilities(logits))


def test_decoders(made: Any, capsys: Capture, tmp_path: Path) -> None:
    folder = made("llama")
    report, output = run(capsys, tmp_path, folder / "int8", "--reference", folder / "fp32")
    [measured] = report["measured"]
    model, reference = both(folder)
    windows = [model.encode(shipped_text()[start : start + 256]) for start in range(0, 1536, 256)]
    assert all(len(window) == 256 for window in windows)  # a token per character, all ASCII
    figures = expected_figures([(w[1:], model.logits(w), reference.logits(w)) for w in windows])
    assert measured["figures"] == pytest.approx(figures, rel=1e-3)
    assert measured["figures"]["mean_kl"] > 1e-4
    assert measured["figures"] == pytest.approx(report["export"] | figures, rel=1e-3)
    assert "6 windows of up to 256 tokens, the beginning of the shipped text" in output
    assert f"{figures['top1']:.2%}" in output


def test_perplexity_needs_no_reference(made: Any, capsys: Capture, tmp_path: Path) -> None:
    bundle = made("llama") / "int8"
    report, output = run(
        capsys, tmp_path, bundle, "--text", text_file(tmp_path), "--limit", 1, "--threads", 1
    )
    model = satchel.load(bundle, threads=1)
    text = TEXT.replace("\r", "").rstrip("\n")
    score = model.score(text)
    [measured] = report["measured"]
    assert measured["figures"] == {
        "perplexity": pytest.approx(score.perplexity, rel=1e-4),
        "tokens": len(text) - 1,
    }
    assert "1 window of up to 256 tokens, the beginning of " in measured["on"]
    assert "reference" not in report and "At export" in output


def test_encoder_decoders(made: Any, capsys: Capture, tmp_path: Path) -> None:
    folder = made("t5")
    arguments = ["--reference", folder / "fp32", "--text", text_file(tmp_path)]
    report, _ = run(capsys, tmp_path, folder / "int8", *arguments)
    model, reference = both(folder)
    samples = []
    for line in filter(None, TEXT.splitlines()):
        target = reference.generate(line, max_new_tokens=63).tokens
        own, right = (one.logits(line, target)[:-1] for one in (model, reference))
        samples.append((target, own, right))
    [measured] = report["measured"]
    assert measured["figures"] == pytest.approx(expected_figures(samples), rel=1e-3)
    assert measured["on"].startswith("3 lines of ")
    assert measured["figures"]["tokens"] == 3 * 63 and measured["figures"]["mean_kl"] > 1e-5


def test_targets_end_where_the_reference_ends(made: Any, capsys: Capture, tmp_path: Path) -> None:
    """An id that the model does write is made its end."""
    folder, place = made("t5"), tmp_path / "place"
    source = TEXT.splitlines()[0]
    target = satchel.load(folder / "fp32").generate(source, max_new_tokens=63).tokens
    end = max(set(target), key=target.index)  # the one that comes last for the first time
    for name in ("int8", "fp32"):
        shutil.copytree(folder / name, place / name)
        path = place / name / "manifest.json"
        manifest = json.loads(path.read_text("utf-8"))
        manifest["tokens"]["eos"] = [end]
        path.write_text(json.dumps(manifest), "utf-8")
    arguments = ["--reference", place / "fp32", "--text", text_file(tmp_path, source)]
    report, _ = run(capsys, tmp_path, place / "int8", *arguments)
    written = target.index(end) + 1
    assert report["measured"][0]["figures"]["tokens"] == written


def test_vectors(made: Any, capsys: Capture, tmp_path: Path) -> None:
    folder = made("embed")
    report, output = run(capsys, tmp_path, folder / "int8", "--reference", folder / "fp32")
    own, right = (one.embed(sentences(1000)).astype(np.float64) for one in both(folder))
    cosines = (own * right).sum(1) / np.linalg.norm(own, axis=1) / np.linalg.norm(right, axis=1)
    [measured] = report["measured"]
    assert measured["figures"] == {
        "encoder.mean_cosine": pytest.approx(cosines.mean(), abs=1e-6),
        "encoder.p01_cosine": pytest.approx(np.quantile(cosines, 0.01), abs=1e-6),
        "encoder.min_cosine": pytest.approx(cosines.min(), abs=1e-6),
        "encoder.texts": len(cosines),
    }
    assert measured["figures"] == pytest.approx(report["export"], abs=1e-4)
    assert f"{len(cosines):,} sentences of the shipped text" in output


def test_labels_of_texts(made: Any, capsys: Capture, tmp_path: Path) -> None:
    folder = made("classify")
    report, _ = run(
        capsys, tmp_path, folder / "int8", "--reference", folder / "fp32", "--limit", 50
    )
    texts = [sentences()[i * len(sentences()) // 50] for i in range(50)]
    own, right = (one.classify(texts) for one in both(folder))
    difference = [abs(a.scores[b.label] - b.score) for a, b in zip(own, right, strict=True)]
    assert report["measured"][0]["figures"] == {
        "encoder.agreement": np.mean([a.label == b.label for a, b in zip(own, right, strict=True)]),
        "encoder.score_difference": pytest.approx(np.mean(difference), abs=1e-6),
        "encoder.texts": 50,
    }


@pytest.mark.parametrize("task", ["tokens", "answer", "fill-mask", "rank"])
def test_other_heads(task: str, made: Any, capsys: Capture, tmp_path: Path) -> None:
    folder = made(task)
    arguments = ["--reference", folder / "fp32", "--text", text_file(tmp_path)]
    report, _ = run(capsys, tmp_path, folder / "int8", *arguments)
    same, differences = [], []
    for line in filter(None, TEXT.splitlines()):
        own, right = (_logits(one, line) for one in both(folder))
        if task == "answer":
            own, right = own.T, right.T
        rate = softmax if task != "rank" else np.asarray  # a score is what it is
        best = right.argmax(-1)[..., None]
        same += (own.argmax(-1) == best[..., 0]).reshape(-1).tolist()
        apart = np.take_along_axis(rate(own), best, -1) - np.take_along_axis(rate(right), best, -1)
        differences += np.abs(apart).reshape(-1).tolist()
    figures = report["measured"][0]["figures"]
    assert figures["encoder.score_difference"] == pytest.approx(np.mean(differences), **EXACT)
    assert figures.get("encoder.agreement") == (None if task == "rank" else np.mean(same))


def _logits(model: Any, line: str) -> np.ndarray:
    ids = np.array([model.preparation.encode(line).ids])
    encoder = model.encoders["encoder"]
    inputs = {name: ids if name == "input_ids" else 0 * ids for name in encoder.input_names}
    return encoder(inputs)[0]


def test_pictures(made: Any, capsys: Capture, tmp_path: Path) -> None:
    folder = made("vit")
    report, output = run(capsys, tmp_path, folder / "int8", "--reference", folder / "fp32")
    own, right = (one.classify_images(list(sample_images((40, 40), 32))) for one in both(folder))
    figures = report["measured"][0]["figures"]
    difference = [abs(a.scores[b.label] - b.score) for a, b in zip(own, right, strict=True)]
    assert figures["image.score_difference"] == pytest.approx(np.mean(difference), abs=1e-6)
    assert "32 pictures" in output


def test_sounds(made: Any, capsys: Capture, tmp_path: Path) -> None:
    folder = made("whisper")
    report, output = run(
        capsys, tmp_path, folder / "int8", "--reference", folder / "fp32", "--layers"
    )
    figures = report["measured"][0]["figures"]
    assert 0 < figures["mean_kl"] < 0.1 and figures["top1"] > 0.8 and "4 sounds" in output
    assert figures["mean_kl"] == pytest.approx(report["export"]["mean_kl"], abs=0.01)
    assert {row["graph"] for row in report["layers"]} == {"encoder", "decoder"}


def test_labels_are_counted(made: Any, capsys: Capture, tmp_path: Path) -> None:
    folder = made("classify")
    texts = sentences()[:40]
    own, right = ([one.label for one in model.classify(texts)] for model in both(folder))
    names = satchel.load(folder / "int8").manifest.labels.names
    labels = [*right[:37], *(next(n for n in names if n != label) for label in right[37:])]
    lines = [f"{label}\t{text}\n" for label, text in zip(labels, texts, strict=True)]
    file = text_file(tmp_path, "".join(lines))
    arguments = ["--reference", folder / "fp32", "--labels", file]
    report, output = run(capsys, tmp_path, folder / "int8", *arguments)
    wrong = sum(a != b for a, b in zip(own, labels, strict=True))
    found = report["labels"]
    assert found["reference"] == {"count": 40, "wrong": 3, "error_rate": 3 / 40}
    assert found["bundle"] == {"count": 40, "wrong": wrong, "error_rate": wrong / 40}
    assert found["beside"]["same"] == sum(a == b for a, b in zip(own, right, strict=True))
    assert "7.50% wrong (3)" in output and "Counted: an answer is wrong unless" in output
    assert report["measured"][0]["on"] == f"40 sources of '{file}'"


def test_pairs_are_labelled(made: Any, capsys: Capture, tmp_path: Path) -> None:
    bundle = made("classify") / "int8"
    pair = ("the fox", "it sees the dog")
    label = satchel.load(bundle).classify(pair).label
    file = text_file(tmp_path, "\t".join((label, *pair)))
    report, output = run(capsys, tmp_path, bundle, "--labels", file)
    assert report["labels"]["bundle"]["wrong"] == 0 and "With --reference" in output
    assert report["measured"] == []


class Speller:
    """In place of a bundle that writes: what it was told."""

    def __init__(self, manifest: Any, answers: dict[str, str]) -> None:
        self.manifest, self.answers = manifest, answers

    def generate(self, sources: list[str]) -> list[Any]:
        return [SimpleNamespace(text=self.answers[source]) for source in sources]


def test_targets_are_counted(made: Any, tmp_path: Path) -> None:
    manifest = satchel.load(made("t5") / "int8").manifest
    lines = ["tomato\tT AH M EY T OW", "tomato\tT AH M AA T OW", "cat\tK AE T", "", "dog\tD AO G"]
    lines += [f"word {number}\tA B" for number in range(80)]  # of more than one batch
    cases = read_cases(text_file(tmp_path, "\r\n".join(lines)), manifest)
    assert len(cases) == 83 and cases[0].right == ["T AH M EY T OW", "T AH M AA T OW"]
    told = {case.asked: case.right[-1] for case in cases}
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


def test_what_a_bundle_writes_is_counted(made: Any, capsys: Capture, tmp_path: Path) -> None:
    bundle = made("t5") / "int8"
    sources = ["the fox", "a dog"]
    texts = ["".join(one.text.split("\t")) for one in satchel.load(bundle).generate(sources)]
    right = " ".join(texts[0].split())
    file = text_file(tmp_path, f"the fox\t{right}\na dog\tanother {' '.join(texts[1].split())}\n")
    report, output = run(capsys, tmp_path, bundle, "--labels", file)
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
    kind: str, made: Any, capsys: Capture, tmp_path: Path
) -> None:
    """One matrix is half as large again: alone, that layer is wrong by a half, and no other is."""
    folder, (layer, graph) = made(kind) / "fp32", LAYERS[kind]
    bundle = altered(folder, tmp_path / "altered", f"{layer}.weight", 1.5)
    report, output = run(capsys, tmp_path, bundle, "--reference", folder, "--layers")
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
    made: Any, capsys: Capture, tmp_path: Path
) -> None:
    folder = made("llama")
    arguments = ["--reference", folder / "fp32", "--text", text_file(tmp_path), "--layers"]
    report, _ = run(capsys, tmp_path, folder / "int8", *arguments)
    text = TEXT.replace("\r", "").rstrip("\n")
    own, right = (one.logits(text) for one in both(folder))
    row = report["layers"][-1]
    assert row["operator"] == "MatMulNBits"
    error = np.linalg.norm(own - right) / np.linalg.norm(right)
    assert row["error"] == pytest.approx(error, rel=1e-3)
    assert 0 < row["own"] < row["error"]
    assert len(report["layers"]) == 2 * 4 + 2


def test_shared_weights_are_layers_of_their_own(made: Any, capsys: Capture, tmp_path: Path) -> None:
    folder = made("t5")
    arguments = ["--reference", folder / "fp32", "--text", text_file(tmp_path), "--layers"]
    report, _ = run(capsys, tmp_path, folder / "int8", *arguments)
    tables = [row for row in report["layers"] if row["layer"] == "decoder.embeddings.words"]
    assert [(row["graph"], row["operator"]) for row in tables] == [
        ("encoder", "GatherBlockQuantized"),
        ("decoder", "GatherBlockQuantized"),
        ("decoder", "MatMulNBits"),
    ]
    assert tables[0]["own"] == tables[0]["error"] > 0


def test_bad_input_is_one_line(made: Any, capfd: Any, tmp_path: Path) -> None:
    llama, t5, embed, classify = (made(kind) for kind in ("llama", "t5", "embed", "classify"))
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
    bad("USAGE", ["no labels to choose"], made("rank") / "int8", "--labels", file["labelled"])
    words = ["--text", "reads no text"]
    for kind in ("vit", "whisper"):
        folder = made(kind)
        arguments = ["--reference", folder / "fp32", "--text", file["short"]]
        bad("USAGE", words, folder / "int8", *arguments)


def test_the_verb_needs_no_more_than_the_runtime(made: Any, tmp_path: Path) -> None:
    folder = made("llama")
    code = """
import contextlib, io, satchel.cli
with contextlib.redirect_stdout(io.StringIO()) as output:
    assert satchel.cli.main(["quality", sys.argv[1], "--reference", sys.argv[2]]) == 0
assert "mean KL" in output.getvalue()
"""
    run_watched(code, str(folder / "int8"), str(folder / "fp32"))
