"""T5Gemma (Zhang et al., 2025): the blocks of Gemma 2, as an encoder and, with cross attention, as a
decoder."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from torch import Tensor, nn

from satchel.checkpoints.config_keys import COSMETIC
from satchel.checkpoints.tensors import LazyTensor
from satchel.models import attend, gemma2, llama, ops, weights
from satchel.models.attend import Heads
from satchel.models.layers import Embedding, GatedMLP, RMSNorm, Rope
from satchel.models.paired_config import PairedConfig
from satchel.models.rope import rope_tables
from satchel.models.seq2seq import (
    Context,
    CrossAttention,
    Seq2seq,
    Seq2seqBlock,
    Seq2seqEmbeddings,
    Seq2seqStack,
    SourceAttention,
    TargetAttention,
)
from satchel.models.tables import HEAD, SOURCE_WORDS, WORDS, tables
from satchel.runtime.errors import UnsupportedError, shown

RENAMED = (
    (r"^model\.", ""),
    (r"^lm_head\.out_proj\.", "lm_head."),
    (r"^decoder\.layers\.(\d+)\.cross_attn\.([kv])_proj\.", r"cross.\1.\2_proj."),
    (r"(\.layers\..*)\.(\w+_proj)\.", r"\1.part.\2."),
    (r"\.pre_(\w+_attn)_layernorm\.", r".\1_norm."),
    (r"\.post_(\w+_attn)_layernorm\.", r".\1.norm."),
    (r"\.pre_feedforward_layernorm\.", ".mlp_norm."),
    (r"\.post_feedforward_layernorm\.", ".mlp.norm."),
)


@dataclass(frozen=True, kw_only=True)
class Part(gemma2.Config):
    """The "encoder" or the "decoder" of config.json, of model_type t5_gemma_module."""

    cosmetic: ClassVar[frozenset[str]] = COSMETIC | {
        *(
            "dropout_rate",
            "is_decoder",
            "cross_attention_hidden_size",
        )  # transformers sets all three
    }

    vocab_size: int = 256000
    hidden_size: int = 2304
    intermediate_size: int = 9216
    num_hidden_layers: int = 26
    num_attention_heads: int = 8


@dataclass(frozen=True, kw_only=True)
class Config(PairedConfig):
    """config.json of model_type t5gemma: one for each of the two."""

    cosmetic: ClassVar[frozenset[str]] = COSMETIC | {"dropout_rate", "classifier_dropout_rate"}

    vocab_size: int = 256000

    @cached_property
    def source(self) -> Part:
        """The configuration of the encoder."""
        return _part("encoder", self.encoder)

    @cached_property
    def target(self) -> Part:
        """The configuration of the decoder."""
        return _part("decoder", self.decoder)

    @property
    def heads(self) -> Heads:
        return llama.heads(self.target)

    @property
    def decoder_depth(self) -> int:
        return self.target.num_hidden_layers

    @property
    def source_width(self) -> int:
        return self.source.hidden_size

    @property
    def source_positions(self) -> int:
        return self.source.max_position_embeddings

    @property
    def target_positions(self) -> int:
        return self.target.max_position_embeddings


def _part(name: str, raw: dict[str, Any]) -> Part:
    kind = raw.get("model_type", "t5_gemma_module")
    if kind != "t5_gemma_module":
        raise UnsupportedError(
            f"config.json: the {name} is of model_type {shown(kind)}; expected t5_gemma_module"
        )
    return Part.from_dict(raw)


class Normed(nn.Module):
    """A part of a block whose output is normed before it joins the residual stream."""

    def __init__(self, part: nn.Module, norm: RMSNorm) -> None:
        super().__init__()
        self.part, self.norm = part, norm

    def forward(self, x: Tensor, *context: Context) -> Tensor:
        normed: Tensor = self.norm(self.part(x, *context))
        return normed


class CappedSource(SourceAttention):
    """Attention within a source that has all that `heads` says."""

    def __init__(self, hidden_size: int, heads: Heads, rope: Rope, bias: bool) -> None:
        super().__init__(
            hidden_size,
            heads.num_heads,
            rope,
            bias=bias,
            head_dim=heads.head_dim,
            kv_heads=heads.num_kv_heads,
        )
        self.heads = heads

    def forward(self, x: Tensor, context: Context) -> Tensor:  # type: ignore[override]
        query, key, value = self.projected(x)
        key, value = (x.unflatten(-1, (self.kv_heads, -1)).transpose(1, 2) for x in (key, value))
        return self.o_proj(attend.capped_attention(query, key, value, self.heads, context.lengths))


class Model(Seq2seq):
    """T5Gemma. `names` are those of the checkpoint's tensors, sanitized."""

    config: Config

    def __init__(self, config: Config, names: Collection[str]) -> None:
        source, target = config.source, config.target
        words = Embedding(target.vocab_size, target.hidden_size)
        own = Embedding(source.vocab_size, source.hidden_size) if SOURCE_WORDS in names else words
        encoder, decoder = _stack(source, own, None), _stack(target, words, config.heads)
        own_head, bias = HEAD in names or not config.tied, target.attention_bias
        super().__init__(config, words, encoder, decoder, own_head=own_head, bias=bias)

    def head(self, hidden: Tensor) -> Tensor:
        return ops.soft_capped(super().head(hidden), self.config.target.final_logit_softcapping)

    @staticmethod
    def sanitize(tensors: Mapping[str, LazyTensor], config: Config) -> weights.Tensors:
        named = weights.rename(tensors, RENAMED)
        named = tables(named, config.tied, (WORDS, HEAD, SOURCE_WORDS))
        # Gemma stores its norm gains minus one.
        named = weights.transform(
            weights.fuse_llama(named), r"norm\.weight$", lambda gain: gain + 1
        )
        return weights.fuse(named, ("k_proj", "v_proj"), "kv_proj")


def _stack(config: Part, words: Embedding, crossing: Heads | None) -> Seq2seqStack:
    """The encoder, or with `crossing` the decoder."""
    size, positions = config.hidden_size, config.max_position_embeddings
    rope = Rope(rope_tables(config.rope(), config.head_size, positions, positions))

    def norm() -> RMSNorm:
        return RMSNorm(size, config.stream_eps)

    def block(layer: int, window: int | None) -> Seq2seqBlock:
        parts: dict[str, nn.Module] = {}
        if crossing is None:
            heads = llama.heads(config, window)
            parts["self_attn"] = CappedSource(size, heads, rope, config.attention_bias)
        else:
            parts["self_attn"] = llama.attention(config, window, rope, TargetAttention)
            parts["cross_attn"] = CrossAttention(layer, size, crossing, config.attention_bias)
        parts["mlp"] = GatedMLP(size, config.intermediate_size, config.hidden_act, bias=False)
        return Seq2seqBlock(
            {name: Normed(part, norm()) for name, part in parts.items()}, norm, False
        )

    blocks = [block(layer, window) for layer, window in enumerate(config.windows())]
    return Seq2seqStack(Seq2seqEmbeddings(words, scale=size**0.5), blocks, norm())
