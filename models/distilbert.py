"""DistilBERT (Sanh et al., 2019): BERT without token types and pooler, with names of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from satchel.checkpoints.config_keys import COSMETIC
from satchel.checkpoints.tensors import LazyTensor
from satchel.models import bert, weights
from satchel.models.encoder_config import EncoderConfig
from satchel.models.heads import HeadShape

RENAMED = (
    *bert.LEGACY,
    (r"^distilbert\.", ""),
    (r"^embeddings\.LayerNorm\.", "trunk.embeddings.norm."),
    (r"^embeddings\.", "trunk.embeddings."),
    (r"^transformer\.layer\.", "trunk.layers."),
    (r"\.attention\.(q|k|v)_lin\.", r".attention.\1_proj."),
    (r"\.attention\.out_lin\.", ".attention.o_proj."),
    (r"\.sa_layer_norm\.", ".attention_norm."),
    (r"\.ffn\.lin1\.", ".mlp.up_proj."),
    (r"\.ffn\.lin2\.", ".mlp.down_proj."),
    (r"\.output_layer_norm\.", ".output_norm."),
)


@dataclass(frozen=True, kw_only=True)
class Config(EncoderConfig):
    """config.json of model_type distilbert."""

    KEYS: ClassVar[dict[str, tuple[str, ...]]] = {
        "hidden_size": ("dim", "hidden_size"),
        "intermediate_size": ("hidden_dim",),
        "num_hidden_layers": ("n_layers", "num_hidden_layers"),
        "num_attention_heads": ("n_heads", "num_attention_heads"),
        "hidden_act": ("activation",),
        "layer_norm_eps": (),
    }
    cosmetic: ClassVar[frozenset[str]] = COSMETIC | frozenset(
        ["dropout", "qa_dropout", "seq_classif_dropout", "sinusoidal_pos_embds"]
    )


class Model(bert.Model):
    """The trunk of DistilBERT."""

    unused = ()

    @staticmethod
    def sanitize(tensors: Mapping[str, LazyTensor], config: EncoderConfig) -> dict[str, LazyTensor]:
        return weights.fuse(weights.rename(tensors, RENAMED), bert.PARTS, "qkv_proj")

    @staticmethod
    def heads(config: EncoderConfig) -> dict[str, HeadShape]:
        return {
            "classify": HeadShape("classifier", dense="pre_classifier", act="relu", pooling="cls"),
            "tokens": HeadShape("classifier"),
            "answer": HeadShape("qa_outputs"),
            "fill-mask": HeadShape(
                "vocab_projector",
                dense="vocab_transform",
                act=config.hidden_act,
                norm="vocab_layer_norm",
            ),
        }
