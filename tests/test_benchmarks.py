"""The comparison commands: what they conclude from samples, and each from end to end."""

from __future__ import annotations

import importlib
import json
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import transformers

import satchel
from tests.test_sentence import save_sentence

NUMBERS = count()
FOLDER = Path(__file__).resolve().parent.parent / "benchmarks"
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="benchmarks run on Linux alone")


@pytest.fixture(scope="module")
def bench() -> Iterator[Any]:
    """Modules of the folder by name, as its commands and its workers import them."""
    places = [str(FOLDER), str(FOLDER / "workers")]
    sys.path[:0] = places
    before = set(sys.modules)
    yield importlib.import_module
    del sys.path[: len(places)]
    for name in set(sys.modules) - before:
        if str(FOLDER) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


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


def run(script: str, *arguments: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(FOLDER / script), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


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
    out = tmp_path / "out.json"
    done = encoders(
        bundle, "--checkpoint", checkpoint, "--peers", "--quick", "--texts", 8,
        "--threads", 1, "--home", tmp_path / "home", "--json", out, "--markdown", tmp_path / "t.md",
        "--pictures", tmp_path / "pictures",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "pictures" / "index.html").exists()
    assert (tmp_path / "t.md").read_text("utf-8") == done.stdout
    result = json.loads(out.read_text("utf-8"))
    [entrant] = result["entrants"]
    assert entrant["failure"] is None and entrant["note"] is None
    figures = result["figures"]["satchel"]
    expected = {"batch 1x16 (ms)", "corpus of 8 texts (texts/s)", "peak memory (MB)", "files (MB)"}
    assert expected < set(figures) and all(spread["min"] > 0 for spread in figures.values())
    assert "batch 1x128 (ms)" not in figures, "the model has 96 positions"
    assert set(result["shares"]["satchel"]) == {"batch 1x16 (ms)"}
    assert "| share | batch 1x16 (ms) |" in done.stdout.splitlines()


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
    done = encoders(*given, "--home", tmp_path / "home")
    assert done.returncode != 0 and "Traceback" not in done.stderr
    assert reason in done.stderr.splitlines()[-1], done.stderr
    assert not os.path.exists(tmp_path / "home")


@pytest.fixture(scope="module")
def decoder(bench: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of a tiny Llama that reads bytes, and beside it what it was made from."""
    folder = tmp_path_factory.mktemp("decoder") / "checkpoint"
    sizes = {"vocab_size": 400, "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2}
    ids = {"num_attention_heads": 2, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    torch.manual_seed(0)
    config = transformers.LlamaConfig(**sizes, **ids)
    transformers.LlamaForCausalLM(config).save_pretrained(folder)
    bench("seq2seq_models").write_tokenizer(sizes | ids, folder)
    satchel.pack(folder, folder.parent / "fp32", profile="fp32")
    return folder.parent / "fp32"


def test_decoders_without_peers(decoder: Path, tmp_path: Path) -> None:
    second, out = tmp_path / "second", tmp_path / "out.json"
    shutil.copytree(decoder, second)
    done = run(
        "decoders.py", "--bundle", decoder, second, "--peers", "--quick", "--threads", 1,
        "--gguf", decoder.parent / "checkpoint" / "model.safetensors",
        "--home", tmp_path / "home", "--json", out, "--markdown", tmp_path / "t.md",
        "--pictures", tmp_path / "pictures",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "pictures" / "index.html").exists()
    assert (tmp_path / "t.md").read_text("utf-8") == done.stdout
    result = json.loads(out.read_text("utf-8"))
    ours, theirs = result["entrants"]
    assert (ours["name"], theirs["name"]) == ("satchel", "satchel second")
    assert ours["failure"] is theirs["failure"] is ours["note"] is None
    assert result["ids_as_satchel"] == {"satchel": 65, "satchel second": 65}
    figures = result["figures"]["satchel"]
    assert len(figures) == 8 and "decode 32 of 8 texts (tok/s)" in figures
    assert set(result["ratios"]["satchel second"]) == set(ours["samples"])
    assert result["shares"].keys() == {"satchel", "satchel second"}
    assert len(result["shares"]["satchel"]) == 4 and ours["layers"] == theirs["layers"]


def test_decoder_tables_have_a_row_for_each_entrant(bench: Any) -> None:
    peers, report = bench("decoder_peers"), bench("decoder_report")
    ours, exact, broken = map(peers.DecoderEntrant, ("satchel", peers.REFERENCE, "broken"))
    for entrant, seconds in ((ours, (1, 2)), (exact, (4, 4))):
        for second in seconds:
            entrant.add(report.DECODE.name, second)
    ours.tokens, exact.tokens, broken.failure = [1, 2, 3], [1, 9, 3], "no wheel"
    ours.quality = {"mean_kl": 0.00817, "p99_kl": 0.1, "top1": 0.9398, "perplexity": 17.9}
    page = report.tables(ours, [exact, broken], 2).splitlines()
    row = "| satchel | - | - | 48 (32 to 64) | - | - | - | - | - |"
    assert row in page
    assert f"| {peers.REFERENCE} | - | - | 3 (2 to 4) | - | - | - | - | - |" in page
    assert "| satchel | 0.0082 | 0.1000 | 0.940 | 17.90 | 1 of 3 | 3 of 3 |" in page
    assert "| broken | - | - | - | - | - | - |" in page
    assert "  Failed: no wheel" in page
    result = report.result(ours, [exact, broken], {"threads": 2})
    assert result["entrants"][0]["quality"] == ours.quality
    assert result["ids_as_float32"] == {"satchel": 1, peers.REFERENCE: 3, "broken": None}
    json.dumps(result)


class Replies:
    """A worker whose texts are what a function makes of what it is asked."""

    def __init__(self, reply: Callable[[dict[str, Any]], Any]) -> None:
        self.reply = reply

    def ask(self, **asked: Any) -> dict[str, Any]:
        return {"tokens": self.reply(asked)}


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (lambda asked: [[1] * (asked["steps"] - 1)], r"texts of \[7\] ids; expected 1 of 8"),
        (lambda asked: [[1] * asked["steps"]] * 2, r"texts of \[8, 8\] ids"),
        (lambda asked: [[1] * asked["steps"]], "the second was not computed"),
        (lambda asked: [[next(NUMBERS)] * asked["steps"]], "gave other ids"),
    ],
)
def test_a_decoder_that_does_other_work_is_seen(reply: Any, reason: str, bench: Any) -> None:
    with pytest.raises(bench("interleave").WorkerError, match=reason):
        bench("decoders").check_prompts_differ(Replies(reply))


def test_quality_is_held_to_float32_and_another_model_is_seen(bench: Any, tmp_path: Path) -> None:
    peers, error = bench("decoder_peers"), bench("interleave").WorkerError
    quality = bench("decoder_quality").Quality(tmp_path, list(range(96)) * 16, 2)
    chance = np.random.default_rng(0)
    logits = chance.normal(0, 4, (512, 96)).astype(np.float32)

    def judged(name: str, found: Any) -> dict[str, float]:
        def write(start: int, length: int, out: str) -> None:
            assert start in (0, 512) and length == 512
            np.save(out, found)

        entrant = peers.DecoderEntrant(name)
        quality.measure(entrant, SimpleNamespace(ask=write))
        return entrant.quality

    exact = judged(peers.REFERENCE, logits)
    assert (exact["mean_kl"], exact["top1"], exact["tokens"]) == (0, 1, 1024)
    assert 0 < judged("near", logits + chance.normal(0, 0.1, logits.shape))["mean_kl"] < 0.1
    with pytest.raises(error, match="another model"):
        judged("other", chance.normal(0, 4, logits.shape))
    with pytest.raises(error, match="not all finite"):
        judged("broken", logits * np.nan)
    with pytest.raises(error, match=r"\(511, 96\)"):
        judged("short", logits[1:])
    quality.forget()
    assert not list(tmp_path.iterdir())


def test_the_loop_of_engines_that_step(bench: Any) -> None:
    """An engine whose next id is always the sum of a text's ids."""
    decoding = bench("decoding")

    class Sums(decoding.StepEngine):  # type: ignore[misc, name-defined]
        read, forgotten = 0, 0

        def prefill(self, prompts: Any) -> Any:
            self.sums, self.read = prompts.sum(1), prompts.shape[1]
            return np.eye(1000)[self.sums]

        def step(self, tokens: Any) -> Any:
            self.sums, self.read = self.sums + tokens, self.read + 1
            return np.eye(1000)[self.sums]

        def positions(self) -> int:
            return self.read - self.forgotten

    engine, prompts = Sums(), np.array([[1, 2], [3, 4]])
    tokens, times = engine.generate(prompts, 3)
    assert tokens.tolist() == [[3, 6, 12], [7, 14, 28]]
    assert times == sorted(times) and len(times) == 3
    assert engine.logits([1, 2, 3]).argmax(1).tolist() == [1, 3, 6]
    engine.forgotten = 1
    with pytest.raises(SystemExit, match="the texts have 3 ids; expected 4"):
        engine.generate(prompts, 3)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--windows", "0"], "--windows"),
        (["--peers", "mlx"], "--peers"),
        (["--gguf", "{nowhere}"], "there is no file"),
        (["--json", "{nowhere}/x.json"], "there is no folder"),
        (["--bundle", "{bundle}", "{bundle}"], "two have the same name"),
        (["--bundle", "{nowhere}"], "or give --bundle"),
    ],
)
def test_bad_options_of_decoders(
    arguments: list[str], reason: str, decoder: Path, tmp_path: Path
) -> None:
    places = {"bundle": decoder, "nowhere": tmp_path / "nowhere"}
    given = [argument.format(**places) for argument in arguments]
    if "--gguf" not in given:
        given += ["--gguf", str(decoder / "manifest.json")]
    done = run("decoders.py", *given, "--home", tmp_path / "home")
    assert done.returncode != 0 and "Traceback" not in done.stderr
    assert reason in done.stderr.splitlines()[-1], done.stderr
    assert not os.path.exists(tmp_path / "home")


