"""BART (Lewis et al., 2020) and what differs from it by its norms, positions and names of numbers.

Those are classes of their own in files of their own: mBART, Marian, Pegasus, M2M-100.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from satchel.checkpoints.config_keys import COSMETIC
from satchel.checkpoints.tensors import LazyTensor
from satchel.models import weights
from satchel.models.attend import Heads
from satchel.models.layers import MLP, Embedding, LayerNorm
from satchel.models.seq2seq import (
    CrossAttention,
    Seq2seq,
    Seq2seqBlock,
    Seq2seqEmbeddings,
    Seq2seqStack,
    SourceAttention,
    TargetAttention,
)
from satchel.models.seq2seq_config import Seq2seqConfig, divided
from satchel.models.tables import HEAD, SOURCE_WORDS, WORDS, tables
from satchel.runtime.errors import UnsupportedError

BIAS = "logits_bias"
POSITIONS = "{}.embeddings.position_embeddings.weight"
EPS = 1e-5  # of every norm; config.json does not say it
RENAMED = (
    (r"^model\.", ""),
    (r"^shared\.", "words."),
    (r"^final_logits_bias$", BIAS),
    (r"\.embed_positions\.weights?$", ".embeddings.position_embeddings.weight"),
    (r"\.layernorm_embedding\.", ".embeddings.norm."),
    (r"^(encoder|decoder)\.layer_norm\.", r"\1.norm."),
    (r"\.self_attn_layer_norm\.", ".self_attn_norm."),
    (r"\.encoder_attn_layer_norm\.", ".cross_attn_norm."),
    (r"\.final_layer_norm\.", ".mlp_norm."),
    (r"^decoder\.layers\.(\d+)\.encoder_attn\.([kv])_proj\.", r"cross.\1.\2_proj."),
    (r"\.encoder_attn\.", ".cross_attn."),
    (r"\.out_proj\.", ".o_proj."),
    (r"\.fc1\.", ".mlp.up_proj."),
    (r"\.fc2\.", ".mlp.down_proj."),
)


@dataclass(frozen=True, kw_only=True)
class WriterConfig(Seq2seqConfig):
    """What a decoder of this kind has, whatever reads for it."""

    KEYS: ClassVar[dict[str, tuple[str, ...]]] = {"hidden_size": ("d_model", "hidden_size")}
    cosmetic: ClassVar[frozenset[str]] = COSMETIC | frozenset(
        ["activation_dropout", "decoder_layerdrop", "dropout", "encoder_layerdrop"]
    )
    post_norm: ClassVar[bool] = True  # norms behind the parts of a block, and none at the end
    embedding_norm: ClassVar[bool] = True  # of words with their positions
    words_norm: ClassVar[bool] = False  # the decoder's is of words before they have positions
    sinusoidal: ClassVar[bool] = False  # positions that a file need not hold

    hidden_size: int
    decoder_layers: int
    decoder_attention_heads: int
    decoder_ffn_dim: int
    activation_function: str = "gelu"
    max_position_embeddings: int = 1024
    scale_embedding: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_activation("activation_function")

    @property
    def heads(self) -> Heads:
        count = self.decoder_attention_heads
        size = divided(self.hidden_size, count, "decoder_attention_heads")
        return Heads(count, count, size, size**-0.5)

    @property
    def decoder_depth(self) -> int:
        return self.decoder_layers

    @property
    def source_width(self) -> int:
        return self.hidden_size

    @property
    def target_positions(self) -> int:
        return self.max_position_embeddings

    @property
    def first_position(self) -> int:
        """Row of the position table that the first token takes."""
        return 2

    def position_table(self) -> Tensor:
        """float32 [positions, hidden] of a model whose positions are sinusoidal."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Config(WriterConfig):
    """config.json of model_type bart."""

    KEYS: ClassVar[dict[str, tuple[str, ...]]] = WriterConfig.KEYS | {
        "encoder_layers": ("encoder_layers", "num_hidden_layers"),
        "encoder_attention_heads": ("encoder_attention_heads", "num_attention_heads"),
    }

    encoder_layers: int
    encoder_attention_heads: int
    encoder_ffn_dim: int
    normalize_before: bool | None = None  # these three, where they are given, say what is so
    normalize_embedding: bool | None = None
    add_final_layer_norm: bool | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        divided(self.hidden_size, self.encoder_attention_heads, "encoder_attention_heads")
        for key, fact in (
            ("normalize_before", not self.post_norm),
            ("normalize_embedding", self.embedding_norm),
            ("add_final_layer_norm", not self.post_norm),
        ):
            if getattr(self, key) not in (None, fact):
                raise UnsupportedError(
                    f"config.json: {key} = {getattr(self, key)}; in this architecture it is {fact}"
                )

    @property
    def source_positions(self) -> int:
        return self.max_position_embeddings


