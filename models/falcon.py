"""Falcon (Almazrouei et al., 2023): one key and value for all queries or for groups of them, and one norm
or two before attention and MLP side by side; its first models have ALiBi and serial blocks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from satchel.checkpoints.tensors import LazyTensor
from satchel.models import gpt_neox, llama, weights
from satchel.models.alibi import Alibi, slopes
from satchel.models.layers import MLP
from satchel.runtime.errors import UnsupportedError

RENAMED = (
    (r"^transformer\.", "model."),
    (r"\.word_embeddings\.", ".embed_tokens."),
    (r"^model\.h\.", "model.layers."),
    (r"\.ln_f\.", ".norm."),
    (r"\.ln_attn\.", ".input_layernorm."),
    (r"\.ln_mlp\.", ".post_attention_layernorm."),
    (r"\.self_attention\.query_key_value\.", ".self_attn.qkv_proj."),
    (r"\.self_attention\.dense\.", ".self_attn.o_proj."),
    (r"\.dense_h_to_4h\.", ".up_proj."),
    (r"\.dense_4h_to_h\.", ".down_proj."),
)


@dataclass(frozen=True, kw_only=True)
class Config(llama.Config):
    """config.json of model_type falcon."""

    KEYS: ClassVar[dict[str, tuple[str, ...]]] = {
        "hidden_size": ("hidden_size", "n_embed"),
        "intermediate_size": ("ffn_hidden_size",),
        "hidden_act": ("activation",),
        "num_key_value_heads": ("num_kv_heads",),
        "head_dim": (),
        "layer_norm_eps": ("layer_norm_epsilon",),
        "attention_bias": ("bias",),
    }

    intermediate_size: int | None = None  # type: ignore[assignment]
    hidden_act: str = "gelu"
    layer_norm_eps: float = 1e-5
    attention_bias: bool = False  # and that of the MLP
    tie_word_embeddings: bool = True
    alibi: bool = False
    multi_query: bool = True
    new_decoder_architecture: bool = False
    parallel_attn: bool = True
    num_ln_in_parallel_attn: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        new, beside, norms = self.new_decoder_architecture, self.parallel_attn, self.norms
        if (new and not beside) or norms not in (1, 2) or (beside and norms == 2 and not new):
            raise UnsupportedError(
                f"config.json: new_decoder_architecture = {new} with parallel_attn = {beside} and "
                f"num_ln_in_parallel_attn = {norms} is not supported"
            )

    @property
    def kv_heads(self) -> int:
        single = self.multi_query and not self.new_decoder_architecture
        return 1 if single else super().kv_heads

    @property
    def use_parallel_residual(self) -> bool:
        """Whether attention and MLP stand side by side."""
        return self.parallel_attn

    @property
    def norms(self) -> int:
        """Before the parts of a block."""
        if not self.parallel_attn:
            return 2
        usual = 2 if self.new_decoder_architecture else 1
        return usual if self.num_ln_in_parallel_attn is None else self.num_ln_in_parallel_attn

    def layer_ropes(self) -> list[str | None]:
        return [None if self.alibi else "all"] * self.num_hidden_layers


class Model(gpt_neox.Model):
    """Falcon."""

    prefix = "transformer."

    def __init__(self, config: Config, context: int) -> None:
        super().__init__(config, context)
        if config.alibi:
            self.alibi = Alibi(biases(config.num_attention_heads, context) * config.head_size**-0.5)

    @staticmethod
    def mlp(config: Any) -> nn.Module:
        size, bias = config.hidden_size, config.attention_bias
        return MLP(size, config.intermediate_size or 4 * size, config.hidden_act, bias)

    @staticmethod
    def sanitize(tensors: Mapping[str, LazyTensor], config: Any) -> dict[str, LazyTensor]:
        named = weights.rename(tensors, RENAMED)
        return weights.by_role(named, config.kv_heads, config.head_size)


def biases(heads: int, context: int) -> Tensor:
    """float32 [heads, context] in steps of bfloat16, with which these models were trained."""
    steep = torch.tensor(slopes(heads), device="cpu").bfloat16()
    return (steep[:, None] * torch.arange(context, device="cpu")).float()
