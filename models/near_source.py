"""Sources of encoder-decoder models whose tokens see their neighbours alone. Knows no architecture."""

from __future__ import annotations

import dataclasses

from torch import Tensor

from satchel.models.neighbours import NearAttention, Texts
from satchel.models.seq2seq import Context, Seq2seqStack


class NearSource(NearAttention):
    """Attention of each token of a source to its neighbours."""

    def forward(self, x: Tensor, context: Context) -> Tensor:  # type: ignore[override]
        assert context.texts is not None
        return super().forward(x, context.texts)


class NearStack(Seq2seqStack):
    """An encoder of such blocks, whose bias by distance, where there is one, is of neighbours alone."""

    def forward(self, input_ids: Tensor, context: Context) -> Tensor:
        return self.states(
            self.embeddings(input_ids, context.positions(input_ids.shape[1])), context
        )

    def states(self, x: Tensor, context: Context) -> Tensor:
        batch, length, _ = x.shape
        texts = Texts(batch, length, context.lengths, distances=self.distance_bias)
        return super().states(x, dataclasses.replace(context, texts=texts))
