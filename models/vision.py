"""What image encoders share: patches, pre-norm blocks, heads, layouts. Knows no model_type.

An image has one size, that of the checkpoint's preprocessing, so every length in the graph is fixed
but the batch.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from satchel.checkpoints.tensors import LazyTensor
from satchel.models import weights
from satchel.models.encoder import Tower
from satchel.models.layers import MLP, LayerNorm, Linear, SelfAttention
from satchel.models.vision_config import CHANNELS, ImageConfig, Size, TowerConfig
from satchel.models.weights import Tensors
from satchel.runtime.errors import UnsupportedError, shown


class Patches(nn.Module):
    """Cut images into patches and project each: a convolution whose stride is its kernel."""

    def __init__(self, config: ImageConfig, pixels: Size, bias: bool) -> None:
        super().__init__()
        self.shape = (CHANNELS, *pixels)
        self.grid = config.grid(pixels)
        self.patch = config.patch
        self.patch_proj = Linear(CHANNELS * self.patch[0] * self.patch[1], config.hidden_size, bias)

    def forward(self, pixels: Tensor) -> Tensor:
        """float32 [batch, channels, height, width] -> [batch, rows * columns, hidden]."""
        if tuple(pixels.shape[1:]) != self.shape:
            raise ValueError(f"pixel_values are {list(pixels.shape)}, not [batch, {self.shape}]")
        (rows, columns), (height, width) = self.grid, self.patch
        if self.shape[1:] != (rows * height, columns * width):  # as a convolution, drop the rest
            pixels = pixels[:, :, : rows * height, : columns * width]
        x = pixels.reshape(-1, CHANNELS, rows, height, columns, width).permute(0, 2, 4, 1, 3, 5)
        return self.patch_proj(x.reshape(-1, rows * columns, CHANNELS * height * width))


class VisionBlock(nn.Module):
    """Pre-norm encoder block; the residual stream travels beside, as in `layers.Block`."""

    def __init__(self, config: TowerConfig, mlp: nn.Module, qkv_bias: bool = True) -> None:
        super().__init__()
        size, eps = config.hidden_size, config.layer_norm_eps
        self.input_layernorm = LayerNorm(size, eps)
        self.self_attn = SelfAttention(size, config.num_attention_heads)
        if not qkv_bias:
            self.self_attn.qkv_proj = Linear(size, 3 * size, bias=False)
        self.post_attention_layernorm = LayerNorm(size, eps)
        self.mlp = mlp

    def forward(
        self, x: Tensor, residual: Tensor | None, bias: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        hidden, residual = self.input_layernorm.add(x, residual)
        attended = self.self_attn(hidden, bias)
        hidden, residual = self.post_attention_layernorm.add(attended, residual)
        return self.mlp(hidden), residual


class VisionStack(nn.Module):
    """Blocks and, where there is one, the norm after them."""

    def __init__(self, blocks: Sequence[VisionBlock], norm: LayerNorm | None) -> None:
        super().__init__()
        self.layers = nn.ModuleList(blocks)
        self.norm = norm

    def run(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        """States [batch, length, hidden] of embeddings of that shape."""
        residual = None
        for block in self.layers:
            x, residual = block(x, residual, bias)
        assert residual is not None
        return x + residual if self.norm is None else self.norm.add(x, residual)[0]


class ImageTrunk(VisionStack):
    """pixel_values [batch, channels, height, width] to states [batch, length, hidden]."""

    def __init__(
        self,
        config: ImageConfig,
        pixels: Size,
        blocks: Sequence[VisionBlock],
        norm: LayerNorm | None,
        *,
        class_token: bool = True,
        patch_bias: bool = True,
        pre_norm: bool = False,
    ) -> None:
        super().__init__(blocks, norm)
        rows, columns = config.grid(pixels)
        self.class_token = class_token
        self.patches = Patches(config, pixels, patch_bias)
        self.length = rows * columns + class_token
        self.positions = nn.Parameter(torch.zeros(self.length, config.hidden_size))
        self.pre_norm = LayerNorm(config.hidden_size, config.layer_norm_eps) if pre_norm else None

    def forward(self, pixels: Tensor) -> Tensor:
        x = self.patches(pixels)
        if self.class_token:
            x = F.pad(x, (0, 0, 1, 0))  # `positions` holds the token in its first row
        x = x + self.positions
        return self.run(x if self.pre_norm is None else self.pre_norm(x))


class FirstState(nn.Module):
    """The state of the class token."""

    def forward(self, states: Tensor) -> Tensor:
        return states[:, 0]


class Classifier(nn.Module):
    """Scores [batch, labels] of the class token, of the mean of the patches, or of both.

    With `mean_from` the patches begin there; `first` says whether the class token counts.
    """

    def __init__(self, size: int, labels: int, *, first: bool, mean_from: int | None) -> None:
        super().__init__()
        self.first = first
        self.mean_from = mean_from
        self.classifier = Linear(size * (first + (mean_from is not None)), labels)

    def forward(self, states: Tensor) -> Tensor:
        parts = [states[:, 0]] if self.first else []
        if self.mean_from is not None:
            parts.append(states[:, self.mean_from :].mean(1))
        return self.classifier(torch.cat(parts, -1) if len(parts) > 1 else parts[0])


def image_tower(trunk: ImageTrunk, head: nn.Module, answer: str, width: int) -> Tower:
    """The tower of an image model; `answer` is the head's output, `width` its size."""
    size = trunk.positions.shape[1]
    tower = Tower(
        trunk,
        head,
        input_names=("pixel_values",),
        hidden_size=size,
        answer_name=answer,
        answer_axes=["batch", width],
    )
    tower.outputs["last_hidden_state"] = ["batch", trunk.length, size]
    return tower


