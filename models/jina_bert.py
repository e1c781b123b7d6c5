"""Jina embeddings v2 (Günther et al., 2023): BERT with a gated MLP, whose heads tell positions by biases
that fall with the distance (ALiBi, Press et al., 2022).

Its files have model_type bert and position_embedding_type alibi.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from satchel.checkpoints.tensors import LazyTensor
from satchel.models import bert, weights
from satchel.models.encoder_config import EncoderConfig
from satchel.models.layers import GatedMLP
from satchel.runtime.errors import UnsupportedError, shown

GATES = {"geglu": "gelu", "reglu": "relu"}  # feed_forward_type -> activation of the gate
RENAMED = (
    (r"\.mlp\.gated_layers\.", ".mlp.gate_up_proj."),
    (r"\.mlp\.wo\.", ".mlp.down_proj."),
    (r"\.mlp\.layernorm\.", ".output_norm."),
)


@dataclass(frozen=True, kw_only=True)
class Config(bert.Config):
    """config.json of such a model."""

    cosmetic: ClassVar[frozenset[str]] = bert.Config.cosmetic | {"emb_pooler"}

    feed_forward_type: str = "original"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.feed_forward_type not in ("original", *GATES):
            raise UnsupportedError(
                f"config.json: feed_forward_type {shown(self.feed_forward_type)} is not supported; "
                f"known: original, {', '.join(GATES)}"
            )

    @property
    def learned_positions(self) -> bool:
        return False


class Model(bert.Model):
    """The trunk of Jina embeddings v2."""

    slopes: Tensor

    def __init__(self, config: Config, typed: bool) -> None:
        super().__init__(config, typed)
        slopes = torch.tensor(falling(config.num_attention_heads), device="cpu")
        self.register_buffer("slopes", slopes[:, None, None], persistent=False)

    def attention_bias(self, length: int) -> Tensor:
        steps = torch.arange(length)
        return -((steps - steps[:, None]).abs() * self.slopes)[None]

    @staticmethod
    def blocks(config: EncoderConfig) -> nn.ModuleList:
        assert isinstance(config, Config)
        size, inner, act = config.hidden_size, config.intermediate_size, config.feed_forward_type

        def mlp() -> nn.Module | None:
            return GatedMLP(size, inner, GATES[act], False, out_bias=True) if act in GATES else None

        return nn.ModuleList(
            bert.BertBlock(config, mlp=mlp()) for _ in range(config.num_hidden_layers)
        )

    @staticmethod
    def sanitize(tensors: Mapping[str, LazyTensor], config: EncoderConfig) -> weights.Tensors:
        if any(".layer_norm_q." in name for name in tensors):
            raise UnsupportedError(
                "the checkpoint norms its queries and keys (jina-bert-v2-qk-post-norm), which is not "
                "supported"
            )
        return bert.Model.sanitize(weights.rename(tensors, RENAMED), config)


def falling(heads: int) -> list[float]:
    """Per head how much a score falls with a step of distance: a geometric series for a power of two,
    else that of the power below, then every other one of the power above."""
    whole = 2 ** math.floor(math.log2(heads))
    series = [2 ** (-8 * (index + 1) / whole) for index in range(whole)]
    return series if whole == heads else series + falling(2 * whole)[::2][: heads - whole]
