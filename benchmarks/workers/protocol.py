"""The loop of a worker: commands on stdin, answers on stdout. Knows no engine and no satchel."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any, Protocol, TypeVar


class Engine(Protocol):
    """Something loaded that can say what it is made of."""

    @property
    def versions(self) -> dict[str, str]:
        """By name; asked for once the loading is timed."""


Loaded = TypeVar("Loaded", bound=Engine)


def parser() -> argparse.ArgumentParser:
    """The arguments every worker takes."""
    result = argparse.ArgumentParser()
    result.add_argument("model", help="the file or folder to load")
    result.add_argument("--threads", type=int, required=True)
    return result


def serve(
    load: Callable[[], Loaded], answer: Callable[[Loaded, dict[str, Any]], dict[str, Any]]
) -> None:
    """Load once, say so, then answer until stdin ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # an engine that prints must not spoil the answers

    def say(value: dict[str, Any]) -> None:
        print(json.dumps(value), file=answers, flush=True)

    began = time.perf_counter()
    engine = load()
    say({"seconds": time.perf_counter() - began, "versions": engine.versions})
    for line in sys.stdin:
        say(answer(engine, json.loads(line)))
