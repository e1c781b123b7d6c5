"""ALBERT (Lan et al., 2020): BERT with narrow embeddings and blocks that states pass many times."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from satchel.checkpoints.tensors import LazyTensor
from satchel.models import bert, weights
from satchel.models.encoder_config import EncoderConfig
from satchel.models.heads import HeadShape

RENAMED = (
    (r"^albert\.", ""),
    (r"^encoder\.embedding_hidden_mapping_in\.", "trunk.embeddings.projection."),
    (r"^encoder\.albert_layer_groups\.(\d+)\.albert_layers\.", r"trunk.layers.\1."),
    (r"\.attention\.query\.", ".attention.q_proj."),
    (r"\.attention\.key\.", ".attention.k_proj."),
    (r"\.attention\.value\.", ".attention.v_proj."),
    (r"\.attention\.dense\.", ".attention.o_proj."),
    (r"\.attention\.LayerNorm\.", ".attention_norm."),
    (r"\.ffn\.", ".mlp.up_proj."),
    (r"\.ffn_output\.", ".mlp.down_proj."),
    (r"\.full_layer_layer_norm\.", ".output_norm."),
)


@dataclass(frozen=True, kw_only=True)
class Config(bert.Config):
    """config.json of model_type albert."""

    cosmetic: ClassVar[frozenset[str]] = bert.Config.cosmetic | {"classifier_dropout_prob"}

    embedding_size: int = 128
    num_hidden_groups: int = 1
    inner_group_num: int = 1
    hidden_act: str = "gelu_new"

    @property
    def embedding_width(self) -> int:
        return self.embedding_size

    @property
    def groups(self) -> list[int]:
        """Per pass the group of blocks it goes through."""
        passes = self.num_hidden_layers / self.num_hidden_groups
        return [int(layer / passes) for layer in range(self.num_hidden_layers)]


class Model(bert.Model):
    """The trunk of ALBERT."""

    unused = ("pooler", "predictions", "sop_classifier")

    def __init__(self, config: Config, typed: bool) -> None:
        super().__init__(config, typed)
        self.groups = config.groups

    def passes(self) -> Iterable[nn.Module]:
        return (block for group in self.groups for block in self.layers[group].children())

    @staticmethod
    def blocks(config: EncoderConfig) -> nn.ModuleList:
        assert isinstance(config, Config)
        return nn.ModuleList(
            nn.ModuleList(bert.BertBlock(config) for _ in range(config.inner_group_num))
            for _ in range(config.num_hidden_groups)
        )

    @staticmethod
    def projected(config: EncoderConfig) -> bool:
        return True

    @staticmethod
    def sanitize(tensors: Mapping[str, LazyTensor], config: EncoderConfig) -> dict[str, LazyTensor]:
        return bert.Model.sanitize(weights.rename(tensors, RENAMED), config)

    @staticmethod
    def heads(config: EncoderConfig) -> dict[str, HeadShape]:
        return {
            "classify": HeadShape("classifier", dense="pooler", act="tanh", pooling="cls"),
            "tokens": HeadShape("classifier"),
            "answer": HeadShape("qa_outputs"),
            "fill-mask": HeadShape(
                "predictions.decoder",
                dense="predictions.dense",
                act=config.hidden_act,
                norm="predictions.LayerNorm",
                out_bias="predictions.bias",
            ),
        }
