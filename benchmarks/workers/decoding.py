"""What a worker does for decoders: prompts in, greedy ids out. Knows no engine and no satchel.

All workers take the time here, so that every engine is timed by the same lines.
"""

from __future__ import annotations

import argparse
import json
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import protocol
from numpy.typing import NDArray

Ids = NDArray[np.int64]  # [texts, length]


class Engine(protocol.Engine, Protocol):
    """A loaded model."""

    def generate(self, prompts: Ids, steps: int) -> tuple[Ids, list[float]]:
        """`steps` likeliest ids after each prompt, [texts, steps], an end of text being no end.

        With them, for each step, `time.perf_counter()` of when its ids were known.
        """

    def logits(self, ids: list[int]) -> NDArray[Any]:
        """[length, vocab]: at each position of a text, those of the next id."""


class StepEngine(ABC):
    """An engine whose loop is here: it adds ids to texts, and gives the logits after them."""

    @abstractmethod
    def prefill(self, prompts: Ids) -> NDArray[Any]:
        """Forget all texts and read new ones; returns [texts, vocab], after the last position."""

    @abstractmethod
    def step(self, tokens: Ids) -> NDArray[Any]:
        """Add an id to each text, [texts]; returns [texts, vocab]."""

    @abstractmethod
    def positions(self) -> int:
        """Ids that each text has, as the engine counts them."""

    def generate(self, prompts: Ids, steps: int) -> tuple[Ids, list[float]]:
        """The greedy loop; the last id is not read again."""
        tokens = [self.prefill(prompts).argmax(1)]
        times = [time.perf_counter()]
        while len(tokens) < steps:
            tokens.append(self.step(tokens[-1]).argmax(1))
            times.append(time.perf_counter())
        expected = prompts.shape[1] + steps - 1
        if self.positions() != expected:
            raise SystemExit(f"error: the texts have {self.positions()} ids; expected {expected}")
        return np.stack(tokens, 1), times

    def logits(self, ids: list[int]) -> NDArray[Any]:
        """One by one; an engine that can give all at once does that instead."""
        rows = [self.prefill(np.array([ids[:1]]))[0].copy()]
        rows += [self.step(np.array([token]))[0].copy() for token in ids[1:]]
        return np.stack(rows)


def parser() -> argparse.ArgumentParser:
    """The arguments every worker takes."""
    result = protocol.parser()
    result.add_argument("--ids", type=Path, required=True, help="a JSON list of token ids")
    result.add_argument("--context", type=int, required=True, help="positions to make room for")
    result.add_argument("--texts", type=int, required=True, help="at once, at most")
    return result


def serve(load: Callable[[], Engine], file: Path) -> None:
    """Answer what is asked of texts cut out of the ids in a file."""
    ids: list[int] = json.loads(file.read_text("utf-8"))

    def answer(engine: Engine, command: dict[str, Any]) -> dict[str, Any]:
        start, length = command["start"], command["length"]
        if "out" in command:
            logits = engine.logits(ids[start : start + length])
            np.save(command["out"], logits.astype(np.float32, copy=False))
            return {}
        texts = command["texts"]
        prompts = np.array(ids[start : start + texts * length], np.int64).reshape(texts, length)
        return _timed(engine, prompts, command["steps"])

    protocol.serve(load, answer)


def _timed(engine: Engine, prompts: Ids, steps: int) -> dict[str, Any]:
    """Seconds to the ids of the first step, and from there to those of the last."""
    began = time.perf_counter()
    tokens, times = engine.generate(prompts, steps)
    return {"first": times[0] - began, "rest": times[-1] - times[0], "tokens": tokens.tolist()}
