"""A Hugging Face folder: config.json, safetensors, tokenizer files. Runs nothing it finds there."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import safetensors
import torch

from satchel.models.checkpoint import Checkpoint, LazyTensor, read_json, some
from satchel.runtime.errors import CheckpointError, StorageError, UnsupportedError, shown

PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.h5", "*.msgpack")
FLOATS = {"F32", "F16", "BF16", "F64"}
HEADER_LIMIT, TENSOR_LIMIT = 16 << 20, 20_000
TOKENIZER_LIMIT = 64 << 20
TEMPLATE_LIMIT = 64 << 10


def load_folder(folder: Path) -> Checkpoint:
    """Open the checkpoint in `folder`; weights are read later, one by one.

    Raises CheckpointError or UnsupportedError naming the file and what is wrong with it.
    """
    config_path = _regular(folder, "config.json")
    if config_path is None:
        raise CheckpointError(f"{shown(folder)} has no config.json")
    config = read_json(config_path)
    if "auto_map" in config:
        raise UnsupportedError(
            f"config.json of {shown(folder.name)} asks for code of its own (auto_map); "
            "satchel never runs code from a checkpoint",
            "REMOTE_CODE_REFUSED",
        )
    if config.get("quantization_config"):
        raise UnsupportedError(
            "config.json has a quantization_config: export from the checkpoint before quantisation"
        )
    shards = _shards(folder)
    tokenizer_config = _optional_json(folder, "tokenizer_config.json")
    return Checkpoint(
        source=folder.name,
        config=config,
        tensors=_tensors(shards),
        tokenizer=_optional_json(folder, "tokenizer.json", TOKENIZER_LIMIT) or None,
        tokenizer_config=tokenizer_config,
        generation_config=_optional_json(folder, "generation_config.json"),
        chat_template=_chat_template(folder, tokenizer_config),
        licence=_licence(folder),
        sha256=_digest(shards),
    )


def _regular(folder: Path, name: str) -> Path | None:
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


def _optional_json(folder: Path, name: str, limit: int = 1 << 20) -> dict[str, Any]:
    path = _regular(folder, name)
    return read_json(path, limit) if path else {}


def _shards(folder: Path) -> list[Path]:
    """The safetensors files, in a fixed order."""
    single = _regular(folder, "model.safetensors")
    if single is not None:
        return [single]
    index_path = _regular(folder, "model.safetensors.index.json")
    if index_path is None:
        _refuse_pickles(folder)
        raise CheckpointError(
            f"{shown(folder)} has neither model.safetensors nor model.safetensors.index.json"
        )
    weight_map = read_json(index_path, 16 << 20).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise CheckpointError(f"{index_path.name} has no weight_map", "CKPT_INDEX")
    names = sorted({str(name) for name in weight_map.values()})
    for name in names:
        if not PLAIN_NAME.fullmatch(name) or not name.endswith(".safetensors"):
            raise CheckpointError(
                f"{index_path.name} names {shown(name)}; expected a plain .safetensors file name",
                "CKPT_PATH",
            )
    paths = [(name, _regular(folder, name)) for name in names]
    missing = [name for name, path in paths if path is None]
    if missing:
        raise CheckpointError(
            f"{len(missing)} of {len(names)} weight files are missing: {some(missing)}",
            "CKPT_INDEX",
        )
    shards = [path for _, path in paths if path is not None]
    _check_index(weight_map, shards)
    return shards


def _refuse_pickles(folder: Path) -> None:
    for pattern in PICKLED:
        for path in sorted(folder.glob(pattern)):
            raise UnsupportedError(
                f"{shown(path.name)} holds pickled weights, which can run code when read; convert "
                "the checkpoint to safetensors where you trust it",
                "PICKLE_REFUSED",
            )


def _check_index(weight_map: dict[str, Any], shards: list[Path]) -> None:
    found = {name: shard.name for shard in shards for name in _header(shard)}
    wrong = [name for name, shard in weight_map.items() if found.get(name) != shard]
    surplus = [name for name in found if name not in weight_map]
    if wrong or surplus:
        raise CheckpointError(
            f"model.safetensors.index.json and the weight files disagree on "
            f"{len(wrong) + len(surplus)} tensors: {some(wrong + surplus)}",
            "CKPT_INDEX",
        )


def _header(path: Path) -> dict[str, tuple[tuple[int, ...], str]]:
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


def _tensors(shards: list[Path]) -> dict[str, LazyTensor]:
    tensors: dict[str, LazyTensor] = {}
    for shard in shards:
        for name, (shape, dtype) in _header(shard).items():
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


def _chat_template(folder: Path, tokenizer_config: dict[str, Any]) -> str | None:
    path = _regular(folder, "chat_template.jinja")
    if path is not None:
        if path.stat().st_size > TEMPLATE_LIMIT:
            raise CheckpointError(f"{path.name} is larger than {TEMPLATE_LIMIT} bytes")
        try:
            return path.read_text("utf-8")
        except UnicodeDecodeError as error:
            raise CheckpointError(f"{path.name} is not UTF-8") from error
    template = tokenizer_config.get("chat_template")
    if isinstance(template, list):  # an older style: [{"name": ..., "template": ...}]
        entries = [entry for entry in template if isinstance(entry, dict)]
        template = next((e.get("template") for e in entries if e.get("name") == "default"), None)
    return template if isinstance(template, str) else None


def _licence(folder: Path) -> str | None:
    """The licence that the model card's front matter names."""
    path = _regular(folder, "README.md")
    if path is None:
        return None
    with path.open("rb") as file:
        head = file.read(64 << 10).decode("utf-8", "replace")
    front = re.match(r"---\s*\n(.*?)\n---", head, re.DOTALL)
    found = re.search(r"^license:\s*(\S+)", front.group(1), re.MULTILINE) if front else None
    return found.group(1) if found else None


def _digest(shards: list[Path]) -> str:
    """One hash over the weight files, which names the exact checkpoint in the manifest."""
    if len(shards) == 1:
        with shards[0].open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    whole = hashlib.sha256()
    for shard in shards:
        with shard.open("rb") as file:
            whole.update(hashlib.file_digest(file, "sha256").digest())
    return whole.hexdigest()
