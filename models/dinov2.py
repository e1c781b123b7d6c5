"""DINOv2 (Oquab et al., 2023): ViT with layer scale and, in the giant size, a gated MLP.

An embedding is the class token after the last norm; a classifier reads it beside the mean of the
patches.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from satchel.checkpoints.tensors import LazyTensor
from satchel.models import vision
from satchel.models.encoder import Tower
from satchel.models.layers import MLP, GatedMLP, LayerNorm
from satchel.models.vision import Classifier, FirstState, ImageTrunk, VisionBlock
from satchel.models.vision_config import BACKBONE, Labelled, Size, StretchedConfig

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
REGISTERS = "image.embeddings.register_tokens"
SCALED = {"layer_scale1.lambda1": "self_attn.o_proj", "layer_scale2.lambda1": "mlp.down_proj"}


@dataclass(frozen=True, kw_only=True)
class Config(StretchedConfig, Labelled):
    """config.json of model_type dinov2."""

    cosmetic: ClassVar[frozenset[str]] = (
        StretchedConfig.cosmetic
        | BACKBONE
        | {
            "layerscale_value",  # before training
            "use_mask_token",
        }
    )

    model_type: ClassVar[str] = "dinov2"
    antialias: ClassVar[bool] = False  # where the position table is stretched

    layer_norm_eps: float = 1e-6
    mlp_ratio: float = 4.0
    patch_size: int | list[int] = 14
    qkv_bias: bool = True
    use_swiglu_ffn: bool = False
    num_register_tokens: int = 0

    def mlp(self) -> nn.Module:
        """The feed-forward part of a block."""
        size, wide = self.hidden_size, int(self.hidden_size * self.mlp_ratio)
        if not self.use_swiglu_ffn:
            return MLP(size, wide, self.hidden_act)
        return GatedMLP(size, (int(wide * 2 / 3) + 7) // 8 * 8, "silu", bias=True)


def towers(config: Config, task: str, image_size: Size | None = None) -> dict[str, Tower]:
    """The image tower; `image_size` is what preprocessing makes, the model's own unless given."""
    vision.check_task(config.model_type, task, TASKS)
    size, tokens = config.hidden_size, 1 + config.num_register_tokens
    blocks = [
        VisionBlock(config, config.mlp(), config.qkv_bias) for _ in range(config.num_hidden_layers)
    ]
    norm = LayerNorm(size, config.layer_norm_eps)
    trunk = ImageTrunk(config, config.native(image_size), blocks, norm, tokens=tokens)
    if task == "image-embed":
        return {"image": vision.image_tower(trunk, FirstState(), "embedding", size)}
    labels = len(config.labels.names)
    head = Classifier(size, labels, first=1, mean_from=tokens)
    return {"image": vision.image_tower(trunk, head, "logits", labels)}


def sanitize(
    tensors: Mapping[str, LazyTensor],
    config: Config,
    task: str,
    image_size: Size | None = None,
) -> dict[str, LazyTensor]:
    """Checkpoint names and layouts to those of the towers, ``image.trunk.`` and ``image.head.``."""
    prefix = rf"^{config.model_type}\."
    flat = vision.alone(tensors, task, prefix, r"^embeddings\.mask_token$", RENAMED)
    scaled = vision.layer_scaled(flat, vision.layers(config), SCALED)
    # Made for large images and used on small ones: the table is made to fit the preprocessing.
    grids = config.grid(config.pixels), config.grid(config.native(image_size))
    sized = vision.stretched(scaled, *grids, antialias=config.antialias)
    return vision.with_tokens(sized, registers=REGISTERS if config.num_register_tokens else "")
