"""ConvBERT (Jiang et al., 2020): half of attention's heads give way to convolutions over a text's
neighbourhood, whose weights follow from the text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from satchel.checkpoints.tensors import LazyTensor
from satchel.models import attend, bert, electra, weights
from satchel.models.encoder_config import EncoderConfig
from satchel.models.heads import HeadShape
from satchel.models.layers import MLP, Linear
from satchel.runtime.errors import CheckpointError

RENAMED = (
    (r"\.attention\.self\.key_conv_attn_layer\.bias$", ".attention.pointwise.bias"),
    (r"\.attention\.self\.key_conv_attn_layer\.", ".attention."),
    (r"\.attention\.self\.conv_kernel_layer\.", ".attention.kernel."),
    (r"\.attention\.self\.conv_out_layer\.", ".attention.local."),
)


@dataclass(frozen=True, kw_only=True)
class Config(electra.Config):
    """config.json of model_type convbert."""

    embedding_size: int = 768
    head_ratio: int = 2
    conv_kernel_size: int = 9
    num_groups: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        sizes = (self.head_ratio, self.conv_kernel_size, self.num_groups)
        if min(sizes) < 1 or self.conv_kernel_size % 2 == 0:
            raise CheckpointError(
                "config.json: head_ratio, conv_kernel_size and num_groups = "
                f"{', '.join(map(str, sizes))}; expected 1 at least, the second odd",
                "CKPT_CONFIG",
            )
        if self.hidden_size % (2 * self.heads) or any(
            size % self.num_groups for size in (self.hidden_size, self.intermediate_size)
        ):
            raise CheckpointError(
                f"config.json: hidden_size = {self.hidden_size} is not a multiple of twice the "
                f"{self.heads} heads of attention, or it or intermediate_size not one of num_groups",
                "CKPT_CONFIG",
            )

    @property
    def heads(self) -> int:
        """Heads that attend, and as many that convolve."""
        return max(1, self.num_attention_heads // self.head_ratio)


class MixedAttention(nn.Module):
    """Heads that attend beside heads that sum up the neighbours of a token."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        size, self.heads, self.taps = config.hidden_size, config.heads, config.conv_kernel_size
        half = size // 2
        self.scale = (half // self.heads) ** -0.5
        self.qkv_proj = Linear(size, 3 * half)
        self.depthwise = nn.Conv1d(
            size, size, self.taps, groups=size, padding=self.taps // 2, bias=False
        )
        self.pointwise = Linear(size, half)
        self.kernel = Linear(half, self.heads * self.taps)
        self.local = Linear(size, half)
        self.o_proj = Linear(size, size)

    def forward(
        self, x: Tensor, bias: Tensor | None = None, lengths: Tensor | None = None
    ) -> Tensor:
        query, key, value = self.qkv_proj(x).chunk(3, dim=-1)
        attended = attend.attention(query, key, value, self.heads, self.scale, bias, lengths)
        near = self.pointwise(self.depthwise(x.transpose(1, 2)).transpose(1, 2))
        shares = self.kernel(near * query).unflatten(-1, (self.heads, self.taps)).softmax(-1)
        return self.o_proj(torch.cat([attended, self._summed(self.local(x), shares)], -1))

    def _summed(self, x: Tensor, shares: Tensor) -> Tensor:
        """Neighbours in x [batch, length, width] by their shares [batch, length, heads, taps]."""
        length, side = x.shape[1], self.taps // 2
        around = F.pad(x, (0, 0, side, side)).unflatten(-1, (self.heads, -1))
        steps = (
            around[:, tap : tap + length] * shares[..., tap : tap + 1] for tap in range(self.taps)
        )
        total = next(steps)
        for step in steps:
            total = total + step
        return total.flatten(-2)


class GroupedLinear(nn.Module):
    """A linear layer per group of channels."""

    def __init__(self, inputs: int, outputs: int, groups: int) -> None:
        super().__init__()
        self.groups = nn.ModuleList(
            Linear(inputs // groups, outputs // groups) for _ in range(groups)
        )

    def forward(self, x: Tensor) -> Tensor:
        parts = x.chunk(len(self.groups), dim=-1)
        return torch.cat([it(part) for it, part in zip(self.groups, parts, strict=True)], -1)


class GroupedMLP(MLP):
    """An MLP of such layers."""

    def __init__(self, config: Config) -> None:
        nn.Module.__init__(self)
        size, inner, groups = config.hidden_size, config.intermediate_size, config.num_groups
        self.act = config.hidden_act
        self.up_proj = GroupedLinear(size, inner, groups)  # type: ignore[assignment]
        self.down_proj = GroupedLinear(inner, size, groups)  # type: ignore[assignment]


class Model(bert.Model):
    """The trunk of ConvBERT."""

    unused = ()

    @staticmethod
    def blocks(config: EncoderConfig) -> nn.ModuleList:
        assert isinstance(config, Config)
        grouped = config.num_groups > 1
        return nn.ModuleList(
            bert.BertBlock(config, MixedAttention(config), GroupedMLP(config) if grouped else None)
            for _ in range(config.num_hidden_layers)
        )

    @staticmethod
    def sanitize(tensors: Mapping[str, LazyTensor], config: EncoderConfig) -> weights.Tensors:
        assert isinstance(config, Config)
        named = bert.Model.sanitize(weights.rename(tensors, RENAMED), config)
        named = weights.transform(named, r"\.pointwise\.(weight|bias)$", lambda x: x.squeeze(-1))
        return named if config.num_groups == 1 else _ungrouped(named, config.num_groups)

    @staticmethod
    def heads(config: EncoderConfig) -> dict[str, HeadShape]:
        shapes = electra.Model.heads(config)
        classify = HeadShape(
            "classifier.out_proj", dense="classifier.dense", act=config.hidden_act, pooling="cls"
        )
        return shapes | {"classify": classify}


def _ungrouped(tensors: weights.Tensors, groups: int) -> weights.Tensors:
    """Weights [groups, inputs, outputs] and biases of all groups as those of a layer per group."""
    apart: weights.Tensors = {}
    for name, tensor in tensors.items():
        stem, _, kind = name.rpartition(".")
        if not stem.endswith((".up_proj", ".down_proj")):
            apart[name] = tensor
            continue
        for group in range(groups):

            def part(x: Tensor, group: int = group) -> Tensor:
                return x[group].T if x.ndim == 3 else x.chunk(groups)[group]

            of_group = {f"{stem}.groups.{group}.{kind}": tensor}
            apart |= weights.transform(of_group, "", part)
    return apart
