"""ELECTRA (Clark et al., 2020): BERT whose embeddings may be narrower than its states."""

from __future__ import annotations

from dataclasses import dataclass

from satchel.models import bert
from satchel.models.encoder_config import EncoderConfig
from satchel.models.heads import HeadShape


@dataclass(frozen=True, kw_only=True)
class Config(bert.Config):
    """config.json of model_type electra."""

    embedding_size: int = 128

    @property
    def embedding_width(self) -> int:
        return self.embedding_size


class Model(bert.Model):
    """The trunk of ELECTRA."""

    unused = ("discriminator_predictions",)

    @staticmethod
    def heads(config: EncoderConfig) -> dict[str, HeadShape]:
        return {
            "classify": HeadShape(
                "classifier.out_proj", dense="classifier.dense", act="gelu", pooling="cls"
            ),
            "tokens": HeadShape("classifier"),
            "answer": HeadShape("qa_outputs"),
            "fill-mask": HeadShape(
                "generator_lm_head",
                dense="generator_predictions.dense",
                norm="generator_predictions.LayerNorm",
            ),
        }
