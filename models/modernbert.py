"""ModernBERT (Warner et al., 2024): rotary positions, local and global attention, gated MLP, pre-norm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from satchel.checkpoints.config_keys import COSMETIC
from satchel.checkpoints.tensors import LazyTensor
from satchel.models import weights
from satchel.models.attend import LOWEST
from satchel.models.encoder_config import EncoderConfig
from satchel.models.heads import HeadShape
from satchel.models.layers import Embedding, GatedMLP, LayerNorm, Rope, SelfAttention
from satchel.models.rope import RopeParameters, rope_tables
from satchel.runtime.errors import CheckpointError, UnsupportedError, shown

RENAMED = (
    (r"^model\.", ""),
    (r"^embeddings\.tok_embeddings\.", "trunk.embeddings.word_embeddings."),
    (r"^(embeddings|layers|final_norm)\.", r"trunk.\1."),
    (r"\.attn\.Wqkv\.", ".attn.qkv_proj."),
    (r"\.attn\.Wo\.", ".attn.o_proj."),
    (r"\.mlp\.Wi\.", ".mlp.gate_up_proj."),
    (r"\.mlp\.Wo\.", ".mlp.down_proj."),
)
KINDS = ("full_attention", "sliding_attention")


@dataclass(frozen=True, kw_only=True)
class Config(EncoderConfig):
    """config.json of model_type modernbert."""

    KEYS: ClassVar[dict[str, tuple[str, ...]]] = {
        "hidden_act": ("hidden_activation",),
        "layer_norm_eps": (),
    }
    cosmetic: ClassVar[frozenset[str]] = COSMETIC | frozenset(
        """cls_token_id deterministic_flash_attn embedding_dropout initializer_cutoff_factor
        mlp_dropout reference_compile repad_logits_with_grad sparse_pred_ignore_index
        sparse_prediction""".split()  # noqa: SIM905
    )

    max_position_embeddings: int = 8192
    norm_eps: float = 1e-5
    norm_bias: bool = False  # without, norms get biases of zero
    attention_bias: bool = False
    mlp_bias: bool = False
    decoder_bias: bool = True
    classifier_bias: bool = False
    classifier_pooling: str = "cls"
    classifier_activation: str = "gelu"
    local_attention: int = 128  # tokens, half of them on either side
    global_attn_every_n_layers: int = 3
    layer_types: list[str] | None = None
    global_rope_theta: float = 160000.0
    local_rope_theta: float | None = 10000.0
    rope_parameters: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_activation("classifier_activation")
        if self.local_attention < 1:
            raise CheckpointError(
                f"config.json: local_attention = {self.local_attention}; expected a count of tokens",
                "CKPT_CONFIG",
            )
        if self.classifier_pooling not in ("cls", "mean"):
            raise UnsupportedError(
                f"config.json: classifier_pooling {shown(self.classifier_pooling)} is not "
                "supported; known: cls, mean"
            )

    @property
    def eps(self) -> float:
        return self.norm_eps

    def local_layers(self) -> list[bool]:
        """Per layer whether a token sees its neighbours alone."""
        count, every = self.num_hidden_layers, max(self.global_attn_every_n_layers, 1)
        kinds = self.layer_types or [KINDS[layer % every > 0] for layer in range(count)]
        if len(kinds) != count or not all(kind in KINDS for kind in kinds):
            raise CheckpointError(
                f"config.json: layer_types = {shown(kinds)}; expected {count} of {', '.join(KINDS)}",
                "CKPT_CONFIG",
            )
        return [kind == "sliding_attention" for kind in kinds]

    def rope(self, kind: str) -> RopeParameters:
        """Rotary parameters of the layers of a kind, in the key styles before and since version 5."""
        theta = self.global_rope_theta
        if kind == "sliding_attention" and self.local_rope_theta is not None:
            theta = self.local_rope_theta
        value = (self.rope_parameters or {}).get(kind)
        return RopeParameters.from_dict(value if isinstance(value, dict) else {}, theta)


class ModernBertEmbeddings(nn.Module):
    """Words alone, normed."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.word_embeddings = Embedding(config.vocab_size, config.hidden_size)
        self.norm = LayerNorm(config.hidden_size, config.eps)

    def forward(self, input_ids: Tensor) -> Tensor:
        return self.norm(self.word_embeddings(input_ids))