class Model(Seq2seq):
    """BART. `names` are those of the checkpoint's tensors, sanitized."""

    def __init__(self, config: Config, names: Collection[str]) -> None:
        words = Embedding(config.vocab_size, config.hidden_size)
        own = Embedding(config.vocab_size, config.hidden_size) if SOURCE_WORDS in names else words
        super().__init__(
            config,
            words,
            self.reader(config, own),
            stack(config, words, config.decoder_layers, crossing=True),
            own_head=HEAD in names or not config.tied,
            bias=True,
            logits_bias=BIAS in names,
        )

    @staticmethod
    def reader(config: Config, words: Embedding) -> Seq2seqStack:
        """The encoder, with a table of words."""
        return stack(config, words, config.encoder_layers, crossing=False)

    @staticmethod
    def sanitize(tensors: Mapping[str, LazyTensor], config: Config) -> dict[str, LazyTensor]:
        named = weights.rename(tensors, RENAMED)
        named = tables(named, config.tied, (HEAD, WORDS, SOURCE_WORDS))
        named = weights.fuse(named, ("q_proj", "k_proj", "v_proj"), "qkv_proj")
        named = weights.fuse(named, ("k_proj", "v_proj"), "kv_proj")
        named = weights.transform(named, rf"^{BIAS}$", lambda bias: bias.squeeze(0))
        if BIAS in named and not named[BIAS].load().any():
            del named[BIAS]
        if config.sinusoidal and named:
            rows = config.max_position_embeddings + config.first_position
            made = LazyTensor((rows, config.hidden_size), config.position_table)
            for part in ("encoder", "decoder"):
                named.setdefault(POSITIONS.format(part), made)
        return named


def stack(config: WriterConfig, words: Embedding, depth: int, crossing: bool) -> Seq2seqStack:
    """An encoder or, `crossing`, a decoder."""
    return Seq2seqStack(*parts(config, words, depth, crossing))


def parts(
    config: WriterConfig, words: Embedding, depth: int, crossing: bool
) -> tuple[Seq2seqEmbeddings, list[Seq2seqBlock], LayerNorm | None]:
    """The embeddings, the blocks and the last norm of one."""
    size = config.hidden_size
    positions = config.target_positions if crossing else config.source_positions
    assert positions is not None
    embeddings = Seq2seqEmbeddings(
        words,
        scale=math.sqrt(size) if config.scale_embedding else 1.0,
        positions=Embedding(positions + config.first_position, size),
        first_position=config.first_position,
        norm=LayerNorm(size, EPS) if config.embedding_norm else None,
        norm_words=crossing and config.words_norm,
    )
    last = None if config.post_norm else LayerNorm(size, EPS)
    return embeddings, blocks(config, depth, crossing), last


def blocks(config: WriterConfig, depth: int, crossing: bool) -> list[Seq2seqBlock]:
    """The blocks of an encoder or, `crossing`, of a decoder."""
    size, heads = config.hidden_size, config.heads

    def norm() -> LayerNorm:
        return LayerNorm(size, EPS)

    def block(layer: int) -> Seq2seqBlock:
        parts: dict[str, nn.Module] = {}
        if crossing:
            parts["self_attn"] = TargetAttention(size, heads, None, bias=True, out_bias=True)
            parts["cross_attn"] = CrossAttention(layer, size, heads, bias=True)
            width = config.decoder_ffn_dim
        else:
            assert isinstance(config, Config)
            parts["self_attn"] = SourceAttention(size, config.encoder_attention_heads)
            width = config.encoder_ffn_dim
        parts["mlp"] = MLP(size, width, config.activation_function)
        return Seq2seqBlock(parts, norm, config.post_norm)

    return [block(layer) for layer in range(depth)]
