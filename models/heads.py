"""Heads of encoders: from states to scores or to a vector. Knows no architecture.

Texts of one batch have one length, so that pooling needs no mask.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from satchel.checkpoints.sentence_steps import Splade
from satchel.models import ops
from satchel.models.layers import Embedding, LayerNorm, Linear
from satchel.models.sentence_head import POOLING


@dataclass(frozen=True)
class HeadShape:
    """A head ``out(norm(act(dense(pool(states)))))``: the parts it has, by their names in a checkpoint.

    `pooling` None keeps one answer per token; a `late` one comes behind the norm. `out_bias` is another
    name of the bias of `out`, which a checkpoint whose `out` is tied may keep there.
    """

    out: str
    dense: str | None = None
    act: str = "gelu"
    norm: str | None = None
    pooling: str | None = None
    dense_bias: bool = True
    has_bias: bool = True
    out_bias: str | None = None
    late: bool = False
    skipped: int | None = None  # the id of a token that is not pooled where it ends a text
    leading: str | None = None  # tokens that see the whole text: the "first", or the "question"

    def names(self) -> list[str]:
        """Modules and tensors in a checkpoint that may belong to this head."""
        return [name for name in (self.out, self.dense, self.norm, self.out_bias) if name]

    def required(self, tied: bool) -> list[str]:
        """Weights without which a checkpoint does not have this head; `tied`: the last is shared."""
        names = [self.dense, None if tied else self.out]
        return [f"{name}.weight" for name in names if name]

    def sources(self, tied: bool) -> dict[str, tuple[str, ...]]:
        """Name in the tower -> names it may have in a checkpoint, the best first.

        The other name of the bias is read where the last layer is `tied`, as in transformers 5.
        """
        parts = {"dense": self.dense, "norm": self.norm, "out": self.out}
        names: dict[str, tuple[str, ...]] = {
            f"head.{part}.{kind}": (f"{name}.{kind}",)
            for part, name in parts.items()
            if name is not None
            for kind in ("weight", "bias")
        }
        if self.out_bias is not None and tied:
            names["head.out.bias"] = (f"{self.out}.bias", self.out_bias)
        return names


class TiedLinear(nn.Module):
    """Linear layer whose weight is an embedding's table."""

    def __init__(self, table: Embedding, has_bias: bool) -> None:
        super().__init__()
        self.table = (table,)  # hidden in a tuple: the weight keeps its one name, the embedding's
        self.bias = nn.Parameter(torch.zeros(table.num_embeddings)) if has_bias else None

    def forward(self, x: Tensor) -> Tensor:
        return ops.linear(x, self.table[0].weight, self.bias)


class ScoreHead(nn.Module):
    """Logits [batch, rows] of a text, or [batch, length, rows] of its tokens.

    With `tied_to` the last layer has the weight of that embedding.
    """

    def __init__(
        self,
        shape: HeadShape,
        hidden_size: int,
        width: int,
        rows: int,
        eps: float,
        tied_to: Embedding | None = None,
    ) -> None:
        super().__init__()
        self.act = shape.act
        self.pool = POOLING[shape.pooling] if shape.pooling else None
        self.late = shape.late
        self.dense = Linear(hidden_size, width, shape.dense_bias) if shape.dense else None
        self.norm = LayerNorm(width, eps) if shape.norm else None
        self.out = (
            Linear(width, rows, shape.has_bias)
            if tied_to is None
            else TiedLinear(tied_to, shape.has_bias)
        )

    def forward(self, states: Tensor) -> Tensor:
        x = states if self.pool is None or self.late else self.pool(states)
        if self.dense is not None:
            x = ops.activation(self.act, self.dense(x))
        if self.norm is not None:
            x = self.norm(x)
        if self.pool is not None and self.late:
            x = self.pool(x)
        return self.out(x)


class MeanHead(nn.Module):
    """The mean of the states from the `first` on, with an `eps` normed, with `dense` through a layer of
    that size and activation: a vector [batch, hidden], or its scores of `labels`."""

    def __init__(
        self,
        size: int,
        labels: int | None,
        *,
        first: int = 0,
        eps: float | None = None,
        dense: tuple[int, str] | None = None,
    ) -> None:
        super().__init__()
        self.first = first
        self.norm = None if eps is None else LayerNorm(size, eps)
        self.dense, width = None, size
        if dense is not None:
            width, self.act = dense
            self.dense = Linear(size, width)
        self.classifier = None if labels is None else Linear(width, labels)

    def forward(self, states: Tensor) -> Tensor:
        x = states[:, self.first :].mean(1)
        x = x if self.norm is None else self.norm(x)
        x = x if self.dense is None else ops.activation(self.act, self.dense(x))
        return x if self.classifier is None else self.classifier(x)


class SpladeHead(ScoreHead):
    """Weights of words [batch, vocabulary] (Formal et al., 2021): log(1 + relu(logits)), pooled.

    Of a text's, the `active` greatest are kept (None: all).
    """

    def __init__(self, splade: Splade, active: int | None, *head: Any) -> None:
        super().__init__(*head)
        self.splade, self.active = splade, active

    def forward(self, states: Tensor) -> Tensor:
        x = super().forward(states).relu().log1p()
        x = x.log1p() if self.splade.twice else x
        x = x.sum(1) if self.splade.summed else x.amax(1)
        if self.active is None or self.active >= x.shape[-1]:
            return x
        values, places = x.topk(self.active)
        return torch.zeros_like(x).scatter(-1, places, values)
