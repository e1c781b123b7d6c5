"""The options of a generation, each declared once: its rule, what it does, and which methods take it.

Names and meanings are those of transformers, but for `n_best` (num_return_sequences) and `logit_bias`
(sequence_bias for single ids). The command line is made of these.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from numbers import Integral, Real
from typing import Any, Self

from satchel.runtime.errors import UsageError, shown

WRITING = ("generate", "stream", "chat", "translate")  # after a text, not what is heard or seen
EVERY = (*WRITING, "transcribe", "read_images")
BOUNDED = (*WRITING, "read_images")  # a whole text, not one of windows
SEARCHING = (
    "generate",
    "translate",
    "transcribe",
    "read_images",
)  # what streams is not searched for


def is_whole(value: Any, low: float = -math.inf) -> bool:
    """Whether a value is an integer, no bool, and at least `low`."""
    return not isinstance(value, bool) and isinstance(value, Integral) and int(value) >= low


def _within(value: Any, low: float, high: float) -> bool:
    return not isinstance(value, bool) and isinstance(value, Real) and low <= float(value) <= high


def _is_list(value: Any) -> bool:
    """Whether a value is a list, a tuple or an array, and not empty."""
    flat = isinstance(value, str | bytes | Mapping)
    return (
        not flat and hasattr(value, "__len__") and hasattr(value, "__getitem__") and len(value) > 0
    )


def _are_ids(value: Any) -> bool:
    return _is_list(value) and all(is_whole(token, 0) for token in value)


def _are_words(value: Any) -> bool:
    return _is_list(value) and all(map(_are_ids, value))


def _is_bias(value: Any) -> bool:
    return isinstance(value, Mapping) and all(
        is_whole(token, 0) and _within(bias, -math.inf, 1e6) for token, bias in value.items()
    )


def _is_sequence_bias(value: Any) -> bool:
    """Whether a value is a list of pairs of ids and a number."""
    return _is_list(value) and all(
        _is_list(pair) and len(pair) == 2 and _are_ids(pair[0]) and _within(pair[1], -math.inf, 1e6)
        for pair in value
    )


def _is_decay(value: Any) -> bool:
    pair = _is_list(value) and len(value) == 2
    return pair and is_whole(value[0], 0) and _within(value[1], 1e-3, 1e3)


@dataclass(frozen=True)
class Rule:
    """What the value of an option must be, and the type of which a command line reads it."""

    valid: Callable[[Any], bool]
    expected: str  # in words
    read_as: type  # int, float, bool, str, or object: JSON


def _number(low: float, high: float, expected: str) -> Rule:
    return Rule(lambda value: _within(value, low, high), expected, float)


COUNT = Rule(lambda value: is_whole(value, 1), "a whole number from 1", int)
SIZE = Rule(lambda value: is_whole(value, 0), "a whole number from 0", int)
SHARE = _number(1e-9, 1, "above 0, up to 1")
CUTOFF = _number(0, 1 - 1e-9, "from 0, below 1")
PENALTY = _number(1e-3, 1e3, "above 0")
SWITCH = Rule(lambda value: isinstance(value, bool), "True or False", bool)
EARLY = Rule(
    lambda value: isinstance(value, bool) or value == "never", "True, False or 'never'", str
)
IDS = Rule(_are_ids, "a list of ids", object)
WORDS = Rule(_are_words, "a list of lists of ids", object)
FORCED = Rule(lambda value: is_whole(value, 0) or _are_ids(value), "an id or a list of ids", object)
BIAS = Rule(_is_bias, "a mapping of ids to numbers", object)
SEQUENCE_BIAS = Rule(_is_sequence_bias, "a list of pairs of ids and a number", object)
DECAY = Rule(_is_decay, "a whole number and a factor", object)


@dataclass(frozen=True)
class About:
    """What is declared of one option.

    `neutral` is the value at which it changes nothing, as None does, which costs no time. `part` is
    "sampling", "beams" or "" for what goes with both.
    """

    rule: Rule
    help: str
    methods: Sequence[str]
    neutral: Any = None
    part: str = ""


def _option(
    rule: Rule,
    help: str,
    methods: Sequence[str] = EVERY,
    *,
    default: Any = None,
    neutral: Any = None,
    part: str = "",
) -> Any:
    return field(default=default, metadata={"about": About(rule, help, methods, neutral, part)})


def _sampling(rule: Rule, help: str, **settings: Any) -> Any:
    return _option(rule, help, part="sampling", **settings)


@dataclass(frozen=True, kw_only=True)
class Options:
    """How texts are generated; each option is said in its declaration. None means that it is off."""

    temperature: float = _sampling(
        _number(0, 1e4, "a number from 0 to 10000"), "0 is greedy; above 1 is wilder", default=0.0
    )
    top_k: int | None = _sampling(COUNT, "choose among the K likeliest tokens")
    top_p: float | None = _sampling(
        SHARE, "choose among the likeliest that make up this share of probability", neutral=1
    )
    min_p: float | None = _sampling(
        _number(0, 1, "from 0 to 1"),
        "leave out tokens less likely than this part of the likeliest",
        neutral=0,
    )
    top_h: float | None = _sampling(
        SHARE, "choose among the likeliest that keep this part of the entropy"
    )
    typical_p: float | None = _sampling(
        SHARE, "choose among the tokens of usual surprise that make up this share", neutral=1
    )
    epsilon_cutoff: float | None = _sampling(
        CUTOFF, "leave out tokens less likely than this", neutral=0
    )
    eta_cutoff: float | None = _sampling(
        CUTOFF, "leave out tokens less likely than this, or less where many are likely", neutral=0
    )
    seed: int | None = _sampling(SIZE, "of the random choice: the same text for the same seed")
    num_beams: int = _option(
        COUNT, "search with N beams; 1 is none", SEARCHING, default=1, part="beams"
    )
    n_best: int | None = _option(COUNT, "the N best texts of a search", ("generate",))
    length_penalty: float = _option(
        _number(-100, 100, "a number from -100 to 100"),
        "above 0 favours long texts in a search",
        SEARCHING,
        default=1.0,
        part="beams",
    )
    early_stopping: bool | str = _option(
        EARLY,
        "end a search when N texts are found (true), when better ones are unlikely (false), or "
        "impossible (never)",
        SEARCHING,
        default=False,
        part="beams",
    )
    logit_bias: Mapping[int, float] | None = _option(
        BIAS, "what to add to the scores of ids, by id"
    )
    sequence_bias: Sequence[tuple[Sequence[int], float]] | None = _option(
        SEQUENCE_BIAS,
        "what to add to the score of the last of some ids, where the others are before",
    )
    repetition_penalty: float | None = _option(
        PENALTY, "above 1 avoids tokens that were there already", neutral=1
    )
    encoder_repetition_penalty: float | None = _option(
        PENALTY, "above 1 favours tokens of the prompt or source", WRITING, neutral=1
    )
    no_repeat_ngram_size: int | None = _option(SIZE, "no N tokens in a row occur twice", neutral=0)
    encoder_no_repeat_ngram_size: int | None = _option(
        SIZE, "no N tokens in a row occur that the prompt or source has", WRITING, neutral=0
    )
    bad_words_ids: Sequence[Sequence[int]] | None = _option(WORDS, "rows of ids that never occur")
    max_length: int | None = _option(
        COUNT, "end after N tokens, those that the decoder begins with among them", BOUNDED
    )
    min_length: int | None = _option(
        SIZE, "do not end before N tokens, those that the decoder begins with among them", neutral=0
    )
    min_new_tokens: int | None = _option(SIZE, "do not end before N new tokens", neutral=0)
    forced_bos_token_id: int | Sequence[int] | None = _option(FORCED, "the first id of a target")
    forced_eos_token_id: int | Sequence[int] | None = _option(
        FORCED, "the last id of a text that reaches its bound"
    )
    exponential_decay_length_penalty: tuple[int, float] | None = _option(
        DECAY,
        "after how many new ids a text is driven to its end, and by which factor for each more",
    )
    suppress_tokens: Sequence[int] | None = _option(IDS, "ids that never occur")
    begin_suppress_tokens: Sequence[int] | None = _option(
        IDS, "ids that a text does not begin with"
    )
    renormalize_logits: bool | None = _option(
        SWITCH, "make the scores log-probabilities again after all changes"
    )
    lookup: bool | None = _option(
        SWITCH,
        "read ahead what repeats the prompt or the text: the same text, in fewer steps; default: where "
        "that is exact",
    )

    @classmethod
    def from_options(cls, options: Mapping[str, Any], defaults: Mapping[str, Any]) -> Self:
        """Options of the caller over the `defaults` of the bundle; None takes the default.

        Options of sampling turn it on, at temperature 1. Raises UsageError for an unknown option, an
        impossible value, and options that do not go together.
        """
        given = {name: value for name, value in options.items() if value is not None}
        unknown = sorted(given.keys() - ABOUT.keys())
        if unknown:
            raise UsageError(
                f"unknown option {shown(unknown[0])}; known: {', '.join(sorted(ABOUT))}"
            )
        known = {k: v for k, v in _fitting(defaults, given).items() if k in ABOUT}
        merged = {**known, **given}
        _check(merged)
        if any(name in given for name in SAMPLING) and merged.get("temperature", 0) == 0:
            merged["temperature"] = given.get("temperature", 1.0)
        chosen = cls(
            **{k: v for k, v in merged.items() if ABOUT[k].neutral is None or v != ABOUT[k].neutral}
        )
        if chosen.n_best is not None and chosen.n_best > chosen.num_beams:
            raise UsageError(f"n_best = {chosen.n_best} needs num_beams of at least as many")
        if chosen.lookup and chosen.num_beams > 1:
            raise UsageError(f"lookup does not go with num_beams = {chosen.num_beams}")
        return chosen


ABOUT: dict[str, About] = {entry.name: entry.metadata["about"] for entry in fields(Options)}
SAMPLING = tuple(name for name, about in ABOUT.items() if about.part == "sampling")
BEAMS = tuple(name for name, about in ABOUT.items() if about.part == "beams")


def unfit(method: str) -> list[str]:
    """The options that `method` does not take."""
    return [name for name, about in ABOUT.items() if method not in about.methods]


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


def _check(values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        rule = ABOUT[name].rule
        if not rule.valid(value):
            raise UsageError(f"{name} = {shown(value)}; expected {rule.expected}")
