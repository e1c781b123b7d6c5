"""What a worker does for encoder-decoders: sources to targets. Knows no engine and no satchel.

All workers take the time here, so that every engine is timed by the same lines.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import protocol

Ids = list[int]


class Engine(protocol.Engine, Protocol):
    """A loaded encoder-decoder model; sources and targets are ids."""

    def generate(self, sources: list[Ids], beams: int, steps: int) -> list[Ids]:
        """The best target of each source, of exactly `steps` ids, all in one batch."""

    def log_probs(self, source: Ids, target: Ids) -> list[float]:
        """What the model gives each id of a target after those before it."""


def parser() -> argparse.ArgumentParser:
    """The arguments every worker takes."""
    result = protocol.parser()
    result.add_argument("--work", type=Path, required=True, help="JSON: sources, targets")
    return result


def serve(load: Callable[[], Engine], work: Path) -> None:
    """Time targets of some of the `sources`, or judge the given `targets` of the first."""
    given = json.loads(work.read_text("utf-8"))

    def answer(engine: Engine, command: dict[str, Any]) -> dict[str, Any]:
        if "judge" in command:
            pairs = zip(given["sources"], given["targets"], strict=False)
            return {"log_probs": [engine.log_probs(*pair) for pair in pairs]}
        start = command["start"]
        return _timed(engine, given["sources"][start : start + command["batch"]], command)

    protocol.serve(load, answer)


def _timed(engine: Engine, sources: list[Ids], command: dict[str, Any]) -> dict[str, Any]:
    began = time.perf_counter()
    targets = engine.generate(sources, command["beams"], command["steps"])
    return {"seconds": time.perf_counter() - began, "targets": targets}
