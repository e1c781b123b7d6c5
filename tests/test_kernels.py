"""Our own kernels behind the runtime: the same bits however a text is read, and close to ONNX Runtime's.

What each kernel computes is tested in kernels/tests.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import satchel
from satchel.export.check import mean_kl
from satchel.runtime import kernels
from satchel.runtime.errors import SatchelError, UsageError
from tests.generating import some_ids
from tests.narrow import skip_where_narrow
from tests.tiny import save_checkpoint
from tests.tiny_encoders import save_encoder
from tests.tiny_seq2seq import save_seq2seq

pytestmark = pytest.mark.skipif(
    find_spec("satchel_kernels") is None, reason="satchel-kernels is not installed: make kernels"
)
# Kinds of attention and of norms: windows and caps, norms of queries and keys, positions by a table.
DECODERS = ("llama", "gemma2", "qwen3", "gpt2", "phi3")
PROFILES = [("int8", "int8"), ("int8", "float32"), ("int4", None), ("fp32", None)]
LEVELS = ("scalar", "avx2", "avx512vnni") if sys.platform == "linux" else ("scalar",)


@pytest.fixture(autouse=True)
def switched_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SATCHEL_KERNELS", "1")


def exported(folder: Path, model_type: str, **options: Any) -> Path:
    save_checkpoint(folder / "checkpoint", model_type)
    satchel.pack(folder / "checkpoint", folder / "out", force=True, **options)
    return folder / "out"


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return exported(tmp_path_factory.mktemp("llama"), "llama")


@pytest.mark.parametrize("profile, cache", PROFILES)
@pytest.mark.parametrize("model_type", DECODERS)
def test_every_way_of_reading_gives_the_same_bits(
    model_type: str, profile: str, cache: str | None, tmp_path: Path
) -> None:
    if profile == "int4":
        skip_where_narrow()
    folder = exported(tmp_path, model_type, profile=profile, cache=cache)
    model: Any = satchel.load(folder, threads=1)
    assert any("GroupQueryAttention" in g.operators for g in kernels.taken(model.decoder.session))
    decoder, ids = model.decoder, some_ids(80)
    whole = decoder.logits(ids)
    run = decoder.start()
    stepped = [run.append(ids[:8])[0].copy()]
    stepped += [run.step(np.array([token]))[0].copy() for token in ids[8:]]
    pieces = decoder.start()
    for start, end in ((0, 5), (5, 70), (70, 80)):
        pieced = pieces.append(ids[start:end])
    batch = decoder.start(3)
    first = batch.prefill([ids[:9], ids[:3], ids[:76]]).copy()
    after = batch.step(np.array([ids[9], ids[3], ids[76]]))
    if profile == "fp32":  # its products are ONNX Runtime's
        close: Any = lambda a, b: np.testing.assert_allclose(a, b, atol=2e-3)  # noqa: E731
    else:
        close = np.testing.assert_array_equal
    close(stepped, whole[7:])
    close(pieced[0], whole[-1])
    close(first, whole[[8, 2, 75]])
    close(after, whole[[9, 3, 76]])

    stock: Any = satchel.load(folder, threads=1, kernels=False)
    assert not kernels.taken(stock.decoder.session)
    expected = stock.decoder.logits(ids)
    assert mean_kl(expected, whole) < (1e-6 if profile == "fp32" else 0.05)


def test_threads_change_nothing(llama: Path) -> None:
    ids = some_ids(100)
    one, four = (satchel.load(llama, threads=threads) for threads in (1, 4))
    assert isinstance(one, satchel.DecoderModel) and isinstance(four, satchel.DecoderModel)
    np.testing.assert_array_equal(one.logits(ids), four.logits(ids))


def test_the_levels_of_processors_agree(llama: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """But for what ONNX Runtime computes, which is the same here at each."""
    answers = []
    for level in LEVELS:
        monkeypatch.setenv("SATCHEL_KERNELS_LEVEL", level)
        try:
            model: Any = satchel.load(llama, threads=1)
        except SatchelError as error:
            assert "level is best or one of" in str(error)  # not on this processor
            continue
        answers.append(model.logits(some_ids(70)))
    assert len(answers) > 1
    for answer in answers:
        np.testing.assert_array_equal(answer, answers[0])


def test_two_threads_in_one_session(llama: Path) -> None:
    model: Any = satchel.load(llama, threads=1)
    prompts = [some_ids(length, seed=length) for length in (60, 11, 33, 80)]
    alone = [model.logits(ids) for ids in prompts]
    answers: dict[int, Any] = {}

    def read(index: int) -> None:
        for _ in range(8):
            answers[index] = model.logits(prompts[index])

    workers = [threading.Thread(target=read, args=(index,)) for index in range(len(prompts))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for index, expected in enumerate(alone):
        np.testing.assert_array_equal(answers[index], expected)


def test_encoders_and_encoder_decoders(tmp_path: Path) -> None:
    save_encoder(tmp_path / "bert", "bert")
    satchel.pack(tmp_path / "bert", tmp_path / "vectors", task="embed", force=True)
    save_seq2seq(tmp_path / "t5", "t5")
    satchel.pack(tmp_path / "t5", tmp_path / "writes", force=True)
    own: Any = satchel.load(tmp_path / "vectors", threads=1)
    stock: Any = satchel.load(tmp_path / "vectors", threads=1, kernels=False)
    texts = ["a text", "another one that is longer", "c"]
    vectors = own.embed(texts)
    assert (vectors * stock.embed(texts)).sum(-1).min() > 0.99
    for text, vector in zip(texts, vectors, strict=True):
        np.testing.assert_allclose(own.embed(text)[0], vector, atol=1e-6)
    operators = [g.operators for g in kernels.taken(own.graphs["encoder"].session)]
    assert any("MultiHeadAttention" in names for names in operators)
    writer: Any = satchel.load(tmp_path / "writes", threads=1)
    together = writer.generate(texts, max_new_tokens=12)
    alone = [writer.generate(text, max_new_tokens=12) for text in texts]
    assert [answer.tokens for answer in together] == [answer.tokens for answer in alone]
    operators = [g.operators for g in kernels.taken(writer.graphs["decoder"].session)]
    assert ("GroupQueryAttention",) in operators and ("MultiHeadAttention",) in operators


def test_kernels_look_whether_they_are_cancelled(llama: Path) -> None:
    """At a byte of their own: ONNX Runtime looks at its flag between nodes only."""
    model: Any = satchel.load(llama, threads=1)
    run = model.decoder.start()
    run.cancel._flag[0] = 1
    with pytest.raises(SatchelError, match="the run was cancelled"):
        run.append(some_ids(50))
    cancel = satchel.Cancel()
    cancel.cancel()
    assert model.generate(some_ids(50), cancel=cancel).finish_reason == "cancelled"
    assert len(model.generate(some_ids(5), max_new_tokens=3).tokens) == 3


def test_an_export_is_proven_with_and_without(llama: Path) -> None:
    parity = json.loads((llama / "manifest.json").read_text())["parity"]
    names = [check["name"] for check in parity["checks"]]
    own = [name for name in names if name.endswith(", own kernels")]
    assert own and {name.removesuffix(", own kernels") for name in own} <= set(names)
    assert parity["own_kernels"]["kernels"].startswith("satchel-kernels ")
    assert parity["own_kernels"]["quality"]["mean_kl"] < 0.5


def satchel_command(*arguments: str) -> str:
    command = [sys.executable, "-m", "satchel", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_the_command_line_says_which_kernels_run(llama: Path) -> None:
    bench = ("bench", str(llama), "--repeats", "1", "--threads", "1")
    assert "kernels: satchel-kernels" in satchel_command(*bench)
    assert "kernels: ONNX Runtime's own" in satchel_command(*bench, "--no-kernels")
    profiled = satchel_command(*bench, "--profile-nodes")
    assert "SkipSimplifiedLayerNormalization + QuantizeLinear + MatMulIntegerToFloat" in profiled
    assert "satchel_" not in profiled
    assert "in pieces against one prefill, own kernels" in satchel_command("verify", str(llama))
    assert "kernels       satchel-kernels" in satchel_command("inspect", str(llama))


def test_the_switch(llama: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SATCHEL_KERNELS", "0")
    model: Any = satchel.load(llama)
    assert kernels.in_words(model.decoder.session) == "ONNX Runtime's own"
    monkeypatch.setenv("SATCHEL_KERNELS", "yes")
    with pytest.raises(UsageError, match="SATCHEL_KERNELS=yes; expected 0 or 1"):
        satchel.load(llama)
    monkeypatch.setenv("SATCHEL_KERNELS", "1")
    monkeypatch.setenv("SATCHEL_KERNELS_LEVEL", "mmx")
    with pytest.raises(SatchelError, match="level is best or one of"):
        satchel.load(llama)
