"""How encoders of sound are packed: as other encoders, but for what goes in."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Self

from satchel import models
from satchel.checkpoints.checkpoint import Checkpoint
from satchel.export import signature
from satchel.export.audio_config import framed_format
from satchel.packing.encoder_recipe import EncoderRecipe
from satchel.packing.recipe import ExportOptions, Traceable
from satchel.progress import Stage
from satchel.runtime.errors import UsageError
from satchel.runtime.filter_banks import Framed, sample_frames
from satchel.runtime.manifest import Port
from satchel.tokenization import letters

SOUNDS = 16  # that the checks hear, one by one


@dataclass(frozen=True, kw_only=True)
class SoundRecipe(EncoderRecipe):
    """An encoder whose input is samples, or the energies of their bands."""

    audio: Framed

    @classmethod
    def of(cls, checkpoint: Checkpoint, options: ExportOptions, stage: Stage) -> Self:
        options.no_texts("sound")
        if options.context is not None:
            raise UsageError(
                "--context is for models that write; encoders of sound have no positions to count"
            )
        model = models.build_encoder(
            checkpoint, options.task, None, options.ignored_keys, stage("loading weights")
        )
        notes, tidied = list(model.notes), False
        if model.task == "ctc":
            names, tidied = (
                letters.letters(checkpoint, model.vocab_size),
                letters.tidies(checkpoint),
            )
            model = dataclasses.replace(model, labels=names)
            notes += letters.remarks(checkpoint)
        audio = framed_format(checkpoint, model.facts, tidied)
        samples = [{audio.input_name: sound[None]} for sound in sample_frames(audio, SOUNDS)]
        return cls(checkpoint, model, None, None, {"sound": samples}, {}, notes, audio=audio)

    @property
    def graphs(self) -> dict[str, Traceable]:
        return {
            role: Traceable(
                tower,
                [signature.sound_input(tower.input_names[0], getattr(self.audio, "width", None))],
                [Port(name, "float32", axes) for name, axes in tower.outputs.items()],
            )
            for role, tower in self.model.towers.items()
        }

    def facts(self) -> dict[str, Any]:
        return super().facts() | {"audio": self.audio.to_dict()}

    def feed(self, role: str, stage: Stage) -> None:
        """Nothing: tones are no speech to fix scales by, and a scale per token needs none."""
