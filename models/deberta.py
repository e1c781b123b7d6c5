"""DeBERTa (He et al., 2020): BERT whose attention has words and their distances apart."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from satchel.checkpoints.config_keys import NEUTRAL
from satchel.checkpoints.tensors import LazyTensor
from satchel.models import bert, weights
from satchel.models.disentangled import TABLES, DisentangledAttention, Distances
from satchel.models.encoder_config import EncoderConfig
from satchel.models.heads import HeadShape
from satchel.models.weights import Tensors
from satchel.runtime.errors import CheckpointError, UnsupportedError, shown

DISTANCES, POSITIONS = "distances.weight", "trunk.embeddings.position_embeddings.weight"
RENAMED = (
    (r"^deberta\.", ""),
    (r"^encoder\.rel_embeddings\.", "distances."),
    (r"\.attention\.self\.(query|key|value)_proj\.", r".attention.self.\1."),
    (r"\.attention\.self\.pos_(key_)?proj\.", ".attention.distance_keys."),
    (r"\.attention\.self\.pos_q(uery)?_proj\.", ".attention.distance_queries."),
)
LEGACY, HEAD = (
    "cls.predictions",
    "lm_predictions.lm_head",
)  # of masked words; the second is Microsoft's
SAME = (
    (rf"^{HEAD}\.(dense|LayerNorm)\.", rf"{LEGACY}.transform.\1."),
    (rf"^{HEAD}\.", f"{LEGACY}."),
)


@dataclass(frozen=True, kw_only=True)
class Config(EncoderConfig):
    """config.json of model_type deberta."""

    KEYS: ClassVar[dict[str, tuple[str, ...]]] = {"type_rows": ("type_vocab_size",)}
    cosmetic: ClassVar[frozenset[str]] = EncoderConfig.cosmetic | {"cls_dropout", "pooler_dropout"}
    neutral: ClassVar[dict[str, tuple[Any, ...]]] = NEUTRAL | {"talking_head": (False,)}

    layer_norm_eps: float = 1e-7
    type_rows: int = 0
    relative_attention: bool = False
    max_relative_positions: int = -1
    pos_att_type: list[str] | str | None = None
    position_biased_input: bool = True
    embedding_size: int | None = None
    pooler_hidden_size: int | None = None
    pooler_hidden_act: str = "gelu"
    legacy: bool = True

    @classmethod
    def values(cls, raw: dict[str, Any], ignored_keys: Collection[str] = ()) -> dict[str, Any]:
        values = super().values(raw, ignored_keys)
        # The newer head has no weight of its own, whatever is said of ties.
        return values | ({"tie_word_embeddings": True} if values.get("legacy") is False else {})

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_activation("pooler_hidden_act")
        for key in ("embedding_size", "pooler_hidden_size"):
            if getattr(self, key) not in (None, self.hidden_size):
                raise UnsupportedError(
                    f"config.json: {key} = {getattr(self, key)} is not supported; expected hidden_size, "
                    f"{self.hidden_size}"
                )
        if len(set(self.listed)) != len(self.listed) or not set(self.listed) <= TABLES.keys():
            raise UnsupportedError(
                f"config.json: pos_att_type {shown(self.pos_att_type)} is not supported; known: "
                f"{', '.join(TABLES)}, each once"
            )
        if not 0 <= self.type_rows <= 1 << 10 or (
            self.type_rows and not self.position_biased_input
        ):
            raise UnsupportedError(
                f"config.json: type_vocab_size = {self.type_rows} with position_biased_input = "
                f"{self.position_biased_input} is not supported; known: 0, and to 1024 with true"
            )
        if self.farthest > 1 << 16:
            raise CheckpointError(
                f"config.json: max_relative_positions = {self.farthest} is outside 1..{1 << 16}",
                "CKPT_CONFIG",
            )

    @property
    def token_types(self) -> int:
        return self.type_rows

    @property
    def learned_positions(self) -> bool:
        return self.position_biased_input

    @property
    def listed(self) -> list[str]:
        """The terms that are named, used or not: the scale of the scores counts them."""
        value = self.pos_att_type or []
        return (
            [part.strip() for part in value.lower().split("|")] if isinstance(value, str) else value
        )

    @property
    def terms(self) -> list[str]:
        """The terms that are added to the scores."""
        return self.listed if self.relative_attention else []

    @property
    def farthest(self) -> int:
        """The distance from which on all are alike."""
        given = self.max_relative_positions
        return given if given >= 1 else self.max_position_embeddings

    @property
    def span(self) -> int:
        """Rows of the table of distances, in either direction."""
        return self.farthest

    @property
    def scale(self) -> float:
        """What scores are multiplied with."""
        head_dim = self.hidden_size // self.num_attention_heads
        return float((head_dim * (1 + len(self.listed))) ** -0.5)


class DebertaBlock(bert.BertBlock):
    """BERT's block with such attention."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.attention = DisentangledAttention(
            config.hidden_size,
            config.num_attention_heads,
            config.scale,
            config.terms,
            2 * config.span,
        )