class ModernBertBlock(nn.Module):
    """Pre-norm encoder block; the first has no norm of its own, the embeddings' does for it. The
    residual stream travels beside the last output, unsummed, as in a decoder's block."""

    def __init__(self, config: Config, rope: Rope, local: bool, first: bool) -> None:
        super().__init__()
        size = config.hidden_size
        self.local = local
        self.attn_norm = None if first else LayerNorm(size, config.eps)
        self.attn = SelfAttention(
            size, config.num_attention_heads, rope, bias=config.attention_bias
        )
        self.mlp_norm = LayerNorm(size, config.eps)
        self.mlp = GatedMLP(size, config.intermediate_size, config.hidden_act, config.mlp_bias)

    def forward(
        self, x: Tensor, residual: Tensor, local_bias: Tensor, lengths: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        if self.attn_norm is not None:
            x, residual = self.attn_norm.add(x, residual)
        bias = local_bias if self.local else None
        x, residual = self.mlp_norm.add(self.attn(x, bias, lengths), residual)
        return self.mlp(x), residual


class Model(nn.Module):
    """The trunk of ModernBERT."""

    unused: tuple[str, ...] = ()

    def __init__(self, config: Config, typed: bool) -> None:
        super().__init__()
        ropes = [self.rope(config, kind) for kind in KINDS]
        self.embeddings = ModernBertEmbeddings(config)
        self.layers = nn.ModuleList(
            ModernBertBlock(config, ropes[local], local, first=layer == 0)
            for layer, local in enumerate(config.local_layers())
        )
        self.final_norm = LayerNorm(config.hidden_size, config.eps)
        self.window = config.local_attention // 2

    def forward(self, input_ids: Tensor, lengths: Tensor | None = None) -> Tensor:
        """States [batch, length, hidden] of int64 ids [batch, length]; with int32 `lengths` [batch], none
        of them looks at what stands behind those."""
        x = residual = self.embeddings(input_ids)
        bias = self.local_bias(input_ids.shape[1])
        for block in self.layers:
            x, residual = block(x, residual, bias, lengths)
        return self.final_norm.add(x, residual)[0]

    def local_bias(self, length: int) -> Tensor:
        """[1, 1, length, length]: 0 where local attention sees, else the lowest number."""
        steps = torch.arange(length)
        near = (steps - steps[:, None]).abs() <= self.window
        return torch.where(near, 0.0, LOWEST)[None, None]

    @staticmethod
    def rope(config: Config, kind: str) -> Rope:
        """The rotary tables of the layers of a kind."""
        head_dim = config.hidden_size // config.num_attention_heads
        return Rope(rope_tables(config.rope(kind), head_dim, config.positions, config.positions))

    @staticmethod
    def sanitize(tensors: Mapping[str, LazyTensor], config: Config) -> dict[str, LazyTensor]:
        """Checkpoint names and layouts to ours, under ``trunk.``; heads keep their names."""
        named = weights.rename(tensors, RENAMED)
        return named if config.norm_bias else weights.zero_biases(named, r"norm\.weight$")

    @staticmethod
    def heads(config: Config) -> dict[str, HeadShape]:
        """The heads by task."""

        def head(out: str, pooling: str | None = None, has_bias: bool = True) -> HeadShape:
            return HeadShape(
                out,
                dense="head.dense",
                act=config.classifier_activation,
                norm="head.norm",
                pooling=pooling,
                dense_bias=config.classifier_bias,
                has_bias=has_bias,
            )

        return {
            "classify": head("classifier", config.classifier_pooling),
            "tokens": head("classifier"),
            "answer": head("classifier"),
            "fill-mask": head("decoder", has_bias=config.decoder_bias),
        }
