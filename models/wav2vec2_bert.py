"""Wav2Vec2-BERT (Seamless Communication, 2023): energies of bands through a Conformer's blocks (Gulati et
al., 2020) with keys by distance (Shaw et al., 2018), and perhaps layers that shorten what comes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from satchel.checkpoints.tensors import LazyTensor
from satchel.models import attend, ops, weights
from satchel.models.disentangled import skewed
from satchel.models.layers import MLP, LayerNorm, Linear, SelfAttention
from satchel.models.seq2seq import Context, Seq2seqBlock
from satchel.models.sound_config import MOST, HearingConfig
from satchel.models.vision_config import wrong
from satchel.models.weights import Tensors
from satchel.runtime.errors import UnsupportedError, shown

BY_KEY = "relative_key"
RENAMED = (
    (r"^wav2vec2_bert\.", ""),
    (r"^feature_projection\.layer_norm\.", "trunk.input_norm."),
    (r"^feature_projection\.projection\.", "trunk.projection."),
    (r"^encoder\.layers\.", "trunk.layers."),
    (r"^intermediate_ffn\.", "trunk.between."),
    (r"^adapter\.proj_layer_norm\.", "trunk.narrow_norm."),
    (r"^adapter\.proj\.", "trunk.narrow."),
    (r"^adapter\.layers\.", "trunk.adapter."),
    (r"(ffn\d?|self_attn)_layer_norm\.", r"\1_norm."),
    (r"\.conv_module\.layer_norm\.", ".conv_norm."),
    (r"\.conv_module\.depthwise_layer_norm\.", ".conv.norm."),
    (r"\.conv_module\.pointwise_conv1\.", ".conv.gated."),
    (r"\.conv_module\.pointwise_conv2\.", ".conv.out."),
    (r"\.conv_module\.depthwise_conv\.", ".conv.depthwise."),
    (r"\.final_layer_norm\.", ".norm."),
    (r"\.residual_layer_norm\.", ".residual_norm."),
    (r"\.intermediate_dense\.", ".up_proj."),
    (r"\.output_dense\.", ".down_proj."),
    (r"\.linear_([qkv])\.", r".\1_proj."),
    (r"\.linear_out\.", ".o_proj."),
    (r"\.distance_embedding\.weight$", ".distances"),
)


@dataclass(frozen=True, kw_only=True)
class Config(HearingConfig):
    """config.json of model_type wav2vec2-bert."""

    # Of positions that are refused.
    cosmetic: ClassVar[frozenset[str]] = HearingConfig.cosmetic | frozenset(
        ["max_source_positions", "rotary_embedding_base"]
    )

    vocab_size: int | None = None
    hidden_size: int = 1024
    num_hidden_layers: int = 24
    num_attention_heads: int = 16
    intermediate_size: int = 4096
    hidden_act: str = "swish"
    classifier_proj_size: int = 768
    feature_projection_input_dim: int = 160
    position_embeddings_type: str | None = BY_KEY
    left_max_position_embeddings: int = 64
    right_max_position_embeddings: int = 8
    conv_depthwise_kernel_size: int = 31
    add_adapter: bool = False
    num_adapter_layers: int = 1
    adapter_kernel_size: int = 3
    adapter_stride: int = 2
    adapter_act: str = "relu"
    use_intermediate_ffn_before_adapter: bool = False
    output_hidden_size: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.position_embeddings_type not in (None, BY_KEY):
            raise UnsupportedError(
                "config.json: position_embeddings_type "
                f"{shown(self.position_embeddings_type)} is not supported; known: {BY_KEY}, null"
            )
        sizes = [self.feature_projection_input_dim, self.conv_depthwise_kernel_size]
        reach = [self.left_max_position_embeddings, self.right_max_position_embeddings]
        if not all(1 <= size <= MOST for size in sizes) or not all(0 <= n <= MOST for n in reach):
            raise wrong(f"feature_projection_input_dim or another size is outside 1..{MOST}")
        if self.conv_depthwise_kernel_size % 2 == 0:
            raise wrong(f"conv_depthwise_kernel_size = {self.conv_depthwise_kernel_size} is even")
        if self.add_adapter:
            self._check_adapter()
        elif self.use_intermediate_ffn_before_adapter:
            raise wrong("use_intermediate_ffn_before_adapter = True without add_adapter")

    def _check_adapter(self) -> None:
        self.check_activation("adapter_act")
        stride, kernel = self.adapter_stride, self.adapter_kernel_size
        if (
            not 1 <= stride <= 16 or kernel != 2 * (stride // 2) + 1
        ):  # else frames are lost at the end
            raise UnsupportedError(
                f"config.json: adapter_kernel_size = {kernel} with adapter_stride = {stride} is not "
                "supported; known: 3 with 2 or 3"
            )
        if not 1 <= self.num_adapter_layers <= 8 or self.facts["shrunk"] > 256:
            raise wrong(f"num_adapter_layers = {self.num_adapter_layers} is outside 1..8")
        if not 1 <= self.states_size <= MOST or self.states_size % self.num_attention_heads:
            raise wrong(f"output_hidden_size = {self.states_size} is not a multiple of heads")

    @property
    def input_name(self) -> str:
        return "input_features"

    @property
    def states_size(self) -> int:
        return (self.add_adapter and self.output_hidden_size) or self.hidden_size

    @property
    def facts(self) -> dict[str, int]:
        shrunk = self.adapter_stride**self.num_adapter_layers if self.add_adapter else 1
        return {"width": self.feature_projection_input_dim, "shrunk": shrunk}


class DistantAttention(SelfAttention):
    """Attention whose scores also have a query's product with a row for the distance of the key."""

    def __init__(self, config: Config) -> None:
        super().__init__(config.hidden_size, config.num_attention_heads)
        reach = (config.left_max_position_embeddings, config.right_max_position_embeddings)
        size = config.hidden_size // config.num_attention_heads
        self.distances = nn.Parameter(torch.empty(sum(reach) + 1, size))
        self.before, self.behind = reach

    def forward(self, x: Tensor, context: Context) -> Tensor:  # type: ignore[override]
        query, key, value = self.qkv_proj(x).split(self.widths, dim=-1)
        length = x.shape[1]
        heads = query.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
        rows = torch.arange(-length + 1, length + 1).clamp(-self.before, self.behind) + self.before
        near = (heads * self.scale) @ self.distances.T  # [batch, heads, frames, distances]
        bias = skewed(near.index_select(-1, rows))
        return self.o_proj(attend.attention(query, key, value, self.num_heads, self.scale, bias))


