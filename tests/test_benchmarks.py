"""The comparison of encoders and what all comparisons share: conclusions, and from end to end."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import satchel
import satchel.runtime.session
from tests.benchmark_commands import compared, on_linux, refused, run
from tests.test_sentence import save_sentence

pytest_plugins = "tests.benchmark_commands"
pytestmark = on_linux


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoint")
    save_sentence(folder, "mean", ["normalize"])
    return folder / "made"


@pytest.fixture(scope="module")
def bundle(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("bundles") / "fp32"
    satchel.pack(checkpoint, out, profile="fp32")
    return out


def encoders(*arguments: Any) -> subprocess.CompletedProcess[str]:
    return run("encoders.py", *arguments)


def test_ratios_are_taken_pair_by_pair_and_the_best_peer_named(bench: Any) -> None:
    peers, report = bench("encoder_peers"), bench("encoder_report")
    ours, quick, slow, broken = (
        peers.EncoderEntrant(name) for name in ("satchel", "quick", "slow", "broken")
    )
    figure, memory = report.batch(1, 16), report.MEMORY
    for entrant, seconds in ((ours, (1, 2, 4)), (quick, (2, 4, 4)), (slow, (3, 8, 16))):
        for second in seconds:
            entrant.add(figure.name, second / 1e3)
    broken.failure = "no wheel"
    page = report.tables(ours, [quick, slow, broken], [figure, memory], 2)
    lines = page.splitlines()
    assert "| batch 1x16 (ms) | 2 (1 to 4) | 4 (2 to 4) | 8 (3 to 16) | - |" in lines
    ratio = "| batch 1x16 | 2 (1 to 2) | 4 (3 to 4) | - | quick: 2 (1 to 2) |"
    assert ratio in lines
    assert "| peak memory | - | - | - | - |" in lines
    assert "  Failed: no wheel" in lines
    result = report.result(ours, [quick, slow, broken], [figure, memory], {"threads": 2})
    assert result["ratios"]["slow"]["batch 1x16"]["pairs"] == pytest.approx([3, 4, 4])
    assert result["best_peer"] == {"batch 1x16": "quick"}
    assert result["figures"]["broken"] == {}
    json.dumps(result)
    stock = peers.EncoderEntrant(bench("variants").STOCK)
    stock.add(figure.name, 1e-6)
    assert report.result(ours, [stock, quick], [figure], {})["best_peer"] == result["best_peer"]


def test_an_entrant_that_did_other_work_is_seen(bench: Any) -> None:
    work, peers = bench("encoder_work"), bench("encoder_peers")
    error = bench("interleave").WorkerError
    some = work.Work({"tokens": [3, 5]}, [(1, 16)])
    some.check_tokens([3, 5])
    with pytest.raises(error, match="1 of 2 texts have another number of tokens"):
        some.check_tokens([3, 6])
    entrant, reference = (peers.EncoderEntrant(name) for name in ("x", peers.REFERENCE))
    with pytest.raises(error, match=r"shape \(2, 2\); expected 1"):
        some.keep(entrant, "sentences", np.eye(2), 1)
    with pytest.raises(error, match="not finite"):
        some.keep(entrant, "sentences", np.array([[1, np.nan]]), 1)
    some.keep(reference, "sentences", np.eye(2), 2)
    some.keep(entrant, "sentences", np.array([[2.0, 0], [3, 4]]), 2)
    some.keep(reference, "corpus", np.eye(2), 2)
    some.keep(entrant, "corpus", np.ones((2, 3)), 2)
    some.compare(entrant)
    assert entrant.agreement == {"sentences": {"mean": pytest.approx(0.9), "min": 0.8}}
    assert entrant.failure == "corpus: the vectors have another size than PyTorch fp32's"


def test_the_corpus_is_the_same_everywhere(bench: Any) -> None:
    words = bench("environment").TEXT.read_text("utf-8").split()
    texts = bench("encoder_work").ragged_texts(words, 2000)
    lengths = [len(text.split()) for text in texts]
    assert (min(lengths), max(lengths)) == (5, 250)
    assert len(set(texts)) > 1990
    assert texts[:10] == bench("encoder_work").ragged_texts(words, 10)


def test_what_was_made_is_kept_until_its_origin_changes(bench: Any, tmp_path: Path) -> None:
    home, error = bench("environment").Home(tmp_path / "home"), bench("interleave").WorkerError
    origin = tmp_path / "weights"
    origin.write_text("one")
    calls: list[Path] = []
    first = home.made("model", [origin], calls.append)
    assert home.made("model", [origin], calls.append) == first and len(calls) == 1
    origin.write_text("two")
    with pytest.raises(error, match=r"no luck \(more in .*failed.log\)"):
        failing = [sys.executable, "-c", "raise SystemExit('no luck')"]
        home.made("model", [origin], lambda _: home.run(failing))
    assert [path for path in first.parent.iterdir() if path.suffix != ".part"] == [first]
    assert home.made("model", [origin], calls.append) != first


def test_encoders_without_peers(bundle: Path, checkpoint: Path, tmp_path: Path) -> None:
    printed, result = compared(
        "encoders.py", tmp_path, bundle, "--checkpoint", checkpoint, "--peers", "--quick",
        "--texts", 8, "--threads", 1, "--pictures", tmp_path / "pictures",
    )  # fmt: skip
    assert (tmp_path / "pictures" / "index.html").exists()
    [entrant] = result["entrants"]
    assert entrant["failure"] is None and entrant["note"] is None
    figures = result["figures"]["satchel"]
    expected = {"batch 1x16 (ms)", "corpus of 8 texts (texts/s)", "peak memory (MB)", "files (MB)"}
    assert expected < set(figures) and all(spread["min"] > 0 for spread in figures.values())
    assert "batch 1x128 (ms)" not in figures, "the model has 96 positions"
    assert set(result["shares"]["satchel"]) == {"batch 1x16 (ms)"}
    assert "| share | batch 1x16 (ms) |" in printed.splitlines()


@pytest.mark.slow
def test_encoders_beside_pytorch(
    bundle: Path, checkpoint: Path, tmp_path: Path, bench: Any
) -> None:
    """PyTorch of this environment; float32 on both sides gives the same vectors."""
    environment = tmp_path / "home" / "pytorch"
    (environment / "bin").mkdir(parents=True)
    python = environment / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    shutil.copy(bench("environment").REQUIREMENTS / "pytorch.txt", environment)
    out = tmp_path / "out.json"
    done = encoders(
        bundle, "--checkpoint", checkpoint, "--peers", "pytorch", "--quick", "--texts", 40,
        "--home", tmp_path / "home", "--json", out,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    ours, theirs = json.loads(out.read_text("utf-8"))["entrants"]
    assert theirs["failure"] is None
    assert set(ours["agreement"]) == {"sentences", "batches", "corpus"}
    assert all(cosine["min"] > 0.99999 for cosine in ours["agreement"].values())


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["{bundle}", "--threads", "0"], "--threads"),
        (["{bundle}", "--json", "{nowhere}/x.json"], "there is no folder"),
        (["{bundle}", "--peers", "llama.cpp"], "--peers"),
        (["{bundle}", "--checkpoint", "{bundle}"], "is not a sentence-transformers folder"),
        (["{nowhere}"], "nowhere"),
    ],
)
def test_bad_options_of_encoders(
    arguments: list[str], reason: str, bundle: Path, checkpoint: Path, tmp_path: Path
) -> None:
    places = {"bundle": bundle, "nowhere": tmp_path / "nowhere"}
    given = [argument.format(**places) for argument in arguments]
    if "--checkpoint" not in given:
        given += ["--checkpoint", str(checkpoint)]
    refused("encoders.py", tmp_path / "home", reason, *given)


def test_embedding_a_corpus(bundle: Path, checkpoint: Path, tmp_path: Path) -> None:
    printed, result = compared(
        "embed.py",
        tmp_path,
        bundle,
        "--checkpoint",
        checkpoint,
        "--peers",
        "--quick",
        "--texts",
        20,
    )
    assert "| corpus of 20 texts (texts/s) |" in printed
    [ours] = result["entrants"]
    assert ours["failure"] is None and ours["versions"]["satchel"] == satchel.__version__
    assert set(ours["samples"]) == {
        "corpus of 20 texts",
        "process start to first vector",
        "peak memory with its library",
        "files",
    }


def test_peers_do_not_inherit_what_the_runtime_sets(bench: Any) -> None:
    interleave = bench("interleave")
    assert os.environ[interleave.OURS] == "1"
    command = [sys.executable, "-c", f"import os; print(os.environ.get('{interleave.OURS}', 0))"]
    with interleave.Worker(command) as worker:
        assert worker.ready == 0


def test_a_peer_that_cannot_be_made_is_shown_with_its_reason(bench: Any, tmp_path: Path) -> None:
    environment = bench("environment")
    python = tmp_path / "ctranslate2" / "bin" / "python"
    python.parent.mkdir(parents=True)
    shutil.copy(environment.REQUIREMENTS / "ctranslate2.txt", python.parent.parent)
    converter = python.with_name("ct2-transformers-converter")
    converter.write_text("#!/bin/sh\necho Error: no such model >&2\nexit 1\n")
    converter.chmod(0o755)
    checkpoint = tmp_path / "checkpoint"
    checkpoint.mkdir()
    for name in ("model.safetensors", "config.json"):
        (checkpoint / name).write_text("")
    home, weights = environment.Home(tmp_path), checkpoint / "model.safetensors"
    peers = bench("seq2seq_peers")
    entrant = peers.prepared("ctranslate2", peers.Settings(home, "t5", 2, checkpoint, {}))
    peers = bench("decoder_peers")
    home.made("checkpoint", [weights, environment.WORKERS / "gguf_convert.py"], lambda _: None)
    home.python = lambda name, **_: str(tmp_path / name / "bin" / "python")
    [other] = peers.prepared("ctranslate2", peers.Settings(home, weights, 2, weights))
    for failure in (entrant.failure, other.failure):
        assert failure and failure.startswith("Error: no such model")
