"""What a worker does for decoders: prompts and greedy steps. Knows no engine and no satchel.

All workers take the time here, so that every engine is timed by the same lines.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import protocol
from numpy.typing import NDArray


class Engine(protocol.Engine, Protocol):
    """A loaded model with one text in progress. Logits are [vocab], of the last position."""

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
    result = protocol.parser()
    result.add_argument("--ids", type=Path, required=True, help="a JSON list of token ids")
    result.add_argument("--context", type=int, required=True, help="positions to make room for")
    return result


def serve(load: Callable[[], Engine], ids: list[int]) -> None:
    """Answer what is asked of prompts out of `ids`."""

    def answer(engine: Engine, command: dict[str, Any]) -> dict[str, Any]:
        start = command["start"]
        if "prefill" in command:
            return _prefill(engine, ids[start : start + command["prefill"]])
        return _decode(engine, ids[start : start + command["after"]], command["decode"])

    protocol.serve(load, answer)


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
