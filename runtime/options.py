"""The options of a generation: what each may be, and which go together. Knows no logits.

Names and meanings are those of transformers, except that `n_best` is its num_return_sequences and
`logit_bias` is sequence_bias for single ids.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np

from satchel.runtime.errors import UsageError, shown

SAMPLING = (
    "temperature",
    "top_k",
    "top_p",
    "min_p",
    "top_h",
    "typical_p",
    "epsilon_cutoff",
    "eta_cutoff",
    "seed",
)
BEAMS = ("num_beams", "length_penalty", "early_stopping")
OFF = {  # values at which an option changes nothing, as None does, which costs no time
    "top_p": 1,
    "min_p": 0,
    "typical_p": 1,
    "epsilon_cutoff": 0,
    "eta_cutoff": 0,
    "repetition_penalty": 1,
    "encoder_repetition_penalty": 1,
    "no_repeat_ngram_size": 0,
    "encoder_no_repeat_ngram_size": 0,
    "min_length": 0,
    "min_new_tokens": 0,
}


@dataclass(frozen=True, kw_only=True)
class Options:
    """How texts are generated. None means that an option is off.

    Temperature 0 is greedy, unless there are beams. `max_length` and `min_length` count the ids that
    the decoder begins with, `min_new_tokens` does not. `lookup` reads ahead what a single text repeats
    and changes none of it; None leaves that to the model. `exponential_decay_length_penalty` is after
    how many new ids a text is driven to its end, and by which factor for each id more.
    """

    temperature: float = 0.0
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    top_h: float | None = None
    typical_p: float | None = None
    epsilon_cutoff: float | None = None
    eta_cutoff: float | None = None
    seed: int | None = None
    num_beams: int = 1
    n_best: int | None = None
    length_penalty: float = 1.0
    early_stopping: bool | str = False
    logit_bias: Mapping[int, float] | None = None
    sequence_bias: Sequence[tuple[Sequence[int], float]] | None = None
    repetition_penalty: float | None = None
    encoder_repetition_penalty: float | None = None
    no_repeat_ngram_size: int | None = None
    encoder_no_repeat_ngram_size: int | None = None
    bad_words_ids: Sequence[Sequence[int]] | None = None
    max_length: int | None = None
    min_length: int | None = None
    min_new_tokens: int | None = None
    forced_bos_token_id: int | Sequence[int] | None = None
    forced_eos_token_id: int | Sequence[int] | None = None
    exponential_decay_length_penalty: tuple[int, float] | None = None
    suppress_tokens: Sequence[int] | None = None
    begin_suppress_tokens: Sequence[int] | None = None
    renormalize_logits: bool | None = None
    lookup: bool | None = None

    @classmethod
    def from_options(cls, options: Mapping[str, Any], defaults: Mapping[str, Any]) -> Self:
        """Options of the caller over the `defaults` of the bundle; None takes the default.

        An option that only means something when sampling turns sampling on, at temperature 1.
        Raises UsageError for an unknown option, for a value that an option cannot have, and where
        the caller's options do not go together.
        """
        names = {entry.name for entry in fields(cls)}
        given = {name: value for name, value in options.items() if value is not None}
        unknown = sorted(given.keys() - names)
        if unknown:
            raise UsageError(
                f"unknown option {shown(unknown[0])}; known: {', '.join(sorted(names))}"
            )
        known = {k: v for k, v in _fitting(defaults, given).items() if k in names}
        merged = {**known, **given}
        _check(merged)
        if any(name in given for name in SAMPLING) and merged.get("temperature", 0) == 0:
            merged["temperature"] = given.get("temperature", 1.0)
        result = cls(**{k: v for k, v in merged.items() if k not in OFF or v != OFF[k]})
        if result.n_best is not None and result.n_best > result.num_beams:
            raise UsageError(f"n_best = {result.n_best} needs num_beams of at least as many")
        if result.lookup and result.num_beams > 1:
            raise UsageError(f"lookup does not go with num_beams = {result.num_beams}")
        return result


def _fitting(defaults: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The defaults that fit what the caller chose: beams, or a choice token by token.

    Without such a choice, beams go before sampling. Raises UsageError where options of the caller
    would have no effect.
    """
    sampling = [name for name in SAMPLING if name in given]
    if given.get("temperature") == 0 and len(sampling) > 1:
        raise UsageError(f"{sampling[1]} has no effect at temperature 0, which is greedy")
    beams = given.get("num_beams", 1 if sampling else defaults.get("num_beams", 1))
    if beams == 1:
        for name in BEAMS[1:]:
            if name in given:
                raise UsageError(f"{name} has no effect without num_beams of 2 or more")
    elif sampling:
        raise UsageError(f"{sampling[0]} does not go with num_beams = {beams}: beams do not sample")
    if "min_length" in given and "min_new_tokens" in given:
        raise UsageError("min_length and min_new_tokens say the same: give one")
    dropped = set(BEAMS if beams == 1 else SAMPLING)
    if "max_new_tokens" in defaults and "max_length" not in given:
        dropped.add("max_length")
    if "min_length" in given or "min_new_tokens" in given:
        dropped |= {"min_length", "min_new_tokens"}
    return {name: value for name, value in defaults.items() if name not in dropped}


