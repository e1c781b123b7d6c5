"""Compare satchel with other engines on the same model, prompts and steps; see README.md."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # inherited by every process started here

import command
import decoder_peers
import decoder_report
import limits
import shares
from environment import ROOT, TEXT, Home, say
from interleave import Entrant, Worker, WorkerError, in_turns
from report import Figure

from satchel.runtime.bundle import TOKENIZER, Bundle, open_bundle
from satchel.runtime.errors import SatchelError
from satchel.runtime.text import load_tokenizer

BUNDLE = ROOT / "bundles" / "smollm2-135m-instruct"
SPEEDS = {  # figure -> the command that measures it
    decoder_report.PREFILL_128: {"prefill": 128},
    decoder_report.PREFILL_512: {"prefill": 512},
    decoder_report.DECODE: {"decode": 64, "after": 128},
}
FIRST_PROMPT = {"prefill": 16}
FULL = {"decode": 64, "after": 448}  # fills FRESH_CONTEXT
CONTEXT, FRESH_CONTEXT = 1024, 512
FRESH_ROUNDS = 5
STRIDE = 512  # ids between the prompts of two rounds, so that neighbours share none
PROMPTS = 32  # as many as the text has room for


def main() -> None:
    """Prepare, measure, print."""
    options = _options()
    try:
        bundle = open_bundle(options.bundle)
    except SatchelError as error:
        sys.exit(f"{error}\nRun `make demo` to make {BUNDLE.relative_to(ROOT)}, or give --bundle")
    machine = limits.Machine(options.threads, options.quick)
    machine.measure()
    home = Home(options.home)
    settings = decoder_peers.Settings(
        home, _ids(home, bundle), options.threads, options.gguf, options.peer_python
    )
    ours = decoder_peers.satchel(bundle, settings)
    others = decoder_peers.llama_cpp(bundle, settings)
    _measure_speed([ours, *others], options.rounds)
    _measure_fresh([ours, *others], 2 if options.quick else FRESH_ROUNDS)
    reached = (machine.measure(), [ours, *others], decoder_report.FIGURES)
    page = decoder_report.tables(ours, others, options.threads)

    def result(conditions: dict[str, Any]) -> dict[str, Any]:
        conditions |= {"model": bundle.manifest.source.name, "context": CONTEXT}
        return decoder_report.result(ours, others, conditions) | shares.result(*reached)

    command.publish(options, f"{page}\n\n{shares.tables(*reached)}", result)
    if ours.failure:
        sys.exit(f"satchel failed: {ours.failure}")


def _options() -> argparse.Namespace:
    parser = command.parser(__doc__, rounds="each speed")
    parser.add_argument("--bundle", type=Path, default=BUNDLE, help="made by satchel export")
    parser.add_argument("--gguf", type=Path, help="the file the bundle was made from")
    parser.add_argument("--peer-python", help="a Python that has llama_cpp; default: make one")
    options = command.parsed(parser)
    if options.quick:
        options.rounds = 2
    return options


def _ids(home: Home, bundle: Bundle) -> Path:
    """A file of the ids of the shipped text: every engine reads the same prompts from it."""
    tokenizer = load_tokenizer(bundle.path(TOKENIZER))
    path = home.folder / "ids.json"
    path.write_text(json.dumps(tokenizer.encode(TEXT.read_text("utf-8")).ids))
    return path


def _measure_speed(entrants: list[Entrant], rounds: int) -> None:
    """Workers that stay loaded answer in turns; the first round warms up and is not kept."""
    workers: dict[str, Worker] = {}

    def load(entrant: Entrant, _: Any, number: int) -> None:
        worker = workers[entrant.name] = Worker(_command(entrant, CONTEXT))
        entrant.versions = worker.ready["versions"]
        _check_prompts_differ(worker)

    def measure(entrant: Entrant, figure: Figure, number: int) -> None:
        start = number % PROMPTS * STRIDE
        answer = _ask(workers[entrant.name], SPEEDS[figure], start)
        if number:
            entrant.add(figure.name, answer["seconds"])
        elif "tokens" in answer:
            entrant.tokens = answer["tokens"]

    try:
        in_turns(entrants, 1, ["load"], load)
        say(f"measuring speed, {rounds} rounds")
        in_turns(entrants, rounds + 1, list(SPEEDS), measure)
    finally:
        for worker in workers.values():
            worker.close()


def _measure_fresh(entrants: list[Entrant], rounds: int) -> None:
    """Load time and memory of processes that have done nothing else."""

    def measure(entrant: Entrant, _: Any, number: int) -> None:
        with Worker(_command(entrant, FRESH_CONTEXT)) as worker:
            answer = _ask(worker, FIRST_PROMPT, 0)
            entrant.add(decoder_report.START.name, time.perf_counter() - worker.began)
            entrant.add(decoder_report.LOAD.name, worker.ready["seconds"] + answer["seconds"])
            _ask(worker, FULL, 0)
            entrant.add(decoder_report.MEMORY.name, worker.peak_bytes())
            entrant.add(decoder_report.SIZE.name, entrant.size)

    say(f"measuring fresh processes, {rounds} rounds")
    in_turns(entrants, rounds, ["fresh"], measure)


def _command(entrant: Entrant, context: int) -> list[str]:
    return [*entrant.command, "--context", str(context)]


def _ask(worker: Worker, command: dict[str, int], start: int) -> dict[str, Any]:
    """One measurement, refused unless the engine holds as many tokens as it was told to."""
    answer = worker.ask(**command, start=start)
    expected = sum(command.values())
    if answer["positions"] != expected:
        raise WorkerError(f"{answer['positions']} positions after {command}; expected {expected}")
    return answer


def _check_prompts_differ(worker: Worker) -> None:
    """An engine that answers two prompts alike has kept something of the first."""
    first, second, again = (_ask(worker, {"prefill": 128}, start) for start in (0, STRIDE, 0))
    if first["top"] == second["top"]:
        raise WorkerError("two prompts gave the same logits: the second was not computed")
    if first["token"] != again["token"]:
        raise WorkerError("the same prompt gave another token: the text before it was not dropped")


if __name__ == "__main__":
    main()
