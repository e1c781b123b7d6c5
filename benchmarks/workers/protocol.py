"""The loop of a worker: commands on stdin, answers on stdout. Knows no engine and no satchel.

All workers take the time here, so that every engine is timed by the same lines.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray


class Engine(Protocol):
    """A loaded model with one text in progress. Logits are [vocab], of the last position."""

    versions: dict[str, str]

    def reset(self) -> None:
        """Forget the text."""

    def prefill(self, ids: list[int]) -> NDArray[Any]:
        """Read a prompt into an empty text."""

    def step(self, token: int) -> NDArray[Any]:
        """Add one token."""

    def positions(self) -> int:
        """Tokens the text has, as the engine counts them."""


def parser() -> argparse.ArgumentParser:
    """The arguments every worker takes."""
    result = argparse.ArgumentParser()
    result.add_argument("model", help="the file or folder to load")
    result.add_argument("--ids", type=Path, required=True, help="a JSON list of token ids")
    result.add_argument("--threads", type=int, required=True)
    result.add_argument("--context", type=int, required=True, help="positions to make room for")
    return result


def serve(load: Callable[[], Engine], ids: list[int]) -> None:
    """Load once, say so, then answer until stdin ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # an engine that prints must not spoil the answers

    def say(answer: dict[str, Any]) -> None:
        print(json.dumps(answer), file=answers, flush=True)

    began = time.perf_counter()
    engine = load()
    say({"seconds": time.perf_counter() - began, "versions": engine.versions})
    for line in sys.stdin:
        command = json.loads(line)
        start = command["start"]
        if "prefill" in command:
            say(_prefill(engine, ids[start : start + command["prefill"]]))
        else:
            say(_decode(engine, ids[start : start + command["after"]], command["decode"]))


def _prefill(engine: Engine, prompt: list[int]) -> dict[str, Any]:
    engine.reset()
    began = time.perf_counter()
    logits = engine.prefill(prompt)
    token = int(logits.argmax())
    seconds = time.perf_counter() - began
    top = float(logits[token])
    return {"seconds": seconds, "positions": engine.positions(), "token": token, "top": top}


def _decode(engine: Engine, prompt: list[int], steps: int) -> dict[str, Any]:
    engine.reset()
    tokens = [int(engine.prefill(prompt).argmax())]
    began = time.perf_counter()
    for _ in range(steps):
        tokens.append(int(engine.step(tokens[-1]).argmax()))
    seconds = time.perf_counter() - began
    return {"seconds": seconds, "positions": engine.positions(), "tokens": tokens[:steps]}
