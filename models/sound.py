"""What encoders of sound share: samples through convolutions to frames, then blocks. Knows no model_type.

Sounds of one batch have one length, so that nothing needs a mask.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from satchel.checkpoints.tensors import LazyTensor
from satchel.models import ops, weights
from satchel.models.layers import MLP, LayerNorm, Linear
from satchel.models.seq2seq import Context, Seq2seqBlock, SourceAttention
from satchel.models.sound_config import SoundConfig
from satchel.models.weights import Tensors

EPS = 1e-5  # of the norms beside the convolutions; config.json does not say it
POSITIONS = "trunk.positions."
GAIN, DIRECTION = f"{POSITIONS}conv.weight_g", f"{POSITIONS}conv.weight_v"
# What training needs and no answer: masked states, and quantised ones to tell them by.
UNUSED = re.compile(r"^(masked_spec_embed$|quantizer\.|project_hid\.|project_q\.)")
RENAMED = (
    (r"^(wav2vec2|hubert|wavlm)\.", ""),
    (r"^feature_extractor\.conv_layers\.(\d+)\.layer_norm\.", r"trunk.convs.\1.norm."),
    (r"^feature_extractor\.conv_layers\.", "trunk.convs."),
    (r"^feature_projection\.layer_norm\.", "trunk.input_norm."),
    (r"^feature_projection\.projection\.", "trunk.projection."),
    (r"^encoder\.pos_conv_embed\.", POSITIONS),
    (r"\.parametrizations\.weight\.original0$", ".weight_g"),
    (r"\.parametrizations\.weight\.original1$", ".weight_v"),
    (r"^encoder\.layer_norm\.", "trunk.norm."),
    (r"^encoder\.layers\.", "trunk.layers."),
    (r"\.attention\.out_proj\.", ".attention.o_proj."),
    (r"\.attention\.", ".self_attn."),
    (r"^(trunk\.layers\.\d+)\.layer_norm\.", r"\1.self_attn_norm."),
    (r"\.final_layer_norm\.", ".mlp_norm."),
    (r"\.feed_forward\.intermediate_dense\.", ".mlp.up_proj."),
    (r"\.feed_forward\.output_dense\.", ".mlp.down_proj."),
)


class ChannelNorm(LayerNorm):
    """Norm of each channel over time: the group norm whose groups have one channel."""

    def forward(self, x: Tensor) -> Tensor:
        return ops.channel_norm(x, self.weight, self.bias, self.eps)


class FrameNorm(LayerNorm):
    """Norm of each frame over channels, of x [batch, channels, frames]."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.transpose(1, 2)).transpose(1, 2)


