"""The decoder-only family: ids in, logits out. Knows no architecture."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from satchel.models import ops
from satchel.models.alibi import Alibi
from satchel.models.attend import Cache
from satchel.models.config import DecoderConfig
from satchel.models.layers import Embedding, Linear, RMSNorm


class Stack(nn.Module):
    """Embedding, blocks and last norm, if there is one: what checkpoints keep under ``model.``.

    `untied`, if there is one, makes the embedding of a row whose table was changed for a tied head.
    """

    def __init__(
        self, config: DecoderConfig, blocks: Sequence[nn.Module], norm: RMSNorm | None
    ) -> None:
        super().__init__()
        self.embed_tokens = Embedding(config.vocab_size, config.table_width)
        self.layers = nn.ModuleList(blocks)
        self.norm = norm
        self.untied: Linear | None = None


class Decoder(nn.Module):
    """A decoder-only model. Architectures subclass it, build the blocks and may override `embed`."""

    family = "decoder"
    notes: tuple[str, ...] = ()  # what a user should hear of the weights
    prefix = "model."  # before the names of all weights but the head's; the base class saves none

    def __init__(
        self, config: DecoderConfig, blocks: Sequence[nn.Module], norm: RMSNorm | None
    ) -> None:
        super().__init__()
        self.config = config
        self.model = Stack(config, blocks, norm)
        self.alibi: Alibi | None = None
        if not config.tie_word_embeddings:
            self.lm_head = Linear(config.table_width, config.vocab_size, bias=False)
        # Of the head, tied or not, so not a part of `lm_head`.
        bias = nn.Parameter(torch.empty(config.vocab_size)) if config.logits_bias else None
        self.logits_bias = bias

    def embed(self, input_ids: Tensor, cache: Cache | None) -> Tensor:
        """float32 [batch, length, hidden] for int64 ids [batch, length]."""
        embedded = self.model.embed_tokens(input_ids)
        return embedded if self.model.untied is None else self.model.untied(embedded)

    def head(self, hidden: Tensor) -> Tensor:
        """Logits [..., vocab] of hidden states [..., hidden]."""
        tied = self.config.tie_word_embeddings
        weight = self.model.embed_tokens.weight if tied else self.lm_head.weight
        logits = ops.linear(hidden, weight, self.logits_bias)
        return ops.soft_capped(logits, self.config.final_logit_softcapping)

    def states(self, input_ids: Tensor, cache: Cache | None) -> Tensor:
        """float32 [batch, length, hidden]: what the last norm gives the head."""
        hidden, residual = self.embed(input_ids, cache), None
        # What blocks take as a last argument, where there are positions of this kind.
        bias = () if self.alibi is None else (self.alibi(input_ids.shape[1], cache),)
        for block in self.model.layers:
            hidden, residual = block(hidden, residual, cache, *bias)
        if self.model.norm is not None:
            hidden, _ = self.model.norm.add(hidden, residual)
        return hidden

    def forward(
        self, input_ids: Tensor, cache: Cache | None = None, logit_rows: Tensor | None = None
    ) -> Tensor:
        """Logits of int64 `input_ids` [batch, length].

        Without `logit_rows`, float32 [batch, length, vocab]. With `logit_rows`, int64 [rows], indices
        into the flattened [batch * length] tokens: [rows, vocab], and the head runs on those alone.
        """
        hidden = self.states(input_ids, cache)
        if logit_rows is not None:
            hidden = hidden.flatten(0, 1).index_select(0, logit_rows)
        return self.head(hidden)
