"""What the comparison of servers prints and writes. Measures nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import report
from encoder_report import corpus
from interleave import Entrant, ratios
from report import Figure
from server_peers import CONTEXT, SLOTS
from targets import Target, targets_table

PROMPT, TOKENS, CLIENTS = 128, 64, 8
TOGETHER = Figure(
    f"{CLIENTS} clients: {TOKENS} tokens after {PROMPT} each", "tok/s", CLIENTS * TOKENS
)
ALONE = Figure("first token of a short prompt, alone", "ms")
BESIDE = Figure(f"first token of a short prompt, beside {CLIENTS - 1}", "ms")
FREE = Figure("a token of a chat, free", "ms")
FORM = Figure("a token of a chat, in the form of a JSON schema", "ms")
FIGURES = (TOGETHER, ALONE, BESIDE, FREE, FORM)
SAME = ((BESIDE, ALONE), (FORM, FREE))  # rows that are compared with another of the same server
FASTER, LATER, SLOWER, EMBEDDING = 1.5, 2.0, 1.05, 0.9  # the targets


def targets(servers: Sequence[Entrant], embedding: Sequence[Entrant], texts: int) -> list[Target]:
    """The first server by the others that are not satchel's, and by itself; HTTP by Python."""
    ours, *peers = servers
    http, python = embedding
    name = corpus(texts).name
    return [
        *(
            Target(
                f"{TOGETHER.name}: speed by that of {peer.name}",
                _pairs(ours, TOGETHER, peer),
                least=FASTER,
            )
            for peer in peers
            if "llama.cpp" in peer.name
        ),
        Target(f"{BESIDE.name}: by that alone", _own(ours, BESIDE, ALONE), most=LATER),
        Target(f"{FORM.name}: by that of a free one", _own(ours, FORM, FREE), most=SLOWER),
        Target(
            f"{name}: speed over HTTP by that of Python",
            ratios(http.samples.get(name, []), python.samples.get(name, [])),
            least=EMBEDDING,
        ),
    ]


def tables(
    servers: Sequence[Entrant],
    embedding: Sequence[Entrant],
    texts: int,
    threads: int,
) -> str:
    """All of it in Markdown."""
    ours, *peers = servers
    heads = ["", *(one.name for one in servers), *(f"by {one.name}" for one in peers)]
    rows = [report.beside(figure, ours, peers) for figure in FIGURES]
    rows += [
        [
            f"{slow.name}: by {quick.name}",
            *(report.cell(_own(one, slow, quick)) for one in servers),
            *("" for _ in peers),
        ]
        for slow, quick in SAME
    ]
    http, python = embedding
    return "\n\n".join(
        [
            f"## Servers\n\n{report.processor()}, {threads} threads, {SLOTS} texts at once, of llama.cpp "
            f"{CONTEXT} positions each. Median (min to max); ratios pair by pair: above 1, satchel is "
            "faster.",
            report.table(heads, rows),
            "\n".join(report.described(one) for one in servers),
            report.table(
                ["", http.name, python.name, "ratio"],
                [report.beside(corpus(texts), http, [python])],
            ),
            "\n".join(report.described(one) for one in embedding),
            targets_table(targets(servers, embedding, texts)),
        ]
    )


def result(
    servers: list[Any], embedding: list[Any], texts: int, conditions: dict[str, Any]
) -> dict[str, Any]:
    """Everything, for a JSON file."""
    (ours, *peers), (http, *python) = servers, embedding
    return {
        **report.result(ours, peers, FIGURES, conditions),
        "embedding": report.result(http, python, [corpus(texts)], {}),
        "targets": {one.name: one.result() for one in targets(servers, embedding, texts)},
    }


def _pairs(ours: Entrant, figure: Figure, other: Entrant) -> list[float]:
    return ratios(ours.samples.get(figure.name, []), other.samples.get(figure.name, []))


def _own(one: Entrant, slow: Figure, quick: Figure) -> list[float]:
    """How many times as long one row takes as another, round by round."""
    return ratios(one.samples.get(quick.name, []), one.samples.get(slow.name, []))
