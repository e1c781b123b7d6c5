"""Every small edit of a manifest, and what a bundle of each kind answers: for the sweeps of the tests."""

from __future__ import annotations

import copy
import json
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import satchel
from satchel.runtime.errors import SatchelError
from tests.manifests import MISSING, write

OTHER_VALUES: tuple[Any, ...] = (
    *(None, True, 0, -1, 1, 7, 10**9, 10**20, 0.5, -1e300, "", "x", "cosine", "decoder"),
    *([], {}, [0], ["x"], [[1]], {"x": 1}),
)
# Where a value that is as good as another stands, so that the answer may change with a digest that fits:
# which id ends a text, what is asked for by default, how scores and pixels are read, whose labels.
MEANT = (
    "tokens", "generation", "chat", "translation", "speech", "labels", "text", "image", "seq2seq",
    "audio", "context", "quantization",
)  # fmt: skip

Path_ = tuple[str | int, ...]
Edit = tuple[Path_, Any]


def edits(content: Any, path: Path_ = ()) -> Iterator[Edit]:
    """(place, value) of every edit: each key away, each value another, each key of another name."""
    items: list[tuple[str | int, Any]]
    items = list(content.items()) if isinstance(content, dict) else list(enumerate(content))
    for key, value in items:
        here = (*path, key)
        yield here, MISSING
        for other in OTHER_VALUES:
            if type(other) is not type(value) or other != value:
                yield here, other
        if isinstance(key, str):
            yield (*path, f"{key}s"), value
        if isinstance(value, str) and len(value) > 1:
            yield here, value[:-1]
        if isinstance(value, int) and not isinstance(value, bool):
            yield from ((here, value + step) for step in (-1, 1))
        if isinstance(value, dict | list):
            yield from edits(value, here)


def edited(content: dict[str, Any], edit: Edit) -> dict[str, Any]:
    """A copy of a manifest's content with one edit."""
    path, value = edit
    result = copy.deepcopy(content)
    place: Any = result
    for key in path[:-1]:
        place = place[key]
    if value is MISSING:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return result


def outcome(folder: Path, ask: Callable[[Any], Any]) -> str:
    """What a bundle answers as text, "refused" for an error of ours; another error is raised."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return json.dumps(ask(satchel.load(folder, threads=1)), default=_plain, sort_keys=True)
    except SatchelError:
        return "refused"


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return np.round(value.astype(np.float64), 5).tolist()
    return repr(value)


def outcomes(
    folder: Path, content: dict[str, Any], chosen: list[Edit], ask: Callable[[Any], Any]
) -> tuple[list[str], list[str]]:
    """The edits that end in an error of another kind, and those that change the answer in silence.

    The manifest's digest fits every edit. `folder` has its good manifest again afterwards.
    """
    good = outcome(folder, ask)
    assert good != "refused"
    foreign, silent = [], []
    try:
        for path, value in chosen:
            write(folder, edited(content, (path, value)))
            try:
                found = outcome(folder, ask)
            except Exception as error:
                foreign.append(f"{path} = {value!r}: {type(error).__name__}: {error}"[:200])
                continue
            if found not in (good, "refused") and path[0] not in MEANT:
                silent.append(f"{path} = {value!r}")
    finally:
        write(folder, content)
    return foreign, silent
