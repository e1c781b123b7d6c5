"""How encoders of sound are packed: as other encoders, but for what goes in."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Self

from satchel import models
from satchel.checkpoints.checkpoint import Checkpoint
from satchel.export.audio_config import wave_format
from satchel.packing.encoder_recipe import EncoderRecipe
from satchel.packing.recipe import ExportOptions
from satchel.progress import Stage
from satchel.runtime.audio import WaveFormat, sample_waves
from satchel.runtime.errors import UsageError
from satchel.tokenization import letters

SOUNDS = 16  # that the checks hear, one by one


@dataclass(frozen=True, kw_only=True)
class SoundRecipe(EncoderRecipe):
    """An encoder whose input is samples."""

    audio: WaveFormat

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
        audio = wave_format(checkpoint, model.facts["stride"], model.facts["field"], tidied)
        samples = [{"input_values": sound[None]} for sound in sample_waves(audio, SOUNDS)]
        return cls(checkpoint, model, None, None, {"sound": samples}, {}, notes, audio=audio)

    def facts(self) -> dict[str, Any]:
        return super().facts() | {"audio": self.audio.to_dict()}

    def feed(self, role: str, stage: Stage) -> None:
        """Nothing: tones are no speech to fix scales by, and a scale per token needs none."""
