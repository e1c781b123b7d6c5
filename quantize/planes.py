"""What goes through a reference model's convolutions over images, watched or rounded. Knows no graph.

A convolution in int8 has one scale for all its inputs and one for all its outputs, fixed by images that
the user gives: what was made for the purpose would not do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

STEPS = 255  # of uint8


@dataclass(frozen=True)
class Extent:
    """The least and the largest of some numbers; zero lies between."""

    low: float = 0.0
    high: float = 0.0

    def over(self, x: Tensor) -> Extent:
        """This span, with the numbers of `x`."""
        low, high = x.detach().aminmax()
        return Extent(min(self.low, float(low)), max(self.high, float(high)))

    def within(self, low: float, high: float) -> Extent:
        """What is left of this span between two bounds."""
        return Extent(max(self.low, low), min(self.high, high))

    @property
    def step(self) -> float:
        """The scale of uint8; 1 where all numbers are zero."""
        return (self.high - self.low) / STEPS or 1.0

    @property
    def zero(self) -> int:
        """The zero point of uint8."""
        return round(-self.low / self.step)

    def rounded(self, x: Tensor) -> Tensor:
        """`x` in the steps of uint8."""
        steps = (x / self.step).round().clamp(-self.zero, STEPS - self.zero)
        return steps * self.step


@dataclass(frozen=True)
class Plane:
    """What a convolution reads, and what it gives before any activation."""

    inputs: Extent = Extent()
    outputs: Extent = Extent()


class _Convolving(TorchFunctionMode):
    """Knows each convolution of a model by the weight that it multiplies by."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        parts = model.named_modules()
        self.names = {id(one.weight): name for name, one in parts if isinstance(one, nn.Conv2d)}

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = self.names.get(id(args[1])) if func is torch.conv2d else None
        if name is None:
            return func(*args, **(kwargs or {}))
        x, *rest = args
        return self.convolve(name, x, lambda x: func(x, *rest, **(kwargs or {})))

    def convolve(self, name: str, x: Tensor, product: Callable[[Tensor], Tensor]) -> Tensor:
        raise NotImplementedError


class Watching(_Convolving):
    """Inside the context `planes` is filled by what the convolutions of a model read and give."""

    def __init__(self, model: nn.Module, planes: dict[str, Plane]) -> None:
        super().__init__(model)
        self.planes = planes

    def convolve(self, name: str, x: Tensor, product: Callable[[Tensor], Tensor]) -> Tensor:
        y, seen = product(x), self.planes.get(name, Plane())
        self.planes[name] = Plane(seen.inputs.over(x), seen.outputs.over(y))
        return y


class Rounding(_Convolving):
    """Inside the context one convolution reads and gives uint8."""

    def __init__(self, model: nn.Module, name: str, plane: Plane) -> None:
        super().__init__(model)
        self.name, self.plane = name, plane

    def convolve(self, name: str, x: Tensor, product: Callable[[Tensor], Tensor]) -> Tensor:
        if name != self.name:
            return product(x)
        return self.plane.outputs.rounded(product(self.plane.inputs.rounded(x)))
