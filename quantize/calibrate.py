"""What goes into each linear layer of a reference model, watched while it reads. Knows no graph."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from satchel.models.layers import Linear

Array = NDArray[np.float32]
Ranges = dict[str, tuple[Array, Array]]  # by layer name: least and largest of each input [inputs]


@contextmanager
def watched(model: nn.Module) -> Iterator[Ranges]:
    """The ranges of the inputs of all linear layers, filled while `model` runs inside the context."""
    ranges: Ranges = {}

    def watch(name: str) -> Any:
        def hook(_: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
            least, largest = inputs[0].detach().flatten(0, -2).aminmax(dim=0)
            low, high = ranges.get(name, (least.numpy(), largest.numpy()))
            ranges[name] = np.minimum(low, least.numpy()), np.maximum(high, largest.numpy())

        return hook

    layers = [(name, part) for name, part in model.named_modules() if isinstance(part, Linear)]
    hooks = [part.register_forward_pre_hook(watch(name)) for name, part in layers]
    try:
        yield ranges
    finally:
        for hook in hooks:
            hook.remove()
