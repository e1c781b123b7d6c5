"""The bundle on disk: manifest.json and the files it lists. The contract between export and runtime.

The manifest says everything the runtime needs, so that the runtime guesses nothing. Knows no ONNX.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import typing
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from satchel.runtime.errors import BundleError, shown

FORMAT = "satchel-bundle"
FORMAT_VERSION = 1
FEATURES = frozenset[str]()  # what `required_features` may ask of this runtime
MANIFEST = "manifest.json"
TOKENIZER = "tokenizer.json"
MANIFEST_LIMIT = 1 << 20
FILE_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


@dataclass(frozen=True)
class File:
    """A file of the bundle: its size in bytes and its sha256 in hexadecimal."""

    size: int
    sha256: str


@dataclass(frozen=True)
class Port:
    """An input or output of a graph; an axis is a size or the name of a dynamic one."""

    name: str
    dtype: str
    axes: list[int | str]


@dataclass(frozen=True)
class Graph:
    """An ONNX file of the bundle and its signature."""

    file: str
    inputs: list[Port]
    outputs: list[Port]


@dataclass(frozen=True)
class CacheGeometry:
    """Keys and values of a decoder: per layer two tensors [batch, kv_heads, capacity, head_dim]."""

    layers: int
    kv_heads: int
    head_dim: int
    dtype: str = "float32"

    @property
    def bytes_per_position(self) -> int:
        """Memory of one position of one text, over all layers."""
        return self.layers * 2 * self.kv_heads * self.head_dim * 4


@dataclass(frozen=True)
class Tokens:
    """Ids of special tokens; generation ends at any of `eos`."""

    bos: int | None = None
    eos: list[int] = field(default_factory=list)
    pad: int | None = None
    mask: int | None = None


@dataclass(frozen=True)
class TextInput:
    """How an encoder's texts are prepared: cut to `max_length` tokens; `prompts` go before a text and
    `default_prompt` names the one used unasked. `normalized` vectors have unit length."""

    max_length: int
    lower_case: bool = False
    normalized: bool = False
    similarity: str = "cosine"
    prompts: dict[str, str] = field(default_factory=dict)
    default_prompt: str | None = None
    pad_to_context: int | None = None  # the id that fills every text up to the context


@dataclass(frozen=True)
class Labels:
    """Names of a head's outputs; `scores` is softmax, sigmoid or identity."""

    names: list[str]
    scores: str


@dataclass(frozen=True)
class Source:
    """Where the weights came from."""

    name: str
    sha256: str
    licence: str | None = None


