"""Ministral 3 (Mistral AI, 2025): Mistral whose queries grow with their positions, beyond those of the
first training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from satchel.models import llama, mistral
from satchel.models.attend import Cache
from satchel.models.layers import Attention
from satchel.runtime.errors import CheckpointError, shown

SCALED = ("yarn", "llama3", "longrope")  # types for which the model's own positions are the default


@dataclass(frozen=True, kw_only=True)
class Config(mistral.Config):
    """config.json of model_type ministral3."""

    unsaid: ClassVar[dict[str, Any]] = {
        "rope_type": "yarn",
        "rope_theta": 1000000.0,
        "factor": 16.0,
        "original_max_position_embeddings": 16384,
        "mscale": 1.0,
        "mscale_all_dim": 1.0,
        "llama_4_scaling_beta": 0.1,
    }

    head_dim: int | None = 128
    max_position_embeddings: int = 262144
    rms_norm_eps: float = 1e-5
    sliding_window: int | None = None

    def growth(self, context: int) -> Tensor | None:
        """What queries are multiplied with, float32 [context, 1]; None where it is 1 everywhere."""
        first = self.said.get("original_max_position_embeddings")
        if first is None and self.rope().rope_type in SCALED:
            first = self.max_position_embeddings
        beta = self.said.get("llama_4_scaling_beta")
        if not (isinstance(beta, float | int) and isinstance(first, int) and first > 0):
            raise CheckpointError(
                f"config.json: llama_4_scaling_beta = {shown(beta)} with "
                f"original_max_position_embeddings = {shown(first)}; expected two numbers",
                "CKPT_CONFIG",
            )
        if context <= first:
            return None
        positions = torch.arange(context, dtype=torch.float32, device="cpu")
        return (1 + beta * torch.log(1 + torch.floor(positions / first)))[:, None]


class Growth(nn.Module):
    """The table of all layers, [positions, 1]."""

    table: Tensor

    def __init__(self, table: Tensor) -> None:
        super().__init__()
        self.register_buffer("table", table, persistent=False)


class GrowingAttention(Attention):
    """Attention whose queries are multiplied by what their positions have in a table."""

    growth: Growth

    def normed(self, query: Tensor, key: Tensor, cache: Cache | None) -> tuple[Tensor, Tensor]:
        table, length = self.growth.table, query.shape[1]
        factors = table[:length] if cache is None else F.embedding(cache.positions(length), table)
        return query * factors, key


class Model(llama.Model):
    """Mistral's blocks; queries grow where the context goes beyond the first training."""

    attending = GrowingAttention

    def __init__(self, config: mistral.Config, context: int) -> None:
        super().__init__(config, context)
        table = config.growth(context) if isinstance(config, Config) else None
        if table is None:
            return
        growth = Growth(table)
        for block in self.model.layers:
            attention = block.self_attn
            assert isinstance(attention, GrowingAttention)
            attention.growth, attention.norms = growth, True  # so that queries are taken apart
