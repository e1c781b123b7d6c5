"""Measure prompt lookup of a bundle that writes, against the same without; see README.md."""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

from command import parsed, parser, publish
from environment import say
from interleave import ratios, spread
from lookup_tasks import Task, tasks
from report import cell, processor, table

import satchel
from satchel.runtime.batch import Generation
from satchel.runtime.errors import SatchelError

NEW = 128  # tokens
LOST = 0.97  # a ratio below is more than lookup may lose
LEGEND = (
    f"Up to {NEW} new tokens, from prompt to text; new tokens per second, and per run of the decoder. "
    "Median (min to max); ratio, pair by pair: above 1, lookup is faster."
)


@dataclass
class Measured:
    """A task's seconds with and without lookup, round by round, and what was written."""

    task: Task
    tokens: int = 0
    looked_up: int = 0
    same: bool = True  # ids, text and why it ended, in every round
    apart: float = 0.0  # log-probabilities, at most
    seconds: dict[bool, list[float]] = field(default_factory=lambda: {False: [], True: []})

    @property
    def ratios(self) -> list[float]:
        """How many times faster with lookup, pair by pair."""
        return ratios(self.seconds[True], self.seconds[False])

    @property
    def per_run(self) -> float:
        """Tokens per run of the decoder with lookup."""
        return self.tokens / max(1, self.tokens - self.looked_up)

    def speeds(self, lookup: bool) -> list[float]:
        """Tokens per second, round by round."""
        return [self.tokens / seconds for seconds in self.seconds[lookup]]


def main() -> None:
    """Measure, print."""
    command = parser(__doc__, "each task", compares=False, loads=False)
    command.add_argument("bundle", type=Path, help="of a decoder, made by satchel export")
    options = parsed(command)
    try:
        model = satchel.load(options.bundle, threads=options.threads)
        model.require("stream")
    except SatchelError as error:
        sys.exit(str(error))
    chosen = [task for task in tasks() if model.manifest.chat or not task.chat]
    measured = [Measured(task) for task in chosen]
    rounds = 1 if options.quick else options.rounds
    say(f"measuring {len(chosen)} tasks, {rounds} rounds")
    _generate(model, chosen[-1], lookup=True)  # warms up
    for number in range(rounds):
        for one in measured:
            _measure(model, one, number)
    publish(
        options, _page(measured, options.threads), lambda conditions: conditions | _result(measured)
    )
    if not all(one.same for one in measured):
        sys.exit("lookup changed a text" + _excuse(model))


def _measure(model: Any, one: Measured, number: int) -> None:
    """One round of a task: with and without, in turning order."""
    found = {}
    for lookup in (False, True) if number % 2 else (True, False):
        found[lookup], seconds = _generate(model, one.task, lookup)
        one.seconds[lookup].append(seconds)
    one.tokens, one.looked_up = len(found[True].tokens), found[True].looked_up
    ours, plain = found[True], found[False]
    one.same &= (ours.tokens, ours.text, ours.finish_reason) == (
        plain.tokens,
        plain.text,
        plain.finish_reason,
    )
    pairs = zip(ours.logprobs, plain.logprobs, strict=False)
    one.apart = max([one.apart, *(abs(mine - other) for mine, other in pairs)])


def _generate(model: Any, task: Task, lookup: bool) -> tuple[Generation, float]:
    began = time.perf_counter()
    message = [{"role": "user", "content": task.prompt}]
    prompt = model.encode_chat(message) if task.chat else task.prompt
    found = model.generate(prompt, max_new_tokens=NEW, lookup=lookup, **task.options)
    return found, time.perf_counter() - began


def _page(measured: Sequence[Measured], threads: int) -> str:
    heads = ["task", "tokens", "looked up", "tokens per run", "without", "with lookup", "ratio"]
    heads += ["ids", "log-probabilities"]
    return "\n\n".join(
        [
            f"## Prompt lookup\n\n{processor()}, {threads} threads. {LEGEND}",
            *(
                f"{title}:\n\n{table(heads, map(_row, rows))}\n\n{_summary(rows)}"
                for title, copying in (("Something to copy", True), ("Nothing to copy", False))
                if (rows := [one for one in measured if one.task.to_copy is copying])
            ),
        ]
    )


def _row(one: Measured) -> list[str]:
    speeds = (cell(one.speeds(lookup)) for lookup in (False, True))
    counts = (str(one.tokens), str(one.looked_up), f"{one.per_run:.2f}")
    kept = ["same" if one.same else "CHANGED", f"{one.apart:.0e}" if one.apart else "same"]
    return [one.task.name, *counts, *speeds, cell(one.ratios), *kept]


def _summary(rows: Sequence[Measured]) -> str:
    medians = [statistics.median(one.ratios) for one in rows]
    mean = statistics.geometric_mean(medians)
    lost = sum(median < LOST for median in medians)
    return (
        f"Ratio: {mean:.2f} in the geometric mean, {min(medians):.3f} to {max(medians):.3f}; "
        f"below {LOST} in {lost} of {len(rows)}."
    )


def _result(measured: Sequence[Measured]) -> dict[str, Any]:
    return {
        "processor": processor(),
        "new_tokens": NEW,
        "tasks": {
            one.task.name: {
                "to_copy": one.task.to_copy,
                "tokens": one.tokens,
                "looked_up": one.looked_up,
                "tokens_per_run": one.per_run,
                "same": one.same,
                "logprobs_apart": one.apart,
                "seconds": {"without": one.seconds[False], "lookup": one.seconds[True]},
                "ratio": spread(one.ratios),
            }
            for one in measured
        },
    }


def _excuse(model: Any) -> str:
    if model.manifest.reads_ahead_exactly:
        return ""
    return ": this bundle has int8 weights and a float32 cache, which round ids read together apart"


if __name__ == "__main__":
    main()
