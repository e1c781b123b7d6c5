"""Open a GGUF file as a checkpoint. Weights become float32, named and shaped as Hugging Face does.

What llama.cpp's conversion did to the weights is undone here; `gguf_config` and `gguf_tokenizer`
translate what the file says about the model and its text.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from satchel.checkpoints.checkpoint import Checkpoint
from satchel.checkpoints.gguf_config import FAMILIES, Family, architecture_of, make_config
from satchel.checkpoints.gguf_file import GgufFile, StoredTensor, gguf_package, optional, read_gguf
from satchel.checkpoints.gguf_tokenizer import (
    generation_config,
    special_ids,
    tokenizer_config,
    tokenizer_json,
)
from satchel.checkpoints.tensors import LazyTensor
from satchel.runtime.errors import CheckpointError, UnsupportedError, shown

if TYPE_CHECKING:
    import torch

TENSOR_NAME = re.compile(r"(?:(blk)\.(\d+)\.)?(.+)\.(weight|bias)")
ROPE_FACTORS = "rope_freqs.weight"
SLAB = 1 << 22  # values converted at once: the package makes temporaries of several times that


def load_gguf(path: Path) -> Checkpoint:
    """Open a GGUF file as a checkpoint; weights are read later, one by one.

    Raises CheckpointError or UnsupportedError naming the file and what is wrong with it.
    """
    gguf_package()
    name = shown(path.name)
    try:
        return read_checkpoint(path)
    except OSError as error:
        raise CheckpointError(f"{name} cannot be read: {error.strerror}") from error
    except (CheckpointError, UnsupportedError) as error:
        raise type(error)(f"{name} {error}", error.code) from error


def read_checkpoint(path: Path) -> Checkpoint:
    """The work of `load_gguf`; its errors do not name the file."""
    file = read_gguf(path)
    metadata, factors = file.metadata, file.tensors.get(ROPE_FACTORS)
    family = FAMILIES[architecture_of(metadata)]
    shapes = {name: stored.shape for name, stored in file.tensors.items()}
    config = make_config(metadata, shapes, dequantized(factors) if factors else None)
    tokenizer = tokenizer_json(metadata)
    if tokenizer is not None:
        tokens = len(tokenizer["model"]["vocab"])
        rows = config["vocab_size"] or tokens  # the loader reports a missing embedding
        if tokens > rows:
            raise CheckpointError(f"has {tokens} tokens but {rows} rows of embeddings")
        config |= {"vocab_size": rows, **special_ids(metadata)}
    with path.open("rb") as content:
        sha256 = hashlib.file_digest(content, "sha256").hexdigest()
    return Checkpoint(
        source=path.name,
        config=config,
        tensors=named_tensors(file, family, config),
        tokenizer=tokenizer,
        tokenizer_is_whole=True,
        tokenizer_config=tokenizer_config(metadata) if tokenizer else {},
        generation_config=generation_config(metadata) if tokenizer else None,
        chat_template=optional(metadata, "tokenizer.chat_template", str),
        licence=optional(metadata, "general.license", str),
        sha256=sha256,
    )


def named_tensors(file: GgufFile, family: Family, config: dict[str, Any]) -> dict[str, LazyTensor]:
    """Every weight under its Hugging Face name; one without is kept, for the loader to report."""
    tensors: dict[str, LazyTensor] = {}
    for name, stored in file.tensors.items():
        if name == ROPE_FACTORS and family.rotary:
            continue
        renamed = hugging_face_name(name, family) or name
        if renamed in tensors:
            raise CheckpointError(f"has the weight {shown(renamed)} twice")
        tensors[renamed] = lazy_tensor(name, stored, family, config)
    return tensors


def hugging_face_name(name: str, family: Family) -> str | None:
    """`blk.3.attn_q.weight` -> `model.layers.3.self_attn.q_proj.weight`."""
    match = TENSOR_NAME.fullmatch(name)
    if match is None:
        return None
    block, layer, part, suffix = match.groups()
    template = family.names.get(f"blk.{part}" if block else part)
    return f"{template.format(layer)}.{suffix}" if template else None


def lazy_tensor(
    name: str, stored: StoredTensor, family: Family, config: dict[str, Any]
) -> LazyTensor:
    """The weight with what conversion did to it undone when it is read."""
    shape = stored.shape
    undo: Callable[[torch.Tensor], torch.Tensor] | None = None
    if family.permuted and (match := re.fullmatch(r"blk\.\d+\.attn_([qk])\.(weight|bias)", name)):
        heads = config["num_attention_heads" if match[1] == "q" else "num_key_value_heads"]
        if shape[0] != heads * config["head_dim"]:
            raise CheckpointError(f"has {shape[0]} rows in {name} for {heads} heads")
        undo = partial(halves_apart, heads=heads)
    elif family.norm_offset and name.endswith("norm.weight"):
        undo = partial(minus, offset=family.norm_offset)
    elif family.transposed and name.startswith("blk.") and len(shape) == 2:
        shape, undo = shape[::-1], transposed
    return LazyTensor(shape, lambda: undo(dequantized(stored)) if undo else dequantized(stored))


def halves_apart(weight: torch.Tensor, heads: int) -> torch.Tensor:
    """Give rotary pairs back their places: llama.cpp pairs neighbours, Hugging Face halves."""
    pairs = weight.reshape(heads, -1, 2, *weight.shape[1:])  # [heads, head_dim / 2, 2, ...]
    return pairs.transpose(1, 2).reshape(weight.shape)


def minus(weight: torch.Tensor, offset: float) -> torch.Tensor:
    """Take a constant away, in place."""
    return weight.sub_(offset)


def transposed(weight: torch.Tensor) -> torch.Tensor:
    """[out, in] as [in, out], which GPT-2 keeps."""
    return weight.T.contiguous()


def dequantized(stored: StoredTensor) -> torch.Tensor:
    """The values of a stored tensor as float32, converted some rows at a time."""
    import torch

    width = stored.shape[-1]
    rows = max(1, SLAB // width)
    tensor = torch.empty(len(stored.data), width)
    with np.errstate(all="ignore"):  # the loader reports weights that are not finite
        for start in range(0, len(stored.data), rows):
            values = gguf_package().dequantize(stored.data[start : start + rows], stored.kind)
            tensor[start : start + rows].numpy()[:] = values
    return tensor.reshape(stored.shape)
