"""A decoder read as an encoder: whole texts in, the states that its head would get out.

What `text_encoder.assemble` asks of an architecture, made of any decoder's. Knows no architecture.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType

import torch
from torch import Tensor, nn

from satchel.checkpoints.checkpoint import Checkpoint
from satchel.checkpoints.sentence_steps import LogitScore
from satchel.checkpoints.tensors import LazyTensor
from satchel.models import weights
from satchel.models.both_ways import WholeTexts
from satchel.models.config import DecoderConfig
from satchel.models.decoder import Decoder
from satchel.models.encoder import Tower
from satchel.models.heads import HeadShape
from satchel.models.layers import Linear
from satchel.models.tables import HEAD
from satchel.runtime.errors import CheckpointError, UnsupportedError, shown

EMBEDDING = "model.embed_tokens.weight"
SCALES = ("logits_scaling", "logit_scale")
SCORE, CLASSIFIER = "score", "classifier"  # heads, as transformers names them


class Trunk(nn.Module):
    """States [batch, length, hidden] of int64 ids [batch, length].

    `untied`, if there is one, brings states back that were changed for the sake of the layers.
    """

    def __init__(self, decoder: Decoder) -> None:
        super().__init__()
        self.decoder = decoder
        self.untied: Linear | None = None

    def forward(self, input_ids: Tensor) -> Tensor:
        states = self.decoder.states(input_ids, WholeTexts.of(input_ids))
        return states if self.untied is None else self.untied(states)


class LastTokenTower(Tower):
    """A tower whose head gets the state of the last token that is no padding, in whatever text."""

    skipped: int  # the id of padding

    def answer(self, states: Tensor, *inputs: Tensor) -> Tensor:
        [ids] = inputs
        places = torch.arange(ids.shape[1]) * (ids != self.skipped)
        last = states[torch.arange(ids.shape[0]), places.amax(1)]
        return super().answer(last[:, None], *inputs)


@dataclass(frozen=True)
class TrunkConfig:
    """What an encoder's configuration says, of a decoder that is built for so many `positions`."""

    decoder: DecoderConfig
    positions: int
    tie_word_embeddings: bool = False  # no head of words is built
    token_types: int = 0
    boxed: bool = False
    eps: float = 0.0  # no head here has a norm

    @property
    def vocab_size(self) -> int:
        return self.decoder.vocab_size

    @property
    def hidden_size(self) -> int:
        return self.decoder.hidden_size

    @property
    def embedding_width(self) -> int:
        return self.decoder.hidden_size


@dataclass(frozen=True)
class DecoderTrunk:
    """The architecture of `module`, whose decoder is the trunk of an encoder of `checkpoint`."""

    module: ModuleType
    checkpoint: Checkpoint
    unused: tuple[str, ...] = ("lm_head",)

    def __call__(self, config: TrunkConfig, typed: bool) -> Trunk:
        headless = dataclasses.replace(config.decoder, tie_word_embeddings=True)
        decoder: Decoder = self.module.Model(headless, config.positions)
        # Some have the scale of their logits in the last norm: its states are not transformers'.
        scaled = any(getattr(config.decoder, key, None) is not None for key in SCALES)
        if scaled or decoder.alibi is not None or headless.table_width != config.hidden_size:
            raise UnsupportedError(
                f"a {shown(self.checkpoint.config['model_type'])} with ALiBi, scaled logits, or words of "
                "another width than its states, is not supported as an encoder; it generates"
            )
        decoder.logits_bias = None
        return Trunk(decoder)

    def sanitize(
        self, tensors: Mapping[str, LazyTensor], config: TrunkConfig
    ) -> dict[str, LazyTensor]:
        """Checkpoint names and layouts to ours, under ``trunk.``; heads keep their names."""
        model = self.module.Model
        heads = {name: tensors[name] for name in tensors if _is_head(name)}
        rest = {name: tensors[name] for name in tensors if name not in heads}
        named = weights.tied(
            model.sanitize(weights.prefixed(rest, model.prefix), config.decoder), EMBEDDING, HEAD
        )
        if self._logits is not None:
            heads = {f"{SCORE}.weight": self._row(self._logits, named, config.decoder)}
        left = {name for name in named if name.startswith(("lm_head.", "logits_bias"))}
        trunk = {f"trunk.decoder.{name}": named[name] for name in named if name not in left}
        return trunk | heads

    def heads(self, config: TrunkConfig) -> dict[str, HeadShape]:
        """The heads by task; a text's scores are those of its last token that is no padding."""
        older = any(name.endswith(f"{CLASSIFIER}.weight") for name in self.checkpoint.tensors)
        pad = self.checkpoint.config.get("pad_token_id")
        skipped = pad if isinstance(pad, int) and self._logits is None else None
        return {
            "classify": HeadShape(SCORE, pooling="lasttoken", has_bias=False, skipped=skipped),
            "tokens": HeadShape(CLASSIFIER if older else SCORE),
        }

    @property
    def _logits(self) -> LogitScore | None:
        sentence = self.checkpoint.sentence
        return sentence.logit_score if sentence is not None else None

    def _row(
        self, score: LogitScore, named: Mapping[str, LazyTensor], config: DecoderConfig
    ) -> LazyTensor:
        """The weight [1, hidden] whose product with a state is the score of a word over another's."""
        changed = self.module.Model.head is not Decoder.head or config.final_logit_softcapping
        if changed or config.logits_bias:
            raise UnsupportedError(
                "LogitScore is not supported with logits that are changed behind the head, as those of "
                f"{shown(self.checkpoint.config['model_type'])} are here"
            )
        table = named.get(HEAD) or (named.get(EMBEDDING) if config.tie_word_embeddings else None)
        if table is None:
            raise CheckpointError(f"weights do not fit the model: missing {HEAD}", "CKPT_WEIGHTS")
        if max(score.tokens) >= table.shape[0]:
            raise CheckpointError(
                f"LogitScore: id {max(score.tokens)} is beyond the model's {table.shape[0]} words"
            )

        def load() -> Tensor:
            rows = table.load()[list(score.tokens)].double()
            row = rows[0] - rows[1] if len(rows) > 1 else rows[0]
            return row[None].to(torch.float32)

        return LazyTensor((1, table.shape[1]), load)


def _is_head(name: str) -> bool:
    return name.startswith((f"{SCORE}.", f"{CLASSIFIER}."))
