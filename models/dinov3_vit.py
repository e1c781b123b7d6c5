"""DINOv3 (Siméoni et al., 2025): DINOv2 whose patches are placed by rotary angles of row and column.

An embedding is the class token after the last norm.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from satchel.checkpoints.tensors import LazyTensor
from satchel.models import dinov2, vision
from satchel.models.encoder import Tower
from satchel.models.layers import MLP, GatedMLP, LayerNorm, Rope
from satchel.models.rope import grid_tables
from satchel.models.vision import FirstState, ImageTrunk, VisionBlock
from satchel.models.vision_config import ImageConfig, Size
from satchel.models.weights import fuse

TASKS = ("image-embed",)
RENAMED = (
    (r"^embeddings\.patch_embeddings\.", "trunk.patches.patch_proj."),
    (r"^(model\.)?layer\.", "trunk.layers."),
    (r"\.attention\.q_proj\.", ".self_attn.query."),
    (r"\.attention\.k_proj\.", ".self_attn.key."),
    (r"\.attention\.v_proj\.", ".self_attn.value."),
    (r"\.attention\.o_proj\.", ".self_attn.o_proj."),
    (r"\.norm1\.", ".input_layernorm."),
    (r"\.norm2\.", ".post_attention_layernorm."),
    (r"^norm\.", "trunk.norm."),
    (r"^", "image."),
)


@dataclass(frozen=True, kw_only=True)
class Config(ImageConfig):
    """config.json of model_type dinov3_vit."""

    cosmetic: ClassVar[frozenset[str]] = dinov2.Config.cosmetic | {
        "pos_embed_jitter",  # this and the next two: while training
        "pos_embed_rescale",
        "pos_embed_shift",
        "return_class_token",
    }

    hidden_size: int = 384
    intermediate_size: int = 1536
    num_attention_heads: int = 6
    rope_theta: float = 100.0
    query_bias: bool = True
    key_bias: bool = False
    value_bias: bool = True
    proj_bias: bool = True
    mlp_bias: bool = True
    use_gated_mlp: bool = False
    num_register_tokens: int = 0

    def native(self, requested: Size | None) -> Size:
        """The image size to build for: any."""
        return requested or self.pixels

    def mlp(self) -> nn.Module:
        """The feed-forward part of a block."""
        kind = GatedMLP if self.use_gated_mlp else MLP
        return kind(self.hidden_size, self.intermediate_size, self.hidden_act, self.mlp_bias)


def towers(config: Config, task: str, image_size: Size | None = None) -> dict[str, Tower]:
    """The image tower; `image_size` is what preprocessing makes, the model's own unless given."""
    vision.check_task("dinov3_vit", task, TASKS)
    size, heads = config.hidden_size, config.num_attention_heads
    tokens, pixels = 1 + config.num_register_tokens, config.native(image_size)
    rope = Rope(grid_tables(config.grid(pixels), size // heads, config.rope_theta, tokens))
    blocks = [VisionBlock(config, config.mlp(), rope=rope) for _ in range(config.num_hidden_layers)]
    norm = LayerNorm(size, config.layer_norm_eps)
    trunk = ImageTrunk(config, pixels, blocks, norm, tokens=tokens, placed=False)
    return {"image": vision.image_tower(trunk, FirstState(), "embedding", size)}


def sanitize(
    tensors: Mapping[str, LazyTensor],
    config: Config,
    task: str,
    image_size: Size | None = None,
) -> dict[str, LazyTensor]:
    """Checkpoint names and layouts to those of the towers, ``image.trunk.`` and ``image.head.``."""
    biased = {
        "query": config.query_bias,
        "key": config.key_bias,
        "value": config.value_bias,
        "o_proj": config.proj_bias,
    }
    unbiased = [name for name, has in biased.items() if not has]
    left_out = r"^embeddings\.mask_token$|^rope_embeddings\."
    flat = vision.alone(tensors, task, r"^dinov3_vit\.", left_out, RENAMED, unbiased)
    gated = fuse(flat, ("gate_proj", "up_proj"), "gate_up_proj") if config.use_gated_mlp else flat
    scaled = vision.layer_scaled(gated, vision.layers(config), dinov2.SCALED)
    return vision.with_tokens(scaled, registers=dinov2.REGISTERS)
