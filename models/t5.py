"""T5 (Raffel et al., 2020): relative positions as a bias, RMS norms before layers without biases.

Versions 1.1 and later, FLAN-T5 among them, have a gated MLP and a head of their own.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from torch import nn

from satchel.checkpoints.config_keys import COSMETIC
from satchel.checkpoints.tensors import LazyTensor
from satchel.models import weights
from satchel.models.attend import Heads
from satchel.models.layers import MLP, Embedding, GatedMLP, RMSNorm
from satchel.models.relative import DistanceBias
from satchel.models.seq2seq import (
    CrossAttention,
    Seq2seq,
    Seq2seqBlock,
    Seq2seqEmbeddings,
    Seq2seqStack,
    SourceAttention,
    TargetAttention,
)
from satchel.models.seq2seq_config import Seq2seqConfig
from satchel.models.tables import HEAD, SOURCE_WORDS, WORDS, tables
from satchel.runtime.errors import CheckpointError

RENAMED = (
    (r"^shared\.", "words."),
    (r"\.layer\.0\.SelfAttention\.relative_attention_bias\.", ".distance_bias."),
    (r"\.final_layer_norm\.", ".norm."),
    (r"\.layer\.0\.layer_norm\.", ".self_attn_norm."),
    (r"^(decoder\..*)\.layer\.1\.layer_norm\.", r"\1.cross_attn_norm."),
    (r"\.layer\.[12]\.layer_norm\.", ".mlp_norm."),
    (r"\.layer\.0\.SelfAttention\.(\w)\.", r".self_attn.\1_proj."),
    (r"^decoder\.block\.(\d+)\.layer\.1\.EncDecAttention\.([kv])\.", r"cross.\1.\2_proj."),
    (r"\.layer\.1\.EncDecAttention\.(\w)\.", r".cross_attn.\1_proj."),
    (r"\.layer\.[12]\.DenseReluDense\.wi_0\.", ".mlp.gate_proj."),
    (r"\.layer\.[12]\.DenseReluDense\.wi(_1)?\.", ".mlp.up_proj."),
    (r"\.layer\.[12]\.DenseReluDense\.wo\.", ".mlp.down_proj."),
    (r"\.block\.", ".layers."),
)
SHARED_BIAS = ((r"\.layers\.0\.distance_bias\.", ".distance_bias."),)


@dataclass(frozen=True, kw_only=True)
class Config(Seq2seqConfig):
    """config.json of model_type t5."""

    KEYS: ClassVar[dict[str, tuple[str, ...]]] = {
        "hidden_size": ("d_model", "hidden_size"),
        "head_dim": ("d_kv", "head_dim"),
        "intermediate_size": ("d_ff",),
        "num_hidden_layers": ("num_layers", "num_hidden_layers"),
        "num_attention_heads": ("num_heads", "num_attention_heads"),
    }
    cosmetic: ClassVar[frozenset[str]] = COSMETIC | {"dropout_rate"}
    shared_bias: ClassVar[bool] = True  # the blocks of a stack have one bias by distance

    hidden_size: int
    head_dim: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_decoder_layers: int | None = None
    relative_attention_num_buckets: int = 32
    relative_attention_max_distance: int = 128
    layer_norm_epsilon: float = 1e-6
    feed_forward_proj: str = "relu"
    dense_act_fn: str | None = None  # this and the next go before what feed_forward_proj says
    is_gated_act: bool | None = None
    scale_decoder_outputs: bool | None = None
    n_positions: int | None = None  # advice: no table depends on it

    @classmethod
    def values(cls, raw: dict[str, Any], ignored_keys: Collection[str] = ()) -> dict[str, Any]:
        values = super().values(raw, ignored_keys)
        # Here null means no, unlike a key that is not there.
        null = raw.get("scale_decoder_outputs", ...) is None
        return values | ({"scale_decoder_outputs": False} if null else {})

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_activation("activation")
        buckets, farthest = (
            self.relative_attention_num_buckets,
            self.relative_attention_max_distance,
        )
        if buckets < 4 or buckets % 2 or farthest <= buckets // 2:
            raise CheckpointError(
                f"config.json: relative_attention_num_buckets = {buckets} and "
                f"relative_attention_max_distance = {farthest} make no buckets",
                "CKPT_CONFIG",
            )

    @property
    def heads(self) -> Heads:
        # T5 was trained with scores that are not scaled.
        return Heads(self.num_attention_heads, self.num_attention_heads, self.head_dim, 1.0)

    @property
    def decoder_depth(self) -> int:
        return self.num_decoder_layers or self.num_hidden_layers

    @property
    def source_width(self) -> int:
        return self.hidden_size

    @property
    def usual_positions(self) -> int:
        return max(self.n_positions or 0, super().usual_positions)

    @property
    def gated(self) -> bool:
        """Whether the MLP is a gated one."""
        value = self.is_gated_act
        return self.feed_forward_proj.startswith("gated-") if value is None else value

    @property
    def activation(self) -> str:
        """The MLP's activation; "gated-gelu" has always meant the approximation by tanh."""
        name = self.feed_forward_proj.removeprefix("gated-")
        usual = "gelu_new" if self.feed_forward_proj == "gated-gelu" else name
        return self.dense_act_fn or usual

    @property
    def head_scale(self) -> float:
        """What the head's input is multiplied with."""
        scaled = self.scale_decoder_outputs
        scaled = self.tie_word_embeddings if scaled is None else scaled
        return self.hidden_size**-0.5 if scaled else 1.0


