"""ViT (Dosovitskiy et al., 2020): a class token, learned positions, pre-norm blocks.

An embedding is the class token after the last norm, ``last_hidden_state[:, 0]``; the pooler of some
checkpoints, a tanh layer for pre-training, is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from satchel.checkpoints.tensors import LazyTensor
from satchel.models import vision
from satchel.models.encoder import Tower
from satchel.models.layers import LayerNorm
from satchel.models.vision import CLASS_TOKEN, Classifier, FirstState, ImageTrunk
from satchel.models.vision_config import ImageConfig, Labelled, Size

TASKS = ("image-embed", "image-classify")
RENAMED = (
    (r"^embeddings\.patch_embeddings\.projection\.", "trunk.patches.patch_proj."),
    (r"^embeddings\.position_embeddings$", "trunk.positions"),
    (r"^encoder\.layer\.", "trunk.layers."),
    (r"\.attention\.attention\.(query|key|value)\.", r".self_attn.\1."),
    (r"\.attention\.output\.dense\.", ".self_attn.o_proj."),
    (r"\.layernorm_before\.", ".input_layernorm."),
    (r"\.layernorm_after\.", ".post_attention_layernorm."),
    (r"\.intermediate\.dense\.", ".mlp.up_proj."),
    (r"\.output\.dense\.", ".mlp.down_proj."),
    (r"^layernorm\.", "trunk.norm."),
    (r"^classifier\.", "head.classifier."),
    (r"^", "image."),
)


@dataclass(frozen=True, kw_only=True)
class Config(ImageConfig, Labelled):
    """config.json of model_type vit."""

    cosmetic: ClassVar[frozenset[str]] = ImageConfig.cosmetic | {
        "encoder_stride",
        "pooler_act",
        "pooler_output_size",
    }

    model_type: ClassVar[str] = "vit"
    tokens: ClassVar[tuple[str, ...]] = (CLASS_TOKEN,)

    intermediate_size: int = 3072
    layer_norm_eps: float = 1e-12
    qkv_bias: bool = True

    @property
    def judged(self) -> int:
        """How many of the tokens a classifier reads."""
        return 1


def towers(config: Config, task: str, image_size: Size | None = None) -> dict[str, Tower]:
    """The image tower; `image_size` is what preprocessing makes, the model's own unless given."""
    vision.check_task(config.model_type, task, TASKS)
    size = config.hidden_size
    trunk = ImageTrunk(
        config,
        config.native(image_size),
        vision.plain_blocks(config, config.intermediate_size, config.qkv_bias),
        LayerNorm(size, config.layer_norm_eps),
        tokens=len(config.tokens),
    )
    if task == "image-embed":
        return {"image": vision.image_tower(trunk, FirstState(), "embedding", size)}
    labels = len(config.labels.names)
    head: nn.Module = Classifier(size, labels, first=config.judged, mean_from=None)
    return {"image": vision.image_tower(trunk, head, "logits", labels)}


def sanitize(
    tensors: Mapping[str, LazyTensor],
    config: Config,
    task: str,
    image_size: Size | None = None,
) -> dict[str, LazyTensor]:
    """Checkpoint names and layouts to those of the towers, ``image.trunk.`` and ``image.head.``."""
    left_out = r"^pooler\.|^embeddings\.mask_token$"
    flat = vision.alone(tensors, task, rf"^{config.model_type}\.", left_out, RENAMED)
    return vision.with_tokens(flat, config.tokens)