class Model(bert.Model):
    """The trunk of DeBERTa."""

    unused = ("pooler", "cls", "lm_predictions", "mask_predictions")

    def __init__(self, config: Config, typed: bool) -> None:
        super().__init__(config, typed)
        self.distances = self.rows(config) if config.terms else None

    def attention_bias(self, length: int) -> Tensor | None:
        """The rows of distances, of which each block makes a bias of its own."""
        return None if self.distances is None else self.distances(length)

    @staticmethod
    def rows(config: Config) -> Distances:
        return Distances(config.span, config.positions, config.farthest)

    @staticmethod
    def blocks(config: EncoderConfig) -> nn.ModuleList:
        assert isinstance(config, Config)
        return nn.ModuleList(DebertaBlock(config) for _ in range(config.num_hidden_layers))

    @staticmethod
    def sanitize(tensors: Mapping[str, LazyTensor], config: EncoderConfig) -> Tensors:
        assert isinstance(config, Config)
        named = renamed(tensors, config)
        named = with_tables(named, config, named.pop(DISTANCES, None))
        return apart(named, config)

    @staticmethod
    def heads(config: EncoderConfig) -> dict[str, HeadShape]:
        assert isinstance(config, Config)
        legacy = bert.Model.heads(config)
        words = HeadShape(
            f"{HEAD}.decoder",
            dense=f"{HEAD}.dense",
            act=config.hidden_act,
            norm=f"{HEAD}.LayerNorm",
            out_bias=f"{HEAD}.bias",
        )
        return legacy | {
            "classify": HeadShape(
                "classifier", dense="pooler.dense", act=config.pooler_hidden_act, pooling="cls"
            ),
            "fill-mask": legacy["fill-mask"] if config.legacy else words,
        }


def renamed(tensors: Mapping[str, LazyTensor], config: Config) -> Tensors:
    """Our names of what both versions have. The published files of masked-word models have the newer
    head and say nothing of it: it is taken for the older one, whose place it has."""
    named = weights.rename(tensors, RENAMED)
    if config.legacy and not any(name.startswith(f"{LEGACY}.") for name in named):
        named = weights.rename(named, SAME)
    named = weights.rename(named, bert.RENAMED)
    if not config.position_biased_input:
        named.pop(POSITIONS, None)  # some files have one that no release reads
    return named


def with_tables(named: Tensors, config: Config, distances: LazyTensor | None) -> Tensors:
    """`named` with every layer's keys and queries of `distances` in place of what makes them."""
    for layer in range(config.num_hidden_layers):
        for term, table in TABLES.items():
            name = f"trunk.layers.{layer}.attention.{table}"
            weight, bias = (named.pop(f"{name}.{kind}", None) for kind in ("weight", "bias"))
            if distances is not None and weight is not None and term in config.terms:
                named[name] = projected(config, distances, weight, bias)
    return named


def projected(
    config: Config, distances: LazyTensor, weight: LazyTensor, bias: LazyTensor | None
) -> LazyTensor:
    """The rows of `distances` through a linear layer, by head, with the scale of the scores."""
    heads, size = config.num_attention_heads, config.hidden_size
    given = [distances.shape[1:], weight.shape[1:], weight.shape[:1], bias and bias.shape]
    if any(shape not in (None, (size,)) for shape in given):
        raise CheckpointError(
            f"weights do not fit the model: distances are {list(distances.shape)}, a layer that reads "
            f"them {list(weight.shape)}, config.json says {size}",
            "CKPT_WEIGHTS",
        )

    def load() -> Tensor:
        rows = nn.functional.linear(
            distances.load(), weight.load(), None if bias is None else bias.load()
        )
        return (rows * config.scale).unflatten(-1, (heads, -1)).transpose(0, 1).contiguous()

    return LazyTensor((heads, distances.shape[0], size // heads), load)


def apart(named: Tensors, config: Config) -> Tensors:
    """Queries, keys and values, which version 1 has side by side in every head; its keys have no bias."""
    heads = config.num_attention_heads
    named = weights.transform(
        named,
        r"\.attention\.self\.in_proj\.weight$",
        lambda packed: packed.unflatten(0, (heads, 3, -1)).transpose(0, 1).flatten(0, 2),
    )
    for layer in range(config.num_hidden_layers):
        stem = f"trunk.layers.{layer}.attention."
        query, value = (named.pop(f"{stem}self.{part}_bias", None) for part in "qv")
        if query is not None and value is not None:
            named[f"{stem}qkv_proj.bias"] = weights.concat([query, zeros(query), value])
    return weights.rename(named, ((r"\.attention\.self\.in_proj\.", ".attention.qkv_proj."),))


def zeros(like: LazyTensor) -> LazyTensor:
    return LazyTensor(like.shape, lambda: torch.zeros(like.shape))
