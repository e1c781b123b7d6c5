"""Pick the next id from a row of logits. Knows no text and no graph.

The order is that of transformers: logit bias, repetition penalty (Keskar et al., 2019), temperature,
top-k, top-p (Holtzman et al., 2020), min-p (Nguyen et al., 2024).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from satchel.runtime.errors import SatchelError, UsageError, shown

SAMPLING_ONLY = ("top_k", "top_p", "min_p", "seed")


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How the next token is chosen. temperature 0 is greedy; None means the option is off."""

    temperature: float = 0.0
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None
    seed: int | None = None
    logit_bias: Mapping[int, float] | None = None

    @classmethod
    def from_options(cls, options: Mapping[str, Any], defaults: Mapping[str, Any]) -> Self:
        """Options of the caller over the `defaults` of the bundle; None takes the default.

        An option that only means something when sampling turns sampling on, at temperature 1, unless
        the caller asked for temperature 0: then it is refused.
        """
        names = {entry.name for entry in fields(cls)}
        given = {name: value for name, value in options.items() if value is not None}
        unknown = sorted(given.keys() - names)
        if unknown:
            raise UsageError(
                f"unknown option {shown(unknown[0])}; known: {', '.join(sorted(names))}"
            )
        known = {name: value for name, value in defaults.items() if name in names}
        sampled = [name for name in SAMPLING_ONLY if name in given]
        if sampled and "temperature" in given and given["temperature"] == 0:
            raise UsageError(f"{sampled[0]} has no effect at temperature 0, which is greedy")
        result = cls(**{**known, **given})
        result._check()
        return replace(
            result,
            temperature=1.0 if sampled and result.temperature == 0 else result.temperature,
            # These leave every id, as None does, which needs no sorting.
            top_p=None if result.top_p == 1 else result.top_p,
            min_p=None if result.min_p == 0 else result.min_p,
        )

    def _check(self) -> None:
        rules: dict[str, tuple[bool, str]] = {
            "temperature": (_number(self.temperature, 0, 1e4), "a number from 0 to 10000"),
            "top_k": (self.top_k is None or _whole(self.top_k, 1), "a whole number from 1"),
            "top_p": (self.top_p is None or _number(self.top_p, 1e-9, 1), "above 0, up to 1"),
            "min_p": (self.min_p is None or _number(self.min_p, 0, 1), "from 0 to 1"),
            "repetition_penalty": (
                self.repetition_penalty is None or _number(self.repetition_penalty, 1e-3, 1e3),
                "above 0",
            ),
            "seed": (self.seed is None or _whole(self.seed, 0), "a whole number from 0"),
            "logit_bias": (
                self.logit_bias is None or isinstance(self.logit_bias, Mapping),
                "a mapping of ids to numbers",
            ),
        }
        for name, (valid, expected) in rules.items():
            if not valid:
                raise UsageError(f"{name} = {shown(getattr(self, name))}; expected {expected}")
        for token, bias in (self.logit_bias or {}).items():
            if not _whole(token, 0) or not _number(bias, -np.inf, 1e6):
                raise UsageError(f"logit_bias: {shown(token)} = {shown(bias)}")


class Sampler:
    """Chooses tokens for one text; holds its random state."""

    def __init__(self, sampling: Sampling, vocab_size: int) -> None:
        self.sampling = sampling
        self.needs_history = sampling.repetition_penalty is not None
        self.random = np.random.default_rng(sampling.seed)
        bias = sampling.logit_bias or {}
        if max(bias, default=0) >= vocab_size:
            raise UsageError(
                f"logit_bias: id {max(bias)} is outside 0..{vocab_size - 1}", "TOKEN_ID"
            )
        self.bias_ids = np.array(list(bias), np.int64)
        self.bias_values = np.array(list(bias.values()), np.float32)

    def __call__(self, logits: NDArray[np.float32], history: Sequence[int]) -> int:
        """The next id after `history`. `logits` [vocab] may be changed."""
        options = self.sampling
        if self.bias_ids.size:
            logits[self.bias_ids] += self.bias_values
        if options.repetition_penalty is not None:
            penalize_repetition(logits, history, options.repetition_penalty)
        best = int(logits.argmax())
        if not np.isfinite(logits[best]):
            raise SatchelError("the model's logits are not finite", "NUMERIC_ERROR")
        if options.temperature == 0:
            return best
        ids, probabilities = candidates(_scaled(logits, logits[best], options.temperature), options)
        mass = probabilities.cumsum()
        # From the right, so that a draw never lands on an id of probability 0.
        place = np.searchsorted(mass, self.random.random() * mass[-1], side="right")
        return int(ids[min(place, len(ids) - 1)])


