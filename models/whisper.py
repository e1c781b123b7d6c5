"""Whisper (Radford et al., 2022): convolutions over a log-mel spectrogram, then blocks as BART's with
their norms before the parts."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor, nn

from satchel.checkpoints.tensors import LazyTensor
from satchel.models import bart, ops, weights
from satchel.models.bart import EPS, blocks
from satchel.models.layers import Embedding, LayerNorm
from satchel.models.seq2seq import Context, Pair, Seq2seq, Seq2seqEmbeddings, Seq2seqStack
from satchel.models.tables import HEAD, WORDS

STRIDE = 2  # frames of a spectrogram per position of the encoder
RENAMED = (
    *bart.RENAMED,
    (r"^proj_out\.", "lm_head."),
    (r"^decoder\.embed_tokens\.", "words."),
    (r"^encoder\.embeddings\.position_embeddings\.weight$", "encoder.embeddings.positions"),
    (r"^encoder\.conv", "encoder.embeddings.conv"),
)


@dataclass(frozen=True, kw_only=True)
class Config(bart.Config):
    """config.json of model_type whisper."""

    cosmetic: ClassVar[frozenset[str]] = bart.Config.cosmetic | frozenset(
        """apply_spec_augment classifier_proj_size mask_feature_length
        mask_feature_min_masks mask_feature_prob mask_time_length mask_time_min_masks mask_time_prob
        median_filter_width""".split()  # noqa: SIM905
    )
    KEYS: ClassVar[dict[str, tuple[str, ...]]] = bart.Config.KEYS | {
        "encoder_attention_heads": (
            "encoder_attention_heads",
            "num_attention_heads",
            "num_key_value_heads",
        ),
        "max_position_embeddings": (),
    }
    post_norm: ClassVar[bool] = False
    embedding_norm: ClassVar[bool] = False

    num_mel_bins: int = 80
    max_source_positions: int = 1500
    max_target_positions: int = 448

    @property
    def source_positions(self) -> int:
        return self.max_source_positions

    @property
    def target_positions(self) -> int:
        return self.max_target_positions

    @property
    def frames(self) -> int:
        """Frames of the spectrogram that the encoder reads, no more and no fewer."""
        return STRIDE * self.max_source_positions


class Stem(nn.Module):
    """Two convolutions over time, the second of which halves it, and sinusoidal positions."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        size = config.hidden_size
        self.conv1 = nn.Conv1d(config.num_mel_bins, size, kernel_size=3, padding=1)
        self.conv2 = nn.Conv1d(size, size, kernel_size=3, stride=STRIDE, padding=1)
        self.positions = nn.Parameter(torch.empty(config.max_source_positions, size))

    def forward(self, features: Tensor) -> Tensor:
        """float32 [batch, positions, hidden] of features [batch, mels, frames]."""
        # Always gelu, whatever the blocks have.
        x = ops.activation("gelu", self.conv1(features))
        x = ops.activation("gelu", self.conv2(x))
        return x.transpose(1, 2) + self.positions


class Listener(Seq2seqStack):
    """The encoder: features to states."""

    def forward(self, features: Tensor, context: Context) -> Tensor:
        """float32 [batch, positions, hidden] of features [batch, mels, frames]."""
        return self.states(self.embeddings(features), context)


class Model(Seq2seq):
    """Whisper."""

    config: Config

    def __init__(self, config: Config, names: Collection[str]) -> None:
        size = config.hidden_size
        words = Embedding(config.vocab_size, size)
        # transformers reads scale_embedding and never scales.
        written = Seq2seqEmbeddings(words, positions=Embedding(config.max_target_positions, size))
        listening = blocks(config, config.encoder_layers, crossing=False)
        writing = blocks(config, config.decoder_layers, crossing=True)
        super().__init__(
            config,
            words,
            Listener(Stem(config), listening, LayerNorm(size, EPS)),
            Seq2seqStack(written, writing, LayerNorm(size, EPS)),
            own_head=HEAD in names or not config.tied,
            bias=True,
        )

    def hear(self, features: Tensor) -> list[Pair]:
        """Key and value for every decoder layer of float32 features [batch, mels, frames]."""
        states = self.encoder(features, Context())
        return [projection(states) for projection in self.cross]

    @staticmethod
    def sanitize(tensors: Mapping[str, LazyTensor], config: Config) -> dict[str, LazyTensor]:
        named = _with_key_biases(weights.rename(tensors, RENAMED))
        if config.tied:
            named = weights.tied(named, WORDS, HEAD)
        named = weights.fuse(named, ("q_proj", "k_proj", "v_proj"), "qkv_proj")
        return weights.fuse(named, ("k_proj", "v_proj"), "kv_proj")


def _with_key_biases(tensors: dict[str, LazyTensor]) -> dict[str, LazyTensor]:
    """Keys have no bias, which is one of zeros in a packed projection."""
    biased = dict(tensors)
    for name, tensor in tensors.items():
        if name.endswith(".k_proj.weight") and len(tensor.shape) == 2:
            rows = tensor.shape[0]
            biased[f"{name.removesuffix('weight')}bias"] = LazyTensor(
                (rows,), partial(torch.zeros, rows)
            )
    return biased
