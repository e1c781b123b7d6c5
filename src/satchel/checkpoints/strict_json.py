"""JSON from files of a checkpoint, read strictly and within limits. Knows no field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from satchel.runtime.errors import CheckpointError, StorageError, shown

LONGEST = 400  # digits of a whole number: more than the largest float has


def parse_json(data: bytes, name: str, limit: int, max_depth: int = 64) -> dict[str, Any]:
    """Read a JSON object strictly: no duplicate keys, lone surrogates or bombs.

    Any number passes, and so do NaN and the infinities, which libraries in Python write; what a number
    may be, the field that uses it says.
    """
    value = _parse(data, name, limit, max_depth)
    if not isinstance(value, dict):
        raise CheckpointError(f"{name} holds a {type(value).__name__}; expected an object")
    return value


def _parse(data: bytes, name: str, limit: int, max_depth: int) -> Any:
    if len(data) > limit:
        raise CheckpointError(f"{name} is too large: at most {limit} bytes are read")

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        mapping = dict(pairs)
        if len(mapping) != len(pairs):
            raise ValueError("a key occurs twice in one object")
        return mapping

    try:
        text = data.decode("utf-8")
        value = json.loads(text, object_pairs_hook=unique, parse_int=_whole)
        json.dumps(value, ensure_ascii=False).encode("utf-8")  # refuses lone surrogates
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{name} is not valid JSON: {shown(error)}") from error
    if depth(value) > max_depth:
        raise CheckpointError(f"{name} is nested deeper than {max_depth} levels")
    return value


def depth(value: Any) -> int:
    """Levels of nesting of a JSON value, without recursion."""
    deepest, pending = 0, [(value, 1)]
    while pending:
        item, level = pending.pop()
        deepest = max(deepest, level)
        children = (
            item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()
        )
        pending.extend((child, level + 1) for child in children)
    return deepest


def read_json(path: Path, limit: int = 1 << 20) -> dict[str, Any]:
    """Read a JSON object from a file of a checkpoint."""
    with path.open("rb") as file:
        return parse_json(file.read(limit + 1), path.name, limit)


def read_json_list(path: Path, limit: int = 1 << 20) -> list[Any]:
    """Read a JSON list from a file of a checkpoint, as strictly."""
    with path.open("rb") as file:
        value = _parse(file.read(limit + 1), path.name, limit, 64)
    if not isinstance(value, list):
        raise CheckpointError(f"{path.name} holds a {type(value).__name__}; expected a list")
    return value


def read_limited(path: Path, limit: int) -> bytes:
    """All bytes of a file of a checkpoint; CheckpointError where there are more than `limit`."""
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise StorageError(f"cannot read {shown(path)}: {error.strerror}") from error
    if len(data) > limit:
        raise CheckpointError(f"{path.name} is too large: at most {limit} bytes are read")
    return data


def _whole(digits: str) -> int | float:
    # No field is this long; the time that int takes grows with the square of the digits.
    return int(digits) if len(digits) <= LONGEST else float(digits)