def log_probability(logits: NDArray[np.float32], token: int) -> float:
    """Natural logarithm of the model's probability of `token`."""
    top = logits.max()
    return float(logits[token] - top - np.log(np.exp(logits - top).sum(dtype=np.float64)))


def penalize_repetition(
    logits: NDArray[np.float32], history: Sequence[int], penalty: float
) -> None:
    """Divide positive and multiply negative logits of ids that occurred, in place, once per id."""
    seen = np.unique(np.asarray(history, np.int64))
    scores = logits[seen]
    logits[seen] = np.where(scores < 0, scores * penalty, scores / penalty)


def _scaled(
    logits: NDArray[np.float32], best: np.float32, temperature: float
) -> NDArray[np.float32]:
    """Logits over temperature, with the best at 0: at a tiny temperature the others become -inf."""
    with np.errstate(over="ignore"):
        return (logits - best) / np.float32(max(temperature, 1e-30))


def candidates(
    logits: NDArray[np.float32], options: Sampling
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The ids that top-k, top-p and min-p leave, likeliest first, and their probabilities.

    Where none of them is on, all ids in their own order.
    """
    if options.top_k is None and options.top_p is None and options.min_p is None:
        weights = np.exp((logits - logits.max()).astype(np.float64))
        return np.arange(len(logits)), weights / weights.sum()
    ids = _sorted_top(logits, options)
    weights = np.exp((logits[ids] - logits[ids[0]]).astype(np.float64))
    total = weights.sum()
    if options.top_k is None and len(ids) < len(logits):  # cut short for speed: the mass is of all
        total = np.exp((logits - logits[ids[0]]).astype(np.float64)).sum()
    keep = len(ids)
    if options.top_p is not None:
        # The token that crosses the mass is kept, and always at least one.
        keep = min(keep, int(np.searchsorted(weights.cumsum(), options.top_p * total)) + 1)
    if options.min_p is not None:
        keep = min(keep, max(1, int((weights >= options.min_p * weights[0]).sum())))
    kept = weights[:keep]
    return ids[:keep], kept / kept.sum()


def _sorted_top(logits: NDArray[np.float32], options: Sampling) -> NDArray[np.int64]:
    """Ids by falling logit: the top k, or enough of them to hold the mass of top-p."""
    if options.top_k is not None:
        return _top(logits, min(options.top_k, len(logits)))
    mass = np.exp((logits - logits.max()).astype(np.float64))
    wanted = mass.sum() * (options.top_p if options.top_p is not None else 1.0)
    count = 256
    while count < len(logits):  # sorting the whole vocabulary costs as much as a model step
        ids = _top(logits, count)
        enough = mass[ids].sum() >= wanted
        if enough or (options.min_p is not None and mass[ids[-1]] < options.min_p):
            return ids
        count *= 8
    return _top(logits, len(logits))


def _top(logits: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    if count < len(logits):
        ids = np.argpartition(logits, -count)[-count:]
    else:
        ids = np.arange(len(logits))
    return ids[np.argsort(-logits[ids], kind="stable")]


def _number(value: Any, low: float, high: float) -> bool:
    return (_whole(value) or isinstance(value, float | np.floating)) and bool(low <= value <= high)


def _whole(value: Any, low: float = -np.inf) -> bool:
    return (
        not isinstance(value, bool) and isinstance(value, int | np.integer) and bool(value >= low)
    )
