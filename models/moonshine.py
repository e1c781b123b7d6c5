"""Moonshine (Jeffries et al., 2024): convolutions over samples, then blocks that rotate a part of a head;
sounds of any length, without the silence that fills a window."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from satchel.checkpoints.config_keys import COSMETIC
from satchel.checkpoints.tensors import LazyTensor
from satchel.models import ops, weights
from satchel.models.attend import Heads
from satchel.models.config import read_rope
from satchel.models.layers import MLP, Embedding, GatedMLP, LayerNorm, Rope
from satchel.models.rope import RopeParameters, rope_tables
from satchel.models.seq2seq import (
    Context,
    CrossAttention,
    Pair,
    Seq2seq,
    Seq2seqBlock,
    Seq2seqEmbeddings,
    Seq2seqStack,
    SourceAttention,
    TargetAttention,
)
from satchel.models.seq2seq_config import Seq2seqConfig, divided
from satchel.models.tables import HEAD, WORDS
from satchel.models.weights import Tensors
from satchel.models.whisper import Listener
from satchel.runtime.errors import UnsupportedError, shown

EPS = 1e-5  # of every norm; config.json does not say it
CONVS = ((127, 64), (7, 3), (3, 2))  # kernel and stride of each convolution over samples
STRIDE, FIELD = 384, 895  # samples from one frame to the next, and of one
LONGEST = 1250  # frames that are heard at once: half a minute, for which it was trained
TOKENS_PER_SECOND = 6.5  # of speech, at most; more are repetitions, say its authors of English
ALIGNED = 16  # channels of a head, a multiple of which the fused attention needs
RENAMED = (
    (r"^model\.", ""),
    (r"^proj_out\.", "lm_head."),
    (r"^decoder\.embed_tokens\.", "words."),
    (r"^encoder\.conv", "encoder.embeddings.conv"),
    (r"^encoder\.groupnorm\.", "encoder.embeddings.norm."),
    (r"^encoder\.layer_norm\.", "encoder.norm."),
    (r"\.input_layernorm\.", ".self_attn_norm."),
    (r"^(encoder\..*)\.post_attention_layernorm\.", r"\1.mlp_norm."),
    (r"\.post_attention_layernorm\.", ".cross_attn_norm."),
    (r"\.final_layernorm\.", ".mlp_norm."),
    (r"^decoder\.layers\.(\d+)\.encoder_attn\.([kv])_proj\.", r"cross.\1.\2_proj."),
    (r"\.encoder_attn\.", ".cross_attn."),
    (r"^(decoder\..*)\.fc1\.", r"\1.gate_up_proj."),
    (r"\.fc1\.", ".up_proj."),
    (r"\.fc2\.", ".down_proj."),
)


@dataclass(frozen=True, kw_only=True)
class Config(Seq2seqConfig):
    """config.json of model_type moonshine."""

    KEYS: ClassVar[dict[str, tuple[str, ...]]] = {
        "decoder_num_hidden_layers": ("decoder_num_hidden_layers", "num_hidden_layers"),
        "decoder_num_attention_heads": ("decoder_num_attention_heads", "num_attention_heads"),
        "decoder_num_key_value_heads": ("decoder_num_key_value_heads", "num_key_value_heads"),
        "decoder_hidden_act": ("decoder_hidden_act", "hidden_act"),
    }
    cosmetic: ClassVar[frozenset[str]] = COSMETIC | frozenset(
        """apply_spec_augment mask_feature_length mask_feature_min_masks mask_feature_prob
        mask_time_length mask_time_min_masks mask_time_prob pad_head_dim_to_multiple_of""".split()  # noqa: SIM905
    )

    vocab_size: int = 32768
    hidden_size: int = 288
    intermediate_size: int = 1152
    encoder_num_hidden_layers: int = 6
    decoder_num_hidden_layers: int = 6
    encoder_num_attention_heads: int = 8
    decoder_num_attention_heads: int = 8
    encoder_num_key_value_heads: int | None = None
    decoder_num_key_value_heads: int | None = None
    head_dim: int | None = None
    encoder_hidden_act: str = "gelu"
    decoder_hidden_act: str = "silu"
    max_position_embeddings: int = 512
    attention_bias: bool = False
    partial_rotary_factor: float = 0.9
    rope_theta: float = 10000.0
    rope_scaling: dict[str, Any] | None = None
    rope_parameters: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_activation("encoder_hidden_act")
        self.check_activation("decoder_hidden_act")
        heads = self.decoder_num_attention_heads
        for key in (  # transformers has one number of heads for all of its views
            "encoder_num_attention_heads",
            "encoder_num_key_value_heads",
            "decoder_num_key_value_heads",
        ):
            if getattr(self, key) not in (None, heads):
                raise UnsupportedError(
                    f"config.json: {key} = {getattr(self, key)} is not supported beside "
                    f"decoder_num_attention_heads = {heads}: all have to be equal"
                )
        if self.attention_bias:
            raise UnsupportedError("config.json: attention_bias = True is not supported")
        if self.rope().rope_type != "default":
            raise UnsupportedError(
                f"config.json: rope type {shown(self.rope().rope_type)} is not supported; known: default"
            )

    def rope(self) -> RopeParameters:
        """How heads rotate, in the encoder and in the decoder."""
        said = (self.rope_scaling, self.rope_parameters)
        return read_rope(*said, self.rope_theta, self.partial_rotary_factor)

    @property
    def width(self) -> int:
        """Channels of a head in the file."""
        count = self.decoder_num_attention_heads
        return self.head_dim or divided(self.hidden_size, count, "decoder_num_attention_heads")

    @property
    def heads(self) -> Heads:
        count, aligned = self.decoder_num_attention_heads, -(-self.width // ALIGNED) * ALIGNED
        return Heads(count, count, aligned, self.width**-0.5)

    @property
    def decoder_depth(self) -> int:
        return self.decoder_num_hidden_layers

    @property
    def source_width(self) -> int:
        return self.hidden_size

    @property
    def source_positions(self) -> int:
        return LONGEST

    @property
    def target_positions(self) -> int:
        return self.max_position_embeddings


class WholeNorm(LayerNorm):
    """Norm of all channels and frames of a sound together, of x [batch, channels, frames]."""

    def forward(self, x: Tensor) -> Tensor:
        # Over frames, then over channels: one sum of millions of numbers would lose digits.
        centred = x - x.mean(2, keepdim=True).mean(1, keepdim=True)
        variance = (centred * centred).mean(2, keepdim=True).mean(1, keepdim=True)
        normal = centred * torch.rsqrt(variance + self.eps)
        return normal * self.weight[:, None] + self.bias[:, None]


class SampleStem(nn.Module):
    """Three convolutions over samples; what the first gives is normed."""

    def __init__(self, size: int) -> None:
        super().__init__()
        first, second, third = CONVS
        self.conv1 = nn.Conv1d(1, size, *first, bias=False)
        self.norm = WholeNorm(size, EPS)
        self.conv2 = nn.Conv1d(size, 2 * size, *second)
        self.conv3 = nn.Conv1d(2 * size, size, *third)

    def forward(self, samples: Tensor) -> Tensor:
        """float32 [batch, frames, hidden] of samples [batch, samples]."""
        x = self.norm(ops.activation("tanh", self.conv1(samples[:, None])))
        x = ops.activation("gelu", self.conv2(x))
        return ops.activation("gelu", self.conv3(x)).transpose(1, 2)


class Model(Seq2seq):
    """Moonshine. `names` are those of the checkpoint's tensors, sanitized."""

    config: Config

    def __init__(self, config: Config, names: Collection[str]) -> None:
        size, heads = config.hidden_size, config.heads
        words = Embedding(config.vocab_size, size)
        heard, written = (
            Rope(rope_tables(config.rope(), config.width, positions, positions))
            for positions in (LONGEST, config.max_position_embeddings)
        )

        def norm() -> LayerNorm:
            return LayerNorm(size, EPS)

        def hearing() -> Seq2seqBlock:
            attention = SourceAttention(
                size,
                heads.num_heads,
                heard,
                bias=False,
                head_dim=heads.head_dim,
                scale=heads.scale,
            )
            mlp = MLP(size, config.intermediate_size, config.encoder_hidden_act)
            return Seq2seqBlock({"self_attn": attention, "mlp": mlp}, norm, post_norm=False)

        def writing(layer: int) -> Seq2seqBlock:
            parts = {
                "self_attn": TargetAttention(size, heads, written),
                "cross_attn": CrossAttention(layer, size, heads, bias=False),
                "mlp": GatedMLP(size, config.intermediate_size, config.decoder_hidden_act, True),
            }
            return Seq2seqBlock(parts, norm, post_norm=False)

        encoder = [hearing() for _ in range(config.encoder_num_hidden_layers)]
        decoder = [writing(layer) for layer in range(config.decoder_depth)]
        super().__init__(
            config,
            words,
            Listener(SampleStem(size), encoder, norm()),
            Seq2seqStack(Seq2seqEmbeddings(words), decoder, norm()),
            own_head=HEAD in names or not config.tied,
            bias=False,
        )

    def hear(self, samples: Tensor) -> list[Pair]:
        """Key and value for every decoder layer of float32 samples [batch, samples]."""
        states = self.encoder(samples, Context())
        return [projection(states) for projection in self.cross]

    @staticmethod
    def sanitize(tensors: Mapping[str, LazyTensor], config: Config) -> Tensors:
        named = weights.rename(tensors, RENAMED)
        if config.tied:
            named = weights.tied(named, WORDS, HEAD)
        named = weights.zero_biases(named, r"(?<!embeddings\.)norm\.weight$")
        rotated = int(config.width * config.rope().partial_rotary_factor)
        named = weights.half_split(named, r"self_attn\.[qk]_proj\.", config.width, rotated)
        named = _aligned(named, config)
        named = weights.transform(named, r"\.gate_up_proj\.", _gate_first)
        named = weights.fuse(named, ("q_proj", "k_proj", "v_proj"), "qkv_proj")
        return weights.fuse(named, ("k_proj", "v_proj"), "kv_proj")


def _aligned(tensors: Tensors, config: Config) -> Tensors:
    """Heads with channels of zeros up to a width that the fused attention takes."""
    width, more = config.width, config.heads.head_dim - config.width

    def rows(x: Tensor) -> Tensor:
        return F.pad(x.unflatten(0, (-1, width)), (0, 0, 0, more)).flatten(0, 1)

    def columns(x: Tensor) -> Tensor:
        return F.pad(x.unflatten(1, (-1, width)), (0, more)).flatten(1)

    wider = weights.transform(tensors, r"\.[qkv]_proj\.weight$", rows)
    return weights.transform(wider, r"_attn\.o_proj\.weight$", columns)


def _gate_first(x: Tensor) -> Tensor:
    """The halves of a gated layer the other way round: files have what is let through first."""
    return torch.cat(x.chunk(2)[::-1])