def test_a_target_of_another_length_is_seen(bench: Any) -> None:
    """An engine that ends early would be the faster for it."""
    seq2seq, error = bench("seq2seq"), bench("interleave").WorkerError

    class Ends:
        def ask(self, **_: Any) -> dict[str, Any]:
            return {"seconds": 1.0, "targets": [[5] * 64, [5] * 63]}

    with pytest.raises(error, match=r"targets of \[64, 63\] tokens; expected 2 of 64"):
        seq2seq._ask(Ends(), (2, 1))


def test_seq2seq_tables_compare_with_float32_and_with_peers(bench: Any) -> None:
    peers, report = bench("seq2seq_peers"), bench("seq2seq_report")
    ours, theirs, broken = (peers.Seq2seqEntrant(name) for name in ("satchel", "peer", "broken"))
    figure = report.speed(8, 4)
    assert figure.title == "beam 4, batch 8 (tok/s)"
    for entrant, seconds in ((ours, (1, 2)), (theirs, (4, 4))):
        for second in seconds:
            entrant.add(figure.name, second)
    ours.found, ours.distance = [[1, 2, 3], [4, 5, 6]], 0.25
    broken.failure = "no wheel"
    page = report.tables("t5", [ours, theirs, broken], [[1, 2, 3], [4, 9, 6]], 2).splitlines()
    row = "| beam 4, batch 8 (tok/s) | 384 (256 to 512) | 128 | - | 3 (2 to 4) | - |"
    assert row in page
    assert "  Ids as float32's, from the first on: 3 of 64 greedy, 1 of 64 by 4 beams." in page
    assert (
        "  Log-probabilities of given targets differ from float32's by 0.2500 in the mean." in page
    )
    assert "  Failed: no wheel" in page
    result = report.result([ours, theirs, broken], [[1, 2, 3], [4, 9, 6]], {"threads": 2})
    assert result["ids_as_float32"] == {"satchel": [3, 1], "peer": [], "broken": []}
    assert result["ratios"]["peer"][figure.name]["pairs"] == [4, 2]


