"""BLOOM (BigScience, 2022): ALiBi, and a norm behind the embeddings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from satchel.checkpoints.config_keys import COSMETIC, NEUTRAL
from satchel.checkpoints.tensors import LazyTensor
from satchel.models import gpt2, weights
from satchel.models.alibi import Alibi
from satchel.models.attend import Cache
from satchel.models.decoder import Decoder
from satchel.models.layers import LayerNorm

RENAMED = (
    (r"^transformer\.", "model."),
    (r"\.word_embeddings\.", ".embed_tokens."),
    (r"^model\.word_embeddings_layernorm\.", "embed_norm."),
    (r"^model\.h\.", "model.layers."),
    (r"\.ln_f\.", ".norm."),
    (r"\.self_attention\.query_key_value\.", ".self_attn.qkv_proj."),
    (r"\.self_attention\.dense\.", ".self_attn.o_proj."),
    (r"\.dense_h_to_4h\.", ".up_proj."),
    (r"\.dense_4h_to_h\.", ".down_proj."),
)


@dataclass(frozen=True, kw_only=True)
class Config(gpt2.Config):
    """config.json of model_type bloom."""

    KEYS: ClassVar[dict[str, tuple[str, ...]]] = {
        "hidden_size": ("hidden_size", "n_embed"),
        "num_hidden_layers": ("n_layer", "num_hidden_layers"),
        "num_attention_heads": ("n_head", "num_attention_heads"),
        "num_key_value_heads": (),
        "head_dim": (),
    }
    cosmetic: ClassVar[frozenset[str]] = COSMETIC | {"slow_but_exact"}  # an order of summing
    neutral: ClassVar[dict[str, tuple[Any, ...]]] = NEUTRAL | {
        "apply_residual_connection_post_layernorm": (False,)
    }

    max_position_embeddings: int = 2048


class Model(Decoder):
    """BLOOM."""

    prefix = "transformer."

    def __init__(self, config: Config, context: int) -> None:
        blocks = [gpt2.Model.block(config, layer) for layer in range(config.num_hidden_layers)]
        super().__init__(config, blocks, gpt2.Model.norm(config))
        self.embed_norm = LayerNorm(config.hidden_size, config.layer_norm_epsilon)
        self.alibi = Alibi.of(config.num_attention_heads, context)

    def embed(self, input_ids: Tensor, cache: Cache | None) -> Tensor:
        embedded: Tensor = self.embed_norm(super().embed(input_ids, cache))
        return embedded

    @staticmethod
    def sanitize(tensors: Mapping[str, LazyTensor], config: Config) -> dict[str, LazyTensor]:
        named = weights.rename(tensors, RENAMED)
        return weights.by_role(named, config.kv_heads, config.head_size)