def plain_blocks(
    config: TowerConfig, intermediate_size: int, qkv_bias: bool = True
) -> list[VisionBlock]:
    """The usual blocks of `config`, with a plain MLP."""
    return [
        VisionBlock(config, MLP(config.hidden_size, intermediate_size, config.hidden_act), qkv_bias)
        for _ in range(config.num_hidden_layers)
    ]


def check_task(model_type: str, task: str, known: Collection[str]) -> None:
    """Refuse a task the architecture lacks."""
    if task not in known:
        raise UnsupportedError(
            f"{model_type} has no task {shown(task)}; it has {', '.join(sorted(known))}"
        )


def dropped(tensors: Mapping[str, LazyTensor], pattern: str) -> Tensors:
    """`tensors` without those whose name matches: parts of a checkpoint that the task leaves out."""
    return {name: tensor for name, tensor in tensors.items() if not re.search(pattern, name)}


def require_classifier(tensors: Mapping[str, LazyTensor]) -> None:
    """Refuse to classify with a checkpoint that has no classifier."""
    if "classifier.weight" not in tensors:
        raise UnsupportedError(
            "the checkpoint has no classifier, which --task image-classify needs"
        )


def flat_patches(tensors: Tensors) -> Tensors:
    """The convolution over patches [hidden, channels, height, width] as a matrix."""

    def flat(kernel: Tensor) -> Tensor:
        return kernel.flatten(1) if kernel.ndim == 4 else kernel

    return weights.transform(tensors, r"\.patch_proj\.weight$", flat)


def alone(
    tensors: Mapping[str, LazyTensor],
    task: str,
    prefix: str,
    left_out: str,
    renamed: Sequence[tuple[str, str]],
) -> Tensors:
    """Names and layouts of a checkpoint of one image tower, which puts `prefix` before its names.

    `left_out` matches what no task reads; the classifier is read by image-classify, which needs it.
    """
    if task == "image-classify":
        require_classifier(tensors)
    else:
        left_out += r"|^classifier\."
    kept = dropped(weights.rename(tensors, [(prefix, "")]), left_out)
    fused = weights.fuse(weights.rename(kept, renamed), ("query", "key", "value"), "qkv_proj")
    return flat_patches(fused)


def with_class_token(tensors: Tensors, token: str, positions: str) -> Tensors:
    """Add the class token to the first row of the position table, where it always stands."""
    if token not in tensors or positions not in tensors:
        return tensors
    rest = {name: tensor for name, tensor in tensors.items() if name != token}
    first, table = tensors[token], tensors[positions]
    if len(table.shape) < 2 or torch.Size(first.shape).numel() != table.shape[-1]:
        return tensors  # the strict load reports it

    def load() -> Tensor:
        rows = table.load().flatten(0, -2)
        return torch.cat((rows[:1] + first.load().flatten(), rows[1:]))

    length = torch.Size(table.shape[:-1]).numel()
    return rest | {positions: LazyTensor((length, table.shape[-1]), load)}
