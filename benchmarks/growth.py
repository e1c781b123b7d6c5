"""How satchel's speed changes with the length and the number of texts, on either kernels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import report
from decoder_peers import DecoderEntrant
from decoder_report import LEGEND, RATIOS
from interleave import ratios
from report import Figure, cell

LENGTHS = (128, 512, 1024, 2048, 4096)  # of one text
TEXTS = (2, 4, 8, 16)  # of LENGTHS[0] ids each
STEPS = 32
Shape = tuple[int, int]  # texts, length


def shapes(context: int) -> list[Shape]:
    """Those that a bundle has positions for."""
    lengths = [length for length in LENGTHS if length + STEPS <= context]
    return [*((1, length) for length in lengths), *((texts, length) for texts in TEXTS
            for length in lengths[:1])]  # fmt: skip


def prefill(texts: int, length: int) -> Figure:
    """The prompts into empty texts."""
    return Figure(f"prompts of {_named(texts, length)}", "tok/s", texts * length)


def decode(texts: int, length: int) -> Figure:
    """Steps after them."""
    return Figure(f"steps after {_named(texts, length)}", "tok/s", texts * STEPS)


def page(entrants: Sequence[DecoderEntrant], context: int, threads: int) -> str:
    """One table: a row a shape, and of each entrant its speeds and what satchel's are by them."""
    ours, *others = entrants
    kinds = {"prefill": prefill, "decode": decode}
    heads = ["texts x length"]
    for kind in kinds:
        heads += [f"{kind}, {one.name} (tok/s)" for one in entrants]
        heads += ["ratio" if len(others) == 1 else f"ratio {one.name}" for one in others]

    def row(shape: Shape) -> Iterator[str]:
        yield "{} x {}".format(*shape)
        for figure in (kind(*shape) for kind in kinds.values()):
            yield from (cell(figure.values(one)) for one in entrants)
            mine = ours.samples.get(figure.name, [])
            yield from (cell(ratios(mine, one.samples.get(figure.name, []))) for one in others)

    said = [f"{report.processor()}, {threads} threads. {LEGEND} {STEPS} steps each."]
    said += [RATIOS] * bool(others)
    if left := [length for length in LENGTHS if length + STEPS > context]:
        said.append(f"The bundle has {context} positions: too few for {', '.join(map(str, left))}.")
    table = report.table(heads, (list(row(shape)) for shape in shapes(context)))
    return "\n\n".join([" ".join(said), table, "\n".join(map(report.described, entrants))])


def _named(texts: int, length: int) -> str:
    return str(length) if texts == 1 else f"{texts} x {length}"
