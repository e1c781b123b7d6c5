"""Proof that a graph answers as the reference model does. Knows no file; runs what it is handed.

Each check compares logits and states its limit, so that the manifest can show both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from satchel.runtime.decoder_session import DecoderSession

Logits = NDArray[np.float32]
Reference = Callable[[Sequence[int]], Logits]  # ids to float32 [length, vocab]
MAX_STEP_KL = 0.02
FURTHER, BEHIND = 128, 16  # positions and steps behind what is kept of a window
BATCH = 3  # texts of other lengths, in the checks
ABSOLUTE, RELATIVE = 1e-3, 5e-5  # a logit may differ by 1e-3, or by 5e-5 of the largest
PROBE_LENGTH, PROBE_TOP = 24, 16


@dataclass(frozen=True)
class Check:
    """One measured figure and its limit; `passed` is whether it is within."""

    name: str
    value: float
    limit: float
    at_least: bool = False  # the limit is a minimum

    @property
    def passed(self) -> bool:
        value = self.value
        return bool(value >= self.limit if self.at_least else value <= self.limit)

    def words(self) -> str:
        """The figure beside its limit, for an error."""
        return f"{self.name} {self.value:.4g}, limit {'>=' if self.at_least else '<='} {self.limit:.4g}"

    def to_dict(self) -> dict[str, Any]:
        """For the manifest."""
        return {**asdict(self), "passed": self.passed}


def parity(reference: Reference, decoder: DecoderSession, ids: Sequence[int]) -> list[Check]:
    """The float32 graph against the reference model: logits of a prompt, and greedy tokens."""
    expected = reference(ids)
    limit = tolerance(expected)
    difference = distance(decoder.logits(ids), expected)
    return [
        Check("graph against reference", difference, limit),
        Check("greedy tokens against reference", _greedy_gap(reference, decoder, ids[:8]), limit),
    ]


def invariance(
    decoder: DecoderSession, ids: Sequence[int], exact: bool, together: DecoderSession | None = None
) -> list[Check]:
    """Checks that a text gives the same logits in one prefill, in pieces, in a batch and step by step.

    `together` is the decoder for BATCH texts, where it is another. Unless `exact`, steps may be held to a
    divergence.
    """
    whole = decoder.logits(ids)
    limit = tolerance(whole)
    half = len(ids) // 2
    pieces = decoder.start()
    pieces.append(ids[:half])
    pieced = pieces.append(ids[half:])[0]

    run = decoder.start()
    run.append(ids[:half])
    stepped = np.array([_step(run, [token])[0] for token in ids[half:]])
    steps = Check("step by step against prefill", distance(stepped, whole[half:]), limit)
    # Over a float32 cache a single new token is summed in another order, behind which int8 rounds
    # otherwise now and then.
    if not (exact or decoder.manifest.reads_ahead_exactly):
        steps = Check("KL of steps from prefill", mean_kl(whole[half:], stepped), MAX_STEP_KL)

    batched, alone = in_a_batch(together or decoder, decoder, ids)
    company = [Check("ragged batch against alone", distance(batched, alone), limit)]
    # With a spare position the steps of one text are as a prefill, and those of several are not.
    if decoder.geometry.spare:
        behind = mean_kl(alone[BATCH:], batched[BATCH:])
        company = [
            Check("ragged prompts", distance(batched[:BATCH], alone[:BATCH]), limit),
            Check("KL of a batch's steps from alone", behind, MAX_STEP_KL),
        ]
    pieces_alike = Check("in pieces against prefill", distance(pieced, whole[-1]), limit)
    return [steps, pieces_alike, *company]


def behind_windows(
    reference: Reference, decoder: DecoderSession, ids: Sequence[int], limit: float
) -> list[Check]:
    """Checks of a text, `ids` over and over, that is longer than what layers with a window keep of it:
    its last steps against a prefill, and the divergence from the reference, at most `limit`."""
    run = decoder.start()
    length = min(run.cache.whole + FURTHER, decoder.context)
    text = [ids[place % len(ids)] for place in range(length)]
    whole = decoder.logits(text)
    run.append(text[:-BEHIND])
    stepped = np.array([_step(run, [token])[0] for token in text[-BEHIND:]])
    divergence = mean_kl(reference(text)[-FURTHER:], whole[-FURTHER:])
    return [
        Check("steps behind a window", distance(stepped, whole[-BEHIND:]), tolerance(whole)),
        Check("mean KL behind a window", divergence, limit),
    ]


def log_softmax(logits: NDArray[Any]) -> NDArray[Any]:
    """Log-probabilities of each row, as precise as the logits are."""
    shifted: NDArray[Any] = logits - logits.max(-1, keepdims=True)
    shifted -= np.log(np.exp(shifted).sum(-1, keepdims=True))
    return shifted


def kl_divergence(expected: NDArray[Any], actual: NDArray[Any]) -> NDArray[np.float64]:
    """Kullback-Leibler divergence per row, in nats, of log-probabilities from the expected ones.

    It is never negative: what rounding leaves below 0 is 0.
    """
    divergence = (np.exp(expected) * (expected - actual)).sum(-1, dtype=np.float64)
    return np.maximum(divergence, 0.0)


def mean_kl(expected: Logits, actual: Logits) -> float:
    """Mean divergence of logits [rows, vocab] from the expected ones, in nats."""
    return float(kl_divergence(log_softmax(expected), log_softmax(actual)).mean())


def in_a_batch(
    together: DecoderSession, single: DecoderSession, ids: Sequence[int]
) -> tuple[Logits, Logits]:
    """Logits of BATCH texts of other lengths, after a prefill and then after a step, and of each alone.

    Both [2 * BATCH, vocab].
    """
    lengths = [len(ids) // 2, len(ids) // 6, len(ids) - 1]
    batch = together.start(BATCH)
    first = batch.prefill([ids[:length] for length in lengths]).copy()
    batched = np.concatenate([first, _step(batch, [ids[length] for length in lengths])])
    alone = np.empty_like(batched)
    for row, length in enumerate(lengths):
        run = single.start()
        alone[row] = run.append(ids[:length])[0]
        alone[row + BATCH] = _step(run, [ids[length]])[0]
    return batched, alone


def distance(a: Logits, b: Logits) -> float:
    """The largest difference."""
    return float(np.abs(a - b).max())


def probe(reference: Reference, decoder: DecoderSession, ids: Sequence[int]) -> dict[str, Any]:
    """What `satchel verify` repeats on another machine: a prompt and the likeliest logits after it,
    by the reference model and by the bundle."""
    ids = list(ids[:PROBE_LENGTH])
    expected, actual = reference(ids)[-1], decoder.logits(ids)[-1]
    top = np.argsort(-expected)[:PROBE_TOP]
    return {
        "ids": ids,
        "top": top.tolist(),
        "reference": [round(float(x), 5) for x in expected[top]],
        "difference": distance(actual[top], expected[top]),
    }


def tolerance(logits: Logits) -> float:
    """How far two float32 computations of these logits may lie apart."""
    return max(ABSOLUTE, RELATIVE * float(np.abs(logits).max()))


def _step(run: Any, tokens: list[int]) -> Logits:
    ids = np.array(tokens, np.int64)
    copied: Logits = run.step(ids, np.ones(len(ids), bool)).copy()
    return copied


def _greedy_gap(reference: Reference, decoder: DecoderSession, prompt: Sequence[int]) -> float:
    """How much less likely than the reference's best the graph's greedy tokens are, in logits.

    0 when all are equal; a tie between two tokens counts as its difference, not as an error.
    """
    steps = min(16, decoder.context - len(prompt))
    run, ids = decoder.start(), list(prompt)
    logits = run.append(ids)
    for _ in range(steps):
        ids.append(int(logits[0].argmax()))
        logits = run.step(np.array(ids[-1:]), np.ones(1, bool))
    expected = reference(ids[:-1])[len(prompt) - 1 :]
    chosen = expected[np.arange(steps), ids[len(prompt) :]]
    return float((expected.max(1) - chosen).max())
