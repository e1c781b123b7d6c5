"""The files of one checkpoint folder: only its own, and never a pickle. Knows no model."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import safetensors
import torch

from satchel.checkpoints.strict_json import read_json
from satchel.checkpoints.tensors import LazyTensor
from satchel.runtime.errors import CheckpointError, StorageError, UnsupportedError, shown

PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.h5", "*.msgpack")
SAVES = "transformers: from_pretrained, then save_pretrained"  # weights without pickles
FLOATS = {"F32", "F16", "BF16", "F64"}
HEADER_LIMIT, TENSOR_LIMIT = 16 << 20, 20_000


def regular(folder: Path, name: str) -> Path | None:
    """The path of a file of the checkpoint, None if absent; refuses what is not a file of its own.

    A link may only lead into the folder or, as in the Hugging Face cache, its repository's blobs.
    """
    path = folder / name
    try:
        if not path.exists() and not path.is_symlink():
            return None
        target = Path(os.path.realpath(path, strict=True))
    except OSError as error:
        raise StorageError(f"cannot read {shown(path)}: {error.strerror}") from error
    root = folder.resolve()
    allowed = [root]
    if root.parent.name == "snapshots":
        allowed.append(root.parent.parent / "blobs")
    if not any(target.is_relative_to(root) for root in allowed):
        raise CheckpointError(f"{shown(name)} is a link out of {shown(folder.name)}", "CKPT_PATH")
    if not target.is_file():
        raise CheckpointError(f"{shown(name)} is not a regular file", "CKPT_PATH")
    return path


def inside(place: str, name: str) -> str:
    """The name of a file in the sub-folder `place`, "" being the folder itself."""
    return f"{place}/{name}" if place else name


def optional_json(folder: Path, name: str, limit: int = 1 << 20) -> dict[str, Any]:
    """The JSON object in a file of the checkpoint; an empty one if there is no such file."""
    path = regular(folder, name)
    return read_json(path, limit) if path else {}


def refuse_adapters(folder: Path) -> None:
    """Raise UnsupportedError where `folder` holds an adapter, which changes another model's weights."""
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        if regular(folder, name) is not None:
            raise UnsupportedError(
                f"{shown(folder)} has {name}: an adapter (LoRA and kin) of another model; export "
                "that model with --merge-lora and this folder"
            )


def refuse_variants(folder: Path) -> None:
    """Raise UnsupportedError where `folder` has safetensors, none under the name that is read."""
    names = sorted(path.name for path in folder.glob("*.safetensors"))
    if names:
        raise UnsupportedError(
            f"{shown(folder)} has {shown(names[0])} but neither model.safetensors nor its index; "
            "if it is a variant of the whole model, rename it to model.safetensors"
        )


def refuse_pickles(folder: Path, how: str = SAVES) -> None:
    """Raise UnsupportedError, with `how` to save others, where `folder` without safetensors has pickled
    weights."""
    for pattern in PICKLED:
        for path in sorted(folder.glob(pattern)):
            raise UnsupportedError(
                f"{shown(path.name)} holds pickled weights, which can run code when read; convert "
                f"the checkpoint to safetensors where you trust it ({how})",
                "PICKLE_REFUSED",
            )


def header(path: Path) -> dict[str, tuple[tuple[int, ...], str]]:
    """Name to (shape, dtype) of every tensor in a safetensors file."""
    _check_start(path)
    try:
        with safetensors.safe_open(str(path), framework="pt") as file:
            names = file.keys()
            if len(names) > TENSOR_LIMIT:
                raise CheckpointError(
                    f"{shown(path.name)} lists {len(names)} tensors; at most {TENSOR_LIMIT} are read",
                    "CKPT_LIMIT",
                )
            slices = {name: file.get_slice(name) for name in names}
            return {n: (tuple(s.get_shape()), s.get_dtype()) for n, s in slices.items()}
    except (safetensors.SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{shown(path.name)} is not a complete safetensors file: {shown(error)}",
            "CKPT_TRUNCATED",
        ) from error


def _check_start(path: Path) -> None:
    """A safetensors file begins with the length of its header, and that with a brace."""
    with path.open("rb") as file:
        start = file.read(9)
    length, size = int.from_bytes(start[:8], "little"), path.stat().st_size
    # Not by the first bytes alone: a header can have a length that looks like them.
    if start[8:] != b"{" and start.startswith((b"PK", b"\x80")):
        raise UnsupportedError(
            f"{shown(path.name)} is a pickle in spite of its name; satchel reads safetensors alone",
            "PICKLE_REFUSED",
        )
    if start[8:] == b"{" and 8 + length > size:
        raise CheckpointError(
            f"{shown(path.name)} is cut off: it has {size} bytes, its header alone {8 + length}",
            "CKPT_TRUNCATED",
        )
    if start[8:] == b"{" and length > HEADER_LIMIT:
        raise CheckpointError(
            f"{shown(path.name)} has a header of {length} bytes; at most {HEADER_LIMIT} are read",
            "CKPT_LIMIT",
        )


def read_tensors(shards: list[Path], integers: Collection[str] = ()) -> dict[str, LazyTensor]:
    """The tensors of some safetensors files, read when asked for; `integers` may hold such."""
    tensors: dict[str, LazyTensor] = {}
    for shard in shards:
        for name, (shape, dtype) in header(shard).items():
            if name in tensors:
                raise CheckpointError(f"{shown(name)} is in two weight files", "CKPT_INDEX")
            tensors[name] = LazyTensor(
                shape, _reader(shard, name, "F64" if name in integers else dtype)
            )
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
