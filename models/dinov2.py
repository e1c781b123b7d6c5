"""DINOv2 (Oquab et al., 2023): ViT with layer scale and, in the giant size, a gated MLP.

An embedding is the class token after the last norm; a classifier reads it beside the mean of the
patches.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from satchel.checkpoints.tensors import LazyTensor
from satchel.models import vision, weights
from satchel.models.encoder import Tower
from satchel.models.layers import MLP, GatedMLP, LayerNorm
from satchel.models.vision import Classifier, FirstState, ImageTrunk, VisionBlock
from satchel.models.vision_config import ImageConfig, Labelled, Size
from satchel.models.weights import Tensors

TASKS = ("image-embed", "image-classify")
RENAMED = (
    (r"^embeddings\.patch_embeddings\.projection\.", "trunk.patches.patch_proj."),
    (r"^embeddings\.position_embeddings$", "trunk.positions"),
    (r"^encoder\.layer\.", "trunk.layers."),
    (r"\.attention\.attention\.(query|key|value)\.", r".self_attn.\1."),
    (r"\.attention\.output\.dense\.", ".self_attn.o_proj."),
    (r"\.norm1\.", ".input_layernorm."),
    (r"\.norm2\.", ".post_attention_layernorm."),
    (r"\.mlp\.fc1\.", ".mlp.up_proj."),
    (r"\.mlp\.fc2\.", ".mlp.down_proj."),
    (r"\.mlp\.weights_in\.", ".mlp.gate_up_proj."),
    (r"\.mlp\.weights_out\.", ".mlp.down_proj."),
    (r"^layernorm\.", "trunk.norm."),
    (r"^classifier\.", "head.classifier."),
    (r"^", "image."),
)
SCALED = {"layer_scale1.lambda1": "self_attn.o_proj", "layer_scale2.lambda1": "mlp.down_proj"}


@dataclass(frozen=True, kw_only=True)
class Config(ImageConfig, Labelled):
    """config.json of model_type dinov2."""

    cosmetic: ClassVar[frozenset[str]] = ImageConfig.cosmetic | {
        "_out_features",  # this and the next six: of use as a backbone
        "_out_indices",
        "apply_layernorm",
        "out_features",
        "out_indices",
        "reshape_hidden_states",
        "stage_names",
        "drop_path_rate",
        "layerscale_value",  # before training
        "use_mask_token",
    }

    layer_norm_eps: float = 1e-6
    mlp_ratio: float = 4.0
    patch_size: int | list[int] = 14
    qkv_bias: bool = True
    use_swiglu_ffn: bool = False

    def native(self, requested: Size | None) -> Size:
        """The image size to build for: any, from a square position table."""
        rows, columns = self.grid(self.pixels)
        if requested not in (None, self.pixels) and rows != columns:
            return super().native(requested)
        return requested or self.pixels

    def mlp(self) -> nn.Module:
        """The feed-forward part of a block."""
        size, wide = self.hidden_size, int(self.hidden_size * self.mlp_ratio)
        if not self.use_swiglu_ffn:
            return MLP(size, wide, self.hidden_act)
        return GatedMLP(size, (int(wide * 2 / 3) + 7) // 8 * 8, "silu", bias=True)


def towers(config: Config, task: str, image_size: Size | None = None) -> dict[str, Tower]:
    """The image tower; `image_size` is what preprocessing makes, the model's own unless given."""
    vision.check_task("dinov2", task, TASKS)
    size = config.hidden_size
    blocks = [
        VisionBlock(config, config.mlp(), config.qkv_bias) for _ in range(config.num_hidden_layers)
    ]
    norm = LayerNorm(size, config.layer_norm_eps)
    trunk = ImageTrunk(config, config.native(image_size), blocks, norm)
    if task == "image-embed":
        return {"image": vision.image_tower(trunk, FirstState(), "embedding", size)}
    labels = len(config.labels.names)
    head = Classifier(size, labels, first=True, mean_from=1)
    return {"image": vision.image_tower(trunk, head, "logits", labels)}


def sanitize(
    tensors: Mapping[str, LazyTensor],
    config: Config,
    task: str,
    image_size: Size | None = None,
) -> dict[str, LazyTensor]:
    """Checkpoint names and layouts to those of the towers, ``image.trunk.`` and ``image.head.``."""
    flat = vision.alone(tensors, task, r"^dinov2\.", r"^embeddings\.mask_token$", RENAMED)
    scaled = _scaled(flat)
    # Made for large images and used on small ones: the table is made to fit the preprocessing.
    sized = _resampled(scaled, config, config.native(image_size))
    return vision.with_class_token(sized, "image.embeddings.cls_token", "image.trunk.positions")


def _scaled(tensors: Tensors) -> Tensors:
    """Layer scale multiplies what a linear layer gives: it becomes part of that layer."""
    scaled = dict(tensors)
    for name, scale in tensors.items():
        for suffix, layer in SCALED.items():
            stem = name.removesuffix(suffix)
            targets = [f"{stem}{layer}.{kind}" for kind in ("weight", "bias")]
            fits = all(scale.shape == tensors[t].shape[:1] for t in targets if t in tensors)
            if stem != name and all(target in tensors for target in targets) and fits:
                del scaled[name]
                scaled |= {target: _times(tensors[target], scale) for target in targets}
    return scaled


def _times(rows: LazyTensor, scale: LazyTensor) -> LazyTensor:
    def load() -> Tensor:
        return torch.einsum("o...,o->o...", rows.load(), scale.load())

    return LazyTensor(rows.shape, load)


def _resampled(tensors: Tensors, config: Config, pixels: Size) -> Tensors:
    """The position table at the grid of `pixels`, as transformers resamples it on each call."""
    before, after = config.grid(config.pixels), config.grid(pixels)

    def resample(table: Tensor) -> Tensor:
        if before == after or table.ndim != 3 or table.shape[1] != 1 + before[0] * before[1]:
            return table
        grid = table[:, 1:].unflatten(1, before).permute(0, 3, 1, 2)  # [1, hidden, rows, columns]
        sized = F.interpolate(grid, after, mode="bicubic", align_corners=False)
        return torch.cat((table[:, :1], sized.flatten(2).mT), 1)

    return weights.transform(tensors, r"trunk\.positions$", resample)
