"""GPT-2 (Radford et al., 2019): learned positions, layer norm, plain MLP."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from satchel.checkpoints.config_keys import COSMETIC
from satchel.checkpoints.tensors import LazyTensor
from satchel.models import weights
from satchel.models.attend import Cache, Heads
from satchel.models.config import DecoderConfig
from satchel.models.decoder import Decoder
from satchel.models.layers import MLP, Attention, Block, Embedding, LayerNorm

RENAMED = (
    (r"^transformer\.", "model."),
    (r"model\.wte\.", "model.embed_tokens."),
    (r"model\.wpe\.", "wpe."),
    (r"model\.h\.", "model.layers."),
    (r"model\.ln_f\.", "model.norm."),
    (r"\.ln_1\.", ".input_layernorm."),
    (r"\.ln_2\.", ".post_attention_layernorm."),
    (r"\.attn\.c_attn\.", ".self_attn.qkv_proj."),
    (r"\.attn\.c_proj\.", ".self_attn.o_proj."),
    (r"\.mlp\.c_fc\.", ".mlp.up_proj."),
    (r"\.mlp\.c_proj\.", ".mlp.down_proj."),
)


@dataclass(frozen=True, kw_only=True)
class Config(DecoderConfig):
    """config.json of model_type gpt2."""

    KEYS: ClassVar[dict[str, tuple[str, ...]]] = {
        "hidden_size": ("n_embd", "hidden_size"),
        "num_hidden_layers": ("n_layer", "num_hidden_layers"),
        "num_attention_heads": ("n_head", "num_attention_heads"),
        "max_position_embeddings": ("n_positions", "max_position_embeddings"),
        "intermediate_size": ("n_inner",),
        "hidden_act": ("activation_function",),
        "num_key_value_heads": (),
        "head_dim": (),
    }
    cosmetic: ClassVar[frozenset[str]] = COSMETIC | {"attn_pdrop", "embd_pdrop", "resid_pdrop"}
    rotary: ClassVar[bool] = False
    qkv_bias: ClassVar[bool] = True
    bias: ClassVar[bool] = True  # of the other layers

    intermediate_size: int | None = None  # type: ignore[assignment]
    hidden_act: str = "gelu_new"
    max_position_embeddings: int = 1024
    layer_norm_epsilon: float = 1e-5
    tie_word_embeddings: bool = True
    scale_attn_weights: bool = True
    scale_attn_by_inverse_layer_idx: bool = False
    reorder_and_upcast_attn: bool = False  # the same result in float32

    def heads(self, layer: int) -> Heads:
        """The geometry of the attention of `layer`."""
        scale = self.head_size**-0.5 if self.scale_attn_weights else 1.0
        if self.scale_attn_by_inverse_layer_idx:
            scale /= layer + 1
        return Heads(self.num_attention_heads, self.kv_heads, self.head_size, scale)


class Model(Decoder):
    """GPT-2, and the start of those that have its learned positions."""

    prefix = "transformer."

    def __init__(self, config: Any, context: int) -> None:
        blocks = [self.block(config, layer) for layer in range(config.num_hidden_layers)]
        super().__init__(config, blocks, self.norm(config))
        self.wpe = Embedding(config.max_position_embeddings, config.hidden_size)

    @staticmethod
    def norm(config: Any) -> LayerNorm | None:
        """The norm behind the last block, if there is one."""
        return LayerNorm(config.hidden_size, config.layer_norm_epsilon)

    @staticmethod
    def block(config: Any, layer: int) -> Block:
        """The block of `layer`."""
        size, eps, bias = config.hidden_size, config.layer_norm_epsilon, config.bias
        heads, inner = config.heads(layer), config.intermediate_size or 4 * size
        attention = Attention(size, heads, None, bias=config.qkv_bias, out_bias=bias)
        mlp = MLP(size, inner, config.hidden_act, bias)
        return Block(attention, mlp, (LayerNorm(size, eps), LayerNorm(size, eps)))

    def embed(self, input_ids: Tensor, cache: Cache | None) -> Tensor:
        length = input_ids.shape[1]
        if cache is None:
            return self.words(input_ids) + self.wpe.weight[:length]
        return self.words(input_ids) + self.wpe(cache.positions(length))

    def words(self, input_ids: Tensor) -> Tensor:
        """What positions are added to, [batch, length, hidden]."""
        return super().embed(input_ids, None)

    @staticmethod
    def sanitize(tensors: Mapping[str, LazyTensor], config: Any) -> dict[str, LazyTensor]:
        renamed = weights.rename(tensors, RENAMED)
        # GPT-2 stores these as Conv1D: [in, out].
        return weights.transform(renamed, r"layers\..*_proj\.weight$", lambda weight: weight.T)
