"""Ways to damage a good tiny checkpoint, one each."""

from __future__ import annotations

import io
import json
import os
import pickle
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import load_file, save_file

from tests.tiny import SIZES, edit_config

Damage = Callable[[Path], Any]
Case = tuple[Damage, str, str]  # damage, error code, words of the message
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
LAYER = "model.layers.0."
OWN: dict[str, dict[str, Any]] = {"gpt_neo": {"attention_types": [[["global"], 1]]}}
MISSING: Any = ...  # a value that removes its key


def wrote(name: str, content: str | bytes) -> Damage:
    data = content.encode() if isinstance(content, str) else content
    return lambda folder: (folder / name).write_bytes(data)


def without(name: str) -> Damage:
    return lambda folder: (folder / name).unlink()


def linked(name: str, target: str) -> Damage:
    def damage(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(target)

    return damage


def replaced(name: str, make: Callable[[Path], Any]) -> Damage:
    """What is not a regular file in the place of one."""

    def damage(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        make(folder / name)

    return damage


def config(**changes: Any) -> Damage:
    return lambda folder: edit_config(folder, **changes)


def of_type(model_type: str, **changes: Any) -> Damage:
    """The config.json of another architecture; the weights stay llama's."""

    def damage(folder: Path) -> None:
        sizes = SIZES | {"num_hidden_layers": 1} | OWN.get(model_type, {})
        made = transformers.AutoConfig.for_model(model_type, **sizes)
        made.save_pretrained(folder)
        edit_config(folder, **changes)

    return damage


def rope(model_type: str = "llama", **parameters: Any) -> Damage:
    return of_type(model_type, rope_parameters={"rope_type": "default", **parameters})


def longrope(**parameters: Any) -> Damage:
    good = {
        "original_max_position_embeddings": 64,
        "short_factor": [1.0] * 8,
        "long_factor": [2.0] * 8,
    }
    merged = {"rope_type": "longrope", "rope_theta": 1e4, **good, **parameters}
    # Phi-3 says the original positions in both places, and the outer one counts.
    return of_type("phi3", rope_parameters=merged, original_max_position_embeddings=64)


def tensors(**changes: Callable[[torch.Tensor], torch.Tensor | None]) -> Damage:
    """Change single tensors; their names have __ for a dot and L0 for the first layer."""

    def damage(folder: Path) -> None:
        found = load_file(folder / WEIGHTS)
        for name, change in changes.items():
            full = name.replace("L0__", LAYER).replace("__", ".")
            value = change(found.pop(full, torch.empty(0)))
            if value is not None:
                found[full] = value.contiguous().clone()
        save_file(found, folder / WEIGHTS, {"format": "pt"})

    return damage


def gone(tensor: torch.Tensor) -> None:
    """For `tensors`: the tensor is removed."""


def spoilt(value: float) -> Callable[[torch.Tensor], torch.Tensor]:
    def change(tensor: torch.Tensor) -> torch.Tensor:
        tensor.view(-1)[tensor.numel() // 2] = value
        return tensor

    return change


def header(content: str | bytes, data: bytes = b"", length: int | None = None) -> Damage:
    """A safetensors file with this header, and possibly a lie about its length."""
    text = content.encode() if isinstance(content, str) else content
    return wrote(WEIGHTS, struct.pack("<Q", len(text) if length is None else length) + text + data)


def entry(shape: list[int], end: int, name: str = "x") -> str:
    return json.dumps({name: {"dtype": "F32", "shape": shape, "data_offsets": [0, end]}})


def cut(size: Callable[[int, int], int]) -> Damage:
    """The weight file cut to `size` of its header's end and its own size."""

    def damage(folder: Path) -> None:
        data = (folder / WEIGHTS).read_bytes()
        end = 8 + int.from_bytes(data[:8], "little")
        (folder / WEIGHTS).write_bytes(data[: size(end, len(data))])

    return damage


def sharded(folder: Path) -> dict[str, Any]:
    """The weights in two files and an index; returns the index."""
    found = load_file(folder / WEIGHTS)
    (folder / WEIGHTS).unlink()
    names = sorted(found)
    parts = {"a.safetensors": names[::2], "b.safetensors": names[1::2]}
    for file, part in parts.items():
        save_file({name: found[name] for name in part}, folder / file, {"format": "pt"})
    index = {"weight_map": {name: file for file, part in parts.items() for name in part}}
    (folder / INDEX).write_text(json.dumps(index))
    return index


def index(change: Callable[[Path, dict[str, Any]], Any]) -> Damage:
    """Two shards whose weight_map `change` changes."""

    def damage(folder: Path) -> None:
        content = sharded(folder)
        change(folder, content["weight_map"])
        (folder / INDEX).write_text(json.dumps(content))

    return damage


def names_shard(value: Any) -> Damage:
    return index(lambda folder, names: names.update({next(iter(names)): value}))


class Canary:
    """Whoever unpickles it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, (str(self.path),))


def pickled(name: str, archive: bool) -> Damage:
    """Weights as torch writes them, or a bare pickle, that would run code when read."""

    def damage(folder: Path) -> None:
        (folder / WEIGHTS).unlink()
        canary = {"weight": Canary(folder.parent / "canary")}
        data = io.BytesIO()
        torch.save(canary, data) if archive else pickle.dump(canary, data)
        (folder / name).write_bytes(data.getvalue())

    return damage


def both(*damages: Damage) -> Damage:
    return lambda folder: [damage(folder) for damage in damages]


def tokenizer(**changes: Any) -> Damage:
    """Change parts of tokenizer.json; a dictionary for `model` is merged into the model."""

    def damage(folder: Path) -> None:
        path = folder / "tokenizer.json"
        content = json.loads(path.read_text())
        if isinstance(model := changes.get("model"), dict) and model:
            content["model"] |= changes.pop("model")
        path.write_text(json.dumps(content | changes))

    return damage


def vocabulary(**more: Any) -> Damage:
    """Add tokens to the model's vocabulary."""

    def damage(folder: Path) -> None:
        path = folder / "tokenizer.json"
        content = json.loads(path.read_text())
        content["model"]["vocab"] |= more
        path.write_text(json.dumps(content))

    return damage


def added(index: Any, content: str = "<x>") -> dict[str, Any]:
    flags = ("single_word", "lstrip", "rstrip", "normalized", "special")
    return {"id": index, "content": content, **dict.fromkeys(flags, False)}


def in_cache(folder: Path) -> Path:
    """Move a checkpoint into the layout of the Hugging Face cache; returns the snapshot."""
    root = folder.parent / "models--someone--tiny"
    blobs, snapshot = root / "blobs", root / "snapshots" / "0123abcd"
    blobs.mkdir(parents=True)
    snapshot.mkdir(parents=True)
    for number, path in enumerate(sorted(folder.iterdir())):
        shutil.move(path, blobs / f"{number:040x}")
        (snapshot / path.name).symlink_to(f"../../blobs/{number:040x}")
    return snapshot
