"""Compare satchel with other engines on encoder-decoders of random weights; see README.md."""

from __future__ import annotations

import argparse
import os
import sys
import time
from typing import Any

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # inherited by every process started here

import command
import limits
import numpy as np
import seq2seq_peers
import seq2seq_report
import shares
from environment import Home, say
from interleave import Worker, WorkerError, in_turns
from seq2seq_models import BEAMS, MODELS, SOURCES, TARGET
from seq2seq_peers import PEERS, Seq2seqEntrant, Settings
from seq2seq_report import SHAPES, speed

FIRST = (1, 1)
LARGEST = SHAPES[-1]


def main() -> None:
    """Prepare, measure, print."""
    options = _options()
    os.environ["OMP_NUM_THREADS"] = str(options.threads)
    machine = limits.Machine(options.threads, options.quick)
    machine.measure()
    home = Home(options.home)
    pages, failures = [], []
    results: dict[str, tuple[Any, ...]] = {}
    for model in options.models:
        try:
            settings = Settings.of(home, model + "-tiny" * options.quick, options.threads)
            entrants = seq2seq_peers.satchel(settings)
        except WorkerError as error:
            sys.exit(f"{model} could not be made: {error}")
        entrants += [seq2seq_peers.prepared(peer, settings) for peer in options.peers]
        _measure_speed(model, entrants, settings.work, options.rounds)
        _measure_fresh(model, entrants, options.fresh_rounds)
        expected = settings.work["found"]
        reached = (machine.measure(), entrants, seq2seq_report.FIGURES)
        pages.append(seq2seq_report.tables(model, entrants, expected, options.threads))
        pages.append(shares.tables(*reached))
        results[model] = (entrants, expected, reached)
        if failure := entrants[0].failure:
            failures.append(f"satchel failed on {model}: {failure}")

    def result(conditions: dict[str, Any]) -> dict[str, Any]:
        return {
            name: seq2seq_report.result(entrants, expected, conditions | {"model": name})
            | shares.result(*reached)
            for name, (entrants, expected, reached) in results.items()
        }

    command.publish(options, "\n\n".join(pages), result)
    if failures:
        sys.exit("; ".join(failures))


def _options() -> argparse.Namespace:
    parser = command.parser(__doc__, rounds="each speed")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS), help="all")
    parser.add_argument(
        "--peers", nargs="*", choices=PEERS, default=list(PEERS), help="all, unless named"
    )
    options = command.parsed(parser)
    if options.quick:
        options.rounds = 2
    return options


def _measure_speed(
    model: str, entrants: list[Seq2seqEntrant], work: dict[str, Any], rounds: int
) -> None:
    """Workers that stay loaded answer in turns; the first round warms up and is not kept."""
    workers: dict[str, Worker] = {}

    def load(entrant: Seq2seqEntrant, _: Any, number: int) -> None:
        worker = workers[entrant.name] = Worker(entrant.command)
        entrant.versions = worker.ready["versions"]
        found = np.array(worker.ask(judge=True)["log_probs"])
        entrant.distance = float(np.abs(found - np.array(work["log_probs"])).mean())
        entrant.found = [_ask(worker, (1, beams))["targets"][0] for beams in (1, BEAMS)]

    def measure(entrant: Seq2seqEntrant, shape: tuple[int, int], number: int) -> None:
        start = number * max(batch for batch, _ in SHAPES) % SOURCES
        answer = _ask(workers[entrant.name], shape, start)
        if number:
            entrant.add(speed(*shape).name, answer["seconds"])

    try:
        in_turns(entrants, 1, ["load"], load)
        say(f"measuring speed of {model}, {rounds} rounds")
        in_turns(entrants, rounds + 1, SHAPES, measure)
    finally:
        for worker in workers.values():
            worker.close()


def _measure_fresh(model: str, entrants: list[Seq2seqEntrant], rounds: int) -> None:
    """Load time and memory of processes that have done nothing else."""

    def measure(entrant: Seq2seqEntrant, _: Any, number: int) -> None:
        with Worker(entrant.command) as worker:
            answer = _ask(worker, FIRST, steps=1)
            entrant.add(seq2seq_report.START.name, time.perf_counter() - worker.began)
            entrant.add(seq2seq_report.LOAD.name, worker.ready["seconds"] + answer["seconds"])
            _ask(worker, LARGEST)
            entrant.add(seq2seq_report.MEMORY.name, worker.peak_bytes())
            entrant.add(seq2seq_report.SIZE.name, entrant.size)

    say(f"measuring fresh processes of {model}, {rounds} rounds")
    in_turns(entrants, rounds, ["fresh"], measure)


def _ask(
    worker: Worker, shape: tuple[int, int], start: int = 0, steps: int = TARGET
) -> dict[str, Any]:
    """Targets of a batch, refused unless there are as many, and as long, as was asked for."""
    batch, beams = shape
    answer = worker.ask(batch=batch, beams=beams, steps=steps, start=start)
    lengths = [len(target) for target in answer["targets"]]
    if lengths != [steps] * batch:
        raise WorkerError(f"targets of {lengths} tokens; expected {batch} of {steps}")
    return answer


if __name__ == "__main__":
    main()
