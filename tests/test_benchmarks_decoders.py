"""The comparison of decoders: what it concludes from samples, and from end to end."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import transformers

import satchel
from tests.benchmark_commands import compared, on_linux, refused

pytest_plugins = "tests.benchmark_commands"
pytestmark = on_linux
NUMBERS = count()


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
    second = tmp_path / "second"
    shutil.copytree(decoder, second)
    _, result = compared(
        "decoders.py", tmp_path, "--bundle", decoder, second, "--peers", "--quick", "--threads", 1,
        "--gguf", decoder.parent / "checkpoint" / "model.safetensors",
        "--pictures", tmp_path / "pictures",
    )  # fmt: skip
    assert (tmp_path / "pictures" / "index.html").exists()
    ours, theirs = result["entrants"]
    assert (ours["name"], theirs["name"]) == ("satchel", "satchel second")
    assert ours["failure"] is theirs["failure"] is ours["note"] is None
    assert ours["versions"]["kernels"] == "ONNX Runtime's own"
    assert result["ids_as_satchel"] == {"satchel": 65, "satchel second": 65}
    figures = result["figures"]["satchel"]
    assert len(figures) == 8 and "decode 32 of 8 texts (tok/s)" in figures
    assert set(result["ratios"]["satchel second"]) == set(ours["samples"])
    assert result["shares"].keys() == {"satchel", "satchel second"}
    assert len(result["shares"]["satchel"]) == 4 and ours["layers"] == theirs["layers"]


def test_growth_takes_what_the_bundle_has_positions_for(decoder: Path, tmp_path: Path) -> None:
    printed, result = compared(
        "decoders.py", tmp_path, "--bundle", decoder, "--growth", "--quick", "--threads", 1,
        "--gguf", decoder.parent / "checkpoint" / "model.safetensors",
        "--pictures", tmp_path / "pictures",
    )  # fmt: skip
    assert "The bundle has 2048 positions: too few for 2048, 4096." in printed
    rows = [line.split(" |")[0] for line in printed.splitlines() if line.startswith("| 1")]
    assert rows == ["| 1 x 128", "| 1 x 512", "| 1 x 1024", "| 16 x 128"]
    [entrant] = result["entrants"]
    assert entrant["failure"] is None and len(result["figures"]["satchel"]) == 14
    assert "steps after 16 x 128 (tok/s)" in result["figures"]["satchel"]


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
    refused("decoders.py", tmp_path / "home", reason, *given)