class ChannelScale(nn.Module):
    """A gain and a bias for each channel, the last axis."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(size)), nn.Parameter(torch.zeros(size))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight + self.bias


class SampleConv(nn.Module):
    """A convolution over time, its norm if it has one, and an activation."""

    def __init__(self, config: SoundConfig, index: int) -> None:
        super().__init__()
        channels, kernel, stride = config.convs[index]
        inputs = config.convs[index - 1][0] if index else 1
        self.act = config.feat_extract_activation
        self.conv = nn.Conv1d(inputs, channels, kernel, stride, bias=config.conv_bias)
        self.norm: LayerNorm | None = None
        if config.feat_extract_norm == "layer":
            self.norm = FrameNorm(channels, EPS)
        elif index == 0:
            self.norm = ChannelNorm(channels, EPS)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        return ops.activation(self.act, x if self.norm is None else self.norm(x))


class ConvPositions(nn.Module):
    """What a frame is told of its place: a convolution over the frames around it."""

    def __init__(self, config: SoundConfig) -> None:
        super().__init__()
        size, self.kernel = config.hidden_size, config.num_conv_pos_embeddings
        self.act = config.feat_extract_activation
        self.scale = ChannelScale(size) if config.scales_positions else None
        groups = config.num_conv_pos_embedding_groups
        self.conv = nn.Conv1d(size, size, self.kernel, padding=self.kernel // 2, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        """[batch, frames, hidden] of states of that shape."""
        x = self.conv((x if self.scale is None else self.scale(x)).transpose(1, 2))
        if self.kernel % 2 == 0:  # which gives a frame too many
            x = x[..., :-1]
        return ops.activation(self.act, x).transpose(1, 2)


class SoundTrunk(nn.Module):
    """Samples float32 [batch, samples] to states [batch, frames, hidden]."""

    def __init__(self, config: SoundConfig) -> None:
        super().__init__()
        size, channels = config.hidden_size, config.convs[-1][0]
        self.post_norm = not config.do_stable_layer_norm
        self.convs = nn.ModuleList(SampleConv(config, i) for i in range(len(config.convs)))
        self.input_norm = None
        if config.norms_features:
            self.input_norm = LayerNorm(channels, config.layer_norm_eps)
        self.projection = Linear(channels, size)
        self.positions = ConvPositions(config)
        self.norm = LayerNorm(size, config.layer_norm_eps)
        self.layers = nn.ModuleList(self.block(config) for _ in range(config.num_hidden_layers))

    def block(self, config: SoundConfig) -> Seq2seqBlock:
        """One block of the stack."""
        size = config.hidden_size
        parts = {
            "self_attn": self.attention(config),
            "mlp": MLP(size, config.intermediate_size, config.hidden_act),
        }
        norm = lambda: LayerNorm(size, config.layer_norm_eps)  # noqa: E731
        return Seq2seqBlock(parts, norm, self.post_norm)

    def attention(self, config: SoundConfig) -> nn.Module:
        """The attention of one block."""
        return SourceAttention(config.hidden_size, config.num_attention_heads)

    def context(self, frames: int) -> Context:
        """What the attention of all blocks sees beside the states."""
        return Context()

    def forward(self, samples: Tensor) -> Tensor:
        return self.every(samples)[-1]

    def every(self, samples: Tensor) -> list[Tensor]:
        """What goes into the first block and comes out of each, with norms behind their parts."""
        x = samples[:, None]
        for layer in self.convs:
            x = layer(x)
        x = x.transpose(1, 2)
        x = self.projection(x if self.input_norm is None else self.input_norm(x))
        x, residual = self.positions(x), x
        if self.post_norm:
            x, _ = self.norm.add(x, residual)
        context, states = self.context(x.shape[1]), [x]
        for block in self.layers:
            x, residual = block(x, residual, context)
            states.append(x)
        if not self.post_norm:
            states[-1] = self.norm.add(x, residual)[0]
        return states

    @staticmethod
    def sanitize(tensors: Mapping[str, LazyTensor], config: SoundConfig) -> Tensors:
        """Checkpoint names and layouts to ours, under ``trunk.``; heads keep their names."""
        named = weights.rename(tensors, RENAMED)
        named = {name: tensor for name, tensor in named.items() if not UNUSED.search(name)}
        return weights.fuse(_whole_kernel(named), ("q_proj", "k_proj", "v_proj"), "qkv_proj")


def _whole_kernel(tensors: Tensors) -> Tensors:
    """The weight that a file keeps as a length for each place in the kernel, and a direction."""
    gain, direction = tensors.get(GAIN), tensors.get(DIRECTION)
    if gain is None or direction is None or gain.shape != (1, 1, *direction.shape[2:]):
        return tensors  # the strict load reports what does not fit
    rest = {name: tensor for name, tensor in tensors.items() if name not in (GAIN, DIRECTION)}

    def load() -> Tensor:
        unit = F.normalize(direction.load().flatten(0, 1), dim=0, eps=0.0)
        return unit.view(direction.shape) * gain.load()

    return rest | {f"{POSITIONS}conv.weight": LazyTensor(direction.shape, load)}
