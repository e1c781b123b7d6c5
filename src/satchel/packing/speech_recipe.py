"""How speech models are packed: as other encoder-decoder models, but for what goes in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from satchel.checkpoints.checkpoint import Checkpoint
from satchel.export import signature
from satchel.export.audio_config import audio_format
from satchel.export.graph import SpeechGraph
from satchel.export.speech_config import speech_remarks, speech_rules
from satchel.models.seq2seq import Context
from satchel.models.seq2seq_config import Seq2seqConfig
from satchel.models.whisper import Config, Model
from satchel.packing.recipe import ExportOptions
from satchel.packing.seq2seq_recipe import Encoder, Seq2seqRecipe
from satchel.progress import Stage
from satchel.runtime.audio import sample_sounds
from satchel.runtime.bundle import Bundle
from satchel.runtime.errors import CheckpointError
from satchel.runtime.manifest import Port, Speech
from satchel.runtime.session import open_session
from satchel.runtime.source_graph import SpeechEncoder

SOUNDS = 4  # windows that the checks hear


@dataclass(frozen=True)
class SpeechRecipe(Seq2seqRecipe):
    """A source is a log-mel spectrogram, float32 [mels, frames]; all are equally long."""

    task: ClassVar[str] = "transcribe"
    asked: ClassVar[Mapping[str, str]] = {"stop_strings": "a window is read to its end"}

    reference: Model

    @staticmethod
    def remarks(checkpoint: Checkpoint, tokenizer: bytes, options: ExportOptions) -> list[str]:
        return speech_remarks(checkpoint)  # it is judged on sounds

    @staticmethod
    def some_sources(
        checkpoint: Checkpoint, config: Seq2seqConfig, tokenizer: bytes, options: ExportOptions
    ) -> list[Any]:
        assert isinstance(config, Config)
        form = audio_format(checkpoint)
        made, read = (form.mels, form.window_frames), (config.num_mel_bins, config.frames)
        if made != read:
            raise CheckpointError(
                f"preprocessor_config.json makes features of {made}, whereas config.json says that "
                f"the model reads {read}",
                "CKPT_CONFIG",
            )
        return [form.log_mel(sound) for sound in sample_sounds(form, SOUNDS)]

    @classmethod
    def of(cls, checkpoint: Checkpoint, options: ExportOptions, stage: Stage) -> Self:
        options.no_texts("sound")
        recipe = super().of(checkpoint, options, stage)
        recipe.speech()  # refuses before any graph is traced
        return recipe

    def speech(self) -> Speech:
        """How the checkpoint's author means it to be asked."""
        config = self.reference.config
        return speech_rules(
            self.checkpoint, self.tokenizer, config.vocab_size, config.source_context
        )

    @property
    def encoder_module(self) -> nn.Module:
        return SpeechGraph(self.reference)

    @property
    def encoder_inputs(self) -> list[Port]:
        config = self.reference.config
        return signature.speech_inputs(config.num_mel_bins, config.frames)

    @property
    def source_axes(self) -> tuple[int | str, int | str]:
        return 1, self.reference.config.source_context

    def facts(self) -> dict[str, Any]:
        audio = audio_format(self.checkpoint).to_dict()
        return super().facts() | {"audio": audio, "speech": self.speech()}

    def feed(self, role: str, stage: Stage) -> None:
        """Nothing: tones are no speech to fix scales by, and a scale per token needs none."""

    def read(self, sources: Sequence[NDArray[np.float32]]) -> Context:
        with torch.inference_mode():
            return Context(cross=self.reference.hear(torch.from_numpy(np.stack(sources))))

    def encoder(self, bundle: Bundle) -> Encoder:
        return SpeechEncoder(open_session(bundle, "encoder"), bundle.manifest)

    def probed(self, source: Any) -> dict[str, Any]:
        return {}  # the first of the sample sounds
