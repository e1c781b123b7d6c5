"""What image encoders share: patches, pre-norm blocks, heads, layouts. Knows no model_type.

An image has one size, that of the checkpoint's preprocessing, so every length in the graph is fixed
but the batch.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from satchel.checkpoints.tensors import LazyTensor, some
from satchel.models import weights
from satchel.models.encoder import Tower
from satchel.models.layers import MLP, LayerNorm, Linear, Rope, SelfAttention
from satchel.models.vision_config import CHANNELS, ImageConfig, Size, TowerConfig
from satchel.models.weights import Tensors
from satchel.runtime.errors import CheckpointError, UnsupportedError, shown

POSITIONS = "image.trunk.positions"
CLASS_TOKEN = "image.embeddings.cls_token"


class Patches(nn.Module):
    """Cut images, of any size without `pixels`, into patches and project each: a strided convolution."""

    def __init__(self, config: ImageConfig, pixels: Size | None, bias: bool) -> None:
        super().__init__()
        self.pixels, self.patch = pixels, config.patch
        self.patch_proj = Linear(CHANNELS * self.patch[0] * self.patch[1], config.hidden_size, bias)

    def forward(self, pixels: Tensor) -> Tensor:
        """float32 [batch, channels, height, width] -> [batch, rows * columns, hidden]."""
        if self.pixels is not None and tuple(pixels.shape[1:]) != (CHANNELS, *self.pixels):
            raise ValueError(f"pixel_values are {list(pixels.shape)}, not of {self.pixels}")
        height, width = self.patch
        rows, columns = pixels.shape[2] // height, pixels.shape[3] // width
        if self.pixels != (rows * height, columns * width):  # as a convolution, drop the rest
            pixels = pixels[:, :, : rows * height, : columns * width]
        count = -1 if self.pixels is not None else pixels.shape[0]  # known where sides are not
        x = pixels.reshape(count, CHANNELS, rows, height, columns, width).permute(0, 2, 4, 1, 3, 5)
        return self.patch_proj(x.reshape(count, rows * columns, CHANNELS * height * width))


class VisionBlock(nn.Module):
    """Pre-norm encoder block; the residual stream travels beside, as in `layers.Block`."""

    def __init__(
        self,
        config: TowerConfig,
        mlp: nn.Module,
        qkv_bias: bool = True,
        rope: Rope | None = None,
    ) -> None:
        super().__init__()
        size, eps = config.hidden_size, config.layer_norm_eps
        self.input_layernorm = LayerNorm(size, eps)
        self.self_attn = SelfAttention(size, config.num_attention_heads, rope)
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
    """pixel_values [batch, channels, height, width] to states [batch, length, hidden].

    `tokens` stand before the patches; without `placed`, positions are not a table's.
    """

    def __init__(
        self,
        config: ImageConfig,
        pixels: Size,
        blocks: Sequence[VisionBlock],
        norm: LayerNorm | None,
        *,
        tokens: int = 1,
        placed: bool = True,
        patch_bias: bool = True,
        pre_norm: bool = False,
    ) -> None:
        super().__init__(blocks, norm)
        rows, columns = config.grid(pixels)
        self.tokens = tokens
        self.patches = Patches(config, pixels, patch_bias)
        self.length = tokens + rows * columns
        table = self.length if placed else tokens
        self.positions = nn.Parameter(torch.zeros(table, config.hidden_size))
        self.pre_norm = LayerNorm(config.hidden_size, config.layer_norm_eps) if pre_norm else None

    def embedded(self, pixels: Tensor) -> Tensor:
        """The tokens, which `positions` holds in its first rows, and the patches."""
        x = self.patches(pixels)
        if len(self.positions) < self.length:
            return torch.cat((self.positions.expand(x.shape[0], -1, -1), x), 1)
        if self.tokens:
            x = F.pad(x, (0, 0, self.tokens, 0))
        return x + self.positions

    def forward(self, pixels: Tensor) -> Tensor:
        x = self.embedded(pixels)
        return self.run(x if self.pre_norm is None else self.pre_norm(x))


class FirstState(nn.Module):
    """The state of the class token."""

    def forward(self, states: Tensor) -> Tensor:
        return states[:, 0]


class Classifier(nn.Module):
    """Scores [batch, labels] of the class token, of the mean of the patches, or of both.

    With `mean_from` the patches begin there; of the tokens the `first` count.
    """

    def __init__(self, size: int, labels: int, *, first: int, mean_from: int | None) -> None:
        super().__init__()
        self.first = first
        self.mean_from = mean_from
        self.classifier = Linear(size * (first + (mean_from is not None)), labels)

    def forward(self, states: Tensor) -> Tensor:
        parts = [states[:, token] for token in range(self.first)]
        if self.mean_from is not None:
            parts.append(states[:, self.mean_from :].mean(1))
        return self.classifier(torch.cat(parts, -1) if len(parts) > 1 else parts[0])


def image_tower(trunk: ImageTrunk, head: nn.Module, answer: str, width: int) -> Tower:
    """The tower of an image model; `answer` is the head's output, `width` its size."""
    size = trunk.positions.shape[-1]
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
    unbiased: Collection[str] = (),
) -> Tensors:
    """Names and layouts of a checkpoint of one image tower, which puts `prefix` before its names.

    `left_out` matches what no task reads; the classifier is read by image-classify, which needs it.
    `unbiased` are layers (query, key, value, o_proj) whose bias here is zero, since they have none.
    """
    if task == "image-classify":
        require_classifier(tensors)
    else:
        left_out += r"|^classifier\."
    kept = dropped(weights.rename(tensors, [(prefix, "")]), left_out)
    named = weights.rename(kept, renamed)
    biased = _biased(named, unbiased) if unbiased else named
    return flat_patches(weights.fuse(biased, ("query", "key", "value"), "qkv_proj"))


