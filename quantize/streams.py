"""The residual streams of a model: what reads them, through which norms, and what writes to them.

Knows the families' reference models, and nothing of rotations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from satchel.models import decoder, seq2seq
from satchel.models.decoder_trunk import Trunk
from satchel.models.encoder import Tower
from satchel.models.layers import MLP, Attention, Block, GatedMLP, Linear, RMSNorm


@dataclass(frozen=True)
class Streams:
    """All residual streams of a model; its table begins them, and the last norm and the head end one."""

    table: nn.Embedding
    reads: Sequence[tuple[RMSNorm, Sequence[nn.Linear]]]  # norms with the layers behind each
    writes: Sequence[nn.Linear]
    last: RMSNorm
    head: nn.Linear | None  # None where it is the table
    tied: decoder.Stack | None = None  # then its `untied` may change what is read of the table
    trunk: Trunk | None = None  # then its states are the answer, and its `untied` may be the head

    @property
    def norms(self) -> list[RMSNorm]:
        """All norms that read."""
        return [*(norm for norm, _ in self.reads), self.last]


def streams(model: nn.Module) -> Streams | str:
    """Those of `model`, or why they are not as they would have to be to be rotated."""
    match model:
        case decoder.Decoder():
            residual = _of_decoder(model)
        case Tower(trunk=Trunk() as trunk):
            residual = _of_decoder(trunk.decoder, trunk)
        case seq2seq.Seq2seq():
            residual = _of_seq2seq(model)
        case _:
            return "it is an encoder, whose norms are behind its sums or subtract the mean"
    if isinstance(residual, Streams) and any(type(norm) is not RMSNorm for norm in residual.norms):
        return "its norms subtract the mean"
    return residual


def _of_decoder(model: decoder.Decoder, trunk: Trunk | None = None) -> Streams | str:
    blocks: list[Block] = list(model.model.layers)  # type: ignore[arg-type]
    if type(model).embed is not decoder.Decoder.embed:
        return "its embeddings are changed before they enter the stream"
    stack, tied = model.model, model.config.tie_word_embeddings
    if stack.norm is None:
        return "its norms are behind its sums"
    if any(type(block) is not Block for block in blocks):
        return "its blocks do more with the stream than to read it through a norm"
    reads, writes = [], []
    for block in blocks:
        attention, mlp = block.self_attn, block.mlp
        assert isinstance(attention, Attention) and isinstance(mlp, GatedMLP | MLP)
        reads.append((block.input_layernorm, [attention.qkv_proj]))
        reads.append((block.post_attention_layernorm, [_reading(mlp)]))
        writes += [attention.o_proj, mlp.down_proj]
    if trunk is not None:
        return Streams(stack.embed_tokens, reads, writes, stack.norm, None, trunk=trunk)
    head = None if tied else model.lm_head
    return Streams(stack.embed_tokens, reads, writes, stack.norm, head, stack if tied else None)


def _of_seq2seq(model: seq2seq.Seq2seq) -> Streams | str:
    if model.tied:
        return "its head is tied, and each target token would take a matrix more"
    reads, writes, norms = [], [], []
    for stack in (model.encoder, model.decoder):
        if not isinstance(stack, seq2seq.Seq2seqStack) or stack.norm is None:
            return "its norms are behind its sums"
        embeddings = stack.embeddings
        if (
            not isinstance(embeddings, seq2seq.Seq2seqEmbeddings)
            or embeddings.words is not model.words
        ):
            return "its encoder has a table of its own"
        if embeddings.changed:
            return "its embeddings are changed before they enter the stream"
        blocks: list[seq2seq.Seq2seqBlock] = list(stack.layers)  # type: ignore[arg-type]
        for block in blocks:
            for name in block.names:
                part = getattr(block, name)
                reads.append((getattr(block, f"{name}_norm"), [_reading(part)]))
                writes.append(part.down_proj if name == "mlp" else part.o_proj)
        norms.append(stack.norm)
    crossing: list[seq2seq.CrossProjection] = list(model.cross)  # type: ignore[arg-type]
    reads.append((norms[0], [projection.kv_proj for projection in crossing]))
    return Streams(model.words, reads, writes, norms[1], model.lm_head)


def _reading(part: nn.Module) -> Linear:
    """The projection that a part of a block begins with."""
    names = ("qkv_proj", "q_proj", "gate_up_proj", "up_proj")
    layer: Linear = next(getattr(part, name) for name in names if hasattr(part, name))
    return layer
