"""The encoder-decoder family: ids in, logits of the next target token out. Knows no architecture.

The encoder ends with the keys and values of every decoder layer's cross attention, so that they are
computed once per source. Its states leave no graph.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from satchel.models import attend, ops
from satchel.models.attend import Cache, Folding, Heads
from satchel.models.layers import Attention, Embedding, Linear, RMSNorm, SelfAttention
from satchel.models.neighbours import Texts
from satchel.models.relative import DistanceBias
from satchel.models.seq2seq_config import Seq2seqConfig
from satchel.models.tables import HEAD, SOURCE_WORDS

Pair = tuple[Tensor, Tensor]  # key and value of a layer, each [sources, kv_heads, source, head_dim]


@dataclass(frozen=True, kw_only=True)
class Context:
    """What attention sees besides activations."""

    # int32 [sources]: tokens of a source that are no padding, which is on the right; None: no padding.
    lengths: Tensor | None = None
    cross: Sequence[Pair] = ()  # what a decoder's layers know of the sources
    cache: Cache | None = None
    bias: Tensor | None = None  # added to the scores within a text
    texts: Texts | None = None  # sources whose tokens see their neighbours alone
    folding: Folding | None = None  # how a graph brings the rows of one source together

    def positions(self, length: int) -> Tensor:
        """int64 [1 or batch, length]: the position of each new token."""
        return torch.arange(length)[None] if self.cache is None else self.cache.positions(length)

    def all_positions(self, length: int) -> Tensor:
        """int64 [positions]: those of all tokens, old and new."""
        return torch.arange(length) if self.cache is None else self.cache.all_positions()

    def biased(self, distances: DistanceBias | None, length: int) -> Context:
        """This one, with the bias that `distances` gives `length` new tokens."""
        if distances is None:
            return self
        bias = distances(self.positions(length), self.all_positions(length))
        return dataclasses.replace(self, bias=bias)


class SourceAttention(SelfAttention):
    """Attention within a source."""

    def forward(self, x: Tensor, context: Context) -> Tensor:  # type: ignore[override]
        return super().forward(x, context.bias, context.lengths)


class TargetAttention(Attention):
    """Attention of a target's tokens to those before them."""

    def forward(self, x: Tensor, context: Context) -> Tensor:  # type: ignore[override]
        return super().forward(x, context.cache, context.bias)


class CrossAttention(nn.Module):
    """Attention of targets over their sources, by keys and values that the encoder has made."""

    def __init__(self, layer: int, hidden_size: int, heads: Heads, bias: bool) -> None:
        super().__init__()
        self.layer, self.heads = layer, heads
        self.q_proj = Linear(hidden_size, heads.widths[0], bias)
        self.o_proj = Linear(heads.widths[0], hidden_size, bias)

    def forward(self, x: Tensor, context: Context) -> Tensor:
        key, value = context.cross[self.layer]
        attended = attend.cross_attention(
            self.q_proj(x), key, value, self.heads, context.lengths, context.folding
        )
        return self.o_proj(attended)


class CrossProjection(nn.Module):
    """Keys and values of one decoder layer from the encoder's states, one packed projection."""

    def __init__(self, hidden_size: int, heads: Heads, bias: bool) -> None:
        super().__init__()
        self.kv_heads = heads.num_kv_heads
        self.kv_proj = Linear(hidden_size, 2 * heads.widths[1], bias)

    def forward(self, states: Tensor) -> Pair:
        key, value = self.kv_proj(states).chunk(2, dim=-1)
        return self._per_head(key), self._per_head(value)

    def _per_head(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.kv_heads, -1)).transpose(1, 2)


class Seq2seqBlock(nn.Module):
    """Parts by name (attention, then the MLP), each with its norm, before it or behind it.

    With norms before the parts, the residual stream travels beside the last output, unsummed; with norms
    behind, there is none besides. `distance_bias` is one that no other block has.
    """

    def __init__(
        self,
        parts: Mapping[str, nn.Module],
        norm: Callable[[], RMSNorm],
        post_norm: bool,
        distance_bias: DistanceBias | None = None,
    ) -> None:
        super().__init__()
        self.names, self.post_norm = tuple(parts), post_norm
        self.distance_bias = distance_bias
        for name, part in parts.items():
            self.add_module(name, part)
            self.add_module(f"{name}_norm", norm())

    def forward(
        self, x: Tensor, residual: Tensor | None, context: Context
    ) -> tuple[Tensor, Tensor | None]:
        context = context.biased(self.distance_bias, x.shape[1])
        for name in self.names:
            norm: RMSNorm = getattr(self, f"{name}_norm")
            if self.post_norm:
                x, _ = norm.add(self._part(name, x, context), x)
            else:
                hidden, residual = norm.add(x, residual)  # each sum happens inside the next norm
                x = self._part(name, hidden, context)
        return x, residual

    def _part(self, name: str, x: Tensor, context: Context) -> Tensor:
        part: nn.Module = getattr(self, name)
        output: Tensor = part(x) if name == "mlp" else part(x, context)
        return output


