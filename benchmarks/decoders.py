"""Compare satchel with other engines on the same model, prompts and steps; see README.md."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # inherited by every process started here

import peers
from interleave import Entrant, Worker, WorkerError, in_turns, ratios, spread
from peers import HOME, ROOT, say

from satchel.runtime.bundle import TOKENIZER, Bundle, open_bundle
from satchel.runtime.errors import SatchelError
from satchel.runtime.text import load_tokenizer

TEXT = ROOT / "quantize" / "text" / "quality.txt"
BUNDLE = ROOT / "bundles" / "smollm2-135m-instruct"
STRIDE = 512  # ids between the prompts of two rounds, so that no two rounds share one
CONTEXT, FRESH_CONTEXT = 1024, 512
MEGA = 1e6


@dataclass(frozen=True)
class Figure:
    """One row of the table. Samples are seconds or bytes; `tokens` makes seconds a speed."""

    name: str
    unit: str
    tokens: int = 0

    def shown(self, sample: float) -> float:
        """A sample in the row's unit."""
        if self.tokens:
            return self.tokens / sample
        return sample / MEGA if self.unit == "MB" else sample


SPEEDS = {  # figure -> the command that measures it
    Figure("prefill 128", "tok/s", 128): {"prefill": 128},
    Figure("prefill 512", "tok/s", 512): {"prefill": 512},
    Figure("decode 64 after 128", "tok/s", 64): {"decode": 64, "after": 128},
}
FIRST_PROMPT = {"prefill": 16}
FULL = {"decode": 64, "after": 448}  # fills FRESH_CONTEXT
LOAD = Figure("load to first token", "s")
START = Figure("process start to first token", "s")
MEMORY = Figure("peak memory", "MB")
SIZE = Figure("files", "MB")
FIGURES = (*SPEEDS, LOAD, START, MEMORY, SIZE)


def main() -> None:
    """Prepare, measure, print."""
    options = _options()
    rounds, fresh = (2, 2) if options.quick else (options.rounds, 5)
    try:
        bundle = open_bundle(options.bundle)
    except SatchelError as error:
        sys.exit(f"{error}\nRun `make demo` to make {BUNDLE.relative_to(ROOT)}, or give --bundle")
    HOME.mkdir(exist_ok=True)
    settings = peers.Settings(_ids(bundle), options.threads, options.gguf, options.peer_python)
    ours = peers.satchel(bundle, settings)
    others = peers.llama_cpp(bundle, settings)
    _measure_speed([ours, *others], rounds)
    _measure_fresh([ours, *others], fresh)
    if ours.failure:
        sys.exit(f"satchel failed: {ours.failure}")
    print("\n\n".join(_section(ours, other) for other in others))
    if options.json:
        result = _result(ours, others, options)
        options.json.write_text(json.dumps(result, indent=1) + "\n", "utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", type=Path, default=BUNDLE, help="made by satchel export")
    parser.add_argument("--gguf", type=Path, help="the file the bundle was made from")
    parser.add_argument("--threads", type=int, default=2, help="of every engine (2)")
    parser.add_argument("--rounds", type=int, default=7, help="samples of each speed (7)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write everything to FILE")
    parser.add_argument("--quick", action="store_true", help="2 rounds: only whether it works")
    parser.add_argument("--peer-python", help="a Python that has llama_cpp; default: make one")
    return parser.parse_args()


def _ids(bundle: Bundle) -> Path:
    """A file of the ids of the shipped text: every engine reads the same prompts from it."""
    tokenizer = load_tokenizer(bundle.path(TOKENIZER))
    path = HOME / "ids.json"
    path.write_text(json.dumps(tokenizer.encode(TEXT.read_text("utf-8")).ids))
    return path


def _measure_speed(entrants: list[Entrant], rounds: int) -> None:
    """Workers that stay loaded answer in turns; the first round warms up and is not kept."""
    workers: dict[str, Worker] = {}

    def begin(entrant: Entrant, _: Any, number: int) -> None:
        worker = workers[entrant.name] = Worker(_command(entrant, CONTEXT))
        entrant.versions = worker.ready["versions"]
        _check_prompts_differ(worker)

    def measure(entrant: Entrant, figure: Figure, number: int) -> None:
        answer = _ask(workers[entrant.name], SPEEDS[figure], number * STRIDE)
        if number:
            entrant.add(figure.name, answer["seconds"])
        elif "tokens" in answer:
            entrant.tokens = answer["tokens"]

    try:
        in_turns(entrants, range(1), ["load"], begin)
        say(f"measuring speed, {rounds} rounds")
        in_turns(entrants, range(rounds + 1), list(SPEEDS), measure)
    finally:
        for worker in workers.values():
            worker.close()