def is_whole(value: Any, low: float = -np.inf) -> bool:
    """Whether a value is an integer, no bool, and at least `low`."""
    return (
        not isinstance(value, bool) and isinstance(value, int | np.integer) and bool(value >= low)
    )


def _within(value: Any, low: float, high: float) -> bool:
    return (is_whole(value) or isinstance(value, float | np.floating)) and bool(
        low <= value <= high
    )


def _are_ids(value: Any) -> bool:
    """Whether a value is a list of ids, not empty."""
    listed = isinstance(value, Sequence | np.ndarray) and not isinstance(value, str | bytes)
    return listed and len(value) > 0 and all(is_whole(token, 0) for token in value)


def _are_words(value: Any) -> bool:
    return isinstance(value, Sequence) and len(value) > 0 and all(map(_are_ids, value))


def _is_bias(value: Any) -> bool:
    return isinstance(value, Mapping) and all(
        is_whole(token, 0) and _within(bias, -np.inf, 1e6) for token, bias in value.items()
    )


def _is_sequence_bias(value: Any) -> bool:
    """Whether a value is a list of pairs of ids and a number."""
    return (
        isinstance(value, Sequence)
        and not isinstance(value, str | bytes)
        and len(value) > 0
        and all(
            isinstance(pair, Sequence)
            and len(pair) == 2
            and _are_ids(pair[0])
            and _within(pair[1], -np.inf, 1e6)
            for pair in value
        )
    )


def _is_decay(value: Any) -> bool:
    return (
        isinstance(value, Sequence)
        and len(value) == 2
        and is_whole(value[0], 0)
        and _within(value[1], 1e-3, 1e3)
    )


COUNT: tuple[Callable[[Any], bool], str] = (lambda v: is_whole(v, 1), "a whole number from 1")
SIZE: tuple[Callable[[Any], bool], str] = (lambda v: is_whole(v, 0), "a whole number from 0")
PENALTY: tuple[Callable[[Any], bool], str] = (lambda v: _within(v, 1e-3, 1e3), "above 0")
FORCED: tuple[Callable[[Any], bool], str] = (
    lambda v: is_whole(v, 0) or _are_ids(v),
    "an id or a list of ids",
)
SWITCH: tuple[Callable[[Any], bool], str] = (lambda v: isinstance(v, bool), "True or False")
IDS: tuple[Callable[[Any], bool], str] = (_are_ids, "a list of ids")
RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "temperature": (lambda v: _within(v, 0, 1e4), "a number from 0 to 10000"),
    "top_k": COUNT,
    "top_p": (lambda v: _within(v, 1e-9, 1), "above 0, up to 1"),
    "min_p": (lambda v: _within(v, 0, 1), "from 0 to 1"),
    "top_h": (lambda v: _within(v, 1e-9, 1), "above 0, up to 1"),
    "typical_p": (lambda v: _within(v, 1e-9, 1), "above 0, up to 1"),
    "epsilon_cutoff": (lambda v: _within(v, 0, 1 - 1e-9), "from 0, below 1"),
    "eta_cutoff": (lambda v: _within(v, 0, 1 - 1e-9), "from 0, below 1"),
    "seed": SIZE,
    "num_beams": COUNT,
    "n_best": COUNT,
    "length_penalty": (lambda v: _within(v, -100, 100), "a number from -100 to 100"),
    "early_stopping": (lambda v: isinstance(v, bool) or v == "never", "True, False or 'never'"),
    "logit_bias": (_is_bias, "a mapping of ids to numbers"),
    "sequence_bias": (_is_sequence_bias, "a list of pairs of ids and a number"),
    "repetition_penalty": PENALTY,
    "encoder_repetition_penalty": PENALTY,
    "no_repeat_ngram_size": SIZE,
    "encoder_no_repeat_ngram_size": SIZE,
    "bad_words_ids": (_are_words, "a list of lists of ids"),
    "max_length": COUNT,
    "min_length": SIZE,
    "min_new_tokens": SIZE,
    "forced_bos_token_id": FORCED,
    "forced_eos_token_id": FORCED,
    "exponential_decay_length_penalty": (_is_decay, "a whole number and a factor"),
    "suppress_tokens": IDS,
    "begin_suppress_tokens": IDS,
    "renormalize_logits": SWITCH,
    "lookup": SWITCH,
}


def _check(values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        valid, expected = RULES[name]
        if not valid(value):
            raise UsageError(f"{name} = {shown(value)}; expected {expected}")
