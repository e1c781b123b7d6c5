"""XLM-RoBERTa-XL (Goyal et al., 2021): XLM-RoBERTa whose norms stand before the parts of a block."""

from __future__ import annotations

from dataclasses import dataclass

from satchel.models import prenorm, roberta
from satchel.models.bert import BertEmbeddings
from satchel.models.layers import LayerNorm


@dataclass(frozen=True, kw_only=True)
class Config(roberta.Config):
    """config.json of model_type xlm-roberta-xl."""

    max_position_embeddings: int = 514
    type_vocab_size: int = 1
    layer_norm_eps: float = 1e-5


class Model(prenorm.PreNormEncoder):
    """The trunk of XLM-RoBERTa-XL, whose embeddings are not normed."""

    unused = ("pooler",)

    def __init__(self, config: Config, typed: bool) -> None:
        super().__init__(
            BertEmbeddings(config, typed, normed=False),
            (prenorm.bert_block(config) for _ in range(config.num_hidden_layers)),
            LayerNorm(config.hidden_size, config.eps),
        )

    sanitize = staticmethod(prenorm.sanitize)
    heads = staticmethod(roberta.Model.heads)