def _measure_fresh(entrants: list[Entrant], rounds: int) -> None:
    """Load time and memory of processes that have done nothing else."""

    def measure(entrant: Entrant, _: Any, number: int) -> None:
        with Worker(_command(entrant, FRESH_CONTEXT)) as worker:
            answer = _ask(worker, FIRST_PROMPT, 0)
            entrant.add(START.name, time.perf_counter() - worker.began)
            entrant.add(LOAD.name, worker.ready["seconds"] + answer["seconds"])
            _ask(worker, FULL, 0)
            entrant.add(MEMORY.name, worker.peak_bytes())
        entrant.add(SIZE.name, entrant.size)

    say(f"measuring fresh processes, {rounds} rounds")
    in_turns(entrants, range(rounds), ["fresh"], measure)


def _command(entrant: Entrant, context: int) -> list[str]:
    return [*entrant.command, "--context", str(context)]


def _ask(worker: Worker, command: dict[str, int], start: int) -> dict[str, Any]:
    """One measurement, refused unless the engine holds as many tokens as it was told to."""
    answer = worker.ask(**command, start=start)
    expected = command.get("prefill", 0) + command.get("after", 0) + command.get("decode", 0)
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


def _section(ours: Entrant, other: Entrant) -> str:
    """A Markdown table of satchel and one peer."""
    lines = [f"## satchel and {other.name}", ""]
    if other.failure:
        lines += [f"{other.name} failed: {other.failure}", ""]
    lines += [f"| figure | {ours.name} | {other.name} | ratio |", "|---|---:|---:|---:|"]
    for figure in FIGURES:
        mine, theirs = (entrant.samples.get(figure.name, []) for entrant in (ours, other))
        cells = [
            f"{figure.name} ({figure.unit})",
            _cell([figure.shown(sample) for sample in mine]),
            _cell([figure.shown(sample) for sample in theirs]),
            _cell(ratios(mine, theirs)),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines + _agreement(ours, other))


def _cell(values: list[float]) -> str:
    if not values:
        return "-"
    median, low, high = (_number(value) for value in spread(values).values())
    return median if low == high else f"{median} ({low} to {high})"


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _agreement(ours: Entrant, other: Entrant) -> list[str]:
    if not other.tokens:
        return []
    return [
        "",
        f"After the first prompt the likeliest id is {ours.tokens[0]} for {ours.name} and "
        f"{other.tokens[0]} for {other.name}; the first {_alike(ours, other)} of "
        f"{len(ours.tokens)} greedy ids are the same.",
    ]


def _alike(ours: Entrant, other: Entrant) -> int:
    pairs = enumerate(zip(ours.tokens, other.tokens, strict=False))
    return next((i for i, (mine, their) in pairs if mine != their), len(ours.tokens))


def _result(ours: Entrant, others: list[Entrant], options: argparse.Namespace) -> dict[str, Any]:
    return {
        "processor": _processor(),
        "platform": platform.platform(),
        "threads": options.threads,
        "quick": options.quick,
        "context": {"speed": CONTEXT, "fresh": FRESH_CONTEXT},
        "figures": [dataclasses.asdict(figure) for figure in FIGURES],
        "entrants": [dataclasses.asdict(entrant) for entrant in (ours, *others)],
        "peers": {other.name: _against(ours, other) for other in others},
    }


def _against(ours: Entrant, other: Entrant) -> dict[str, Any]:
    both = [name for name in ours.samples if name in other.samples]
    pairs = {name: ratios(ours.samples[name], other.samples[name]) for name in both}
    return {
        "ratios": {name: spread(values) | {"pairs": values} for name, values in pairs.items()},
        "greedy_ids_alike": _alike(ours, other) if other.tokens else None,
    }


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


if __name__ == "__main__":
    main()
