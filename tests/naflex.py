"""Images as the SigLIP 2 of transformers reads them that keeps their proportions: rows of patches."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor


def as_patches(pixels: Tensor, side: int) -> dict[str, Tensor]:
    """The inputs for images float32 [batch, 3, height, width] of whole patches, none of them padding."""
    cut = pixels.unflatten(2, (-1, side)).unflatten(4, (-1, side))  # rows and columns of patches
    patches = cut.permute(0, 2, 4, 3, 5, 1).flatten(1, 2).flatten(2)  # channels last
    return {
        "pixel_values": patches,
        "pixel_attention_mask": torch.ones(patches.shape[:2], dtype=torch.int64),
        "spatial_shapes": torch.tensor([[cut.shape[2], cut.shape[4]]] * len(pixels)),
    }


def save_side(folder: Path) -> None:
    """Say where texts are filled up, which the class does before their start otherwise."""
    (folder / "tokenizer_config.json").write_text('{"padding_side": "right"}')
