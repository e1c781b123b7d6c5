"""The files of one checkpoint folder: only its own, and never a pickle. Knows no model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import safetensors
import torch

from satchel.models.checkpoint import LazyTensor, read_json
from satchel.runtime.errors import CheckpointError, StorageError, UnsupportedError, shown

PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.h5", "*.msgpack")
FLOATS = {"F32", "F16", "BF16", "F64"}


def regular(folder: Path, name: str) -> Path | None:
    """The path of a file of the checkpoint, None if absent; refuses what is not a file of its own.

    A link may only lead into the folder or, as in the Hugging Face cache, its repository's blobs.
    """
    path = folder / name
    try:
        if not path.exists() and not path.is_symlink():
            return None
        target = path.resolve(strict=True)
    except OSError as error:
        raise StorageError(f"cannot read {shown(path)}: {error.strerror}") from error
    allowed = [folder.resolve()]
    if folder.parent.name == "snapshots":
        allowed.append(folder.parent.parent.resolve() / "blobs")
    if not any(target.is_relative_to(root) for root in allowed):
        raise CheckpointError(f"{shown(name)} is a link out of {shown(folder.name)}", "CKPT_PATH")
    if not target.is_file():
        raise CheckpointError(f"{shown(name)} is not a regular file", "CKPT_PATH")
    return path


def optional_json(folder: Path, name: str, limit: int = 1 << 20) -> dict[str, Any]:
    """The JSON object in a file of the checkpoint; an empty one if there is no such file."""
    path = regular(folder, name)
    return read_json(path, limit) if path else {}


def refuse_pickles(folder: Path) -> None:
    """Raise UnsupportedError where `folder`, without safetensors, has pickled weights."""
    for pattern in PICKLED:
        for path in sorted(folder.glob(pattern)):
            raise UnsupportedError(
                f"{shown(path.name)} holds pickled weights, which can run code when read; convert "
                "the checkpoint to safetensors where you trust it",
                "PICKLE_REFUSED",
            )


def header(path: Path) -> dict[str, tuple[tuple[int, ...], str]]:
    """Name to (shape, dtype) of every tensor in a safetensors file."""
    with path.open("rb") as file:
        start = file.read(9)
    # A safetensors file begins with the length of its header, which may look like a pickle's mark.
    if start[8:] != b"{" and (start[:2] == b"PK" or start[:1] == b"\x80"):
        raise UnsupportedError(
            f"{shown(path.name)} is a pickle in spite of its name; satchel reads safetensors alone",
            "PICKLE_REFUSED",
        )
    try:
        with safetensors.safe_open(str(path), framework="pt") as file:
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
            return {n: (tuple(s.get_shape()), s.get_dtype()) for n, s in slices.items()}
    except (safetensors.SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{shown(path.name)} is not a complete safetensors file: {shown(error)}",
            "CKPT_TRUNCATED",
        ) from error


def read_tensors(shards: list[Path]) -> dict[str, LazyTensor]:
    """The tensors of some safetensors files, read when asked for."""
    tensors: dict[str, LazyTensor] = {}
    for shard in shards:
        for name, (shape, dtype) in header(shard).items():
            if name in tensors:
                raise CheckpointError(f"{shown(name)} is in two weight files", "CKPT_INDEX")
            tensors[name] = LazyTensor(shape, _reader(shard, name, dtype))
    return tensors


def _reader(shard: Path, name: str, dtype: str) -> Callable[[], torch.Tensor]:
    def load() -> torch.Tensor:
        if dtype not in FLOATS:
            raise UnsupportedError(
                f"weight {shown(name)} is {dtype}; satchel reads {', '.join(sorted(FLOATS))}",
                "UNSUPPORTED_DTYPE",
            )
        with safetensors.safe_open(str(shard), framework="pt") as file:
            tensor: torch.Tensor = file.get_tensor(name)
        # A float32 tensor is a view of the mapped file: a copy keeps the file free to change.
        return tensor.to(torch.float32, copy=True)

    return load
