"""Run an encoder graph over many inputs: ids in, arrays out with the caller's index. Knows no text.

Texts of one length share a batch, so that no graph needs a mask and no result depends on neighbours.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from satchel.runtime.errors import UsageError
from satchel.runtime.manifest import BOXES, PROMPT_MASK, Graph
from satchel.runtime.session import converted

TOKENS_PER_BATCH = 1024  # more neither speeds up two cores nor fits their caches
Ids = Sequence[int]
Array = NDArray[np.float32]


class EncoderSession:
    """A session of an encoder graph."""

    def __init__(self, session: Any, graph: Graph, vocab_size: int) -> None:
        self.session = session
        self.vocab_size = vocab_size
        self.input_names = [port.name for port in graph.inputs]
        self.output_names = [port.name for port in graph.outputs]
        self.alone = graph.inputs[0].axes[0] == 1  # whether it reads one input at a time
        size = graph.outputs[-1].axes[-1]
        self.answer_size = (
            size if isinstance(size, int) else 0
        )  # of a vector, or scores side by side

    def __call__(self, inputs: dict[str, NDArray[Any]], output: str | None = None) -> Array:
        """One output (default: the last, which is the answer) for inputs that share a batch."""
        return self.several(inputs, [output or self.output_names[-1]])[0]

    def several(self, inputs: dict[str, NDArray[Any]], outputs: Sequence[str]) -> list[Array]:
        """Some outputs for inputs that share a batch."""
        with converted("running the encoder"):
            answers: list[Array] = self.session.run(list(outputs), inputs)
        return answers

    def texts(
        self,
        rows: Sequence[Ids],
        types: Sequence[Ids] | None = None,
        output: str | None = None,
        prompts: Sequence[int] | None = None,
    ) -> Iterator[tuple[int, Array]]:
        """(index, result) of every row of ids, shortest first; `types` are token types for pairs, and
        `prompts` says how many of a row's first tokens a vector leaves out."""
        if not all(len(row) for row in rows):
            raise UsageError("a text gives no tokens: it is empty", "EMPTY_PROMPT")
        for batch in batches([len(row) for row in rows]):
            inputs = {"input_ids": self._checked([rows[index] for index in batch])}
            if "token_type_ids" in self.input_names:
                kinds = [types[i] if types is not None else [0] * len(rows[i]) for i in batch]
                inputs["token_type_ids"] = np.array(kinds, np.int64)
            if PROMPT_MASK in self.input_names:
                counts = [prompts[i] if prompts is not None else 0 for i in batch]
                places = np.arange(len(rows[batch[0]]))
                inputs[PROMPT_MASK] = (places < np.array(counts)[:, None]).astype(np.int64)
            yield from zip(batch, self(inputs, output), strict=True)

    def _checked(self, rows: Sequence[Ids]) -> NDArray[np.int64]:
        """Ids as an array; ONNX Runtime would wrap negative ones and read zeros beyond the last."""
        ids = np.asarray(rows)
        if ids.dtype.kind not in "iu":
            raise UsageError(f"ids must be integers, not {ids.dtype}", "TOKEN_ID")
        if ids.min() < 0 or ids.max() >= self.vocab_size:
            raise UsageError(f"an id is outside 0..{self.vocab_size - 1}", "TOKEN_ID")
        return ids.astype(np.int64)


def made_inputs(ids: NDArray[np.int64], names: Iterable[str]) -> dict[str, NDArray[Any]]:
    """The inputs `names` of texts that nobody wrote, with ids [batch, length]: nothing is told apart in
    them, and on a page they stand in lines."""
    inputs = {name: np.zeros_like(ids) for name in names}
    if BOXES in inputs:
        inputs[BOXES] = np.tile(in_lines(ids.shape[1]), (len(ids), 1, 1))
    return inputs | {"input_ids": ids}


def in_lines(count: int) -> NDArray[np.int64]:
    """Boxes [count, 4] of tokens as if they stood in lines of a page, the first and last one nowhere."""
    number = np.arange(count) - 1
    left, top = 60 + number % 9 * 100, 40 + number // 9 % 60 * 15
    sides = [left, top, left + 20 + number * 7 % 70, top + 10 + number % 3]
    boxes = np.stack(sides, axis=1)
    boxes[[0, -1]] = 0
    return boxes.astype(np.int64)


def batches(lengths: Iterable[int]) -> Iterator[list[int]]:
    """Indices in groups of one length and at most TOKENS_PER_BATCH tokens, shortest first."""
    groups: dict[int, list[int]] = defaultdict(list)
    for index, length in enumerate(lengths):
        groups[length].append(index)
    for length in sorted(groups):
        size = max(1, TOKENS_PER_BATCH // max(1, length))
        for start in range(0, len(groups[length]), size):
            yield groups[length][start : start + size]
