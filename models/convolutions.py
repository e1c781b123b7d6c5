"""What convolutional image models share: configuration, folded norms, a tower. Knows no model_type."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from satchel.checkpoints.config_keys import COSMETIC
from satchel.checkpoints.tensors import LazyTensor
from satchel.models import vision, weights
from satchel.models.encoder import Tower
from satchel.models.heads import MeanHead
from satchel.models.ops import ACTIVATIONS
from satchel.models.vision_config import BACKBONE, CHANNELS, Labelled, Size, wrong
from satchel.models.weights import Tensors
from satchel.runtime.errors import UnsupportedError, shown

TASKS = ("image-embed", "image-classify")
USUAL = (224, 224)  # pixels, where preprocessing does not say
MOST_CHANNELS, MOST_BLOCKS = 1 << 14, 512


@dataclass(frozen=True, kw_only=True)
class ConvConfig(Labelled):
    """What every convolutional model has. Images of any size will do."""

    cosmetic: ClassVar[frozenset[str]] = COSMETIC | BACKBONE | {"image_size"}

    num_channels: int = CHANNELS
    hidden_act: str = "relu"

    def __post_init__(self) -> None:
        self.check_activation("hidden_act")
        if self.num_channels != CHANNELS:
            raise UnsupportedError(
                f"config.json: num_channels = {self.num_channels}; satchel reads images in RGB"
            )


@dataclass(frozen=True, kw_only=True)
class StagedConfig(ConvConfig):
    """Of a model in stages, each of so many blocks and channels."""

    hidden_sizes: list[int]
    depths: list[int]

    def __post_init__(self) -> None:
        super().__post_init__()
        check_stages(self.depths, self.hidden_sizes)

    @property
    def hidden_size(self) -> int:
        """Channels of the last states."""
        return self.hidden_sizes[-1]


def check_stages(depths: list[int], sizes: list[int]) -> None:
    """Refuse counts of blocks and of channels that make no stages."""
    for name, value, most in (
        ("depths", depths, MOST_BLOCKS),
        ("hidden_sizes", sizes, MOST_CHANNELS),
    ):
        if not value or not all(type(one) is int and 1 <= one <= most for one in value):
            raise wrong(f"{name} = {shown(value)}; expected numbers in 1..{most}")
    if len(depths) != len(sizes):
        raise wrong(f"depths has {len(depths)} entries for {len(sizes)} stages")


def near(count: float, step: int = 8, least: int = 8) -> int:
    """About `count` channels: a multiple of `step`, `least` and 90 % of it at least."""
    found = max(least, int(count + step / 2) // step * step)
    return found + step if found < 0.9 * count else found


class Convolution(nn.Conv2d):
    """A convolution whose norm is folded into it, and an activation. The output has the size of the input
    over the `stride`, rounded up.

    With `late`, what padding is odd stands behind, as TensorFlow has it.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        *,
        stride: int = 1,
        groups: int = 1,
        dilation: int = 1,
        act: str | None = None,
        late: bool = False,
    ) -> None:
        padding = 0 if late else (kernel - 1) // 2 * dilation
        super().__init__(inputs, outputs, kernel, stride, padding, dilation, groups)
        self.act, self.late = act, late

    def forward(self, x: Tensor) -> Tensor:
        x = super().forward(self._padded(x) if self.late else x)
        return x if self.act is None else ACTIVATIONS[self.act][0](x)

    def _padded(self, x: Tensor) -> Tensor:
        sides = []
        for side in (x.shape[3], x.shape[2]):
            kernel, stride, dilation = self.kernel_size[0], self.stride[0], self.dilation[0]
            total = max(kernel - (side % stride or stride), 0)
            sides += [total // 2 * dilation, (total - total // 2) * dilation]
        return F.pad(x, sides)


def tower(
    trunk: nn.Module,
    config: ConvConfig,
    size: int,
    task: str,
    length: int,
    eps: float | None = None,
    dense: tuple[int, str] | None = None,
) -> dict[str, Tower]:
    """The image tower of a trunk from pixels to `length` states of a `size`, whose mean is the answer,
    with an `eps` normed, with `dense` through a layer of that size and activation."""
    labels = len(config.labels.names) if task == "image-classify" else None
    width = size if dense is None else dense[0]
    made = Tower(
        trunk,
        MeanHead(size, labels, eps=eps, dense=dense),
        input_names=("pixel_values",),
        hidden_size=size,
        answer_name="embedding" if labels is None else "logits",
        answer_axes=["batch", width if labels is None else labels],
    )
    made.outputs["last_hidden_state"] = ["batch", length, size]
    return {"image": made}


def length(trunk: nn.Module, pixels: Size | None) -> int:
    """How many states a trunk of convolutions makes of an image."""
    size = pixels or USUAL
    device = next(trunk.parameters()).device  # none at all, while a model is built
    try:
        with torch.no_grad():
            return int(trunk(torch.empty(1, CHANNELS, *size, device=device)).shape[1])
    except RuntimeError as error:
        raise wrong(f"images of {size} pixels are too small for this model") from error


def rows(x: Tensor) -> Tensor:
    """[batch, channels, height, width] to states [batch, height * width, channels]."""
    return x.flatten(2).mT


def flat(kernel: Tensor) -> Tensor:
    """The weight of a convolution over single places as that of a linear layer."""
    return kernel.flatten(1) if kernel.shape[2:] == (1, 1) else kernel


def kept(
    tensors: Mapping[str, LazyTensor], task: str, prefix: str, classifier: str = "classifier."
) -> Tensors:
    """The tensors that `task` reads without `prefix`, the classifier's under our name."""
    renamed = weights.rename(
        tensors, [(rf"^{prefix}\.", ""), (rf"^{re.escape(classifier)}", "classifier.")]
    )
    if task == "image-classify":
        vision.require_classifier(renamed)
        return weights.rename(renamed, [(r"^classifier\.", "image.head.classifier.")])
    return vision.dropped(renamed, r"^classifier\.")


def folded(tensors: Tensors, eps: float) -> Tensors:
    """Batch norms (Ioffe and Szegedy, 2015) as parts of the convolutions before them: ``x.convolution``
    with ``x.normalization`` becomes ``x``."""
    whole = vision.dropped(tensors, r"\.normalization\.num_batches_tracked$")
    for name in tensors:
        stem = name.removesuffix(".convolution.weight")
        norm = [f"{stem}.normalization.{part}" for part in NORM]
        if stem != name and all(part in whole for part in norm):
            parts = [whole[part] for part in norm]
            kernel = whole[name]
            if any(part.shape != kernel.shape[:1] for part in parts):
                continue  # the strict load reports it
            for part in (name, *norm):
                del whole[part]
            whole[f"{stem}.weight"] = _weight(kernel, parts, eps)
            whole[f"{stem}.bias"] = _bias(parts, eps)
    return whole


NORM = ("weight", "running_var", "bias", "running_mean")


def _weight(kernel: LazyTensor, norm: list[LazyTensor], eps: float) -> LazyTensor:
    def load() -> Tensor:
        return torch.einsum("o...,o->o...", kernel.load(), _gain(norm, eps).float())

    return LazyTensor(kernel.shape, load)


def _bias(norm: list[LazyTensor], eps: float) -> LazyTensor:
    def load() -> Tensor:
        bias, mean = (part.load().double() for part in norm[2:])
        return (bias - mean * _gain(norm, eps)).float()

    return LazyTensor(norm[0].shape, load)


def _gain(norm: list[LazyTensor], eps: float) -> Tensor:
    weight, variance = (part.load().double() for part in norm[:2])
    return weight / (variance + eps).sqrt()