class Model(Seq2seq):
    """T5."""

    def __init__(self, config: Config, names: Collection[str]) -> None:
        words = Embedding(config.vocab_size, config.hidden_size)
        own = Embedding(config.vocab_size, config.hidden_size) if SOURCE_WORDS in names else words
        encoder = self._stack(config, own, config.num_hidden_layers, crossing=False)
        decoder = self._stack(config, words, config.decoder_depth, crossing=True)
        # Files say tie_word_embeddings of either kind; what the head is, their weights decide.
        super().__init__(config, words, encoder, decoder, own_head=HEAD in names, bias=False)

    @staticmethod
    def _stack(config: Config, words: Embedding, depth: int, crossing: bool) -> Seq2seqStack:
        size, heads = config.hidden_size, config.heads
        reach, shared = config.relative_attention_max_distance, config.shared_bias
        bias = partial(DistanceBias, heads.num_heads, reach, both=not crossing)

        def norm() -> RMSNorm:
            return RMSNorm(size, config.layer_norm_epsilon)

        def block(layer: int) -> Seq2seqBlock:
            mlp = GatedMLP if config.gated else MLP
            parts: dict[str, nn.Module] = {"self_attn": TargetAttention(size, heads, None)}
            if crossing:
                parts["cross_attn"] = CrossAttention(layer, size, heads, bias=False)
            else:
                parts["self_attn"] = SourceAttention(
                    size, heads.num_heads, bias=False, head_dim=heads.head_dim, scale=heads.scale
                )
            parts["mlp"] = mlp(size, config.intermediate_size, config.activation, bias=False)
            return Seq2seqBlock(parts, norm, False, None if shared else bias())

        blocks = [block(layer) for layer in range(depth)]
        return Seq2seqStack(Seq2seqEmbeddings(words), blocks, norm(), bias() if shared else None)

    @staticmethod
    def sanitize(tensors: Mapping[str, LazyTensor], config: Config) -> dict[str, LazyTensor]:
        named = weights.rename(tensors, RENAMED + (SHARED_BIAS if config.shared_bias else ()))
        named = weights.fuse_llama(tables(named, True, (SOURCE_WORDS, WORDS, HEAD)))
        named = weights.fuse(named, ("k_proj", "v_proj"), "kv_proj")
        buckets, scale = config.relative_attention_num_buckets, config.head_scale
        reach = config.relative_attention_max_distance
        for stack, both in (("encoder", True), ("decoder", False)):
            table = partial(DistanceBias.table, buckets=buckets, reach=reach, both=both)
            named = weights.transform(named, rf"^{stack}\..*distance_bias\.weight$", table)
        # The scale of the head's input is a part of the norm before it.
        return weights.transform(named, r"^decoder\.norm\.weight$", lambda gain: gain * scale)
