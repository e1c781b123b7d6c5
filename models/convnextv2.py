"""ConvNeXt V2 (Woo et al., 2023): channels of an MLP compete by their strength in the whole image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from satchel.checkpoints.tensors import LazyTensor
from satchel.models import convnext, ops, weights
from satchel.models.layers import Linear

TASKS = convnext.TASKS
LEAST = 1e-6


@dataclass(frozen=True, kw_only=True)
class Config(convnext.Config):
    """config.json of model_type convnextv2."""

    model_type: ClassVar[str] = "convnextv2"

    layer_scale_init_value: float = 0.0  # no release reads it

    def mlp(self, size: int) -> nn.Module:
        return ResponseMLP(size, convnext.WIDER * size, self.hidden_act)


class ResponseMLP(nn.Module):
    """An MLP with global response normalization, over all states [batch, length, hidden] of an image."""

    def __init__(self, size: int, wide: int, act: str) -> None:
        super().__init__()
        self.act = act
        self.up_proj, self.down_proj = Linear(size, wide), Linear(wide, size)
        self.weight, self.bias = nn.Parameter(torch.zeros(wide)), nn.Parameter(torch.zeros(wide))

    def forward(self, x: Tensor) -> Tensor:
        x = ops.activation(self.act, self.up_proj(x))
        # A product adds up in one order, whatever shares the batch; a sum over this axis does not.
        strength = (torch.ones(1, x.shape[1]) @ x.square()).sqrt()  # [batch, 1, wide]
        share = strength / (strength.mean(-1, keepdim=True) + LEAST)
        return self.down_proj(x * (self.weight * share + 1) + self.bias)


towers = convnext.towers


def sanitize(
    tensors: Mapping[str, LazyTensor], config: Config, task: str, image_size: Any = None
) -> dict[str, LazyTensor]:
    """Checkpoint names and layouts to those of the tower."""
    kept = convnext.sanitize(tensors, config, task)
    return weights.transform(kept, r"\.mlp\.(weight|bias)$", lambda row: row.flatten())
