"""Let entrants work in turns, each in a process of its own. Knows no model and no engine.

Neighbours in time share the state of the machine, so figures are compared pair by pair.
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TypeVar

# Set by the runtime, which benchmarks import; peers start without it.
OURS = "ORT_GQA_DISABLE_FLASH_ATTENTION"
SETTLE = 0.25  # seconds: the other engine's threads spin for a while after their last run


class WorkerError(Exception):
    """A worker died, or did not do the work it was given."""


@dataclass
class Entrant:
    """One engine with one model file, and what was measured of it."""

    name: str
    command: list[str] = field(default_factory=list)
    size: int = 0  # bytes of the model's files
    note: str | None = None  # what a reader of its figures must know
    failure: str | None = None
    versions: dict[str, str] = field(default_factory=dict)
    samples: dict[str, list[float]] = field(default_factory=dict)
    quality: dict[str, float] = field(default_factory=dict)  # against float32
    tokens: list[int] = field(default_factory=list)  # its greedy answer to the first prompt
    layers: dict[str, Any] = field(default_factory=dict)  # of a bundle: shares.Linear by graph
    arithmetic: str = "int8"  # what its linear layers multiply in, or "fp32"

    def add(self, figure: str, value: float) -> None:
        """Keep one sample of a figure."""
        self.samples.setdefault(figure, []).append(value)


class Worker:
    """A process that loads a model, then answers JSON lines with JSON lines."""

    def __init__(self, command: Sequence[str]) -> None:
        self.began = time.perf_counter()
        # A file, because a pipe that nobody reads fills up; it is closed with the process.
        self._errors = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115
        inherited = {name: value for name, value in os.environ.items() if name != OURS}
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=inherited | {"ORT_DISABLE_TELEMETRY": "1"},
        )
        self.ready = self._answer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def ask(self, **command: Any) -> dict[str, Any]:
        """Send one command; returns its answer."""
        assert self._process.stdin
        try:
            print(json.dumps(command), file=self._process.stdin, flush=True)
        except BrokenPipeError:
            raise WorkerError(self._reason()) from None
        return self._answer()

    def peak_bytes(self) -> int:
        """Most memory the process has had resident so far."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024

    def close(self) -> None:
        """End the process by ending its input."""
        assert self._process.stdin and self._process.stdout
        with contextlib.suppress(BrokenPipeError):  # it died with a command unread
            self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()
        self._errors.close()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise WorkerError(self._reason())
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _reason(self) -> str:
        status = self._process.wait()
        self._errors.seek(0)
        return f"exit status {status}: {gist(self._errors.read())}"


def gist(output: str) -> str:
    """The last line that speaks of an error, else the last line."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower()]
    return (errors or lines or ["no output"])[-1]


E = TypeVar("E", bound=Entrant)


def in_turns(
    entrants: Sequence[E],
    rounds: int,
    measurements: Sequence[Any],
    visit: Callable[[E, Any, int], None],
) -> None:
    """Take each measurement of every entrant before the next one, rounds in turning order.

    An entrant that fails is visited no more; its reason is kept, and the rest goes on.
    """
    for number in range(rounds):
        order = entrants if number % 2 == 0 else entrants[::-1]
        for measurement in measurements:
            for entrant in order:
                if entrant.failure:
                    continue
                time.sleep(SETTLE)
                try:
                    visit(entrant, measurement, number)
                except (WorkerError, OSError) as error:
                    entrant.failure = str(error)


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, min and max."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Theirs by ours, pair by pair: above 1, ours needs less."""
    return [their / our for our, their in zip(ours, theirs, strict=False)]