def _biased(tensors: Tensors, layers: Collection[str]) -> Tensors:
    """`tensors` with zeros for the biases that attention's `layers` lack."""
    added = {}
    for name, tensor in tensors.items():
        found = re.fullmatch(r"(.*\.self_attn\.(\w+)\.)weight", name)
        if found and found[2] in layers and tensor.shape:
            added[f"{found[1]}bias"] = _zeros(tensor.shape[:1])
    surplus = sorted(added.keys() & tensors.keys())
    if surplus:
        raise CheckpointError(
            f"weights do not fit the model: {len(surplus)} unexpected: {some(surplus)}; "
            "config.json says that they are none",
            "CKPT_WEIGHTS",
        )
    return dict(tensors) | added


def _zeros(shape: tuple[int, ...]) -> LazyTensor:
    return LazyTensor(shape, lambda: torch.zeros(shape))


def with_tokens(
    tensors: Tensors,
    tokens: Sequence[str] = (CLASS_TOKEN,),
    registers: str = "",
    positions: str = POSITIONS,
) -> Tensors:
    """Put what stands before the patches into the first rows of the position table.

    `tokens` have positions, where there is a table; `registers` behind them have none.
    """
    given = [name for name in (*tokens, registers, positions) if name in tensors]
    parts = [tensors[name] for name in given]
    widths = {part.shape[-1] if part.shape else 0 for part in parts}
    if not set(tokens) <= set(given) or len(widths) != 1 or 0 in widths:
        return tensors  # the strict load reports it
    counts = {name: math.prod(tensors[name].shape[:-1]) for name in given}
    if positions in counts and counts[positions] < len(tokens):
        return tensors

    def rows(names: Sequence[str]) -> list[Tensor]:
        return [tensors[name].load().reshape(-1, *widths) for name in names if name in counts]

    def load() -> Tensor:
        first, table = (
            torch.cat(rows(tokens)),
            torch.cat([*rows([positions]), torch.empty(0, *widths)]),
        )
        if len(table):
            first = first + table[: len(first)]
        return torch.cat((first, *rows([registers]), table[len(first) :]))

    placed = max(counts.get(positions, 0), sum(counts[name] for name in tokens))
    shape = (placed + counts.get(registers, 0), *widths)
    rest = {name: tensor for name, tensor in tensors.items() if name not in given}
    return rest | {positions: LazyTensor(shape, load)}


def layers(config: TowerConfig) -> list[str]:
    """What the names of each block's weights begin with."""
    return [f"image.trunk.layers.{layer}." for layer in range(config.num_hidden_layers)]


def layer_scaled(tensors: Tensors, blocks: Sequence[str], scales: Mapping[str, str]) -> Tensors:
    """Layer scale multiplies what a linear layer gives: it becomes part of that layer.

    `scales` says of which: by the name of a scale in a block that of the layer, as ours are called.
    """
    scaled, missing = dict(tensors), []
    for stem in blocks:
        for suffix, target in scales.items():
            scale = scaled.pop(f"{stem}{suffix}", None)
            if scale is None:
                missing.append(f"{stem}{suffix}")
                continue
            for name in (f"{stem}{target}.weight", f"{stem}{target}.bias"):
                if name in tensors and tensors[name].shape[:1] == scale.shape:
                    scaled[name] = _times(tensors[name], scale)
                elif name in tensors:
                    scaled[f"{stem}{suffix}"] = scale  # the strict load reports it
    if missing:
        raise CheckpointError(
            f"weights do not fit the model: {len(missing)} missing: {some(missing)}", "CKPT_WEIGHTS"
        )
    return scaled


def _times(rows: LazyTensor, scale: LazyTensor) -> LazyTensor:
    def load() -> Tensor:
        return torch.einsum("o...,o->o...", rows.load(), scale.load())

    return LazyTensor(rows.shape, load)


def stretched(
    tensors: Tensors, before: Size, after: Size, tokens: int = 1, antialias: bool = False
) -> Tensors:
    """The position table behind its `tokens` from one grid of patches to another, as transformers
    resamples it on each call."""

    def resample(table: Tensor) -> Tensor:
        if before == after or table.ndim != 3 or table.shape[1] != tokens + math.prod(before):
            return table
        grid = (
            table[:, tokens:].unflatten(1, before).permute(0, 3, 1, 2)
        )  # [1, hidden, rows, columns]
        sized = F.interpolate(grid, after, mode="bicubic", align_corners=False, antialias=antialias)
        return torch.cat((table[:, :tokens], sized.flatten(2).mT), 1)

    return weights.transform(tensors, r"trunk\.positions$", resample)
