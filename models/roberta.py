"""RoBERTa (Liu et al., 2019): BERT whose positions begin after the padding token's."""

from __future__ import annotations

from dataclasses import dataclass

from satchel.models import bert
from satchel.models.encoder_config import EncoderConfig
from satchel.models.heads import HeadShape


@dataclass(frozen=True, kw_only=True)
class Config(bert.Config):
    """config.json of model_type roberta."""

    pad_token_id: int = 1

    @property
    def first_position(self) -> int:
        return self.pad_token_id + 1


class Model(bert.Model):
    """The trunk of RoBERTa."""

    unused = ("pooler",)

    @staticmethod
    def heads(config: EncoderConfig) -> dict[str, HeadShape]:
        return {
            "classify": HeadShape(
                "classifier.out_proj", dense="classifier.dense", act="tanh", pooling="cls"
            ),
            "tokens": HeadShape("classifier"),
            "answer": HeadShape("qa_outputs"),
            "fill-mask": HeadShape(
                "lm_head.decoder",
                dense="lm_head.dense",
                norm="lm_head.layer_norm",
                out_bias="lm_head.bias",
            ),
        }
