"""Heads of encoders: from states to scores or to a vector. Knows no architecture.

Texts of one batch have one length, so that pooling needs no mask.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from satchel.models import ops
from satchel.models.layers import Embedding, LayerNorm, Linear
from satchel.models.sentence import Dense, SentenceModules


def _mean_sqrt_length(states: Tensor) -> Tensor:
    return states.sum(1) * torch.ones_like(states[:1, :, :1]).sum(1).rsqrt()


def _weighted_mean(states: Tensor) -> Tensor:
    weights = torch.arange(1, states.shape[1] + 1, dtype=states.dtype)[:, None]
    return (states * weights).sum(1) / weights.sum()


POOLING: dict[str, Callable[[Tensor], Tensor]] = {  # [batch, length, hidden] -> [batch, hidden]
    "cls": lambda states: states[:, 0],
    "max": lambda states: states.amax(1),
    "mean": lambda states: states.mean(1),
    "mean_sqrt_len_tokens": _mean_sqrt_length,
    "weightedmean": _weighted_mean,
    "lasttoken": lambda states: states[:, -1],
}


@dataclass(frozen=True)
class HeadShape:
    """A head ``out(norm(act(dense(pool(states)))))``: the parts it has, by their names in a checkpoint.

    `pooling` None keeps one answer per token. `out_bias` is another name of the bias of `out`, which a
    checkpoint whose `out` is tied may keep there.
    """

    out: str
    dense: str | None = None
    act: str = "gelu"
    norm: str | None = None
    pooling: str | None = None
    dense_bias: bool = True
    has_bias: bool = True
    out_bias: str | None = None

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
        self.dense = Linear(hidden_size, width, shape.dense_bias) if shape.dense else None
        self.norm = LayerNorm(width, eps) if shape.norm else None
        self.out = (
            Linear(width, rows, shape.has_bias)
            if tied_to is None
            else TiedLinear(tied_to, shape.has_bias)
        )

    def forward(self, states: Tensor) -> Tensor:
        x = states if self.pool is None else self.pool(states)
        if self.dense is not None:
            x = ops.activation(self.act, self.dense(x))
        if self.norm is not None:
            x = self.norm(x)
        return self.out(x)


class DenseLayer(nn.Module):
    """``act(linear(x))``."""

    def __init__(self, dense: Dense) -> None:
        super().__init__()
        self.act = dense.act
        self.linear = Linear(dense.in_features, dense.out_features, dense.bias)

    def forward(self, x: Tensor) -> Tensor:
        x = self.linear(x)
        return x if self.act is None else ops.activation(self.act, x)


class SentenceHead(nn.Module):
    """The vector [batch, width] of a text: pooling, dense layers, unit length."""

    def __init__(self, modules: SentenceModules) -> None:
        super().__init__()
        self.pools = [POOLING[mode] for mode in modules.pooling]
        self.denses = nn.ModuleList(DenseLayer(dense) for dense in modules.denses)
        self.normalize = modules.normalize

    def forward(self, states: Tensor) -> Tensor:
        pooled = [pool(states) for pool in self.pools]
        x = pooled[0] if len(pooled) == 1 else torch.cat(pooled, dim=-1)
        for dense in self.denses:
            x = dense(x)
        return x / x.norm(dim=-1, keepdim=True).clamp(min=1e-12) if self.normalize else x
