"""Low-rank adapters (Hu et al., 2022) in a checkpoint, of which one is merged into the weights.

Jina embeddings v3 has one per purpose: for a weight W, ``W.parametrizations.weight.original`` and
``...weight.0.lora_A`` and ``lora_B``, whose first axis counts the purposes.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from satchel.checkpoints.checkpoint import Checkpoint
from satchel.checkpoints.tensors import LazyTensor
from satchel.runtime.errors import CheckpointError, UnsupportedError, UsageError, shown

PART = ".parametrizations.weight."
NONE = "none"  # the weights as they are without an adapter


def merged(checkpoint: Checkpoint, adapter: str | None) -> Checkpoint:
    """`checkpoint` with the adapter of that name in its weights.

    Raises UnsupportedError where it has several and none is named, UsageError for another name.
    """
    held = [name for name in checkpoint.tensors if PART in name]
    if not any("lora_" in name for name in held):  # a kernel kept as direction and length, for one
        if adapter is not None:
            raise UsageError(f"--adapter {shown(adapter)}: {shown(checkpoint.source)} has none")
        return checkpoint
    names = _names(checkpoint.config)
    listed = ", ".join(map(shown, [*names, NONE]))
    if adapter is None:
        raise UnsupportedError(
            f"{shown(checkpoint.source)} has adapters and a bundle has one: --adapter chooses from "
            f"{listed}"
        )
    if adapter not in (*names, NONE):
        raise UsageError(f"--adapter {shown(adapter)} is unknown here; known: {listed}")
    tensors = {name: it for name, it in checkpoint.tensors.items() if PART not in name}
    for name in held:
        stem, _, part = name.partition(PART)
        if part == "original":
            chosen = None if adapter == NONE else names.index(adapter)
            tensors[f"{stem}.weight"] = _adapted(checkpoint, stem, chosen)
    return dataclasses.replace(checkpoint, tensors=tensors)


def _names(config: dict[str, Any]) -> list[str]:
    names = config.get("lora_adaptations")
    if not isinstance(names, list) or not names or not all(isinstance(it, str) for it in names):
        raise CheckpointError(
            f"config.json: lora_adaptations = {shown(names)}; expected the adapters' names",
            "CKPT_CONFIG",
        )
    return names


def _adapted(checkpoint: Checkpoint, stem: str, chosen: int | None) -> LazyTensor:
    """A weight plus the product of the chosen adapter's factors."""
    tensors, prefix = checkpoint.tensors, f"{stem}{PART}"
    weight = tensors[f"{prefix}original"]
    if chosen is None:
        return weight
    first, last = tensors.get(f"{prefix}0.lora_A"), tensors.get(f"{prefix}0.lora_B")
    alpha = checkpoint.config.get("lora_alpha", 1)
    if first is None or last is None or isinstance(alpha, bool):
        raise CheckpointError(f"{shown(stem)} lacks a part of its adapters", "CKPT_WEIGHTS")
    # A table's factors stand the other way round: rows of it are looked up, not multiplied.
    left, right = (first, last) if "embeddings" in stem else (last, first)
    fits = len(left.shape) == len(right.shape) == 3 and left.shape[2] == right.shape[1]
    if not fits or (left.shape[1], right.shape[2]) != weight.shape or chosen >= left.shape[0]:
        raise CheckpointError(
            f"the adapters of {shown(stem)} have the shapes {list(first.shape)} and "
            f"{list(last.shape)}, which do not fit {list(weight.shape)}",
            "CKPT_WEIGHTS",
        )
    scale = float(alpha) / left.shape[2]
    return LazyTensor(
        weight.shape,
        lambda: weight.load() + left.load()[chosen] @ right.load()[chosen] * scale,
    )
