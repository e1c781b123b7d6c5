"""What a reference model's layers are given, watched while it reads. Knows no graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from satchel.models.layers import Attention, Linear
from satchel.quantize.planes import Plane, Watching

Array = NDArray[np.float32]
Range = tuple[Array, Array]  # least and largest of each channel


@dataclass
class Statistics:
    """What was seen of a model's layers, by their dotted names; of caches, in the order of layers."""

    ranges: dict[str, Range] = field(default_factory=dict)  # of linear layers, each [inputs]
    # How far from zero keys and values of causal attention go, each [kv_heads * head_dim].
    caches: list[Range] = field(default_factory=list)
    planes: dict[str, Plane] = field(default_factory=dict)  # of convolutions over images
    moment: Callable[[str], Array | None] = lambda name: None  # see `Moments`

    def largest(self, name: str) -> Array:
        """How far from zero each input of a linear layer goes."""
        low, high = self.ranges[name]
        return np.maximum(high, -low)


@contextmanager
def watched(model: nn.Module) -> Iterator[Statistics]:
    """Statistics that are filled while `model` runs inside the context."""
    statistics = Statistics()
    hooks = []
    for name, part in model.named_modules():
        if isinstance(part, Linear):
            hooks.append(part.register_forward_pre_hook(_inputs(statistics.ranges, name)))
        elif isinstance(part, Attention):
            hooks += _watched_cache(part, statistics.caches)
    convolving = Watching(model, statistics.planes)
    try:
        with convolving if convolving.names else nullcontext():  # it slows every call down
            yield statistics
    finally:
        for hook in hooks:
            hook.remove()
        if not statistics.ranges:  # the model read nothing: there is nothing to fix scales by
            statistics.caches.clear()


class Moments:
    """The mean of x xᵀ over the inputs x of each linear layer, float32 [inputs, inputs].

    Collected for some layers at a time, `budget` bytes of them: the one that was asked for, and those
    behind it that are `wanted`.
    """

    def __init__(
        self,
        model: nn.Module,
        read: Callable[[], None],
        budget: int,
        wanted: Callable[[str], bool] = lambda name: True,
    ) -> None:
        self.model, self.read, self.budget, self.wanted = model, read, budget, wanted
        self.order = [name for name, part in model.named_modules() if isinstance(part, Linear)]
        self.held: dict[str, Array] = {}

    def __call__(self, name: str) -> Array | None:
        """The moment of one layer; None where the layer was given nothing."""
        if name not in self.order:
            return None
        if name not in self.held:
            behind = self.order[self.order.index(name) + 1 :]
            self.held = self._collect([name, *filter(self.wanted, behind)])
        return self.held.pop(name, None)

    def _collect(self, names: Sequence[str]) -> dict[str, Array]:
        totals: dict[str, Tensor] = {}
        counts: dict[str, int] = {}
        room, hooks = self.budget, list[Any]()  # all at once would take more than the weights
        for name in names:
            layer = self.model.get_submodule(name)
            assert isinstance(layer, Linear)
            room -= 4 * layer.in_features**2
            if hooks and room < 0:
                break
            hooks.append(layer.register_forward_pre_hook(_moment(name, totals, counts)))
        try:
            self.read()
        finally:
            for hook in hooks:
                hook.remove()
        return {name: (total / counts[name]).numpy() for name, total in totals.items()}


def _moment(name: str, totals: dict[str, Tensor], counts: dict[str, int]) -> Any:
    def hook(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        x = inputs[0].detach().flatten(0, -2)
        if name not in totals:
            totals[name], counts[name] = torch.zeros(x.shape[1], x.shape[1]), 0
        totals[name].addmm_(x.T, x)
        counts[name] += len(x)

    return hook


def _inputs(ranges: dict[str, Range], name: str) -> Any:
    def hook(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        least, largest = inputs[0].detach().flatten(0, -2).aminmax(dim=0)
        low, high = ranges.get(name, (least.numpy(), largest.numpy()))
        ranges[name] = np.minimum(low, least.numpy()), np.maximum(high, largest.numpy())

    return hook


def _watched_cache(attention: Attention, caches: list[Range]) -> list[Any]:
    """Watch the keys and values that `attention` would keep; its place in `caches` is the next."""
    place, nothing = len(caches), np.zeros(attention.heads.widths[1], np.float32)
    caches.append((nothing, nothing))

    def see(part: int, x: Tensor) -> Tensor:
        reach = x.abs() if part else _turning(x, attention)
        pair = list(caches[place])
        pair[part] = np.maximum(pair[part], reach.detach().flatten(0, -2).amax(dim=0).numpy())
        caches[place] = (pair[0], pair[1])
        return x

    return cached(attention, see)


def cached(attention: Attention, see: Callable[[int, Tensor], Tensor]) -> list[Any]:
    """Show `see` what `attention` would keep, and go on with what it returns; gives hooks to remove.

    Keys (0) and values (1) come as [..., kv_heads * head_dim], keys before their positions turn them.
    """
    parts = (attention.keep_key, attention.keep_value)
    return [
        part.register_forward_hook(lambda _, __, output, place=place: see(place, output))
        for place, part in enumerate(parts)
    ]


def _turning(key: Tensor, attention: Attention) -> Tensor:
    """How far from zero keys [..., kv_heads * head_dim] can get at any position.

    Rotary positions turn pairs of channels, whose length stays.
    """
    if attention.rope is None:
        return key.abs()
    half = attention.rope.cos.shape[1]
    heads = key.unflatten(-1, (-1, attention.heads.head_dim))
    first, second, rest = heads.tensor_split([half, 2 * half], dim=-1)
    length = torch.hypot(first, second)
    return torch.cat([length, length, rest.abs()], -1).flatten(-2)
