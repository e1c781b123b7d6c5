"""YOLOS (Fang et al., 2021): ViT with tokens behind its patches, each of which is an object or none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor, nn

from satchel.checkpoints.tensors import LazyTensor
from satchel.models import vision, vit, weights
from satchel.models.any_size import AnySizeTrunk
from satchel.models.detection import COSTS, TASKS, DetectionTower, ObjectsHead, Perceptron
from satchel.models.encoder import Tower
from satchel.models.layers import LayerNorm
from satchel.models.vision_config import ImageConfig, Labelled, Size, wrong
from satchel.models.weights import Tensors

MOST_TOKENS = 1 << 12
DETECTION = "image.embeddings.detection_tokens"
MIDDLE = "image.trunk.middle"
RENAMED = (
    (r"^encoder\.(interpolation\.)?mid_position_embeddings$", "trunk.middle"),
    (r"^class_labels_classifier\.", "head.labels."),
    (r"^bbox_predictor\.", "head.boxes."),
    *vit.RENAMED,
)


@dataclass(frozen=True, kw_only=True)
class Config(ImageConfig, Labelled):
    """config.json of model_type yolos."""

    cosmetic: ClassVar[frozenset[str]] = ImageConfig.cosmetic | COSTS

    image_size: int | list[int] = field(default_factory=lambda: [512, 864])
    intermediate_size: int = 3072
    layer_norm_eps: float = 1e-12
    qkv_bias: bool = True
    num_detection_tokens: int = 100
    use_mid_position_embeddings: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.num_detection_tokens <= MOST_TOKENS:
            raise wrong(f"num_detection_tokens = {self.num_detection_tokens} makes no sense")


class TokensTrunk(AnySizeTrunk):
    """pixel_values to states, with positions added again between the blocks where there are some."""

    def __init__(self, config: Config) -> None:
        blocks = vision.plain_blocks(config, config.intermediate_size, config.qkv_bias)
        norm = LayerNorm(config.hidden_size, config.layer_norm_eps)
        super().__init__(config, blocks, norm, last=config.num_detection_tokens)
        middle = (len(blocks) - 1, *self.positions.shape)
        self.middle = (
            nn.Parameter(torch.zeros(middle)) if config.use_mid_position_embeddings else None
        )

    def forward(self, pixels: Tensor) -> Tensor:
        x, residual = self.embedded(pixels), None
        for number, block in enumerate(self.layers):
            if number and self.middle is not None:
                x = x + self.sized(self.middle[number - 1], pixels)
            x, residual = block(x, residual, None)
        assert self.norm is not None
        return self.norm.add(x, residual)[0]


def towers(config: Config, task: str, image_size: Size | None = None) -> dict[str, Tower]:
    """The image tower; `image_size` is what preprocessing makes, None where images differ in size."""
    vision.check_task("yolos", task, TASKS)
    size, labels, queries = (
        config.hidden_size,
        len(config.labels.names),
        config.num_detection_tokens,
    )
    length: int | str = "length"
    if image_size is not None:
        rows, columns = config.grid(image_size)
        length = 1 + rows * columns + queries
    head = ObjectsHead(size, Perceptron(size, labels + 1))
    trunk = TokensTrunk(config)
    return {"image": DetectionTower(trunk, head, size, queries, labels, length, image_size)}


def sanitize(
    tensors: Mapping[str, LazyTensor],
    config: Config,
    task: str,
    image_size: Size | None = None,
) -> dict[str, LazyTensor]:
    """Checkpoint names and layouts to those of the tower."""
    named = vision.alone(tensors, task, r"^vit\.", r"^pooler\.", RENAMED)
    squeezed = weights.transform(named, rf"^{MIDDLE}$", lambda table: table.flatten(1, -2))
    return _with_detection(vision.with_tokens(squeezed), config.num_detection_tokens)


def _with_detection(tensors: Tensors, count: int) -> Tensors:
    """Put the tokens that find objects into the last rows of the position table."""
    tokens, table = tensors.get(DETECTION), tensors.get(vision.POSITIONS)
    if tokens is None or table is None or tokens.shape != (1, count, *table.shape[1:]):
        return tensors  # the strict load reports it

    def load() -> Tensor:
        rows = table.load().clone()
        rows[-count:] += tokens.load()[0]
        return rows

    rest = {name: tensor for name, tensor in tensors.items() if name != DETECTION}
    return rest | {vision.POSITIONS: LazyTensor(table.shape, load)}