class PlainAttention(SelfAttention):
    """Attention that knows no positions."""

    def forward(self, x: Tensor, context: Context) -> Tensor:  # type: ignore[override]
        return super().forward(x)


class Convolved(nn.Module):
    """Gated channels, each convolved over the frames before, and mixed."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        size, self.taps = config.hidden_size, config.conv_depthwise_kernel_size
        self.act = config.hidden_act
        self.gated = Linear(size, 2 * size, bias=False)
        self.depthwise = nn.Conv1d(size, size, self.taps, groups=size, bias=False)
        self.norm = LayerNorm(size, config.layer_norm_eps)
        self.out = Linear(size, size, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = F.pad(gate(self.gated(x), -1).transpose(1, 2), (self.taps - 1, 0))
        x = self.norm(self.depthwise(x).transpose(1, 2))
        return self.out(ops.activation(self.act, x))


class ConformerBlock(Seq2seqBlock):
    """Half an MLP, attention, a convolution and the other half, then a norm."""

    def __init__(self, config: Config) -> None:
        size = config.hidden_size
        norm: Callable[[], LayerNorm] = lambda: LayerNorm(size, config.layer_norm_eps)  # noqa: E731
        near = config.position_embeddings_type is not None
        heads = config.num_attention_heads
        parts: dict[str, nn.Module] = {
            "ffn1": MLP(size, config.intermediate_size, config.hidden_act),
            "self_attn": DistantAttention(config) if near else PlainAttention(size, heads),
            "conv": Convolved(config),
            "ffn2": MLP(size, config.intermediate_size, config.hidden_act),
        }
        super().__init__(parts, norm, post_norm=False)
        self.norm = norm()

    def forward(
        self, x: Tensor, residual: Tensor | None, context: Context
    ) -> tuple[Tensor, Tensor | None]:
        x, residual = super().forward(x, residual, context)
        return self.norm.add(x, residual)[0], None

    def _part(self, name: str, x: Tensor, context: Context) -> Tensor:
        part: nn.Module = getattr(self, name)
        output: Tensor = part(x, context) if name == "self_attn" else part(x)
        return output


class Shortening(nn.Module):
    """A block that makes one frame of several."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        size, eps = config.states_size, config.layer_norm_eps
        kernel, stride = config.adapter_kernel_size, config.adapter_stride
        self.residual_norm, self.self_attn_norm = LayerNorm(size, eps), LayerNorm(size, eps)
        self.residual_conv, self.self_attn_conv = (
            nn.Conv1d(size, 2 * size, kernel, stride, padding=stride // 2) for _ in range(2)
        )
        self.self_attn = SelfAttention(size, config.num_attention_heads)
        self.ffn_norm = LayerNorm(size, eps)
        self.ffn = MLP(size, config.intermediate_size, config.adapter_act)

    def forward(self, x: Tensor) -> Tensor:
        residual = gate(self.residual_conv(self.residual_norm(x).transpose(1, 2)), 1)
        x = gate(self.self_attn_conv(self.self_attn_norm(x).transpose(1, 2)), 1)
        attended = self.self_attn(x.transpose(1, 2))
        hidden, total = self.ffn_norm.add(attended, residual.transpose(1, 2))
        return self.ffn(hidden) + total


class Model(nn.Module):
    """Features float32 [batch, rows, width] to states [batch, frames, hidden]."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        size, width = config.hidden_size, config.feature_projection_input_dim
        self.input_norm = LayerNorm(width, config.layer_norm_eps)
        self.projection = Linear(width, size)
        self.layers = nn.ModuleList(ConformerBlock(config) for _ in range(config.num_hidden_layers))
        self.between: nn.Module | None = None
        if config.use_intermediate_ffn_before_adapter:
            self.between = MLP(size, config.intermediate_size, "relu")
        self.narrow: nn.Module | None = None
        if config.states_size != size:
            self.narrow = Linear(size, config.states_size)
            self.narrow_norm = LayerNorm(config.states_size, config.layer_norm_eps)
        count = config.num_adapter_layers if config.add_adapter else 0
        self.adapter = nn.ModuleList(Shortening(config) for _ in range(count))

    def forward(self, features: Tensor) -> Tensor:
        x = self.every(features)[-1]
        if self.between is not None:
            x = x + self.between(x)
        if self.narrow is not None:
            x = self.narrow_norm(self.narrow(x))
        for layer in self.adapter:
            x = layer(x)
        return x

    def every(self, features: Tensor) -> list[Tensor]:
        """What goes into the first block and comes out of each."""
        states, context = [self.projection(self.input_norm(features))], Context()
        for block in self.layers:
            states.append(block(states[-1], None, context)[0])
        return states

    @staticmethod
    def sanitize(tensors: Mapping[str, LazyTensor], config: HearingConfig) -> Tensors:
        """Checkpoint names and layouts to ours, under ``trunk.``; heads keep their names."""
        named = weights.rename(tensors, RENAMED)
        named.pop("masked_spec_embed", None)  # training needs it
        named = weights.transform(named, r"\.(gated|out)\.weight$", lambda x: x.squeeze(-1))
        # Halves of an MLP, as is what stands before the adapter: they are added by half.
        named = weights.scaled(named, r"\.(ffn[12]|between)\.down_proj\.", 0.5)
        return weights.fuse(named, ("q_proj", "k_proj", "v_proj"), "qkv_proj")


def gate(x: Tensor, axis: int) -> Tensor:
    """The first half of the channels, as far as the second lets it through (Dauphin et al., 2017)."""
    first, second = x.chunk(2, dim=axis)
    return first * torch.sigmoid(second)
