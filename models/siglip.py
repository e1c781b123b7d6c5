"""SigLIP and the fixed-size SigLIP 2 (Zhai et al., 2023): CLIP whose pairs are scored one by one.

A learned query pools the patches. Texts are read in both directions and padded to the full context; the
last state counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from satchel.checkpoints.tensors import LazyTensor
from satchel.models import attend, clip, vision, vision_config, weights
from satchel.models.clip import TextTrunk
from satchel.models.encoder import Tower
from satchel.models.layers import MLP, LayerNorm, Linear
from satchel.models.vision import Classifier, ImageTrunk
from satchel.models.vision_config import ImageConfig, PairConfig, Size
from satchel.models.weights import Tensors
from satchel.runtime.errors import UnsupportedError

TASKS = ("text-image-embed", "image-embed", "image-classify")
HEADS = (
    (r"^text_model\.head\.", "text.head.projection."),
    (r"^vision_model\.post_layernorm\.", "image.trunk.norm."),
    (r"^vision_model\.head\.layernorm\.", "image.head.norm."),
    (r"^vision_model\.head\.", "image.head."),
    (r"^image\.head\.attention\.out_proj\.", "image.head.o_proj."),
    (r"^image\.head\.attention\.", "image.head."),
)
LEFT_OUT = {  # by task
    "text-image-embed": r"^logit_(scale|bias)$|^classifier\.",
    "image-embed": r"^logit_(scale|bias)$|^classifier\.|^text_",
    "image-classify": r"^logit_(scale|bias)$|^text_|^vision_model\.head\.",
}


@dataclass(frozen=True, kw_only=True)
class SiglipTextConfig(vision_config.TextConfig):
    """text_config of model_type siglip."""

    vocab_size: int = 32000
    intermediate_size: int = 3072
    max_position_embeddings: int = 64
    hidden_act: str = "gelu_pytorch_tanh"
    layer_norm_eps: float = 1e-6
    projection_size: int | None = None
    pad_token_id: int | None = 1

    @property
    def width(self) -> int:
        """The width of an embedding."""
        return self.projection_size or self.hidden_size


@dataclass(frozen=True, kw_only=True)
class SiglipVisionConfig(ImageConfig):
    """vision_config of model_type siglip."""

    intermediate_size: int = 3072
    hidden_act: str = "gelu_pytorch_tanh"
    layer_norm_eps: float = 1e-6
    vision_use_head: bool = True


@dataclass(frozen=True, kw_only=True)
class Config(PairConfig):
    """config.json of model_type siglip."""

    text: SiglipTextConfig
    vision: SiglipVisionConfig


class SiglipTextHead(nn.Module):
    """The last state, projected."""

    def __init__(self, config: SiglipTextConfig) -> None:
        super().__init__()
        self.projection = Linear(config.hidden_size, config.width)

    def forward(self, states: Tensor) -> Tensor:
        vectors: Tensor = self.projection(states[:, -1])
        return vectors


class AttentionPooling(nn.Module):
    """Attention of one learned query over the states, then an MLP."""

    def __init__(self, config: SiglipVisionConfig) -> None:
        super().__init__()
        size = config.hidden_size
        self.num_heads = config.num_attention_heads
        self.scale = (size // self.num_heads) ** -0.5
        self.query = nn.Parameter(torch.zeros(1, 1, size))
        self.kv_proj = Linear(size, 2 * size)
        self.o_proj = Linear(size, size)
        self.norm = LayerNorm(size, config.layer_norm_eps)
        self.mlp = MLP(size, config.intermediate_size, config.hidden_act)

    def forward(self, states: Tensor) -> Tensor:
        key, value = self.kv_proj(states).chunk(2, dim=-1)
        query = self.query.expand(states.shape[0], -1, -1)
        x = self.o_proj(attend.attention(query, key, value, self.num_heads, self.scale))
        x = x + self.mlp(self.norm(x))  # [batch, 1, hidden]
        return x[:, 0]


def towers(config: Config, task: str, image_size: Size | None = None) -> dict[str, Tower]:
    """The towers of `task`; `image_size` is what preprocessing makes, the model's own unless given."""
    vision.check_task("siglip", task, TASKS)
    part = config.vision
    pixels = part.native(image_size)
    blocks = vision.plain_blocks(part, part.intermediate_size)
    norm = LayerNorm(part.hidden_size, part.layer_norm_eps)
    trunk = ImageTrunk(part, pixels, blocks, norm, tokens=0)
    image = vision.image_tower(trunk, *image_head(config, task))
    return {"image": image} if task != TASKS[0] else {"text": text_tower(config), "image": image}


def image_head(config: Config, task: str) -> tuple[nn.Module, str, int]:
    """The head of the image tower for a task, and the name and size of its answer."""
    size = config.vision.hidden_size
    if task == "image-classify":
        labels = len(config.labels.names)
        return Classifier(size, labels, first=False, mean_from=0), "logits", labels
    if not config.vision.vision_use_head:
        raise UnsupportedError("config.json: vision_use_head = False leaves no image embedding")
    return AttentionPooling(config.vision), "embedding", size


def sanitize(
    tensors: Mapping[str, LazyTensor],
    config: Config,
    task: str,
    image_size: Size | None = None,
) -> dict[str, LazyTensor]:
    """Checkpoint names and layouts to those of the towers, ``text.`` and ``image.``."""
    kept = weights.rename(clip.left(tensors, task, LEFT_OUT), HEADS)
    return _with_query(clip.shared_layout(kept))


def facts(tensors: Mapping[str, LazyTensor], config: Config) -> dict[str, Any]:
    """What text-image-embed needs beside the graphs.

    The score of an image and a text is ``sigmoid(logit_scale * cosine + logit_bias)``. A text has
    exactly `context` tokens, padded at its end with `pad_token_id`.
    """
    return {
        "logit_scale": clip.scalar(tensors, "logit_scale", exponential=True),
        "logit_bias": clip.scalar(tensors, "logit_bias"),
        "scores": "sigmoid",
        "context": config.text.max_position_embeddings,
        "pad_to_context": True,
        "pad_token_id": config.text.pad_token_id,
    }


def text_tower(config: Config) -> Tower:
    """The tower of texts."""
    return Tower(
        TextTrunk(config.text, causal=False),
        SiglipTextHead(config.text),
        input_names=("input_ids",),
        hidden_size=config.text.hidden_size,
        answer_name="embedding",
        answer_axes=["batch", config.text.width],
    )


def _with_query(tensors: Tensors) -> Tensors:
    """The pooling's query is a constant: project it once, here."""
    names = ("probe", "in_proj_weight", "in_proj_bias")
    if any(f"image.head.{name}" not in tensors for name in names):
        return tensors
    rest = dict(tensors)
    probe, packed, bias = (rest.pop(f"image.head.{name}") for name in names)
    size = packed.shape[-1] if packed.shape else 0
    shapes = (probe.shape, packed.shape, bias.shape)
    if shapes != ((1, 1, size), (3 * size, size), (3 * size,)):
        return tensors  # the strict load reports it

    def query() -> Tensor:
        return torch.addmm(bias.load()[:size], probe.load()[0], packed.load()[:size].T)

    return rest | {
        "image.head.query": LazyTensor((1, 1, size), lambda: query()[None]),
        "image.head.kv_proj.weight": LazyTensor(
            (2 * size, size), lambda: packed.load()[size:].clone()
        ),
        "image.head.kv_proj.bias": LazyTensor((2 * size,), lambda: bias.load()[size:].clone()),
    }
