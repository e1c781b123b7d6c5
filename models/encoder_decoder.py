"""A BERT or RoBERTa that reads and another, with cross attention, that writes (Rothe et al., 2020)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import ModuleType

from torch import Tensor, nn

from satchel.checkpoints.tensors import LazyTensor
from satchel.models import bert, roberta, weights
from satchel.models.attend import Heads
from satchel.models.encoder_config import EncoderConfig
from satchel.models.heads import ScoreHead
from satchel.models.layers import MLP, Embedding, LayerNorm
from satchel.models.paired_config import PairedConfig, inner_config
from satchel.models.seq2seq import (
    CrossAttention,
    Seq2seq,
    Seq2seqBlock,
    Seq2seqEmbeddings,
    Seq2seqStack,
    SourceAttention,
    TargetAttention,
)
from satchel.models.tables import WORDS
from satchel.runtime.errors import UnsupportedError

PREDICTION = "prediction.out.weight"
INNER: dict[str, ModuleType] = {"bert": bert, "roberta": roberta, "xlm-roberta": roberta}
CROSSING = (  # what BERT's own rules would take for something else
    (r"^\w+\.encoder\.layer\.(\d+)\.crossattention\.self\.key\.", r"cross.\1.k_proj."),
    (r"^\w+\.encoder\.layer\.(\d+)\.crossattention\.self\.value\.", r"cross.\1.v_proj."),
    (r"\.crossattention\.self\.query\.", ".cross_attn.q_proj."),
    (r"\.crossattention\.output\.dense\.", ".cross_attn.o_proj."),
    (r"\.crossattention\.output\.LayerNorm\.", ".cross_attn_norm."),
)
OURS = (  # from the names of an encoder's trunk
    (r"^trunk\.embeddings\.word_embeddings\.", "trunk.embeddings.words."),
    (r"\.attention\.", ".self_attn."),
    (r"\.attention_norm\.", ".self_attn_norm."),
    (r"\.output_norm\.", ".mlp_norm."),
)


@dataclass(frozen=True, kw_only=True)
class Config(PairedConfig):
    """config.json of model_type encoder-decoder: one for each of the two."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("vocab_size", "hidden_size"):
            one, other = getattr(self.source, name), getattr(self.target, name)
            if one != other:
                raise UnsupportedError(
                    f"config.json: {name} = {one} of the encoder and {other} of the decoder; satchel "
                    "exports pairs that agree"
                )

    @cached_property
    def source(self) -> EncoderConfig:
        """The configuration of the encoder."""
        config: EncoderConfig = inner_config("encoder", self.encoder, INNER)
        return config

    @cached_property
    def target(self) -> EncoderConfig:
        """The configuration of the decoder."""
        config: EncoderConfig = inner_config("decoder", self.decoder, INNER)
        return config

    @property
    def tied(self) -> bool:
        return self.target.tie_word_embeddings

    @property
    def heads(self) -> Heads:
        count = self.target.num_attention_heads
        size = self.target.hidden_size // count
        return Heads(count, count, size, size**-0.5)

    @property
    def decoder_depth(self) -> int:
        return self.target.num_hidden_layers

    @property
    def source_width(self) -> int:
        return self.source.hidden_size

    @property
    def source_positions(self) -> int:
        return self.source.positions

    @property
    def target_positions(self) -> int:
        return self.target.positions


class Model(Seq2seq):
    """Two trunks and the decoder's masked-language head, which here predicts the next token."""

    ties = (PREDICTION,)

    def __init__(self, config: Config, names: Collection[str]) -> None:
        source, target = config.source, config.target
        table = Embedding(source.vocab_size, source.hidden_size)
        words = Embedding(target.vocab_size, target.hidden_size)
        encoder, decoder = _stack(source, table, None), _stack(target, words, config.heads)
        super().__init__(config, words, encoder, decoder, own_head=False, bias=True)
        shape = INNER[config.decoder["model_type"]].Model.heads(target)["fill-mask"]
        self.prediction = ScoreHead(
            shape,
            target.hidden_size,
            target.hidden_size,
            target.vocab_size,
            target.eps,
            words if config.tied and PREDICTION not in names else None,
        )

    def head(self, hidden: Tensor) -> Tensor:
        logits: Tensor = self.prediction(hidden)
        return logits

    @staticmethod
    def sanitize(tensors: Mapping[str, LazyTensor], config: Config) -> dict[str, LazyTensor]:
        parts: dict[str, weights.Tensors] = {"encoder": {}, "decoder": {}}
        rest: weights.Tensors = {}
        for name, tensor in tensors.items():
            part, _, inner = name.partition(".")
            parts.get(part, rest)[inner if part in parts else name] = tensor
        written, tied = parts["decoder"], config.tied
        shape = INNER[config.decoder["model_type"]].Model.heads(config.target)["fill-mask"]
        for ours, theirs in shape.sources(tied).items():
            present = [written.pop(name) for name in theirs if name in written]
            if present:
                rest[ours.replace("head.", "prediction.")] = present[0]
        written.pop(str(shape.out_bias), None)  # read where the head is tied alone
        rest |= _trunk(parts["encoder"], "encoder", config.source)
        rest |= _trunk(written, "decoder", config.target)
        if "decoder.embeddings.words.weight" in rest:
            rest[WORDS] = rest.pop("decoder.embeddings.words.weight")
        if tied:
            rest = weights.tied(rest, WORDS, PREDICTION)
        return weights.fuse(rest, ("k_proj", "v_proj"), "kv_proj")


def _stack(config: EncoderConfig, words: Embedding, crossing: Heads | None) -> Seq2seqStack:
    """The trunk of an encoder, or with `crossing` that of a decoder."""
    size = config.hidden_size

    def norm() -> LayerNorm:
        return LayerNorm(size, config.eps)

    def block(layer: int) -> Seq2seqBlock:
        parts: dict[str, nn.Module] = {}
        if crossing is None:
            parts["self_attn"] = SourceAttention(size, config.num_attention_heads)
        else:
            parts["self_attn"] = TargetAttention(size, crossing, None, bias=True, out_bias=True)
            parts["cross_attn"] = CrossAttention(layer, size, crossing, bias=True)
        parts["mlp"] = MLP(size, config.intermediate_size, config.hidden_act)
        return Seq2seqBlock(parts, norm, post_norm=True)

    positions = Embedding(config.max_position_embeddings, size)
    embeddings = Seq2seqEmbeddings(
        words, positions=positions, first_position=config.first_position, norm=norm()
    )
    return Seq2seqStack(embeddings, [block(i) for i in range(config.num_hidden_layers)], None)


def _trunk(tensors: weights.Tensors, name: str, config: EncoderConfig) -> weights.Tensors:
    """The tensors of an encoder or decoder under our names, with the first token type, which every
    token has, in the positions."""
    named = weights.rename(tensors, (*CROSSING, *bert.RENAMED, *OURS, (r"^trunk\.", f"{name}.")))
    named = {key: named[key] for key in named if not key.startswith("pooler.")}
    named = weights.fuse(named, bert.PARTS, "qkv_proj")
    key, extra = (
        f"{name}.embeddings.{kind}_embeddings.weight" for kind in ("position", "token_type")
    )
    if key in named and extra in named:
        positions, types = named[key], named[extra]
        if types.shape == (config.token_types, config.hidden_size):
            del named[extra]
            named[key] = LazyTensor(positions.shape, lambda: positions.load() + types.load()[0])
    return named
