"""The options of sampling: which values are taken, and what counts where several say something."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from satchel.runtime.errors import UsageError
from satchel.runtime.options import Options
from tests.choosing import as_options, chooser

NAN, INF = float("nan"), float("inf")

INVALID: list[dict[str, Any]] = [
    *({"temperature": value} for value in (-0.1, NAN, INF, -INF, True, False, "1", [1], 2e4)),
    *({"top_k": value} for value in (0, -1, 1.5, 2.0, True, "3", NAN)),
    *({"top_p": value} for value in (0, 0.0, -0.5, 1.0001, 2, NAN, INF, True, "0.5")),
    *({"min_p": value} for value in (-0.01, 1.01, NAN, INF, False, "0.1")),
    *({"repetition_penalty": value} for value in (0, 0.0, -1, NAN, INF, True, "1.1")),
    *({"seed": value} for value in (-1, True, False, 1.0, "1", NAN)),
    *({"logit_bias": value} for value in ([5], "5", 5, {"5": 1.0}, {-1: 1.0}, {True: 1.0})),
    *({"logit_bias": {5: value}} for value in (NAN, INF, "1", True, None)),
    {"logit_bias": {1.0: 1.0}},
]


@pytest.mark.parametrize("options", INVALID, ids=str)
def test_invalid_options_are_refused(options: dict[str, Any]) -> None:
    name = next(iter(options))
    with pytest.raises(UsageError, match=name) as caught:
        as_options(options)
    assert caught.value.code == "USAGE" and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "options",
    [
        {"temperature": 0},
        {"temperature": np.float32(0.7)},
        {"top_k": np.int64(3)},
        {"top_p": 1},
        {"min_p": 0},
        {"repetition_penalty": 1},
        {"seed": np.int64(0)},
        {"logit_bias": {}},
        {"logit_bias": {np.int64(3): np.float32(-INF), 4: 1}},
    ],
    ids=str,
)
def test_valid_options_are_taken(options: dict[str, Any]) -> None:
    sampler = chooser(as_options(options), 10)
    assert 0 <= sampler(np.arange(10, dtype=np.float32), [1]) < 10


def test_unknown_options_name_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"'top_q'; known: bad_words_ids, .*, top_p"):
        as_options({"top_q": 1})


@pytest.mark.parametrize("option", [{"top_k": 5}, {"top_p": 0.5}, {"min_p": 0.1}, {"seed": 1}])
def test_sampling_options_turn_sampling_on(option: dict[str, Any]) -> None:
    assert as_options(option).temperature == 1.0
    assert Options.from_options(option, {"temperature": 0.6}).temperature == 0.6
    with pytest.raises(UsageError, match=f"{next(iter(option))} has no effect at temperature 0"):
        as_options({**option, "temperature": 0.0})


def test_defaults_of_the_bundle() -> None:
    defaults = {"temperature": 0.6, "top_p": 0.9, "unheard_of": 1}
    assert Options.from_options({}, defaults) == Options(temperature=0.6, top_p=0.9)
    assert Options.from_options({"top_p": 0.5}, defaults).top_p == 0.5
    assert Options.from_options({"top_p": None}, defaults).top_p == 0.9
    greedy = Options.from_options({"temperature": 0}, defaults)
    assert chooser(greedy, 5)(np.arange(5, dtype=np.float32), ()) == 4
    assert as_options({}).temperature == 0
    assert as_options({"repetition_penalty": 1.1, "logit_bias": {1: 1.0}}).temperature == 0


@pytest.mark.parametrize("token", [10, 10**6, 2**63, 10**30])
def test_bias_outside_the_vocabulary(token: int) -> None:
    with pytest.raises(UsageError, match=r"outside 0\.\.9") as caught:
        chooser(as_options({"logit_bias": {token: 1.0}}), 10)
    assert caught.value.code == "TOKEN_ID"