class Seq2seqEmbeddings(nn.Module):
    """Words and, where an architecture has them, learned positions and a norm of both, or with
    `norm_words` of the words alone."""

    def __init__(
        self,
        words: Embedding,
        *,
        scale: float = 1.0,
        positions: Embedding | None = None,
        first_position: int = 0,
        norm: RMSNorm | None = None,
        norm_words: bool = False,
    ) -> None:
        super().__init__()
        self.words, self.scale = words, scale
        self.position_embeddings, self.first_position = positions, first_position
        self.norm, self.norm_words = norm, norm_words

    @property
    def changed(self) -> bool:
        """Whether they are more than rows of the table."""
        parts = (self.position_embeddings, self.norm)
        return self.scale != 1.0 or any(part is not None for part in parts)

    def forward(self, input_ids: Tensor, positions: Tensor) -> Tensor:
        """float32 [batch, length, hidden] of int64 ids [batch, length] at [1 or batch, length]."""
        x = self.words(input_ids)
        if self.scale != 1.0:
            x = x * self.scale
        if self.position_embeddings is None:
            return x if self.norm is None else self.norm(x)
        places = self.position_embeddings(positions + self.first_position)
        if self.norm is None or self.norm_words:
            return (x if self.norm is None else self.norm(x)) + places
        return self.norm.add(x, places)[0]


class Seq2seqStack(nn.Module):
    """Embeddings, blocks and, where blocks begin with their norms, a last one: ids to states."""

    def __init__(
        self,
        embeddings: nn.Module,
        blocks: Sequence[Seq2seqBlock],
        norm: RMSNorm | None,
        distance_bias: DistanceBias | None = None,
    ) -> None:
        super().__init__()
        self.embeddings = embeddings
        self.layers = nn.ModuleList(blocks)
        self.norm = norm
        self.distance_bias = distance_bias

    def forward(self, input_ids: Tensor, context: Context) -> Tensor:
        """float32 [batch, length, hidden] for int64 ids [batch, length]."""
        length = input_ids.shape[1]
        context = context.biased(self.distance_bias, length)
        return self.states(self.embeddings(input_ids, context.positions(length)), context)

    def states(self, x: Tensor, context: Context) -> Tensor:
        """float32 [batch, length, hidden] for embedded tokens of that shape."""
        residual = None
        for block in self.layers:
            x, residual = block(x, residual, context)
        return x if self.norm is None else self.norm.add(x, residual)[0]


class Seq2seq(nn.Module):
    """An encoder-decoder model. Architectures subclass it and build the two stacks.

    `encoder` and `decoder` map ids and a Context to states; `bias` is that of the projections between
    them. Subclasses take a configuration and the names of the sanitized tensors.
    """

    family = "encoder-decoder"
    notes: tuple[str, ...] = ()  # what a user should hear of the weights
    ties: tuple[str, ...] = (SOURCE_WORDS, HEAD)  # what is the decoder's table, where it is tied

    def __init__(
        self,
        config: Seq2seqConfig,
        words: Embedding,  # [vocab, hidden], of the decoder; a tied head and most encoders share it
        encoder: nn.Module,
        decoder: nn.Module,
        *,
        own_head: bool,
        bias: bool,
        logits_bias: bool = False,
    ) -> None:
        super().__init__()
        self.config = config
        self.words = words
        self.encoder, self.decoder = encoder, decoder
        self.cross = nn.ModuleList(
            CrossProjection(config.source_width, config.heads, bias)
            for _ in range(config.decoder_depth)
        )
        if own_head:
            self.lm_head = Linear(words.embedding_dim, words.num_embeddings, bias=False)
        count = words.num_embeddings
        self.logits_bias = nn.Parameter(torch.empty(count)) if logits_bias else None

    @property
    def tied(self) -> bool:
        """Whether the head has the weight of the words."""
        return not hasattr(self, "lm_head")

    def read(self, input_ids: Tensor, lengths: Tensor) -> list[Pair]:
        """Key and value for every decoder layer of int64 sources [batch, source], padded on the right
        beyond `lengths` int32 [batch]."""
        states = self.encoder(input_ids, Context(lengths=lengths))
        return [projection(states) for projection in self.cross]

    def forward(
        self, input_ids: Tensor, context: Context, logit_rows: Tensor | None = None
    ) -> Tensor:
        """Logits of int64 target ids [rows, length], read with what `context` says of the sources.

        Without `logit_rows`, float32 [rows, length, vocab]. With `logit_rows`, int64 [n], indices
        into the flattened [rows * length] tokens: [n, vocab], and the head runs on those alone.
        """
        width = self.config.heads.widths[0]
        folding = Folding.of(input_ids, context.lengths, width)
        hidden = self.decoder(input_ids, dataclasses.replace(context, folding=folding))
        if logit_rows is not None:
            hidden = hidden.flatten(0, 1).index_select(0, logit_rows)
        return self.head(hidden)

    def head(self, hidden: Tensor) -> Tensor:
        """Logits [..., vocab] of hidden states [..., hidden]."""
        table = self.words if self.tied else self.lm_head
        return ops.linear(hidden, table.weight, self.logits_bias)
