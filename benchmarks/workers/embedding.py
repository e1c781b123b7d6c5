"""What a worker does for encoders: batches of ids, or texts, to vectors. Knows no engine.

All workers take the time here, so that every engine is timed by the same lines.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import protocol
from numpy.typing import NDArray

POOLINGS: dict[str, Callable[[NDArray[Any]], NDArray[Any]]] = {
    "mean": lambda states: states.mean(1),  # no text here is padded, so this is the masked mean
    "cls": lambda states: states[:, 0],
}


class BatchEngine(protocol.Engine, Protocol):
    """An engine called directly, with no library around it."""

    def vectors(self, ids: NDArray[np.int64]) -> NDArray[Any]:
        """[n, dim], pooled and normalised, of ids [n, length] without padding."""


class TextEngine(protocol.Engine, Protocol):
    """An engine called as its documentation shows."""

    def embed(self, texts: list[str]) -> NDArray[Any]:
        """[n, dim] of n texts."""

    def token_counts(self, texts: list[str]) -> list[int]:
        """Tokens the model reads of each text, special ones included."""


def parser() -> argparse.ArgumentParser:
    """The arguments every worker takes."""
    result = protocol.parser()
    result.add_argument("--inputs", type=Path, required=True, help="JSON: ids, sentences, texts")
    return result


def peer_parser() -> argparse.ArgumentParser:
    """The arguments of peers, whose graphs end with the states."""
    result = parser()
    result.add_argument("--file", help="the graph in the folder")
    result.add_argument("--pooling", choices=POOLINGS, required=True)
    result.add_argument("--normalize", action="store_true")
    return result


def serve_batches(load: Callable[[], BatchEngine], inputs: Path) -> None:
    """Time batches cut out of `ids`, and embed the `sentences` one by one."""
    given = json.loads(inputs.read_text("utf-8"))

    def answer(engine: BatchEngine, command: dict[str, Any]) -> dict[str, Any]:
        if "sentences" in command:
            rows = [np.array([ids], np.int64) for ids in given["sentences"]]
            return {"vectors": [engine.vectors(row)[0].tolist() for row in rows]}
        shape, start = (command["batch"], command["length"]), command["start"]
        ids = np.array(given["ids"][start : start + shape[0] * shape[1]], np.int64).reshape(shape)
        return _timed(engine, ids, command["calls"], command["warm_up"])

    protocol.serve(load, answer)


def _timed(engine: BatchEngine, ids: NDArray[np.int64], calls: int, warm_up: int) -> dict[str, Any]:
    for _ in range(warm_up):
        engine.vectors(ids)
    began = time.perf_counter()
    for _ in range(calls):
        vectors = engine.vectors(ids)
    seconds = (time.perf_counter() - began) / calls
    return {"seconds": seconds, "vectors": vectors.tolist()}


def serve_texts(load: Callable[[], TextEngine], inputs: Path) -> None:
    """Time the first of the `texts`; their vectors go into a file, for they are many."""
    texts = json.loads(inputs.read_text("utf-8"))["texts"]

    def answer(engine: TextEngine, command: dict[str, Any]) -> dict[str, Any]:
        if "count_tokens" in command:
            return {"tokens": engine.token_counts(texts)}
        some = texts[: command["texts"]]
        began = time.perf_counter()
        vectors = engine.embed(some)
        seconds = time.perf_counter() - began
        np.save(command["out"], vectors)
        return {"seconds": seconds}

    protocol.serve(load, answer)


def pooled(states: NDArray[Any], pooling: str, normalize: bool) -> NDArray[Any]:
    """[n, dim] of states [n, length, dim]: what satchel's graph does inside, in numpy."""
    vectors = POOLINGS[pooling](states)
    if normalize:
        vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def model_inputs(names: list[str], ids: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
    """What a graph with inputs of these names reads for ids without padding."""
    made = {
        "input_ids": lambda: ids,
        "attention_mask": lambda: np.ones_like(ids),
        "token_type_ids": lambda: np.zeros_like(ids),
    }
    return {name: made[name]() for name in names}
