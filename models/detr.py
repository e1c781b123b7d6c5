"""DETR (Carion et al., 2020): a ResNet whose last planes an encoder reads, and a decoder in which learned
queries each become an object or none."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from satchel.checkpoints import timm_layout
from satchel.checkpoints.config_keys import NEUTRAL
from satchel.checkpoints.tensors import LazyTensor
from satchel.models import attend, convolutions, resnet, vision, weights
from satchel.models.convolutions import ConvConfig
from satchel.models.detection import COSTS, TASKS, DetectionTower, ObjectsHead
from satchel.models.encoder import Tower
from satchel.models.layers import MLP, LayerNorm, Linear
from satchel.models.resnet import ResnetTrunk
from satchel.models.vision_config import Labelled, Size, wrong
from satchel.runtime.errors import UnsupportedError, shown

EPS = 1e-5
MOST_QUERIES = 1 << 12
TEMPERATURE = 10000  # of the waves that tell places
TIMM = "timm_backbone"
RENAMED = (
    (r"^class_labels_classifier\.", "image.head.labels."),
    (r"^bbox_predictor\.", "image.head.boxes."),
    (r"^model\.query_position_embeddings\.weight$", "image.trunk.queries"),
    (r"^model\.input_projection\.", "image.trunk.projection."),
    (r"^model\.decoder\.layernorm\.", "image.trunk.norm."),
    (r"^model\.(encoder|decoder)\.layers\.", r"image.trunk.\1."),
    (r"\.out_proj\.", ".o_proj."),
    (r"\.(mlp\.)?fc1\.", ".mlp.up_proj."),
    (r"\.(mlp\.)?fc2\.", ".mlp.down_proj."),
)


@dataclass(frozen=True, kw_only=True)
class PlanesConfig(resnet.Config):
    """backbone_config: a ResNet whose last planes count."""

    cosmetic: ClassVar[frozenset[str]] = resnet.Config.cosmetic - {"out_features", "out_indices"}

    out_features: list[str] | None = None
    out_indices: list[int] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        last = len(self.depths)
        for name, wanted in (("out_features", f"stage{last}"), ("out_indices", last)):
            given = getattr(self, name)
            if given is not None and given[-1:] != [wanted]:
                raise wrong(
                    f"{name} = {shown(given)} of backbone_config; expected to end with {wanted}"
                )


@dataclass(frozen=True, kw_only=True)
class Config(Labelled):
    """config.json of model_type detr."""

    KEYS: ClassVar[dict[str, tuple[str, ...]]] = {
        "hidden_size": ("d_model", "hidden_size"),
        "encoder_layers": ("encoder_layers", "num_hidden_layers"),
        "encoder_attention_heads": ("encoder_attention_heads", "num_attention_heads"),
    }
    parts: ClassVar[frozenset[str]] = frozenset(
        {"backbone", "backbone_config", "use_timm_backbone"}
    )
    cosmetic: ClassVar[frozenset[str]] = (ConvConfig.cosmetic | COSTS) - {"auxiliary_loss"} | {
        "activation_dropout",
        "decoder_layerdrop",
        "dice_loss_coefficient",
        "dropout",
        "encoder_layerdrop",
        "init_xavier_std",
        "mask_loss_coefficient",
        "use_pretrained_backbone",
    }
    neutral: ClassVar[dict[str, tuple[Any, ...]]] = NEUTRAL | {
        "auxiliary_loss": (False,),  # it norms between the layers of the decoder
        "backbone_kwargs": ({},),
        "dilation": (False,),
        "is_encoder_decoder": (True, False),
        "num_channels": (3,),
        "position_embedding_type": ("sine",),
    }

    planes: PlanesConfig
    timm: bool  # whether the ResNet's weights are named as timm names them
    hidden_size: int = 256
    encoder_layers: int = 6
    encoder_ffn_dim: int = 2048
    encoder_attention_heads: int = 8
    decoder_layers: int = 6
    decoder_ffn_dim: int = 2048
    decoder_attention_heads: int = 8
    activation_function: str = "relu"
    num_queries: int = 100

    @classmethod
    def from_dict(cls, raw: dict[str, Any], ignored_keys: Collection[str] = ()) -> Self:
        planes, timm = _planes(raw), False
        if planes.get("model_type") == TIMM:
            planes, timm = _of_timm(planes), True
        if planes.get("model_type") != "resnet":
            raise UnsupportedError(
                f"config.json: backbone_config is {shown(planes.get('model_type'))}; satchel reads a "
                "resnet there, or one of timm"
            )
        made = PlanesConfig.from_dict(planes, ignored_keys)
        return cls.made(cls.values(raw, ignored_keys) | {"planes": made, "timm": timm})

    def __post_init__(self) -> None:
        self.check_sizes()
        self.check_activation("activation_function")
        if not 1 <= self.num_queries <= MOST_QUERIES:
            raise wrong(f"num_queries = {self.num_queries} makes no sense")
        for name in ("encoder_attention_heads", "decoder_attention_heads"):
            if self.hidden_size % getattr(self, name) or self.hidden_size % 4:
                raise wrong(f"d_model = {self.hidden_size} for {name} = {getattr(self, name)}")


def _planes(raw: dict[str, Any]) -> dict[str, Any]:
    """backbone_config, or what stands for it in older files."""
    given = raw.get("backbone_config")
    if given is None and raw.get("use_timm_backbone") in (None, True):
        return {"model_type": TIMM, "backbone": raw.get("backbone") or "resnet50"}
    if given is None and raw.get("backbone") is None:
        return {"model_type": "resnet"}
    if not isinstance(given, dict):
        named = "backbone" if given is None else "backbone_config"
        raise UnsupportedError(f"config.json: {named} = {shown(raw[named])} is not supported")
    return given


def _of_timm(said: dict[str, Any]) -> dict[str, Any]:
    """The same ResNet in the words of Hugging Face."""
    strides, last = said.get("output_stride"), said.get("out_indices") or [4]
    if strides not in (None, 32) or not isinstance(last, list) or last[-1] not in (4, -1):
        raise UnsupportedError(
            f"config.json: output_stride = {shown(strides)} or out_indices = {shown(last)} of "
            "backbone_config is not supported"
        )
    name = said.get("backbone")
    config, _ = timm_layout.architecture(name if isinstance(name, str) else "", [224, 224])
    return config


class PlacedAttention(nn.Module):
    """Attention whose queries and keys know their places, and whose values do not."""

    def __init__(self, size: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads, self.scale = num_heads, (size // num_heads) ** -0.5
        self.q_proj, self.k_proj = Linear(size, size), Linear(size, size)
        self.v_proj, self.o_proj = Linear(size, size), Linear(size, size)

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        projected = self.q_proj(query), self.k_proj(key), self.v_proj(value)
        return self.o_proj(attend.attention(*projected, self.num_heads, self.scale))


class QueriesBlock(nn.Module):
    """Attention among states, in a decoder to those of the image too, and an MLP: each added, normed."""

    def __init__(self, size: int, heads: int, wide: int, act: str, crossing: bool) -> None:
        super().__init__()
        self.self_attn, self.self_attn_layer_norm = (
            PlacedAttention(size, heads),
            LayerNorm(size, EPS),
        )
        self.encoder_attn = PlacedAttention(size, heads) if crossing else None
        self.encoder_attn_layer_norm = LayerNorm(size, EPS) if crossing else None
        self.mlp, self.final_layer_norm = MLP(size, wide, act), LayerNorm(size, EPS)

    def forward(
        self, x: Tensor, place: Tensor, source: Tensor | None = None, placed: Tensor | None = None
    ) -> Tensor:
        at = x + place
        x = self.self_attn_layer_norm.add(self.self_attn(at, at, x), x)[0]
        if self.encoder_attn is not None and self.encoder_attn_layer_norm is not None:
            assert source is not None and placed is not None
            found = self.encoder_attn(x + place, placed, source)
            x = self.encoder_attn_layer_norm.add(found, x)[0]
        return self.final_layer_norm.add(self.mlp(x), x)[0]


class QueriesTrunk(nn.Module):
    """pixel_values [batch, channels, height, width] to states of queries [batch, queries, hidden]."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        size, act = config.hidden_size, config.activation_function
        self.backbone = ResnetTrunk(config.planes)
        self.projection = Linear(config.planes.hidden_size, size)
        self.queries = nn.Parameter(torch.zeros(config.num_queries, size))
        self.encoder = nn.ModuleList(
            QueriesBlock(size, config.encoder_attention_heads, config.encoder_ffn_dim, act, False)
            for _ in range(config.encoder_layers)
        )
        self.decoder = nn.ModuleList(
            QueriesBlock(size, config.decoder_attention_heads, config.decoder_ffn_dim, act, True)
            for _ in range(config.decoder_layers)
        )
        self.norm = LayerNorm(size, EPS)

    def forward(self, pixels: Tensor) -> Tensor:
        planes = self.backbone.planes(pixels)
        place = waves((planes.shape[2], planes.shape[3]), len(self.queries[0]) // 2)
        source = self.projection(convolutions.rows(planes))
        for block in self.encoder:
            source = block(source, place)
        queries = self.queries.expand(planes.shape[0], -1, -1)
        x = torch.zeros_like(queries)
        for block in self.decoder:
            x = block(x, queries, source, source + place)
        return self.norm(x)


def waves(grid: Size, count: int) -> Tensor:
    """Where each place of a grid is, as sines and cosines [rows * columns, 2 * count] of its row and its
    column, as parts of all."""
    turns = torch.arange(count).div(2, rounding_mode="floor").float() * 2 / count
    slower, sides = TEMPERATURE**turns, []
    for side in grid:
        at = torch.arange(1, side + 1).float() / (side + 1e-6) * (2 * math.pi)
        angles = at[:, None] / slower
        sides.append(torch.stack((angles[:, 0::2].sin(), angles[:, 1::2].cos()), 2).flatten(1))
    rows, columns = grid
    down, along = sides[0][:, None].expand(-1, columns, -1), sides[1][None].expand(rows, -1, -1)
    return torch.cat((down, along), 2).flatten(0, 1)


def towers(config: Config, task: str, image_size: Size | None = None) -> dict[str, Tower]:
    """The image tower; `image_size` is what preprocessing makes, None where images differ in size."""
    vision.check_task("detr", task, TASKS)
    size, labels, queries = config.hidden_size, len(config.labels.names), config.num_queries
    head, trunk = ObjectsHead(size, Linear(size, labels + 1)), QueriesTrunk(config)
    return {"image": DetectionTower(trunk, head, size, queries, labels, queries, image_size)}


def sanitize(
    tensors: Mapping[str, LazyTensor],
    config: Config,
    task: str,
    image_size: Size | None = None,
) -> dict[str, LazyTensor]:
    """Checkpoint names and layouts to those of the tower, norms folded into convolutions."""
    bare = weights.rename(tensors, [(r"^model\.backbone\.(conv_encoder\.)?model\.", "resnet.")])
    planes = {
        name.removeprefix("resnet."): tensor
        for name, tensor in bare.items()
        if name.startswith("resnet.")
    }
    if config.timm:
        planes = timm_layout.renamed(planes, timm_layout.RESNET_NAMES)
    folded = weights.rename(convolutions.folded(planes, resnet.EPS), resnet.RENAMED)
    inner = weights.rename(folded, [(r"^image\.trunk\.", "image.trunk.backbone.")])
    rest = weights.rename(vision.dropped(bare, r"^resnet\."), RENAMED)
    return inner | weights.transform(rest, r"\.projection\.weight$", convolutions.flat)
