"""StarCoder2 (Lozhkov et al., 2024): LLaMA with layer norms, a plain MLP and a sliding window."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import nn

from satchel.checkpoints.config_keys import COSMETIC
from satchel.checkpoints.tensors import LazyTensor
from satchel.models import gpt_neox, llama, weights
from satchel.models.config import windows
from satchel.models.layers import MLP

RENAMED = ((r"\.mlp\.c_fc\.", ".mlp.up_proj."), (r"\.mlp\.c_proj\.", ".mlp.down_proj."))


@dataclass(frozen=True, kw_only=True)
class Config(llama.Config):
    """config.json of model_type starcoder2."""

    KEYS: ClassVar[dict[str, tuple[str, ...]]] = {
        "layer_norm_eps": ("norm_epsilon",),
        "attention_bias": ("use_bias",),
    }
    cosmetic: ClassVar[frozenset[str]] = COSMETIC | {"embedding_dropout", "residual_dropout"}

    num_key_value_heads: int | None = 2
    hidden_act: str = "gelu_pytorch_tanh"
    max_position_embeddings: int = 4096
    layer_norm_eps: float = 1e-5
    attention_bias: bool = True  # and that of the MLP
    tie_word_embeddings: bool = True
    sliding_window: int | None = None
    use_parallel_residual: ClassVar[bool] = False
    norms: ClassVar[int] = 2

    def windows(self) -> list[int | None]:
        return windows(self, None, self.sliding_window)


class Model(gpt_neox.Model):
    """StarCoder2."""

    prefix = "model."

    @staticmethod
    def mlp(config: Any) -> nn.Module:
        size, bias = config.hidden_size, config.attention_bias
        return MLP(size, config.intermediate_size, config.hidden_act, bias)

    @staticmethod
    def sanitize(tensors: Mapping[str, LazyTensor], config: Any) -> dict[str, LazyTensor]:
        return weights.fuse_llama(weights.rename(tensors, RENAMED))
