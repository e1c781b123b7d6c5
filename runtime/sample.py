"""Pick the next id from a row of logits. Knows no text and no graph.

The order is that of transformers: processors, temperature, top-h (Potraghloo et al., 2025), top-k,
top-p (Holtzman et al., 2020), min-p (Nguyen et al., 2024), typical-p (Meister et al., 2022), epsilon
and eta cut-offs (Hewitt et al., 2022).
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from satchel.runtime.errors import SatchelError
from satchel.runtime.greatest import places_of_greatest
from satchel.runtime.options import Options
from satchel.runtime.processors import Processor, Scores, ahead_of

Chances = NDArray[np.float64]
HUNDRED = 100  # ids that top-h looks at


class Sampler:
    """Chooses ids for one text; holds its random state."""

    def __init__(self, options: Options, processors: Sequence[Processor] = ()) -> None:
        self.options = options
        self.processors = list(processors)

    @cached_property
    def _random(self) -> np.random.Generator:
        return np.random.default_rng(self.options.seed)

    def ahead(self) -> Sampler:
        """One that will choose as this one would, and leaves this one as it is."""
        other = Sampler(self.options, [ahead_of(process) for process in self.processors])
        if self.options.temperature:
            other._random = copy.deepcopy(self._random)
        return other

    def __call__(self, logits: Scores, best: int) -> int:
        """The next id by processed logits [vocab], the highest of which is `best`'s and finite."""
        if self.options.temperature == 0:
            return best
        scaled = _scaled(logits, logits[best], self.options.temperature)
        ids, probabilities = candidates(scaled, self.options)
        mass = probabilities.cumsum()
        # From the right, so that a draw never lands on an id of probability 0.
        place = np.searchsorted(mass, self._random.random() * mass[-1], side="right")
        return int(ids[min(place, len(ids) - 1)])


def highest(logits: NDArray[np.float32]) -> list[int]:
    """The id with the highest logit of each row [rows, vocab]. Raises where that is not finite."""
    ids = logits.argmax(1)
    top = logits[np.arange(len(ids)), ids]
    if not np.isfinite(top).all():
        raise not_finite(top[~np.isfinite(top)][0])
    best: list[int] = ids.tolist()
    return best


def not_finite(best: float) -> SatchelError:
    """What to raise where the highest score of a row is infinite or no number."""
    reason = ": the options leave no id" if best == -np.inf else ""
    return SatchelError(f"the model's logits are not finite{reason}", "NUMERIC_ERROR")


def log_probabilities(logits: NDArray[np.float32], tokens: Sequence[int]) -> list[float]:
    """Natural logarithm of the probability of a token by each row of logits [rows, vocab]."""
    top = logits.max(1, keepdims=True)
    mass = np.exp(logits - top).sum(1, dtype=np.float64)
    chosen = logits[np.arange(len(tokens)), tokens] - top[:, 0]
    logprobs: list[float] = (chosen - np.log(mass)).tolist()
    return logprobs


def likeliest(logits: NDArray[np.float32], count: int) -> list[tuple[int, float]]:
    """The ids of the highest logits [vocab] and their log-probabilities, the likeliest first."""
    ids = _top(logits, count)
    return list(
        zip(
            ids.tolist(),
            log_probabilities(np.broadcast_to(logits, (count, len(logits))), ids.tolist()),
            strict=True,
        )
    )


def _scaled(
    logits: NDArray[np.float32], best: np.float32, temperature: float
) -> NDArray[np.float32]:
    """Logits over temperature, with the best at 0: at a tiny temperature the others become -inf."""
    with np.errstate(over="ignore"):
        return (logits - best) / np.float32(max(temperature, 1e-30))


def candidates(logits: NDArray[np.float32], options: Options) -> tuple[NDArray[np.int64], Chances]:
    """The ids that the options leave and their probabilities; where none is on, all in their order."""
    places = None if options.top_h is None else _within_entropy(logits, options.top_h)
    ids, chances = _likeliest(logits if places is None else logits[places], options)
    ids = ids if places is None else places[ids]
    for limit, keep in (
        (options.typical_p, _typical),
        (options.epsilon_cutoff, _above),
        (options.eta_cutoff, _above_eta),
    ):
        if limit is not None:
            kept = keep(chances, limit)
            ids, chances = ids[kept], chances[kept] / chances[kept].sum()
    return ids, chances


def _within_entropy(logits: NDArray[np.float32], part: float) -> NDArray[np.int64]:
    """Of the best hundred ids, those whose terms add up to a `part` of the entropy; the best always."""
    ids = _top(logits, HUNDRED)
    logarithms = (logits[ids] - logits[ids[0]]).astype(np.float64)
    logarithms -= np.log(np.exp(logarithms).sum())
    terms = _terms(np.exp(logarithms)).cumsum()
    kept: NDArray[np.int64] = ids[: max(1, int((terms <= terms[-1] * part).sum()))]
    return kept


def _typical(chances: Chances, mass: float) -> NDArray[np.bool_]:
    """The ids that surprise most nearly as much as is to be expected, until they hold the mass."""
    with np.errstate(divide="ignore"):
        away = np.abs(-np.log(chances) - _terms(chances).sum())
    order = np.argsort(away, kind="stable")
    last = int((chances[order].cumsum() < mass).sum())
    kept: NDArray[np.bool_] = away <= away[order[min(last, len(order) - 1)]]
    return kept


def _above(chances: Chances, least: float) -> NDArray[np.bool_]:
    """The ids of at least that probability; the likeliest always."""
    return chances >= min(least, chances.max())


def _above_eta(chances: Chances, epsilon: float) -> NDArray[np.bool_]:
    """As `_above`, with a bound that falls with the entropy."""
    return _above(chances, min(epsilon, epsilon**0.5 * float(np.exp(-_terms(chances).sum()))))


def _terms(chances: Chances) -> Chances:
    """What each id adds to the entropy."""
    return -chances * np.log(np.where(chances > 0, chances, 1))


def _likeliest(logits: NDArray[np.float32], options: Options) -> tuple[NDArray[np.int64], Chances]:
    """The ids that top-k, top-p and min-p leave, likeliest first, and their probabilities."""
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


def _sorted_top(logits: NDArray[np.float32], options: Options) -> NDArray[np.int64]:
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
    ids = places_of_greatest(logits[None], count)[0]
    return ids[np.argsort(-logits[ids], kind="stable")]
