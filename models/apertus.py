"""Apertus (Swiss AI Initiative, 2025): LLaMA with norms of query and key heads, and an MLP with an
activation that is learnt, xIELU (Huang and Schlag, 2024)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from satchel.checkpoints.tensors import LazyTensor
from satchel.models import llama, ops, weights
from satchel.models.layers import MLP
from satchel.models.rope import RopeParameters
from satchel.runtime.errors import UnsupportedError

THETA = 12000000.0
RENAMED = (
    (r"\.attention_layernorm\.", ".input_layernorm."),
    (r"\.feedforward_layernorm\.", ".post_attention_layernorm."),
    (r"\.act_fn\.(alpha_p|alpha_n|beta)$", r".\1"),
)
XIELU = "xielu"


@dataclass(frozen=True, kw_only=True)
class Config(llama.Config):
    """config.json of model_type apertus."""

    unsaid: ClassVar[dict[str, Any]] = {
        "rope_type": "llama3",
        "rope_theta": THETA,
        "factor": 8.0,
        "original_max_position_embeddings": 8192,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
    }

    hidden_act: str = XIELU
    max_position_embeddings: int = 65536
    rms_norm_eps: float = 1e-5
    rope_theta: float = THETA

    def check_activation(self, key: str) -> None:
        if self.hidden_act != XIELU:
            super().check_activation(key)

    def rope(self) -> RopeParameters:
        if self.said is self.unsaid and self.rope_theta != THETA:
            raise UnsupportedError(
                f"config.json: rope_theta = {self.rope_theta:g} alone counts for transformers 4 and not "
                "for 5; state it in rope_parameters"
            )
        return super().rope()

    @property
    def qk_norm_eps(self) -> float:
        return self.rms_norm_eps


class XieluMLP(MLP):
    """``down(xielu(up(x)))``: quadratic above 0, exponential below, each with a strength of its own."""

    def __init__(self, hidden_size: int, intermediate_size: int) -> None:
        super().__init__(hidden_size, intermediate_size, XIELU, bias=False)
        self.alpha_p, self.alpha_n = nn.Parameter(torch.ones(1)), nn.Parameter(torch.ones(1))
        self.beta = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        x = self.up_proj(x)
        above = ops.activation("relu2", x) * F.softplus(self.alpha_p)
        below = self.beta + F.softplus(self.alpha_n)
        # Above 0 an ELU is x itself, so that the last two terms leave beta * x.
        return self.down_proj(above + below * ops.activation("elu", x) + (self.beta - below) * x)


class Model(llama.Model):
    """Apertus."""

    @staticmethod
    def mlp(config: llama.Config) -> MLP:
        sizes = (config.hidden_size, config.intermediate_size)
        if config.hidden_act == XIELU:
            return XieluMLP(*sizes)
        return MLP(*sizes, config.hidden_act, bias=False)

    @staticmethod
    def sanitize(tensors: Mapping[str, LazyTensor], config: llama.Config) -> dict[str, LazyTensor]:
        # What keeps its exponent from small numbers, act_fn.eps, is not needed.
        kept = {name: t for name, t in tensors.items() if not name.endswith(".mlp.act_fn.eps")}
        return weights.fuse_llama(weights.rename(kept, RENAMED))
