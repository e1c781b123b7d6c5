"""GPT-NeoX and Pythia (Black et al., 2022): partial rotation, attention and MLP side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from satchel.checkpoints.tensors import LazyTensor
from satchel.models import weights
from satchel.models.config import RopeConfig
from satchel.models.decoder import Decoder
from satchel.models.layers import MLP, Attention, Block, LayerNorm, Rope
from satchel.models.ops import Cache, Heads
from satchel.models.rope import RopeParameters, rope_tables

RENAMED = (
    (r"^gpt_neox\.", "model."),
    (r"^embed_out\.", "lm_head."),
    (r"\.embed_in\.", ".embed_tokens."),
    (r"\.final_layer_norm\.", ".norm."),
    (r"\.attention\.query_key_value\.", ".self_attn.qkv_proj."),
    (r"\.attention\.dense\.", ".self_attn.o_proj."),
    (r"\.dense_h_to_4h\.", ".up_proj."),
    (r"\.dense_4h_to_h\.", ".down_proj."),
)


@dataclass(frozen=True, kw_only=True)
class Config(RopeConfig):
    """config.json of model_type gpt_neox."""

    KEYS: ClassVar[dict[str, tuple[str, ...]]] = {"num_key_value_heads": (), "head_dim": ()}

    hidden_act: str = "gelu"
    layer_norm_eps: float = 1e-5
    rotary_emb_base: float = 10000.0
    rotary_pct: float = 0.25
    rope_theta: float | None = None  # type: ignore[assignment]  # this and the next repeat those
    partial_rotary_factor: float | None = None
    use_parallel_residual: bool = True
    attention_bias: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_same("rope_theta", self.rotary_emb_base, "rotary_emb_base")
        self.check_same("partial_rotary_factor", self.rotary_pct, "rotary_pct")

    def rope(self) -> RopeParameters:
        return self.rope_of(self.rotary_emb_base, self.rotary_pct)


class ParallelBlock(Block):
    """Attention and MLP both read the block's input, through norms of their own."""

    def forward(
        self, x: Tensor, residual: Tensor | None, cache: Cache | None
    ) -> tuple[Tensor, Tensor]:
        hidden, residual = self.input_layernorm.add(x, residual)
        attended = self.self_attn(hidden, cache)
        return attended + self.mlp(self.post_attention_layernorm(residual)), residual


class Model(Decoder):
    """GPT-NeoX."""

    prefix = "gpt_neox."

    def __init__(self, config: Config, context: int) -> None:
        size, eps = config.hidden_size, config.layer_norm_eps
        limit = config.max_position_embeddings
        rope = Rope(rope_tables(config.rope(), config.head_size, context, limit))
        heads = Heads(
            config.num_attention_heads, config.kv_heads, config.head_size, config.head_size**-0.5
        )
        kind = ParallelBlock if config.use_parallel_residual else Block
        blocks = [
            kind(
                Attention(
                    size, heads, rope, bias=config.attention_bias, out_bias=config.attention_bias
                ),
                MLP(size, config.intermediate_size, config.hidden_act),
                (LayerNorm(size, eps), LayerNorm(size, eps)),
            )
            for _ in range(config.num_hidden_layers)
        ]
        super().__init__(config, blocks, LayerNorm(size, eps))

    @staticmethod
    def sanitize(tensors: Mapping[str, LazyTensor], config: Config) -> dict[str, LazyTensor]:
        heads, width = config.num_attention_heads, config.head_size

        def by_role(packed: Tensor) -> Tensor:
            """Rows ordered head, role, channel become role, head, channel."""
            return packed.unflatten(0, (heads, 3, width)).transpose(0, 1).flatten(0, 2)

        return weights.transform(weights.rename(tensors, RENAMED), r"\.qkv_proj\.", by_role)
