"""A checkpoint as the rest of satchel sees it, whatever file it came from. Knows no architecture."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from satchel.runtime.errors import CheckpointError, StorageError, shown

if TYPE_CHECKING:
    import torch

    from satchel.checkpoints.sentence import SentenceModules


LONGEST = 400  # digits of a whole number: more than the largest float has


@dataclass(frozen=True)
class LazyTensor:
    """A weight that is read when asked for. `load` returns float32, shape `shape`."""

    shape: tuple[int, ...]
    load: Callable[[], torch.Tensor]


@dataclass(frozen=True)
class Checkpoint:
    """Everything a source says about one model; nothing in it was executed.

    `config` has the keys of Hugging Face's config.json and `tensors` its weight names, also when the
    source is a GGUF file.
    """

    source: str
    config: dict[str, Any]
    tensors: Mapping[str, LazyTensor]
    tokenizer: dict[str, Any] | None = None  # the content of tokenizer.json
    tokenizer_files: Mapping[str, Path] = field(default_factory=dict)  # from which one is made
    tokenizer_is_whole: bool = False  # no other file says how it reads texts
    tokenizer_config: dict[str, Any] = field(default_factory=dict)
    generation_config: dict[str, Any] | None = None  # None where there is no such file
    preprocessor_config: dict[str, Any] = field(default_factory=dict)  # of images or sounds
    preprocessor_file: str = "preprocessor_config.json"  # where that stands
    chat_template: str | None = None
    licence: str | None = None
    sha256: str = ""
    sentence: SentenceModules | None = None  # of a sentence-transformers folder
    notes: tuple[str, ...] = ()  # what a user should hear of the files

    @property
    def generation(self) -> dict[str, Any]:
        """How texts are meant to be generated: generation_config.json and nothing else, however little it
        says. As in transformers, where there is none, config.json and that of its decoder."""
        if self.generation_config is not None:
            return self.generation_config
        inner = self.config.get("decoder")
        outer = {key: value for key, value in self.config.items() if value is not None}
        return {**inner, **outer} if isinstance(inner, dict) else self.config

    def text_length(self, context: int) -> int:
        """The tokens an encoder's text is cut to: what modules say replaces the tokenizer's files."""
        said = self.sentence.first.max_length if self.sentence is not None else None
        if said is None:
            said = self.tokenizer_config.get(
                "model_max_length", self.tokenizer_config.get("max_len")
            )
        if not isinstance(said, int | float) or said < 1:
            return context
        return int(min(context, said))


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
        result = dict(pairs)
        if len(result) != len(pairs):
            raise ValueError("a key occurs twice in one object")
        return result

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


def some(names: Sequence[str], count: int = 5, limit: int = 56) -> str:
    """The first names of a list from a file, safe to print and short enough for one line."""
    more = f" and {len(names) - count} more" if len(names) > count else ""
    return ", ".join(shown(name, limit) for name in names[:count]) + more


def _whole(digits: str) -> int | float:
    # No field is this long; the time that int takes grows with the square of the digits.
    return int(digits) if len(digits) <= LONGEST else float(digits)
