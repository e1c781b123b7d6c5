"""Choosing ids: the same candidates and probabilities as transformers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers.generation import logits_process

from satchel.runtime.errors import SatchelError
from satchel.runtime.options import Options
from satchel.runtime.sample import Sampler, candidates, highest, log_probabilities
from tests.choosing import as_options, chooser

NAN, INF = float("nan"), float("inf")
FILTERS: list[dict[str, Any]] = [
    {},
    {"top_k": 1},
    {"top_k": 7},
    {"top_k": 10**9},
    {"top_p": 1e-9},
    {"top_p": 0.5},
    {"top_p": 0.95},
    {"top_p": 0.9999},
    {"top_p": 1.0},
    {"min_p": 0.0},
    {"min_p": 0.05},
    {"min_p": 0.7},
    {"min_p": 1.0},
    {"top_k": 50, "top_p": 0.8},
    {"top_p": 0.9, "min_p": 0.02},
    {"top_k": 300, "top_p": 0.99, "min_p": 0.001},
    {"top_h": 0.4},
    {"top_h": 0.7, "top_k": 20},
    {"typical_p": 0.2},
    {"typical_p": 0.9},
    {"epsilon_cutoff": 3e-4},
    {"eta_cutoff": 2e-3},
    {"top_k": 50, "top_p": 0.9, "typical_p": 0.8, "epsilon_cutoff": 0.02, "eta_cutoff": 0.1},
]
RNG = np.random.default_rng(0)
SHAPES = {
    "two": RNG.normal(0, 1, 2),
    "small": RNG.normal(0, 2, 40),
    "flat": RNG.normal(0, 1e-3, 5000),
    "usual": RNG.normal(0, 2.5, 15_000),
    "heavy_tail": RNG.standard_cauchy(10_000),
    "peak": np.append(RNG.normal(0, 1, 9_000), 40.0),
    "huge": RNG.normal(0, 1, 1000) * 1e30,
    "banned": np.where(np.arange(4000) % 3, RNG.normal(0, 3, 4000), -INF),
    "wide": RNG.normal(0, 3, 152_000),
}


def scaled(logits: np.ndarray, temperature: float) -> np.ndarray:
    return np.asarray(logits, np.float32) / np.float32(temperature)


def probabilities_of_transformers(scores: np.ndarray, **options: Any) -> np.ndarray:
    """After the warpers in the order of `generate`, in double precision."""
    steps: list[Any] = []
    if "top_h" in options:
        steps.append(logits_process.TopHLogitsWarper(options["top_h"]))
    if "top_k" in options:
        steps.append(logits_process.TopKLogitsWarper(options["top_k"]))
    if options.get("top_p", 1.0) < 1.0:
        steps.append(logits_process.TopPLogitsWarper(options["top_p"]))
    if "min_p" in options:
        steps.append(logits_process.MinPLogitsWarper(options["min_p"]))
    if "typical_p" in options:
        steps.append(logits_process.TypicalLogitsWarper(options["typical_p"]))
    if "epsilon_cutoff" in options:
        steps.append(logits_process.EpsilonLogitsWarper(options["epsilon_cutoff"]))
    if "eta_cutoff" in options:
        steps.append(logits_process.EtaLogitsWarper(options["eta_cutoff"]))
    rows = torch.tensor(scores.astype(np.float64))[None]
    for step in steps:
        rows = step(torch.zeros((1, 1), dtype=torch.long), rows)
    return rows.softmax(-1)[0].numpy()


def ours_over_vocabulary(scores: np.ndarray, **options: Any) -> np.ndarray:
    ids, found = candidates(scores, as_options({"temperature": 1.0, **options}))
    assert len(set(ids.tolist())) == len(ids)
    result = np.zeros(len(scores))
    result[ids] = found
    return result


@pytest.mark.parametrize("options", FILTERS, ids=str)
@pytest.mark.parametrize("shape", SHAPES)
def test_candidates_equal_transformers(shape: str, options: dict[str, Any]) -> None:
    for temperature in (0.3, 1.7):
        scores = scaled(SHAPES[shape], temperature)
        expected = probabilities_of_transformers(scores, **options)
        found = ours_over_vocabulary(scores, **options)
        assert ((found > 0) == (expected > 0)).all()
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-300)
        assert abs(found.sum() - 1) < 1e-9


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    st.integers(0, 2**32),
    st.integers(1, 3000),
    st.floats(0.01, 30),
    st.one_of(st.none(), st.integers(1, 400)),
    st.one_of(st.none(), st.floats(0.01, 0.999)),
    st.one_of(st.none(), st.floats(0, 1)),
)
def test_random_candidates_equal_transformers(
    seed: int, size: int, spread: float, top_k: Any, top_p: Any, min_p: Any
) -> None:
    scores = np.random.default_rng(seed).normal(0, spread, size).astype(np.float32)
    given = {"top_k": top_k, "top_p": top_p, "min_p": min_p}
    options = {name: value for name, value in given.items() if value is not None}
    expected = probabilities_of_transformers(scores, **options)
    found = ours_over_vocabulary(scores, **options)
    if np.unique(scores).size == size:  # among equal logits at the cut, top-k takes just k
        assert ((found > 0) == (expected > 0)).all()
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-300)


def test_top_k_keeps_exactly_k_of_equal_logits() -> None:
    ids, found = candidates(np.zeros(10, np.float32), Options(temperature=1.0, top_k=3))
    assert len(ids) == 3
    np.testing.assert_allclose(found, 1 / 3)


def test_equal_logits_come_in_the_order_of_ids() -> None:
    """Or a seed would draw another of them with another library: options that force ids make equals."""
    logits = np.full(2000, -np.inf, np.float32)
    places = np.random.default_rng(0).choice(2000, 40, replace=False)
    logits[places] = 0
    ids, _ = candidates(logits, Options(temperature=1.0, top_k=50))
    assert ids[:40].tolist() == sorted(places.tolist())


def test_min_p_keeps_what_is_exactly_at_the_bound() -> None:
    ids, found = candidates(np.zeros(10, np.float32), Options(temperature=1.0, min_p=1.0))
    assert len(ids) == 10
    np.testing.assert_allclose(found, 1 / 10)


@pytest.mark.parametrize("penalty", [0.5, 1.0, 1.3, 20.0])
def test_repetition_penalty_and_bias_equal_transformers(penalty: float) -> None:
    random = np.random.default_rng(int(penalty * 10))
    logits = random.normal(0, 3, 500).astype(np.float32)
    logits[[3, 4]] = 0.0, -0.0
    history = random.integers(0, 100, 80).tolist()  # with repeats
    history += [3, 4]
    bias = {7: 2.5, 11: -INF, 499: -3.0, history[0]: 9.0}
    rows = torch.tensor(logits)[None]
    ids = torch.tensor([history])
    steps = (
        logits_process.SequenceBiasLogitsProcessor([[[k], v] for k, v in bias.items()]),
        logits_process.RepetitionPenaltyLogitsProcessor(penalty),
    )
    for step in steps:
        rows = step(ids, rows)
    chooser(Options(logit_bias=bias, repetition_penalty=penalty), 500)(logits, history)
    np.testing.assert_allclose(logits, rows[0].numpy(), rtol=1e-6)


def test_the_whole_chain_equals_transformers_by_frequency() -> None:
    logits = np.random.default_rng(5).normal(0, 2, 60).astype(np.float32)
    history = [1, 2, 3, 3]
    options = {"temperature": 0.8, "top_k": 20, "top_p": 0.9, "min_p": 0.02}
    chain = (
        logits_process.SequenceBiasLogitsProcessor([[[9], 1.5]]),
        logits_process.RepetitionPenaltyLogitsProcessor(1.2),
        logits_process.TemperatureLogitsWarper(0.8),
        logits_process.TopKLogitsWarper(20),
        logits_process.TopPLogitsWarper(0.9),
        logits_process.MinPLogitsWarper(0.02),
    )
    rows = torch.tensor(logits)[None]
    for step in chain:
        rows = step(torch.tensor([history]), rows)
    expected = rows.softmax(-1)[0].numpy()
    sampler = chooser(
        as_options({**options, "repetition_penalty": 1.2, "logit_bias": {9: 1.5}, "seed": 1}), 60
    )
    count = 20_000
    drawn = np.bincount([sampler(logits.copy(), history) for _ in range(count)], minlength=60)
    assert not drawn[expected == 0].any()
    spread = np.sqrt(count * expected * (1 - expected))
    assert (np.abs(drawn - count * expected) <= 5 * spread).all()


def test_frequencies_without_filters_match_the_softmax() -> None:
    logits = np.append(np.log([0.5, 0.25, 0.2, 0.05]), -INF).astype(np.float32)
    sampler, count = chooser(Options(temperature=1.0, seed=2), 5), 20_000
    drawn = np.bincount([sampler(logits.copy(), ()) for _ in range(count)], minlength=5)
    assert drawn[4] == 0
    np.testing.assert_allclose(drawn / count, [0.5, 0.25, 0.2, 0.05, 0], atol=0.015)


class Fixed:
    """A random source that always says the same."""

    def __init__(self, value: float) -> None:
        self.value = value

    def random(self) -> float:
        return self.value


@pytest.mark.parametrize("value", [0.0, 1 - 2**-53])
@pytest.mark.parametrize("options", [{}, {"top_k": 100}, {"top_p": 1.0}, {"min_p": 0.0}])
def test_no_draw_reaches_a_banned_id(value: float, options: dict[str, Any]) -> None:
    for allowed in ([1, 2], [50], list(range(1, 98))):
        logits = np.full(100, -INF, np.float32)
        logits[allowed] = np.random.default_rng(len(allowed)).normal(0, 1, len(allowed))
        sampler = Sampler(Options(temperature=1.0, **options))
        sampler._random = Fixed(value)  # type: ignore[assignment]
        assert sampler(logits, *highest(logits[None])) in allowed


def drawn(seed: int | None, count: int = 200) -> list[int]:
    logits = np.random.default_rng(0).normal(0, 1, 1000).astype(np.float32)
    sampler = chooser(Options(temperature=1.0, seed=seed), 1000)
    return [sampler(logits.copy(), ()) for _ in range(count)]


def test_seeds_are_reproducible() -> None:
    assert drawn(7) == drawn(7)
    assert drawn(7) != drawn(8)
    assert drawn(10**40) == drawn(10**40)
    assert drawn(0) == drawn(0) and drawn(0) != drawn(None)
    assert drawn(None) != drawn(None)


def test_greedy_takes_the_first_of_the_best() -> None:
    logits = np.array([1, 5, 5, -INF], np.float32)
    assert chooser(Options(), 4)(logits, ()) == 1
    assert chooser(as_options({"top_k": 1, "seed": 3}), 4)(logits, ()) in (1, 2)


@pytest.mark.parametrize("temperature", [1e-3, 1e-30, 1e-45, 5e-324])
@pytest.mark.filterwarnings("error")
def test_a_tiny_temperature_is_greedy(temperature: float) -> None:
    for scale in (1e-3, 1.0, 1e30):
        logits = (np.random.default_rng(1).permutation(500) * scale).astype(np.float32)
        sampler = chooser(Options(temperature=temperature, seed=0), 500)
        best = int(logits.argmax())
        if scale >= 1:
            assert all(sampler(logits.copy(), ()) == best for _ in range(20))
        else:
            assert 0 <= sampler(logits.copy(), ()) < 500


def test_a_huge_temperature_is_uniform() -> None:
    logits = np.array([100, 0, -100, 50], np.float32)
    sampler = chooser(Options(temperature=1e4, seed=0), 4)
    counts = np.bincount([sampler(logits.copy(), ()) for _ in range(4000)], minlength=4)
    np.testing.assert_allclose(counts / 4000, 0.25, atol=0.03)


@pytest.mark.parametrize(
    "logits",
    [[NAN, 1, 2], [1, 2, NAN], [INF, 1, 2], [-INF] * 3, [NAN] * 3, [INF, -INF, NAN]],
    ids=str,
)
@pytest.mark.parametrize(
    "options",
    [{}, {"temperature": 1.0}, {"top_k": 2}, {"repetition_penalty": 2.0}, {"logit_bias": {0: 1.0}}],
    ids=str,
)
def test_logits_that_are_not_finite(logits: list[float], options: dict[str, Any]) -> None:
    sampler = chooser(as_options(options), 3)
    with pytest.raises(SatchelError, match="not finite") as caught:
        sampler(np.array(logits, np.float32), [1])
    assert caught.value.code == "NUMERIC_ERROR"


def test_banning_every_id_is_an_error_and_one_left_is_not() -> None:
    ban = {token: -INF for token in range(4)}
    with pytest.raises(SatchelError, match="not finite"):
        chooser(as_options({"logit_bias": ban}), 4)(np.zeros(4, np.float32), ())
    for options in ({}, {"temperature": 2.0}, {"top_k": 4, "top_p": 0.9}):
        sampler = chooser(as_options({**options, "logit_bias": ban}), 5)
        assert sampler(np.zeros(5, np.float32), ()) == 4


def test_log_probabilities_equal_log_softmax() -> None:
    logits = np.random.default_rng(0).normal(0, 30, (3, 100_000)).astype(np.float32)
    tokens = [0, int(logits[1].argmax()), int(logits[2].argmin())]
    expected = torch.tensor(logits, dtype=torch.float64).log_softmax(-1)[range(3), tokens]
    assert log_probabilities(logits, tokens) == pytest.approx(expected.tolist(), rel=1e-6)
