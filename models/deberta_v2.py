"""DeBERTa versions 2 and 3 (He et al., 2021): farther distances share rows, and those are normed.

The keys and queries of distances may be made by the layers of those of words. The largest models of
version 2 have a convolution beside the first block.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from satchel.checkpoints.tensors import LazyTensor
from satchel.models import bert, deberta, ops, weights
from satchel.models.deberta import DISTANCES
from satchel.models.disentangled import Distances
from satchel.models.encoder_config import EncoderConfig
from satchel.models.layers import LayerNorm, Linear
from satchel.models.weights import Tensors
from satchel.runtime.errors import CheckpointError, UnsupportedError, shown

RENAMED = (
    (r"^(deberta\.)?encoder\.LayerNorm\.", "distances_norm."),
    (r"^(deberta\.)?encoder\.conv\.conv\.", "trunk.conv.linear."),
    (r"^(deberta\.)?encoder\.conv\.LayerNorm\.", "trunk.conv.norm."),
)
NORM = ("distances_norm.weight", "distances_norm.bias")
SHARED = {"distance_keys": "k_proj", "distance_queries": "q_proj"}


@dataclass(frozen=True, kw_only=True)
class Config(deberta.Config):
    """config.json of model_type deberta-v2."""

    attention_head_size: int | None = None
    position_buckets: int = -1
    norm_rel_ebd: str = "none"
    share_att_key: bool = False
    conv_kernel_size: int = 0
    conv_groups: int = 1
    conv_act: str = "tanh"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_same(
            "attention_head_size", self.hidden_size // self.num_attention_heads, "hidden_size"
        )
        known = {"none", "layer_norm"}
        if not {part.strip() for part in self.norm_rel_ebd.lower().split("|")} <= known:
            raise UnsupportedError(
                f"config.json: norm_rel_ebd {shown(self.norm_rel_ebd)} is not supported; known: "
                f"{', '.join(sorted(known))}"
            )
        buckets = self.position_buckets
        if self.terms and buckets > 0 and not 4 <= buckets <= 2 * (self.farthest - 2):
            raise CheckpointError(
                f"config.json: position_buckets = {buckets} and max_relative_positions = "
                f"{self.farthest} make no buckets",
                "CKPT_CONFIG",
            )
        kernel, groups = self.conv_kernel_size, self.conv_groups
        if kernel > 0:
            self.check_activation("conv_act")
        if kernel > 0 and (kernel % 2 == 0 or kernel > 63 or groups != 1):
            raise UnsupportedError(
                f"config.json: conv_kernel_size = {kernel} with conv_groups = {groups} is not "
                "supported; known: odd ones up to 63, in one group"
            )

    @property
    def span(self) -> int:
        return self.position_buckets if self.position_buckets > 0 else self.farthest


class ConvLayer(nn.Module):
    """What the neighbours of each word add to its state behind the first block."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.reach, self.act = config.conv_kernel_size // 2, config.conv_act
        # A linear layer of the words side by side, so that it is lowered as others are.
        self.linear = Linear(config.conv_kernel_size * config.hidden_size, config.hidden_size)
        self.norm = LayerNorm(config.hidden_size, config.eps)

    def forward(self, words: Tensor, states: Tensor) -> Tensor:
        length = words.shape[1]
        padded = F.pad(words, (0, 0, self.reach, self.reach))
        beside = [padded[:, place : place + length] for place in range(2 * self.reach + 1)]
        added = ops.activation(self.act, self.linear(torch.cat(beside, dim=-1)))
        normed, _ = self.norm.add(added, states)
        return normed


class Model(deberta.Model):
    """The trunk of DeBERTa versions 2 and 3."""

    def __init__(self, config: Config, typed: bool) -> None:
        super().__init__(config, typed)
        self.conv = ConvLayer(config) if config.conv_kernel_size > 0 else None

    def forward(
        self,
        input_ids: Tensor,
        token_type_ids: Tensor | None = None,
        lengths: Tensor | None = None,
    ) -> Tensor:
        x = words = self.embeddings(input_ids, token_type_ids)
        rows = self.attention_bias(input_ids.shape[1])
        for index, block in enumerate(self.passes()):
            x = block(x, rows, lengths)
            if index == 0 and self.conv is not None:
                x = self.conv(words, x)
        return x

    @staticmethod
    def rows(config: deberta.Config) -> Distances:
        assert isinstance(config, Config)
        return Distances(
            config.span, config.positions, config.farthest, max(config.position_buckets, 0)
        )

    @staticmethod
    def sanitize(tensors: Mapping[str, LazyTensor], config: EncoderConfig) -> Tensors:
        assert isinstance(config, Config)
        named = deberta.renamed(weights.rename(tensors, RENAMED), config)
        distances = _normed(named, config, named.pop(DISTANCES, None))
        if config.share_att_key:
            stems = [
                f"trunk.layers.{layer}.attention." for layer in range(config.num_hidden_layers)
            ]
            for stem in stems:
                for table, part in SHARED.items():
                    for kind in ("weight", "bias"):
                        if (shared := named.get(f"{stem}{part}.{kind}")) is not None:
                            named[f"{stem}{table}.{kind}"] = shared
        named = deberta.with_tables(named, config, distances)
        named = weights.transform(
            named, r"^trunk\.conv\.linear\.weight$", lambda kernel: kernel.mT.flatten(1)
        )
        return weights.fuse(named, bert.PARTS, "qkv_proj")


def _normed(named: Tensors, config: Config, distances: LazyTensor | None) -> LazyTensor | None:
    """The rows of distances through their norm, where they have one; takes it out of `named`."""
    if "layer_norm" not in config.norm_rel_ebd.lower() or not config.relative_attention:
        return distances
    gain, shift = (named.pop(name, None) for name in NORM)
    size = (config.hidden_size,)
    if distances is None or gain is None or shift is None:
        return None
    if not gain.shape == shift.shape == distances.shape[1:] == size:
        return None
    return LazyTensor(
        distances.shape,
        lambda: F.layer_norm(distances.load(), size, gain.load(), shift.load(), config.eps),
    )
