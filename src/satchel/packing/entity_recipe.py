"""How a GLiNER is packed: as other encoders, but for the labels that are read before a text."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from tokenizers import Tokenizer

from satchel import models
from satchel.checkpoints.checkpoint import Checkpoint
from satchel.export import signature
from satchel.models.encoder import ReferenceEncoder
from satchel.packing.encoder_recipe import SENTENCES, EncoderRecipe
from satchel.packing.encoder_samples import Sample
from satchel.packing.recipe import ExportOptions, Traceable
from satchel.progress import Stage
from satchel.runtime.encoder_session import EncoderSession
from satchel.runtime.entity_texts import EntityTexts
from satchel.runtime.errors import CheckpointError, UsageError, shown
from satchel.runtime.manifest import Entities, Port
from satchel.tokenization.tokenizer import bundle_tokenizer

ASKED = ("person", "place", "organization", "date", "animal", "thing")  # what the checks look for


@dataclass(frozen=True, kw_only=True)
class EntityRecipe(EncoderRecipe):
    """An encoder that is asked for labels; `shown_first` is the text of the probe."""

    told: Entities
    shown_first: str

    @classmethod
    def of(cls, checkpoint: Checkpoint, options: ExportOptions, stage: Stage) -> Self:
        if options.context is not None:
            raise UsageError(
                "--context is for models that write; encoders keep all their positions"
            )
        given = (options.task, None, options.ignored_keys, stage("loading weights"))
        model = models.build_encoder(checkpoint, *given)
        tokenizer = bundle_tokenizer(checkpoint, model.vocab_size)
        told: Entities = model.facts["entities"]
        reader = _reader(checkpoint, model, tokenizer, told)
        sentences = options.sentences(SENTENCES)
        samples = {"encoder": _asked(reader, sentences)}
        calibration = {"encoder": _asked(reader, options.texts)}
        notes = [*model.notes, *options.remarks(tokenizer)]
        parts = (checkpoint, model, tokenizer, None, samples, calibration, notes)
        return cls(*parts, told=told, shown_first=sentences[0])

    @property
    def graphs(self) -> dict[str, Traceable]:
        tower = self.model.towers["encoder"]
        outputs = [Port(name, "float32", axes) for name, axes in tower.outputs.items()]
        return {"encoder": Traceable(tower, signature.entity_inputs(), outputs)}

    def facts(self) -> dict[str, Any]:
        return super().facts() | {"entities": self.told}

    @property
    def _scores(self) -> str | None:
        return "sigmoid"

    @property
    def _single(self) -> bool:
        """All scores count, not only which label is the likeliest."""
        return True

    def _probe(self, role: str, encoder: EncoderSession) -> dict[str, Any]:
        return super()._probe(role, encoder) | {"text": self.shown_first, "labels": list(ASKED)}


def _reader(
    checkpoint: Checkpoint, model: ReferenceEncoder, tokenizer: bytes, told: Entities
) -> EntityTexts:
    """How texts are read; CheckpointError where the tokenizer lacks the tokens around labels."""
    made = Tokenizer.from_buffer(tokenizer)
    made.no_truncation()
    made.no_padding()
    places = {name: made.token_to_id(name) for name in (told.mark, told.separator)}
    expected = checkpoint.config["class_token_index"]
    if None in places.values() or places[told.mark] != expected:
        raise CheckpointError(
            f"the tokenizer has the ids {shown(places)}; gliner_config.json says class_token_index = "
            f"{expected}: save the model with its own tokenizer",
            "TOKENIZER_INVALID",
        )
    return EntityTexts(made, told, model.max_length)


def _asked(reader: EntityTexts, texts: Sequence[str]) -> list[Sample]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a text is cut
        asked = [reader.asked(text, ASKED) for text in texts]
    return [one.inputs for one in asked if one is not None]