@pytest.mark.parametrize("model", ["t5", "marian"])
def test_seq2seq_without_peers(model: str, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    done = run(
        "seq2seq.py", "--quick", "--models", model, "--peers", "--threads", 1,
        "--home", tmp_path / "home", "--json", out, "--markdown", tmp_path / "t.md",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "t.md").read_text("utf-8") == done.stdout
    result = json.loads(out.read_text("utf-8"))[model]
    [entrant] = result["entrants"]
    assert entrant["failure"] is None and entrant["distance"] < 0.3  # of noise
    assert [len(target) for target in entrant["found"]] == [64, 64]
    assert len(result["figures"]["satchel"]) == 8
    assert len(result["shares"]["satchel"]) == 4


def test_large(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    done = run(
        "large.py", "--quick", "--threads", 1, "--home", tmp_path / "home",
        "--json", out, "--markdown", tmp_path / "t.md",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "t.md").read_text("utf-8") == done.stdout
    result = json.loads(out.read_text("utf-8"))
    [entrant] = result["entrants"]
    assert entrant["failure"] is None and len(result["figures"]["satchel"]) == 8
    assert result["figures"]["satchel"]["peak memory of the export (MB)"]["max"] > 100
    assert len(result["shares"]["satchel"]) == 2


def test_the_large_checkpoint_has_1_1_billion_weights(bench: Any) -> None:
    model = bench("large_model")
    shapes = [shape for file in model.shards(model.CONFIG) for shape in file.values()]
    assert sum(map(math.prod, shapes)) == 1_100_048_384  # as TinyLlama-1.1B


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


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--rounds", "0"], "--rounds"),
        (["--models", "bart"], "--models"),
        (["--peers", "llama.cpp"], "--peers"),
        (["--markdown", "{nowhere}/t.md"], "there is no folder"),
        (["--pictures", "{nowhere}/x"], "nor a new one in a folder"),
    ],
)
def test_bad_options_of_seq2seq(arguments: list[str], reason: str, tmp_path: Path) -> None:
    given = [argument.format(nowhere=tmp_path / "nowhere") for argument in arguments]
    done = run("seq2seq.py", *given, "--home", tmp_path / "home")
    assert done.returncode != 0 and "Traceback" not in done.stderr
    assert reason in done.stderr.splitlines()[-1], done.stderr
    assert not os.path.exists(tmp_path / "home")
