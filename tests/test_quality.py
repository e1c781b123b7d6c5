"""What `satchel quality` says of a bundle equals what numpy says of its answers."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import satchel
from satchel.measure import fidelity
from satchel.measure.fidelity import shipped_text
from satchel.runtime.image import sample_images
from tests.loading import load_as
from tests.manifests import said
from tests.quality_bundles import TEXT, both, report_of, text_file
from tests.test_imports import run_watched

pytest_plugins = "tests.quality_bundles"

Capture = pytest.CaptureFixture[str]
EXACT: dict[str, Any] = {"rel": 1e-4, "abs": 1e-7}


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


def test_decoders(rounded: Any, capsys: Capture, tmp_path: Path) -> None:
    folder = rounded("llama")
    report, output = report_of(capsys, tmp_path, folder / "int8", "--reference", folder / "fp32")
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


def test_perplexity_needs_no_reference(rounded: Any, capsys: Capture, tmp_path: Path) -> None:
    bundle = rounded("llama") / "int8"
    report, output = report_of(
        capsys, tmp_path, bundle, "--text", text_file(tmp_path), "--limit", 1, "--threads", 1
    )
    model = load_as(satchel.DecoderModel, bundle, threads=1)
    text = TEXT.replace("\r", "").rstrip("\n")
    score = model.score(text)
    [measured] = report["measured"]
    assert measured["figures"] == {
        "perplexity": pytest.approx(score.perplexity, rel=1e-4),
        "tokens": len(text) - 1,
    }
    assert "1 window of up to 256 tokens, the beginning of " in measured["on"]
    assert "reference" not in report and "At export" in output


def test_encoder_decoders(rounded: Any, capsys: Capture, tmp_path: Path) -> None:
    folder = rounded("t5")
    arguments = ["--reference", folder / "fp32", "--text", text_file(tmp_path)]
    report, _ = report_of(capsys, tmp_path, folder / "int8", *arguments)
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


def test_targets_end_where_the_reference_ends(
    rounded: Any, capsys: Capture, tmp_path: Path
) -> None:
    """An id that the model does write is made its end."""
    folder, place = rounded("t5"), tmp_path / "place"
    source = TEXT.splitlines()[0]
    target = (
        load_as(satchel.Seq2seqModel, folder / "fp32").generate(source, max_new_tokens=63).tokens
    )
    end = max(set(target), key=target.index)  # the one that comes last for the first time
    for name in ("int8", "fp32"):
        shutil.copytree(folder / name, place / name)
        said("tokens", "eos", value=[end])(place / name)
        figures = {"mean_kl": "high", "tokens": 1.5, "other": None}
        said("quality", value=figures)(place / name)
    arguments = ["--reference", place / "fp32", "--text", text_file(tmp_path, source)]
    report, output = report_of(capsys, tmp_path, place / "int8", *arguments)
    assert "'high'" in output and "None" in output
    written = target.index(end) + 1
    assert report["measured"][0]["figures"]["tokens"] == written


def spread(texts: list[str], count: int) -> list[str]:
    return [texts[place * len(texts) // count] for place in range(count)]


def test_vectors(rounded: Any, capsys: Capture, tmp_path: Path) -> None:
    folder = rounded("embed")
    report, output = report_of(capsys, tmp_path, folder / "int8", "--reference", folder / "fp32")
    own, right = (one.embed(fidelity.sentences()).astype(np.float64) for one in both(folder))
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


def test_labels_of_texts(rounded: Any, capsys: Capture, tmp_path: Path) -> None:
    folder = rounded("classify")
    report, _ = report_of(
        capsys, tmp_path, folder / "int8", "--reference", folder / "fp32", "--limit", 50
    )
    texts = spread(fidelity.sentences(), 50)
    own, right = (one.classify(texts) for one in both(folder))
    difference = [abs(a.scores[b.label] - b.score) for a, b in zip(own, right, strict=True)]
    assert report["measured"][0]["figures"] == {
        "encoder.agreement": np.mean([a.label == b.label for a, b in zip(own, right, strict=True)]),
        "encoder.score_difference": pytest.approx(np.mean(difference), abs=1e-6),
        "encoder.texts": 50,
    }


def test_an_export_judges_a_lone_score_by_what_ranks_depend_on(rounded: Any) -> None:
    """The likeliest of one label is always the same."""
    model, reference = both(rounded("rank"))
    figures, few = model.manifest.quality, fidelity.sentences(200)
    assert "encoder.agreement" not in figures
    own, right = (
        np.array([next(iter(answer.scores.values())) for answer in judge.classify(few)])
        for judge in (model, reference)
    )
    logits = [np.log(scores / (1 - scores)) for scores in (own, right)]
    assert figures["encoder.correlation"] == pytest.approx(np.corrcoef(*logits)[0, 1], abs=0.01)
    checks = {item["name"]: item for item in model.manifest.parity["checks"]}
    assert checks["encoder: correlation with float32's scores"]["at_least"]


@pytest.mark.parametrize("task", ["tokens", "answer", "fill-mask", "rank"])
def test_other_heads(task: str, rounded: Any, capsys: Capture, tmp_path: Path) -> None:
    folder = rounded(task)
    arguments = ["--reference", folder / "fp32", "--text", text_file(tmp_path)]
    report, _ = report_of(capsys, tmp_path, folder / "int8", *arguments)
    same, differences = [], []
    for line in filter(None, TEXT.splitlines()):
        own, right = (_logits(one, line) for one in both(folder))
        if task == "answer":
            own, right = own.T, right.T
        rate = softmax if task != "rank" else sigmoid  # a lone score is a probability
        best = right.argmax(-1)[..., None]
        same += (own.argmax(-1) == best[..., 0]).reshape(-1).tolist()
        apart = np.take_along_axis(rate(own), best, -1) - np.take_along_axis(rate(right), best, -1)
        differences += np.abs(apart).reshape(-1).tolist()
    figures = report["measured"][0]["figures"]
    assert figures["encoder.score_difference"] == pytest.approx(np.mean(differences), **EXACT)
    assert figures.get("encoder.agreement") == (None if task == "rank" else np.mean(same))


@pytest.mark.parametrize("limit", [60, pytest.param(None, marks=pytest.mark.slow)])
def test_answers_are_measured_at_export(
    limit: int | None, rounded: Any, capsys: Capture, tmp_path: Path
) -> None:
    """By their places, on the shipped text, and held to limits."""
    folder = rounded("answer")
    count = limit or len(fidelity.sentences())
    arguments = ["--reference", folder / "fp32", "--limit", count]
    report, _ = report_of(capsys, tmp_path, folder / "int8", *arguments)
    own, right = both(folder)
    texts = spread(fidelity.sentences(), count)
    pairs = [(_logits(own, text), _logits(right, text)) for text in texts]
    same = [a.argmax(0) == b.argmax(0) for a, b in pairs]
    figures, exported = report["measured"][0]["figures"], report["export"]
    assert figures["encoder.agreement"] == pytest.approx(np.mean(same))
    assert 0 < figures["encoder.mean_kl"] < 0.05
    near = 1e-3 if limit is None else 0.15
    for name in ("encoder.agreement", "encoder.mean_kl"):
        assert exported[name] == pytest.approx(figures[name], abs=near)
    held = {check["name"] for check in own.manifest.parity["checks"]}
    assert {"encoder: mean KL from float32", "encoder: same likeliest place"} <= held


def sigmoid(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logits))


def _logits(model: Any, line: str) -> np.ndarray:
    ids = np.array([model.preparation.encode(line).ids])
    encoder = model.graphs["encoder"]
    inputs = {name: ids if name == "input_ids" else 0 * ids for name in encoder.input_names}
    return encoder(inputs)[0]


def test_pictures(rounded: Any, capsys: Capture, tmp_path: Path) -> None:
    folder = rounded("vit")
    report, output = report_of(capsys, tmp_path, folder / "int8", "--reference", folder / "fp32")
    own, right = (one.classify_images(list(sample_images((40, 40), 32))) for one in both(folder))
    figures = report["measured"][0]["figures"]
    difference = [abs(a.scores[b.label] - b.score) for a, b in zip(own, right, strict=True)]
    assert figures["image.score_difference"] == pytest.approx(np.mean(difference), abs=1e-6)
    assert "32 pictures" in output


def test_sounds(rounded: Any, capsys: Capture, tmp_path: Path) -> None:
    folder = rounded("whisper")
    report, output = report_of(
        capsys, tmp_path, folder / "int8", "--reference", folder / "basis", "--layers"
    )
    figures = report["measured"][0]["figures"]
    assert 0 < figures["mean_kl"] < 0.1 and figures["top1"] > 0.8 and "4 sounds" in output
    assert figures["mean_kl"] == pytest.approx(report["export"]["mean_kl"], abs=0.01)
    assert {row["graph"] for row in report["layers"]} == {"encoder", "decoder"}


def test_the_verb_needs_no_more_than_the_runtime(rounded: Any, tmp_path: Path) -> None:
    folder = rounded("llama")
    code = """
import contextlib, io, satchel.cli.main
with contextlib.redirect_stdout(io.StringIO()) as output:
    assert satchel.cli.main.main(["quality", sys.argv[1], "--reference", sys.argv[2]]) == 0
assert "mean KL" in output.getvalue()
"""
    run_watched(code, str(folder / "int8"), str(folder / "fp32"))


def test_the_cosine_of_nothing_is_a_number() -> None:
    zeros, ones = np.zeros((2, 3), np.float32), np.ones((2, 3), np.float32)
    assert fidelity.cosine(zeros, zeros).tolist() == [1, 1]
    assert fidelity.cosine(zeros, ones).tolist() == [0, 0]
    np.testing.assert_allclose(fidelity.cosine(ones, 2 * ones), 1)
    assert fidelity.cosines([zeros, ones], [zeros, ones])["min_cosine"] == pytest.approx(1)
