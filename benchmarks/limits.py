"""What this machine can do at best: bytes read per second, and multiplications. Knows no model.

Each limit is tried in several ways, and the fastest sample of the fastest way counts. Run as a script it
prints its JSON: python benchmarks/limits.py --threads 2
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # read when onnxruntime is imported

import numpy as np
from interleave import WorkerError, gist
from numpy.typing import NDArray

READ_SHAPE = (4096, 16384)  # float32: 268 MB, more than any last-level cache here
SIZES = (1024, 2048, 4096)  # of square matrices that are multiplied
QUICK_SIZES = (256,)
SECONDS, SAMPLES = 0.25, 8  # least length of a sample, and how many


@dataclass(frozen=True)
class Limits:
    """Rates by the way they were reached: bytes, and operations (2 per multiply-add), per second."""

    threads: int
    read: dict[str, float]
    int8: dict[str, float]
    fp32: dict[str, float]

    @property
    def bandwidth(self) -> float:
        """Bytes per second."""
        return max(self.read.values())

    def multiplying(self, arithmetic: str) -> float:
        """Operations per second in "int8" or "fp32"."""
        rates: dict[str, float] = getattr(self, arithmetic)
        return max(rates.values())

    def described(self) -> str:
        """One line of Markdown."""
        rates = (
            ("reads", self.read, 1e9, "GB/s"),
            ("multiplies in int8", self.int8, 1e9, "GOP/s"),
            ("in float32", self.fp32, 1e9, "GOP/s"),
        )
        parts = []
        for verb, ways, unit, name in rates:
            way = max(ways, key=lambda one: ways[one])
            parts.append(f"{verb} {ways[way] / unit:.3g} {name} ({way})")
        return f"With {self.threads} threads this machine {', '.join(parts)}."


def measured(threads: int, quick: bool = False) -> Limits:
    """The limits of so many threads, found in a process of its own."""
    command = [sys.executable, __file__, "--threads", str(threads), *["--quick"] * quick]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise WorkerError(f"the machine's limits were not measured: {gist(done.stderr)}")
    return Limits(**json.loads(done.stdout))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="only whether it works")
    options = parser.parse_args()
    length, samples = (0.01, 2) if options.quick else (SECONDS, SAMPLES)

    def rate(amount: float, run: Callable[[], object]) -> float:
        return amount / best_seconds(run, length, samples)

    sizes = QUICK_SIZES if options.quick else SIZES
    limits = Limits(
        options.threads,
        {way: rate(*task) for way, task in reading(options.threads).items()},
        {f"{size} cubed": rate(2 * size**3, product(size, np.int8, options.threads)) for size in sizes},
        {f"{size} cubed": rate(2 * size**3, product(size, np.float32, options.threads)) for size in sizes},
    )  # fmt: skip
    print(json.dumps(asdict(limits), indent=1))


def best_seconds(run: Callable[[], object], length: float, samples: int) -> float:
    """Seconds of one call in the fastest of some samples, each of at least `length` seconds."""
    run()
    best = float("inf")
    for _ in range(samples):
        calls, began = 0, time.perf_counter()
        while (elapsed := time.perf_counter() - began) < length or not calls:
            run()
            calls += 1
        best = min(best, elapsed / calls)
    return best


def reading(threads: int) -> dict[str, tuple[float, Callable[[], object]]]:
    """Ways to read a buffer much larger than a cache: (its bytes, one reading of it)."""
    weights = np.random.default_rng(0).random(READ_SHAPE, np.float32)
    parts = np.array_split(weights.reshape(-1), threads)
    pool = ThreadPoolExecutor(threads)

    def in_threads(read: Callable[[NDArray[Any]], object]) -> Callable[[], object]:
        return lambda: list(pool.map(read, parts))

    run = session("MatMul", [("a", "float32", (1, READ_SHAPE[0])), ("b", "float32", READ_SHAPE)], threads)
    row = np.ones((1, READ_SHAPE[0]), np.float32)
    ways = {
        "float32 MatMul of one row": lambda: run({"a": row, "b": weights}),
        "numpy sum": in_threads(np.sum),
        "numpy max": in_threads(np.max),
    }
    return {way: (float(weights.nbytes), task) for way, task in ways.items()}
