"""CLIP (Radford et al., 2021): a text and an image tower whose embeddings meet in one space.

`Config` and the names of the weights are shared with SigLIP, which differs in its heads.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from satchel.checkpoints.tensors import LazyTensor
from satchel.models import vision, vision_config, weights
from satchel.models.config import ModelConfig
from satchel.models.encoder import Tower
from satchel.models.layers import Embedding, LayerNorm, Linear
from satchel.models.vision import Classifier, ImageTrunk, VisionStack
from satchel.models.vision_config import ImageConfig, PairConfig, Size, wrong
from satchel.models.weights import Tensors
from satchel.runtime.errors import CheckpointError

TASKS = ("text-image-embed", "image-embed", "image-classify")
OLD_EOS = 2  # what configurations said before 2023, whatever the tokenizer's id
RENAMED = (
    (r"^text_model\.", "text.trunk."),
    (r"^vision_model\.", "image.trunk."),
    (r"^classifier\.", "image.head.classifier."),
    (r"\.embeddings\.patch_embedding\.", ".patches.patch_proj."),
    (r"\.embeddings\.position_embedding\.weight$", ".positions"),
    (r"\.embeddings\.token_embedding\.", ".embed_tokens."),
    (r"\.encoder\.layers\.", ".layers."),
    (r"\.self_attn\.out_proj\.", ".self_attn.o_proj."),
    (r"\.layer_norm1\.", ".input_layernorm."),
    (r"\.layer_norm2\.", ".post_attention_layernorm."),
    (r"\.fc1\.", ".up_proj."),
    (r"\.fc2\.", ".down_proj."),
    (r"\.final_layer_norm\.", ".norm."),
)
HEADS = (
    (r"^text_projection\.", "text.head.projection."),
    (r"^visual_projection\.", "image.head.projection."),
    (r"^vision_model\.post_layernorm\.", "image.head.norm."),
    (r"^vision_model\.pre_layrnorm\.", "image.trunk.pre_norm."),
)
LEFT_OUT = {  # by task
    "text-image-embed": r"^logit_scale$|^classifier\.",
    "image-embed": r"^logit_scale$|^classifier\.|^text_",
    "image-classify": r"^logit_scale$|^text_|^visual_projection\.|\.post_layernorm\.",
}


@dataclass(frozen=True, kw_only=True)
class ClipTextConfig(vision_config.TextConfig):
    """text_config of model_type clip."""

    cosmetic: ClassVar[frozenset[str]] = vision_config.TextConfig.cosmetic | {"projection_dim"}

    vocab_size: int = 49408
    hidden_size: int = 512
    intermediate_size: int = 2048
    num_attention_heads: int = 8
    max_position_embeddings: int = 77
    hidden_act: str = "quick_gelu"
    eos_token_id: int = 49407


@dataclass(frozen=True, kw_only=True)
class ClipVisionConfig(ImageConfig):
    """vision_config of model_type clip."""

    cosmetic: ClassVar[frozenset[str]] = ImageConfig.cosmetic | {"projection_dim"}

    intermediate_size: int = 3072
    patch_size: int | list[int] = 32
    hidden_act: str = "quick_gelu"


@dataclass(frozen=True, kw_only=True)
class Config(PairConfig):
    """config.json of model_type clip."""

    cosmetic: ClassVar[frozenset[str]] = PairConfig.cosmetic | {"logit_scale_init_value"}

    parts: ClassVar[frozenset[str]] = PairConfig.parts | {"text_config_dict", "vision_config_dict"}

    text: ClipTextConfig
    vision: ClipVisionConfig
    projection_dim: int = 512

    @classmethod
    def from_dict(cls, raw: dict[str, Any], ignored_keys: Collection[str] = ()) -> Self:
        raw = _with_older(raw, "text_config", ClipTextConfig)
        return super().from_dict(_with_older(raw, "vision_config", ClipVisionConfig), ignored_keys)


class TextTrunk(VisionStack):
    """Ids [batch, length] to states [batch, length, hidden]; causal in CLIP alone."""

    mask: Tensor | None

    def __init__(self, config: vision_config.TextConfig, causal: bool) -> None:
        size, positions = config.hidden_size, config.max_position_embeddings
        norm = LayerNorm(size, config.layer_norm_eps)
        super().__init__(vision.plain_blocks(config, config.intermediate_size), norm)
        self.embed_tokens = Embedding(config.vocab_size, size)
        self.positions = nn.Parameter(torch.zeros(positions, size))
        mask = torch.full((1, 1, positions, positions), float("-inf"), device="cpu").triu(1)
        self.register_buffer("mask", mask if causal else None, persistent=False)

    def forward(self, ids: Tensor) -> Tensor:
        length = ids.shape[1]
        mask = None if self.mask is None else self.mask[:, :, :length, :length]
        return self.run(self.embed_tokens(ids) + self.positions[:length], mask)


class TextTower(Tower):
    """A tower whose head also reads the ids, to find where each text ends."""

    def answer(self, states: Tensor, *inputs: Tensor) -> Tensor:
        assert self.head is not None
        answer: Tensor = self.head(states, *inputs)
        return answer


class ClipTextHead(nn.Module):
    """The state at the end of each text, projected."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.end = config.text.eos_token_id
        self.projection = Linear(config.text.hidden_size, config.projection_dim, bias=False)

    def forward(self, states: Tensor, ids: Tensor) -> Tensor:
        # With the old id the end is the token with the highest id; else the first end counts,
        # since checkpoints pad with it.
        marks = ids if self.end == OLD_EOS else (ids == self.end)
        ends = marks.to(torch.int32).argmax(-1)
        vectors: Tensor = self.projection(states[torch.arange(ids.shape[0]), ends])
        return vectors


