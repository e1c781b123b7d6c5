"""LayoutLMv3 (Huang et al., 2022): RoBERTa whose words have boxes on a page; images are left out.

Boxes are added to the embeddings, and the distances of tokens, in the text and on the page, to the
scores. Without an image there are no patches behind the words, as in transformers.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from satchel.checkpoints.tensors import LazyTensor
from satchel.models import bert, roberta, weights
from satchel.models.encoder_config import EncoderConfig
from satchel.models.heads import HeadShape
from satchel.models.labels import read_labels
from satchel.models.layers import Embedding
from satchel.models.relative import DistanceBias
from satchel.runtime.errors import CheckpointError, UnsupportedError
from satchel.runtime.manifest import FARTHEST_SIDE

IMAGES = ("patch_embed", "cls_token", "pos_embed", "norm", "LayerNorm", "visual_bbox")
FEW = 10  # labels; from here on the head of words has two layers
BIASES = {"rel_pos_bias": "along", "rel_pos_x_bias": "across", "rel_pos_y_bias": "down"}
RENAMED = (
    (r"^layoutlmv3\.", ""),
    *((rf"^encoder\.{theirs}\.", f"trunk.biases.{ours}.") for theirs, ours in BIASES.items()),
)


@dataclass(frozen=True, kw_only=True)
class Config(roberta.Config):
    """config.json of model_type layoutlmv3."""

    KEYS: ClassVar[dict[str, tuple[str, ...]]] = {"labels": ()}
    cosmetic: ClassVar[frozenset[str]] = EncoderConfig.cosmetic | frozenset(
        ["input_size", "num_channels", "patch_size"]
    )

    layer_norm_eps: float = 1e-5
    max_2d_position_embeddings: int = 1024
    coordinate_size: int = 128
    shape_size: int = 128
    has_relative_attention_bias: bool = True
    rel_pos_bins: int = 32
    max_rel_pos: int = 128
    has_spatial_attention_bias: bool = True
    rel_2d_pos_bins: int = 64
    max_rel_2d_pos: int = 256
    text_embed: bool = True
    visual_embed: bool = True
    labels: int = 2  # how many there are: the head of words depends on it

    @classmethod
    def values(cls, raw: dict[str, Any], ignored_keys: Collection[str] = ()) -> dict[str, Any]:
        named = raw.get("id2label")  # its keys are checked where labels are read
        count = len(named) if isinstance(named, dict) else len(read_labels(raw, "tokens").names)
        return super().values(raw, ignored_keys) | {"labels": count}

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.text_embed:
            raise UnsupportedError("config.json: text_embed = False: a model of images alone")
        if not FARTHEST_SIDE < self.max_2d_position_embeddings <= 1 << 16:
            raise UnsupportedError(
                f"config.json: max_2d_position_embeddings = {self.max_2d_position_embeddings}; boxes "
                f"reach from 0 to {FARTHEST_SIDE}"
            )
        sides = 4 * self.coordinate_size + 2 * self.shape_size
        if min(self.coordinate_size, self.shape_size) < 1 or sides != self.hidden_size:
            raise CheckpointError(
                f"config.json: 4 * coordinate_size + 2 * shape_size = {sides}; expected hidden_size, "
                f"{self.hidden_size}",
                "CKPT_CONFIG",
            )
        for bins, most in (("rel_pos_bins", "max_rel_pos"), ("rel_2d_pos_bins", "max_rel_2d_pos")):
            count, farthest = getattr(self, bins), getattr(self, most)
            if not 4 <= count <= 1 << 10 or not count // 4 < farthest <= 1 << 16:
                raise UnsupportedError(
                    f"config.json: {bins} = {count} with {most} = {farthest}; expected 4..1024, and "
                    "more than a quarter of that to 65536"
                )

    @property
    def boxed(self) -> bool:
        return True

    @property
    def biases(self) -> dict[str, tuple[int, int]]:
        """Buckets and farthest distance of each bias; the page has some only where the text has."""
        near = {"along": (self.rel_pos_bins, self.max_rel_pos)}
        page = dict.fromkeys(("across", "down"), (self.rel_2d_pos_bins, self.max_rel_2d_pos))
        if not self.has_relative_attention_bias:
            return {}
        return near | (page if self.has_spatial_attention_bias else {})


class BoxedEmbeddings(bert.BertEmbeddings):
    """Words, positions, and the sides, height and width of their boxes."""

    def __init__(self, config: Config) -> None:
        super().__init__(config, typed=False)
        rows = config.max_2d_position_embeddings
        self.x_position_embeddings = Embedding(rows, config.coordinate_size)
        self.y_position_embeddings = Embedding(rows, config.coordinate_size)
        self.h_position_embeddings = Embedding(rows, config.shape_size)
        self.w_position_embeddings = Embedding(rows, config.shape_size)

    def forward(self, input_ids: Tensor, bbox: Tensor | None) -> Tensor:
        assert self.position_embeddings is not None and self.norm is not None and bbox is not None
        positions = torch.arange(self.first, self.first + input_ids.shape[1])
        x = self.words(input_ids) + self.boxes(bbox)
        return self.norm.add(x, self.position_embeddings(positions))[0]

    def boxes(self, bbox: Tensor) -> Tensor:
        """What int64 boxes [batch, length, 4] add: [batch, length, width]."""
        left, top, right, bottom = bbox.unbind(-1)
        last = self.h_position_embeddings.num_embeddings - 1
        sides = (
            self.x_position_embeddings(left),
            self.y_position_embeddings(top),
            self.x_position_embeddings(right),
            self.y_position_embeddings(bottom),
            self.h_position_embeddings((bottom - top).clamp(0, last)),
            self.w_position_embeddings((right - left).clamp(0, last)),
        )
        return torch.cat(sides, dim=-1)


class Model(bert.Model):
    """The trunk of LayoutLMv3, with the biases of every distance written out and scaled as scores are."""

    unused = IMAGES

    def __init__(self, config: Config, typed: bool) -> None:
        super().__init__(config, typed)
        self.embeddings = BoxedEmbeddings(config)
        self.biases = nn.ModuleDict(
            {
                name: DistanceBias(config.num_attention_heads, farthest, both=True)
                for name, (_, farthest) in config.biases.items()
            }
        )

    def forward(  # type: ignore[override]
        self, input_ids: Tensor, bbox: Tensor
    ) -> Tensor:
        """States [batch, length, hidden] of int64 ids [batch, length] with boxes [batch, length, 4]:
        left, top, right, bottom."""
        x = self.embeddings(input_ids, bbox)
        bias = self.distance_bias(bbox)
        for block in self.passes():
            x = block(x, bias)
        return x

    def distance_bias(self, bbox: Tensor) -> Tensor | None:
        """What is added to all scores, [1 or batch, heads, length, length]: by how far apart tokens are
        in the text, and left sides and bottoms on the page."""
        steps = torch.arange(bbox.shape[1])[None]
        places = {"along": steps, "across": bbox[..., 0], "down": bbox[..., 3]}
        added = [bias(places[name], places[name][:, None]) for name, bias in self.biases.items()]
        return sum(added[1:], added[0]) if added else None

    @staticmethod
    def sanitize(tensors: Mapping[str, LazyTensor], config: EncoderConfig) -> dict[str, LazyTensor]:
        assert isinstance(config, Config)
        named = bert.Model.sanitize(weights.rename(tensors, RENAMED), config)
        scale = (config.hidden_size // config.num_attention_heads) ** -0.5
        for name, (buckets, farthest) in config.biases.items():
            table = functools.partial(_table, scale=scale, buckets=buckets, reach=farthest)
            named = weights.transform(named, rf"^trunk\.biases\.{name}\.", table)
        idle = [f"trunk.biases.{name}" for name in BIASES.values() if name not in config.biases]
        return weights.without(named, idle)

    @staticmethod
    def heads(config: EncoderConfig) -> dict[str, HeadShape]:
        assert isinstance(config, Config)
        out, dense = "classifier.out_proj", "classifier.dense"
        deep = HeadShape(out, dense=dense, act="tanh")
        return {
            "classify": HeadShape(out, dense=dense, act="tanh", pooling="cls"),
            "tokens": deep if config.labels >= FEW else HeadShape("classifier"),
        }


def _table(rows: Tensor, scale: float, buckets: int, reach: int) -> Tensor:
    """The scaled bias of every distance, of a file's [heads, buckets]."""
    return DistanceBias.table(rows.T, buckets, reach, both=True) * scale
