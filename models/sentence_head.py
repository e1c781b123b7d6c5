"""Modules of sentence-transformers as the head of a tower: from states to a vector.

Texts of one batch have one length, so that pooling needs no mask but where tokens of a prompt are left
out: those marked in `left_out` [batch, length].
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from satchel.checkpoints.files import read_tensors
from satchel.checkpoints.sentence_steps import Dense, Norm, Pooling, Step, Unit
from satchel.models.layers import LayerNorm, Linear
from satchel.models.weights import Tensors
from satchel.runtime.errors import CheckpointError

LEAST = 1e-9  # tokens that a mean is divided by, where all of a text are left out


def _mean_sqrt_length(states: Tensor) -> Tensor:
    return states.sum(1) * torch.ones_like(states[:1, :, :1]).sum(1).rsqrt()


def _positions(states: Tensor) -> Tensor:
    return torch.arange(1, states.shape[1] + 1, dtype=states.dtype)[:, None]


def _weighted_mean(states: Tensor) -> Tensor:
    weights = _positions(states)
    return (states * weights).sum(1) / weights.sum()


POOLING: dict[str, Callable[[Tensor], Tensor]] = {  # [batch, length, hidden] -> [batch, hidden]
    "cls": lambda states: states[:, 0],
    "max": lambda states: states.amax(1),
    "mean": lambda states: states.mean(1),
    "mean_sqrt_len_tokens": _mean_sqrt_length,
    "weightedmean": _weighted_mean,
    "lasttoken": lambda states: states[:, -1],
}


def _at(states: Tensor, ranks: Tensor) -> Tensor:
    """The state of the greatest rank [batch, length, 1]; the first where all are the same."""
    return states[torch.arange(states.shape[0]), ranks[:, :, 0].argmax(1)]


def _averaged(states: Tensor, weights: Tensor, root: bool = False) -> Tensor:
    total = weights.sum(1).clamp(min=LEAST)
    return (states * weights).sum(1) / (total.sqrt() if root else total)


PARTIAL: dict[str, Callable[[Tensor, Tensor], Tensor]] = {  # with 1 for the tokens that are kept
    "cls": lambda states, kept: _at(states, kept / _positions(states)),
    "max": lambda states, kept: torch.where(kept > 0, states, -torch.inf).amax(1),
    "mean": _averaged,
    "mean_sqrt_len_tokens": lambda states, kept: _averaged(states, kept, root=True),
    "weightedmean": lambda states, kept: _averaged(states, kept * _positions(states)),
    "lasttoken": lambda states, kept: _at(states * kept, kept * _positions(states)),
}


class PoolingLayer(nn.Module):
    """States [batch, length, hidden] to the vectors of all modes, concatenated."""

    def __init__(self, step: Pooling) -> None:
        super().__init__()
        self.modes, self.whole = step.modes, step.prompts

    def forward(self, states: Tensor, left_out: Tensor | None) -> Tensor:
        if self.whole or left_out is None:
            pooled = [POOLING[mode](states) for mode in self.modes]
        else:
            kept = (1 - left_out).to(states.dtype)[:, :, None]
            pooled = [PARTIAL[mode](states, kept) for mode in self.modes]
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

    def forward(self, x: Tensor, left_out: Tensor | None) -> Tensor:
        y: Tensor = self.act(self.linear(x))
        if not self.added:
            return y
        return y + (x if self.residual is None else self.residual(x))


class NormLayer(nn.Module):
    """Layer norm of a vector."""

    def __init__(self, step: Norm) -> None:
        super().__init__()
        self.norm = LayerNorm(step.width, 1e-5)

    def forward(self, x: Tensor, left_out: Tensor | None) -> Tensor:
        normed: Tensor = self.norm(x)
        return normed


class UnitLayer(nn.Module):
    """Vectors, or states, to unit length."""

    def __init__(self, step: Unit) -> None:
        super().__init__()

    def forward(self, x: Tensor, left_out: Tensor | None) -> Tensor:
        return x / x.norm(dim=-1, keepdim=True).clamp(min=1e-12)


LAYERS: dict[type[Step], Callable[[Any], nn.Module]] = {
    Pooling: PoolingLayer,
    Dense: DenseLayer,
    Norm: NormLayer,
    Unit: UnitLayer,
}


class SentenceHead(nn.Module):
    """The answer [batch, width]: modules in their order, each from feature to feature.

    The tower, or the head before this one, writes the feature `first`. Of the feature `output`, the
    first `kept` numbers are the answer (None: all).
    """

    def __init__(self, steps: Sequence[Step], first: str, output: str, kept: int | None) -> None:
        super().__init__()
        self.names = [(step.source, step.target) for step in steps]
        self.steps = nn.ModuleList(LAYERS[type(step)](step) for step in steps)
        self.first, self.output, self.kept = first, output, kept

    def forward(self, x: Tensor, left_out: Tensor | None = None) -> Tensor:
        features = {self.first: x}
        for (source, target), step in zip(self.names, self.steps, strict=True):
            features[target] = step(features[source], left_out)
        return features[self.output][:, : self.kept]


@dataclass(frozen=True)
class Ending:
    """Modules made from their files: the head, the width of its answer, whether that is only the first
    part of a vector, and the weights by their names in the head."""

    module: SentenceHead
    width: int
    cut: bool
    tensors: Tensors


def ending(
    steps: Sequence[Step], first: str, size: int, output: str, truncate: int | None
) -> Ending:
    """The head that `steps` make behind the feature `first`, which has `size` numbers.

    Of `output`, the feature that is the answer, the first `truncate` numbers are kept. Raises
    CheckpointError where a module does not fit the one before.
    """
    width = _widths(steps, {first: size})[output]
    cut = truncate is not None and truncate < width
    tensors: Tensors = {}
    for index, step in enumerate(steps):
        loaded = read_tensors([step.file]).items() if step.file is not None else ()
        tensors |= {f"steps.{index}.{name}": tensor for name, tensor in loaded}
    kept = truncate if cut else None
    return Ending(SentenceHead(steps, first, output, kept), kept or width, cut, tensors)


def _widths(steps: Sequence[Step], first: Mapping[str, int]) -> dict[str, int]:
    """The width of each feature that the modules write; refused where one does not fit the next."""
    widths = dict(first)
    for step in steps:
        width = widths[step.source]
        expected = {Pooling: "width", Dense: "in_features", Norm: "width"}.get(type(step))
        value = getattr(step, expected) if expected else None
        if value not in (None, width):
            raise CheckpointError(
                f"{type(step).__name__} is for {value} numbers, but {step.source} has {width}"
            )
        if isinstance(step, Pooling):
            width *= len(step.modes)
        widths[step.target] = step.out_features if isinstance(step, Dense) else width
    return widths
