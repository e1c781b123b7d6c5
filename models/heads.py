"""Heads of encoders: from states to scores or to a vector. Knows no architecture.

Texts of one batch have one length, so that pooling needs no mask.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from satchel.models import ops
from satchel.models.layers import Embedding, LayerNorm, Linear
from satchel.models.sentence_steps import TOKENS, Dense, Norm, Pooling, Splade, Step, Unit


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


class PoolingLayer(nn.Module):
    """States [batch, length, hidden] to the vectors of all modes, concatenated."""

    def __init__(self, step: Pooling) -> None:
        super().__init__()
        self.pools = [POOLING[mode] for mode in step.modes]

    def forward(self, states: Tensor) -> Tensor:
        pooled = [pool(states) for pool in self.pools]
        return pooled[0] if len(pooled) == 1 else torch.cat(pooled, dim=-1)


class DenseLayer(nn.Module):
    """``act(linear(x))``, with a residual ``+ x``, which a layer of its own brings to another width."""

    def __init__(self, step: Dense) -> None:
        super().__init__()
        self.act: nn.Module = getattr(nn, step.act)()
        self.linear = Linear(step.in_features, step.out_features, step.bias)
        self.added = step.residual
        projected = step.residual and step.in_features != step.out_features
        self.residual = Linear(step.in_features, step.out_features, False) if projected else None

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.act(self.linear(x))
        if not self.added:
            return y
        return y + (x if self.residual is None else self.residual(x))


class NormLayer(nn.Module):
    """Layer norm of a vector."""

    def __init__(self, step: Norm) -> None:
        super().__init__()
        self.norm = LayerNorm(step.width, 1e-5)

    def forward(self, x: Tensor) -> Tensor:
        normed: Tensor = self.norm(x)
        return normed


class UnitLayer(nn.Module):
    """Vectors, or states, to unit length."""

    def __init__(self, step: Unit) -> None:
        super().__init__()

    def forward(self, x: Tensor) -> Tensor:
        return x / x.norm(dim=-1, keepdim=True).clamp(min=1e-12)


LAYERS: dict[type[Step], Callable[[Any], nn.Module]] = {
    Pooling: PoolingLayer,
    Dense: DenseLayer,
    Norm: NormLayer,
    Unit: UnitLayer,
}


class SentenceHead(nn.Module):
    """The answer [batch, width] of a text: its modules in their order, each from feature to feature.

    Of the feature `output`, the first `kept` numbers are the answer (None: all).
    """

    def __init__(self, steps: Sequence[Step], output: str, kept: int | None) -> None:
        super().__init__()
        self.names = [(step.source, step.target) for step in steps]
        self.steps = nn.ModuleList(LAYERS[type(step)](step) for step in steps)
        self.output, self.kept = output, kept

    def forward(self, states: Tensor) -> Tensor:
        features = {TOKENS: states}
        for (source, target), step in zip(self.names, self.steps, strict=True):
            features[target] = step(features[source])
        return features[self.output][:, : self.kept]


class SpladeHead(ScoreHead):
    """Weights of words [batch, vocabulary] (Formal et al., 2021): log(1 + relu(logits)), pooled."""

    def __init__(self, splade: Splade, *head: Any) -> None:
        super().__init__(*head)
        self.splade = splade

    def forward(self, states: Tensor) -> Tensor:
        x = super().forward(states).relu().log1p()
        x = x.log1p() if self.splade.twice else x
        return x.sum(1) if self.splade.summed else x.amax(1)