class ImageHead(nn.Module):
    """The class token, normed and projected."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        part = config.vision
        self.norm = LayerNorm(part.hidden_size, part.layer_norm_eps)
        self.projection = Linear(part.hidden_size, config.projection_dim, bias=False)

    def forward(self, states: Tensor) -> Tensor:
        vectors: Tensor = self.projection(self.norm(states[:, 0]))
        return vectors


def towers(config: Config, task: str, image_size: Size | None = None) -> dict[str, Tower]:
    """The towers of `task`; `image_size` is what preprocessing makes, the model's own unless given.

    The image tower's states are those before the last norm.
    """
    vision.check_task("clip", task, TASKS)
    part, width = config.vision, config.projection_dim
    pixels = part.native(image_size)
    blocks = vision.plain_blocks(part, part.intermediate_size)
    trunk = ImageTrunk(part, pixels, blocks, None, patch_bias=False, pre_norm=True)
    if task == "image-classify":
        labels = len(config.labels.names)
        head = Classifier(part.hidden_size, labels, first=False, mean_from=1)
        return {"image": vision.image_tower(trunk, head, "logits", labels)}
    image = vision.image_tower(trunk, ImageHead(config), "embedding", width)
    return {"image": image} if task == "image-embed" else {"text": _text(config), "image": image}


def sanitize(
    tensors: Mapping[str, LazyTensor],
    config: Config,
    task: str,
    image_size: Size | None = None,
) -> dict[str, LazyTensor]:
    """Checkpoint names and layouts to those of the towers, ``text.`` and ``image.``."""
    kept = weights.rename(left(tensors, task, LEFT_OUT), HEADS)
    return vision.with_tokens(shared_layout(kept), ["image.trunk.embeddings.class_embedding"])


def facts(tensors: Mapping[str, LazyTensor], config: Config) -> dict[str, Any]:
    """What text-image-embed needs beside the graphs.

    Scores of an image over its texts are ``softmax(logit_scale * cosine + logit_bias)``. A text has at
    most `context` tokens; tokens after its end change nothing.
    """
    return {
        "logit_scale": scalar(tensors, "logit_scale", exponential=True),
        "logit_bias": 0.0,
        "scores": "softmax",
        "context": config.text.max_position_embeddings,
        "pad_to_context": False,
    }


def left(
    tensors: Mapping[str, LazyTensor], task: str, left_out: dict[str, str]
) -> Mapping[str, LazyTensor]:
    """The tensors that `task` reads; older checkpoints also store counters, `position_ids`."""
    if task == "image-classify":
        vision.require_classifier(tensors)
    return vision.dropped(tensors, left_out[task] + r"|\.position_ids$")


def shared_layout(tensors: Mapping[str, LazyTensor]) -> Tensors:
    """Names and layouts of everything but the heads."""
    renamed = weights.rename(tensors, RENAMED)
    return vision.flat_patches(weights.fuse(renamed, ("q_proj", "k_proj", "v_proj"), "qkv_proj"))


def scalar(tensors: Mapping[str, LazyTensor], name: str, exponential: bool = False) -> float:
    """The value of a weight that is one number, or its exponential."""
    if name not in tensors or torch.Size(tensors[name].shape).numel() != 1:
        raise CheckpointError(f"the checkpoint has no number {name}", "CKPT_WEIGHTS")
    value = tensors[name].load()
    number = float(value.exp() if exponential else value)
    if not abs(number) < float("inf"):
        raise CheckpointError(f"weight {name} is not finite", "CKPT_NONFINITE")
    return number


def _text(config: Config) -> Tower:
    return TextTower(
        TextTrunk(config.text, causal=True),
        ClipTextHead(config),
        input_names=("input_ids",),
        hidden_size=config.text.hidden_size,
        answer_name="embedding",
        answer_axes=["batch", config.projection_dim],
    )


def _with_older(raw: dict[str, Any], name: str, kind: type[ModelConfig]) -> dict[str, Any]:
    """Where an older ``*_config_dict`` is present it holds, with the defaults of what it lacks."""
    older = raw.get(f"{name}_dict")
    rest = {key: value for key, value in raw.items() if key != f"{name}_dict"}
    if older is None:
        return rest
    if not isinstance(older, dict) or not isinstance(raw.get(name) or {}, dict):
        raise wrong(f"{name} or {name}_dict is not an object")
    fields = {field.name for field in dataclasses.fields(kind)}
    kept = {key: value for key, value in (raw.get(name) or {}).items() if key not in fields}
    return rest | {name: kept | older}
