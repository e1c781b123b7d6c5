"""What was measured of encoder-decoders, as Markdown tables and as one JSON value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import report
from report import Figure, Phase, alike
from seq2seq_models import BEAMS, SOURCE, TARGET
from seq2seq_peers import Seq2seqEntrant

LOAD = Figure("load to first token", "s")
START = Figure("process start to first token", "s")
MEMORY = Figure("peak memory", "MB")
SIZE = Figure("files", "MB")
SHAPES = ((1, 1), (1, BEAMS), (8, 1), (8, BEAMS))  # batch, beams
LEGEND = (
    f"Sources of {SOURCE} tokens, {TARGET} new tokens each; tokens of all best targets per second. "
    "Median (min to max); ratio, pair by pair: above 1, satchel is faster or smaller."
)


def speed(batch: int, beams: int) -> Figure:
    """Sources in, targets out."""
    how = "greedy" if beams == 1 else f"beam {beams}"
    rows = batch * beams
    work = (Phase("encoder", 1, batch * SOURCE), Phase("decoder", TARGET, rows, rows))
    return Figure(f"{how}, batch {batch}", "tok/s", batch * TARGET, work)


FIGURES = (*(speed(*shape) for shape in SHAPES), LOAD, START, MEMORY, SIZE)


def tables(
    model: str, entrants: Sequence[Seq2seqEntrant], expected: Sequence[Sequence[int]], threads: int
) -> str:
    """A table of one model: the first entrant is satchel, `expected` is by float32."""
    ours, *others = entrants
    heads = ["figure", *(one.name for one in entrants), *(f"ratio {one.name}" for one in others)]
    return "\n\n".join(
        [
            f"## {model}\n\n{report.processor()}, {threads} threads. {LEGEND}",
            report.table(heads, (report.beside(figure, ours, others) for figure in FIGURES)),
            "\n".join(_described(one, expected) for one in entrants),
        ]
    )


def result(
    entrants: list[Seq2seqEntrant], expected: Sequence[Sequence[int]], conditions: dict[str, Any]
) -> dict[str, Any]:
    """Everything of one model, for a JSON file."""
    alikes = {one.name: _alikes(one, expected) for one in entrants}
    made = report.result(entrants[0], list(entrants[1:]), FIGURES, conditions)
    return made | {"ids_as_float32": alikes}


def _alikes(entrant: Seq2seqEntrant, expected: Sequence[Sequence[int]]) -> list[int]:
    return [alike(*pair) for pair in zip(expected, entrant.found, strict=False)]


def _described(entrant: Seq2seqEntrant, expected: Sequence[Sequence[int]]) -> str:
    remarks = []
    if entrant.distance is not None:
        remarks.append(
            f"Log-probabilities of given targets differ from float32's by {entrant.distance:.4f} "
            "in the mean."
        )
    if entrant.found:
        greedy, best = _alikes(entrant, expected)
        remarks.append(
            f"Ids as float32's, from the first on: {greedy} of {TARGET} greedy, {best} of {TARGET} "
            f"by {BEAMS} beams."
        )
    return report.described(entrant, *remarks)
