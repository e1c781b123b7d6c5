"""Jina embeddings v3 (Sturua et al., 2024): XLM-RoBERTa with rotary positions."""

from __future__ import annotations

from dataclasses import dataclass

from satchel.models import roberta, rotary_bert


@dataclass(frozen=True, kw_only=True)
class Config(rotary_bert.Config):
    """config.json of model_type jina_embeddings_v3."""

    max_position_embeddings: int = 8194
    types: int = 1
    layer_norm_eps: float = 1e-5
    rope_theta: float = 20000.0


class Model(rotary_bert.Model):
    """The trunk of Jina embeddings v3."""

    heads = staticmethod(roberta.Model.heads)
