"""A GGUF file as metadata and mapped tensors. Knows no architecture and no tokenizer.

Every count, length and offset is compared with the file before it is used, so a damaged header
costs neither time nor memory.
"""

from __future__ import annotations

import functools
import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite, prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from satchel.runtime.errors import CheckpointError, UnsupportedError, UsageError, install, shown

if TYPE_CHECKING:
    import gguf

Metadata = Mapping[str, Any]
T = TypeVar("T")
Number = TypeVar("Number", int, float)

MAGIC = b"GGUF"
VERSIONS = (2, 3)
SCALARS = dict(zip((0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12), "BbHhIif?Qqd", strict=True))
STRING, ARRAY = 8, 9
MAX_ENTRIES, MAX_TENSORS, MAX_RANK, MAX_ITEMS = 1 << 16, 20_000, 4, 1 << 21


@dataclass(frozen=True)
class StoredTensor:
    """A tensor as it lies in the file: `data` is a view of the mapping, [rows, bytes of a row]."""

    shape: tuple[int, ...]  # outermost first, as PyTorch writes it
    kind: gguf.GGMLQuantizationType
    data: np.ndarray[Any, np.dtype[np.uint8]]


@dataclass(frozen=True)
class GgufFile:
    """The two halves of a GGUF file."""

    metadata: Metadata
    tensors: Mapping[str, StoredTensor]


def read_gguf(path: Path) -> GgufFile:
    """Map a file and read its header. The weights stay on disk until they are used."""
    with path.open("rb") as file:
        if file.read(4) != MAGIC:
            raise CheckpointError("is not a GGUF file: it does not start with 'GGUF'")
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    header = Header(mapped)
    version = header.scalar("I")
    if version & 0xFFFF == 0:
        raise UnsupportedError("is a big-endian GGUF file; only little-endian ones are read")
    if version not in VERSIONS:
        raise UnsupportedError(f"has GGUF version {version}; known: {VERSIONS}. Convert it anew")
    tensor_count = header.count(MAX_TENSORS, "tensors")
    entries = header.count(MAX_ENTRIES, "metadata entries")
    metadata: dict[str, Any] = {}
    for _ in range(entries):
        key = header.string()
        if key in metadata:
            raise CheckpointError(f"has the metadata {shown(key)} twice")
        metadata[key] = header.value(header.scalar("I"))
    return GgufFile(metadata, read_tensors(header, tensor_count, metadata))


class Header:
    """A cursor over a mapped file that never passes its end."""

    def __init__(self, mapped: mmap.mmap) -> None:
        self.mapped = mapped
        self.offset = len(MAGIC)

    def advance(self, size: int) -> int:
        """Step over `size` bytes; gives where they start."""
        start, self.offset = self.offset, self.offset + size
        if self.offset > len(self.mapped):
            raise CheckpointError(
                f"is cut short or damaged: its header does not end by byte {len(self.mapped)}",
                "CKPT_TRUNCATED",
            )
        return start

    def scalar(self, code: str) -> Any:
        """A number of one of struct's types."""
        (value,) = struct.unpack_from("<" + code, self.mapped, self.advance(struct.calcsize(code)))
        # The shortest decimal that gives the same float32: 1e-05, not 9.999999747378752e-06.
        return float(str(np.float32(value))) if code == "f" else value

    def count(self, limit: int, what: str) -> int:
        """A 64-bit count that must not pass `limit`."""
        count = int(self.scalar("Q"))
        if count > limit:
            raise CheckpointError(f"is damaged: it declares {count} {what}, {limit} are possible")
        return count

    def string(self) -> str:
        """A length and that many bytes of UTF-8."""
        size = int(self.scalar("Q"))
        start = self.advance(size)
        try:
            return self.mapped[start : start + size].decode("utf-8")
        except UnicodeDecodeError as error:
            raise CheckpointError(f"is damaged: the text at byte {start} is not UTF-8") from error

    def value(self, kind: int) -> Any:
        """A metadata value of one of GGUF's types."""
        if kind in SCALARS:
            return self.scalar(SCALARS[kind])
        if kind == STRING:
            return self.string()
        if kind == ARRAY:
            return self.array(self.scalar("I"), self.count(MAX_ITEMS, "items of a list"))
        raise CheckpointError(f"is damaged: metadata type {kind} before byte {self.offset}")

    def array(self, kind: int, count: int) -> list[Any]:
        """`count` values of one type."""
        if kind == STRING:
            return [self.string() for _ in range(count)]
        if kind not in SCALARS:
            raise UnsupportedError(f"has a list of metadata type {kind} before byte {self.offset}")
        dtype = np.dtype("<" + SCALARS[kind])
        start = self.advance(count * dtype.itemsize)
        values: list[Any] = np.frombuffer(self.mapped, dtype, count, start).tolist()
        return values


