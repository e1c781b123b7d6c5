"""BERT (Devlin et al., 2018): learned positions, token types, attention in both directions, post-norm.

Its family shares the embeddings, the blocks and the shape of the heads. Architectures that differ by
names or numbers are short files of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from satchel.checkpoints.tensors import LazyTensor
from satchel.models import weights
from satchel.models.encoder_config import EncoderConfig
from satchel.models.heads import HeadShape
from satchel.models.layers import MLP, Embedding, LayerNorm, Linear, SelfAttention
from satchel.runtime.errors import UnsupportedError, shown

PARTS = ("q_proj", "k_proj", "v_proj")
LEGACY = (  # as TensorFlow named them
    (r"\.gamma$", ".weight"),
    (r"\.beta$", ".bias"),
)
RENAMED = (
    *LEGACY,
    (r"^(bert|roberta|electra|roformer|convbert)\.", ""),
    (r"^embeddings\.", "trunk.embeddings."),
    (r"^embeddings_project\.", "trunk.embeddings.projection."),
    (r"^encoder\.layer\.", "trunk.layers."),
    (r"\.embeddings\.LayerNorm\.", ".embeddings.norm."),
    (r"\.attention\.self\.query\.", ".attention.q_proj."),
    (r"\.attention\.self\.key\.", ".attention.k_proj."),
    (r"\.attention\.self\.value\.", ".attention.v_proj."),
    (r"\.attention\.output\.dense\.", ".attention.o_proj."),
    (r"\.attention\.output\.LayerNorm\.", ".attention_norm."),
    (r"\.intermediate\.dense\.", ".mlp.up_proj."),
    (r"\.output\.dense\.", ".mlp.down_proj."),
    (r"\.output\.LayerNorm\.", ".output_norm."),
)


@dataclass(frozen=True, kw_only=True)
class Config(EncoderConfig):
    """config.json of model_type bert."""

    type_vocab_size: int = 2
    position_embedding_type: str = "absolute"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.learned_positions and self.position_embedding_type != "absolute":
            raise UnsupportedError(
                f"config.json: position_embedding_type {shown(self.position_embedding_type)} is not "
                "supported; expected 'absolute'"
            )

    @property
    def token_types(self) -> int:
        return self.type_vocab_size


class BertEmbeddings(nn.Module):
    """Words and what the architecture has beside them: positions and, with `typed`, token types; summed,
    normed where `normed`, and brought to the hidden size where `projected`."""

    def __init__(
        self, config: EncoderConfig, typed: bool, projected: bool = False, normed: bool = True
    ) -> None:
        super().__init__()
        width, placed = config.embedding_width, config.learned_positions
        self.first = config.first_position
        self.word_embeddings = Embedding(config.vocab_size, width)
        self.position_embeddings = (
            Embedding(config.max_position_embeddings, width) if placed else None
        )
        self.token_type_embeddings = Embedding(config.token_types, width) if typed else None
        alike = config.token_types > 0 and not typed and not placed
        self.every_type = nn.Parameter(torch.empty(width)) if alike else None
        self.norm = LayerNorm(width, config.eps) if normed else None
        self.projection = Linear(width, config.hidden_size) if projected else None

    def forward(self, input_ids: Tensor, token_type_ids: Tensor | None) -> Tensor:
        x = self.words(input_ids)
        if self.token_type_embeddings is not None:
            x = x + self.token_type_embeddings(token_type_ids)
        if self.every_type is not None:
            x = x + self.every_type
        if self.position_embeddings is not None:
            positions = torch.arange(self.first, self.first + input_ids.shape[1])
            places = self.position_embeddings(positions)
            x = x + places if self.norm is None else self.norm.add(x, places)[0]
        elif self.norm is not None:
            x = self.norm(x)
        return x if self.projection is None else self.projection(x)

    def words(self, input_ids: Tensor) -> Tensor:
        """What the words alone give: [batch, length, width]."""
        return self.word_embeddings(input_ids)


class BertBlock(nn.Module):
    """Post-norm encoder block: each sum happens inside the norm that follows it. Without parts of an
    architecture's own it has BERT's."""

    def __init__(
        self,
        config: EncoderConfig,
        attention: nn.Module | None = None,
        mlp: nn.Module | None = None,
    ) -> None:
        super().__init__()
        size, eps = config.hidden_size, config.eps
        self.attention = attention or SelfAttention(size, config.num_attention_heads)
        self.attention_norm = LayerNorm(size, eps)
        self.mlp = mlp or MLP(size, config.intermediate_size, config.hidden_act)
        self.output_norm = LayerNorm(size, eps)

    def forward(self, x: Tensor, bias: Tensor | None, lengths: Tensor | None = None) -> Tensor:
        x, _ = self.attention_norm.add(self.attention(x, bias, lengths), x)
        x, _ = self.output_norm.add(self.mlp(x), x)
        return x


class Model(nn.Module):
    """The trunk of BERT and of what differs from it by names or numbers."""

    unused: tuple[str, ...] = ("pooler", "cls")  # heads of pre-training, by name in a checkpoint

    def __init__(self, config: EncoderConfig, typed: bool) -> None:
        super().__init__()
        self.embeddings = BertEmbeddings(config, typed, self.projected(config))
        self.layers = self.blocks(config)

    def forward(
        self,
        input_ids: Tensor,
        token_type_ids: Tensor | None = None,
        lengths: Tensor | None = None,
    ) -> Tensor:
        """States [batch, length, hidden] of int64 ids [batch, length]; with int32 `lengths` [batch], none
        of them looks at what stands behind those."""
        x = self.embeddings(input_ids, token_type_ids)
        bias = self.attention_bias(input_ids.shape[1])
        seen = () if lengths is None else (lengths,)
        for block in self.passes():
            x = block(x, bias, *seen)
        return x

    def passes(self) -> Iterable[nn.Module]:
        """The blocks in the order in which the states pass them."""
        return self.layers

    def attention_bias(self, length: int) -> Tensor | None:
        """What is added to all scores: [1, heads, length, length] or nothing."""
        return None

    @staticmethod
    def blocks(config: EncoderConfig) -> nn.ModuleList:
        """The blocks, each once."""
        return nn.ModuleList(BertBlock(config) for _ in range(config.num_hidden_layers))

    @staticmethod
    def projected(config: EncoderConfig) -> bool:
        """Whether a linear layer brings the embeddings to the hidden size."""
        return config.embedding_width != config.hidden_size

    @staticmethod
    def sanitize(tensors: Mapping[str, LazyTensor], config: EncoderConfig) -> dict[str, LazyTensor]:
        """Checkpoint names and layouts to ours, under ``trunk.``; heads keep their names."""
        return weights.fuse(weights.rename(tensors, RENAMED), PARTS, "qkv_proj")

    @staticmethod
    def heads(config: EncoderConfig) -> dict[str, HeadShape]:
        """The heads by task."""
        return {
            "classify": HeadShape("classifier", dense="pooler.dense", act="tanh", pooling="cls"),
            "tokens": HeadShape("classifier"),
            "answer": HeadShape("qa_outputs"),
            "fill-mask": HeadShape(
                "cls.predictions.decoder",
                dense="cls.predictions.transform.dense",
                act=config.hidden_act,
                norm="cls.predictions.transform.LayerNorm",
                out_bias="cls.predictions.bias",
            ),
        }
