"""Let many clients ask a server and leave halfway, and see that nothing stays behind; see README.md.

python benchmarks/soak.py BUNDLE
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # inherited by every process started here

import command
import httpx
import report
import server_clients
from decoders import text_ids
from environment import say
from interleave import WorkerError
from server_process import Served, running
from soak_clients import Known, Outcome, Visit, soak, visits
from targets import Target, targets_table

import satchel
from satchel.runtime.bundle import open_bundle
from satchel.runtime.errors import SatchelError

KINDS = 150  # different requests
PROMPTS, LONG, TOKENS = (4, 40), (200, 400), 8  # ids of a prompt, of every tenth; most new tokens
CLIENTS, SLOTS = 16, 8  # so that half of them wait
PREFIXES = 16  # MB for beginnings: fewer than the prompts have, so that some are let go
WARM, WINDOW = (
    0.2,
    0.1,
)  # shares of the visits: before memory counts, and in which its median is taken
DRIFT = 2.0  # % that it may grow by at most
IDLE = 30.0  # seconds after which a text that is still written is stuck
GAUGES = ("satchel_texts_running", "satchel_texts_waiting", "satchel_requests_running")
REASONS = {"eos": "stop"}


def main() -> None:
    """Prepare, ask, print."""
    options = _options()
    try:
        known = _known(options.bundle, options.threads)
    except SatchelError as error:
        sys.exit(str(error))
    serve = [sys.executable, "-m", "satchel", "serve", str(options.bundle)]
    serve += [
        "--threads",
        str(options.threads),
        "--slots",
        str(SLOTS),
        "--prefix-mb",
        str(PREFIXES),
    ]
    say(f"asking {options.requests} times")
    try:
        with running(serve) as served:
            greeting, plans = served.log(), visits(known, options.requests, options.seed)
            outcome = _asked(served, plans, CLIENTS)
            stuck = _stuck(served.address)
            full = [Visit(one) for one in known[:SLOTS]]
            last = _asked(served, full, SLOTS)
            log = served.log().removeprefix(greeting)
    except WorkerError as error:
        sys.exit(str(error))
    outcome.counts += last.counts
    outcome.first_failure = outcome.first_failure or last.first_failure
    targets = _targets(outcome, stuck, log)
    print(_page(options, outcome, targets, log))
    if not all(target.met for target in targets):
        sys.exit("the server did not stand it")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path, help="of a decoder, made by satchel export")
    parser.add_argument("--requests", type=command.count, default=10000, help="(10000)")
    parser.add_argument("--threads", type=command.count, default=2, help="of the server (2)")
    parser.add_argument("--seed", type=int, default=0, help="of what is asked (0)")
    return parser.parse_args()


def _known(folder: Path, threads: int) -> list[Known]:
    """Greedy and sampled requests, and what the bundle says to each when nobody else asks."""
    bundle, chance = open_bundle(folder), random.Random(0)
    model: Any = satchel.load(folder, threads=threads)
    model.require("generate")
    ids, known = text_ids([bundle]), []
    for number in range(KINDS):
        length = chance.randint(*(PROMPTS if number % 10 else LONG))
        length = min(length, bundle.manifest.context - TOKENS)
        start, bound = chance.randrange(len(ids) - length), chance.randint(1, TOKENS)
        how = {"temperature": 1.0, "seed": number} if number % 2 else {"temperature": 0.0}
        prompt = ids[start : start + length]
        alone = model.generate(prompt, max_new_tokens=bound, **how)
        body = {"model": folder.resolve().name, "prompt": prompt, "max_tokens": bound, **how}
        reason = REASONS.get(alone.finish_reason, alone.finish_reason)
        known.append(Known(body, alone.text, reason))
    return known


def _asked(served: Served, plans: Iterable[Visit], clients: int) -> Outcome:
    return server_clients.run(
        lambda client: soak(client, served.address, plans, clients, served.resident)
    )


def _stuck(address: str) -> int:
    """Texts and requests that the server still counts when all clients are gone."""
    until = time.monotonic() + IDLE
    while (busy := _busy(address)) and time.monotonic() < until:
        time.sleep(0.1)
    return busy


def _busy(address: str) -> int:
    lines = httpx.get(f"{address}/metrics", trust_env=False).text.splitlines()
    return sum(int(line.split()[-1]) for line in lines if line.startswith(GAUGES))


def drift(resident: Sequence[int]) -> tuple[float, float]:
    """Medians of resident bytes after warming up and at the end."""
    count = len(resident)
    window, warm = max(1, int(WINDOW * count)), int(WARM * count)
    return statistics.median(resident[warm : warm + window]), statistics.median(resident[-window:])


def _targets(outcome: Outcome, stuck: int, log: str) -> list[Target]:
    before, after = drift(outcome.resident)
    counts = {
        "finished texts that are not Python's": outcome.counts["wrong"],
        "requests that failed": outcome.counts["failed"],
        "texts and requests stuck at the end": stuck,
        "lines in the server's log": len(log.splitlines()),
    }
    return [
        Target(
            "growth of resident memory after warming up (%)",
            [(after / before - 1) * 100],
            most=DRIFT,
        ),
        *(Target(name, [float(count)], most=0.0) for name, count in counts.items()),
    ]


def _page(options: argparse.Namespace, outcome: Outcome, targets: list[Target], log: str) -> str:
    before, after = (number / report.MEGA for number in drift(outcome.resident))
    counts: Counter[str] = outcome.counts
    parts = [
        f"{report.processor()}, {options.threads} threads, {SLOTS} slots: {options.requests} requests of "
        f"{CLIENTS} clients and one more a slot; {counts['finished']} were answered as Python answers, "
        f"{counts['left']} clients left. Resident memory: {before:.1f} MB after warming up, "
        f"{after:.1f} MB at the end.",
        targets_table(targets),
    ]
    if outcome.first_failure:
        parts.append(f"First failure: {outcome.first_failure}")
    if log:
        parts.append(f"The log begins: {log.splitlines()[0]}")
    return "\n\n".join(parts)


if __name__ == "__main__":
    main()