def read_tensors(header: Header, count: int, metadata: Metadata) -> dict[str, StoredTensor]:
    """Read the tensor table and cut the data behind it into views."""
    table = [read_entry(header) for _ in range(count)]
    declared = optional(metadata, "general.alignment", int)
    alignment = 32 if declared is None else declared
    if alignment < 1 or alignment & (alignment - 1):
        raise CheckpointError(f"has alignment {alignment}; expected a power of two")
    start = -(-header.offset // alignment) * alignment
    tensors: dict[str, StoredTensor] = {}
    for name, shape, kind, offset in table:
        if name in tensors:
            raise CheckpointError(f"has the tensor {shown(name)} twice")
        rows = view(header.mapped, name, shape, row_bytes(name, shape[-1], kind), start + offset)
        tensors[name] = StoredTensor(shape, kind, rows)
    return tensors


def read_entry(header: Header) -> tuple[str, tuple[int, ...], gguf.GGMLQuantizationType, int]:
    """One line of the tensor table: name, shape, type, offset from the start of the data."""
    name, rank = header.string(), header.scalar("I")
    if not 1 <= rank <= MAX_RANK:
        raise CheckpointError(f"is damaged: tensor {shown(name)} has {rank} dimensions")
    shape = tuple(int(header.scalar("Q")) for _ in range(rank))[::-1]  # stored innermost first
    if not all(shape):
        raise CheckpointError(f"is damaged: tensor {shown(name)} has the shape {shape}")
    kind = tensor_kind(value := header.scalar("I"))
    if kind is None:
        raise UnsupportedError(
            f"stores tensor {shown(name)} as {kind_name(value)}, which cannot be read",
            "UNSUPPORTED_DTYPE",
        )
    return name, shape, kind, int(header.scalar("Q"))


def view(
    mapped: mmap.mmap, name: str, shape: tuple[int, ...], row: int, start: int
) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The bytes of one tensor, [rows, bytes of a row], without a copy."""
    rows = prod(shape[:-1])
    end = start + rows * row
    if end > len(mapped):
        size = len(mapped)
        raise CheckpointError(
            f"is cut short: tensor {shown(name)} ends at byte {end}, the file at {size}",
            "CKPT_TRUNCATED",
        )
    return np.frombuffer(mapped, np.uint8, rows * row, start).reshape(rows, row)


@functools.cache
def tensor_kind(value: int) -> gguf.GGMLQuantizationType | None:
    """The storage type of this number, or None where it cannot be turned into float32."""
    package = gguf_package()
    try:
        kind: gguf.GGMLQuantizationType = package.GGMLQuantizationType(value)
        package.dequantize(np.zeros((1, package.GGML_QUANT_SIZES[kind][1]), np.uint8), kind)
    except (ValueError, NotImplementedError):
        return None
    return kind


def kind_name(value: int) -> str:
    """What a storage type is called."""
    names = {int(kind): str(kind.name) for kind in gguf_package().GGMLQuantizationType}
    return names.get(value, f"the unknown type {value}")


def row_bytes(name: str, width: int, kind: gguf.GGMLQuantizationType) -> int:
    """Bytes of one row of `width` values."""
    block, size = gguf_package().GGML_QUANT_SIZES[kind]
    if width % block:
        raise CheckpointError(
            f"is damaged: tensor {shown(name)} has rows of {width}, {kind.name} needs {block}s"
        )
    return int(width // block * size)


def gguf_package() -> Any:
    """The optional package that knows the storage types."""
    try:
        import gguf
    except ImportError as error:
        raise UsageError(
            f"reading a .gguf file needs the gguf package: {install('gguf')}"
        ) from error
    return gguf


def fits(value: Any, kind: type[Any]) -> bool:
    """Whether a metadata value is of this very type and, if a float, finite."""
    return type(value) is kind and (kind is not float or isfinite(value))


def optional(metadata: Metadata, key: str, kind: type[T]) -> T | None:
    """A metadata value of the given type, or None where the file has none."""
    value: T | None = metadata.get(key)
    if value is None or fits(value, kind):
        return value
    raise CheckpointError(f"has {shown(value, 40)} as metadata {key}; expected {kind.__name__}")


def required(metadata: Metadata, key: str, kind: type[T]) -> T:
    """A metadata value of the given type that must be there."""
    value = optional(metadata, key, kind)
    if value is None:
        raise CheckpointError(f"lacks the metadata {key}")
    return value


def positive(metadata: Metadata, key: str, kind: type[Number]) -> Number:
    """A metadata number that must be there and above zero."""
    value = required(metadata, key, kind)
    if value <= 0:
        raise CheckpointError(f"has {value} as metadata {key}; expected a positive number")
    return value


def items(metadata: Metadata, key: str, kind: type[T]) -> list[T]:
    """A metadata list that must be there, its items of the given type."""
    values = required(metadata, key, list)
    if not all(fits(value, kind) for value in values):
        raise CheckpointError(f"has other items than {kind.__name__} in the list {key}")
    return values
