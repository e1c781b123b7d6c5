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
    """An encoder of such blocks."""

    def states(self, x: Tensor, context: Context) -> Tensor:
        batch, length, _ = x.shape
        texts = Texts(batch, length, context.lengths)
        return super().states(x, dataclasses.replace(context, texts=texts))