@dataclass(frozen=True)
class Manifest:
    """Content of manifest.json."""

    family: str
    architecture: str
    task: str
    context: int
    vocab_size: int
    graphs: dict[str, Graph]
    files: dict[str, File]
    tokens: Tokens
    source: Source
    cache: CacheGeometry | None = None
    text: TextInput | None = None
    labels: Labels | None = None
    image: dict[str, Any] | None = None
    generation: dict[str, Any] = field(default_factory=dict)
    chat: dict[str, Any] | None = None
    quantization: dict[str, Any] = field(default_factory=dict)
    parity: dict[str, Any] = field(default_factory=dict)
    quality: dict[str, Any] = field(default_factory=dict)
    probe: dict[str, Any] = field(default_factory=dict)
    verified: bool = False
    onnxruntime: str = "1.30"
    required_features: list[str] = field(default_factory=list)
    satchel_version: str = ""
    format: str = FORMAT
    format_version: int = FORMAT_VERSION

    def to_json(self) -> str:
        """Text of manifest.json, the same for the same content."""
        return json.dumps(dataclasses.asdict(self), indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read manifest.json; BundleError says which field is wrong."""
        try:
            raw = json.loads(text, object_pairs_hook=_unique)
        except (ValueError, RecursionError) as error:
            raise BundleError(f"{MANIFEST} is not valid JSON: {shown(error)}") from error
        if not isinstance(raw, dict) or raw.get("format") != FORMAT:
            raise BundleError(f"{MANIFEST} is not the manifest of a satchel bundle")
        version = raw.get("format_version")
        if isinstance(version, bool) or not isinstance(version, int) or version < 1:
            raise BundleError(f"{MANIFEST}: format_version {shown(version)}", "BUNDLE_VERSION")
        if version > FORMAT_VERSION:
            raise BundleError(
                f"the bundle has format version {version}, this satchel reads up to "
                f"{FORMAT_VERSION}: update satchel",
                "BUNDLE_VERSION",
            )
        manifest: Self = _build(cls, raw, "manifest")
        missing = set(manifest.required_features) - FEATURES
        if missing:
            raise BundleError(
                f"the bundle needs {shown(sorted(missing))}, which this satchel lacks: update it",
                "BUNDLE_VERSION",
            )
        return manifest


@dataclass(frozen=True)
class Bundle:
    """A folder whose files have been checked against its manifest."""

    folder: Path
    manifest: Manifest

    def path(self, name: str) -> Path:
        """Where a listed file lies."""
        return self.folder / name

    @property
    def size(self) -> int:
        """Bytes of all listed files."""
        return sum(file.size for file in self.manifest.files.values())


Progress = Callable[[Iterable[Any]], Iterable[Any]]


def open_bundle(folder: str | Path, progress: Progress = iter) -> Bundle:
    """Read the manifest and check every listed file's name, size and sha256.

    Raises BundleError with the file and what is wrong with it.
    """
    folder = Path(folder)
    path = folder / MANIFEST
    if not path.is_file():
        what = "does not exist" if not folder.exists() else f"has no {MANIFEST}"
        raise BundleError(f"{shown(folder)} {what}; expected a bundle made by satchel export")
    data = path.read_bytes()
    if len(data) > MANIFEST_LIMIT:
        raise BundleError(f"{MANIFEST} has {len(data)} bytes; at most {MANIFEST_LIMIT} are read")
    try:
        manifest = Manifest.from_json(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise BundleError(f"{MANIFEST} is not UTF-8") from error
    for name in progress(list(manifest.files)):
        _check_file(folder, name, manifest.files[name])
    for role, graph in manifest.graphs.items():
        if graph.file not in manifest.files:
            raise BundleError(f"graph {shown(role)} is {shown(graph.file)}, which is not listed")
    return Bundle(folder, manifest)


def sha256_of(path: Path) -> str:
    """Hash of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_file(folder: Path, name: str, expected: File) -> None:
    if not FILE_NAME.fullmatch(name):
        raise BundleError(
            f"{MANIFEST} lists {shown(name)}, which is not a plain name", "BUNDLE_PATH"
        )
    path = folder / name
    if not path.exists():
        raise BundleError(f"{name} is missing from {shown(folder)}", "BUNDLE_FILE")
    if not path.is_file() or not path.resolve().is_relative_to(folder.resolve()):
        raise BundleError(f"{name} is not a regular file of the bundle", "BUNDLE_PATH")
    size = path.stat().st_size
    if size != expected.size:
        raise BundleError(
            f"{name} has {size} bytes, {MANIFEST} says {expected.size}{_hint(path)}; export or "
            "download the bundle again",
            "BUNDLE_HASH",
        )
    found = sha256_of(path)
    if found != expected.sha256:
        raise BundleError(
            f"{name} does not match {MANIFEST} (expected {expected.sha256[:12]}, got {found[:12]}); "
            "export or download the bundle again",
            "BUNDLE_HASH",
        )


def _hint(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(64).lstrip().lower()
    if start.startswith(b"version https://git-lfs"):
        return " (it is a Git LFS pointer: run git lfs pull)"
    return " (it is a web page)" if start.startswith((b"<!doctype", b"<html")) else ""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a key occurs twice in one object")
    return result


def _build(kind: Any, value: Any, where: str) -> Any:
    """`value` from JSON as the annotated type `kind`; unknown keys of objects are left out."""
    if kind is Any:
        return value
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if dataclasses.is_dataclass(kind) and isinstance(value, dict):
        hints = typing.get_type_hints(kind)
        for entry in dataclasses.fields(kind):
            required = (
                entry.default is dataclasses.MISSING
                and entry.default_factory is dataclasses.MISSING
            )
            if required and entry.name not in value:
                raise BundleError(f"{MANIFEST}: {where} lacks {entry.name}")
        known = {name: _build(hints[name], value[name], name) for name in hints if name in value}
        return kind(**known)
    if origin is dict and isinstance(value, dict):
        return {name: _build(arguments[1], item, f"{where}.{name}") for name, item in value.items()}
    if origin is list and isinstance(value, list):
        return [_build(arguments[0], item, where) for item in value]
    if arguments and origin not in (dict, list):  # a union: the first member that fits
        for member in arguments:
            try:
                return (
                    None if value is None and member is type(None) else _build(member, value, where)
                )
            except BundleError:
                continue
    elif isinstance(kind, type) and isinstance(value, kind):
        if not (isinstance(value, bool) and kind is not bool):
            return value
    raise BundleError(f"{MANIFEST}: {where} = {shown(value)} has the wrong type")
