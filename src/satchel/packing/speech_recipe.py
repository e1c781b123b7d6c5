"""How speech models are packed: as other encoder-decoder models, but for what goes in."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from satchel.checkpoints.checkpoint import Checkpoint
from satchel.export import signature
from satchel.export.audio_config import audio_format, framed_format
from satchel.export.graph import SensingGraph
from satchel.export.speech_config import speech_remarks, speech_rules
from satchel.models import moonshine, whisper
from satchel.models.seq2seq import Context, Pair
from satchel.models.seq2seq_config import Seq2seqConfig
from satchel.packing.recipe import ExportOptions
from satchel.packing.seq2seq_recipe import Encoder, Seq2seqRecipe
from satchel.progress import Stage
from satchel.runtime.audio import WaveFormat, sample_sources
from satchel.runtime.bundle import Bundle
from satchel.runtime.errors import CheckpointError
from satchel.runtime.manifest import Port, Speech
from satchel.runtime.session import open_session
from satchel.runtime.source_graph import SensedEncoder

SOUNDS = 4  # windows that the checks hear


@dataclass(frozen=True)
class SpeechRecipe(Seq2seqRecipe):
    """A source is a log-mel spectrogram, float32 [mels, frames]; all are equally long."""

    task: ClassVar[str] = "transcribe"
    asked: ClassVar[Mapping[str, str]] = {"stop_strings": "a window is read to its end"}

    reference: whisper.Model

    @staticmethod
    def remarks(checkpoint: Checkpoint, tokenizer: bytes, options: ExportOptions) -> list[str]:
        return speech_remarks(checkpoint)  # it is judged on sounds

    @staticmethod
    def some_sources(
        checkpoint: Checkpoint, config: Seq2seqConfig, tokenizer: bytes, options: ExportOptions
    ) -> list[Any]:
        assert isinstance(config, whisper.Config)
        form = audio_format(checkpoint)
        made, read = (form.mels, form.window_frames), (config.num_mel_bins, config.frames)
        if made != read:
            raise CheckpointError(
                f"preprocessor_config.json makes features of {made}, whereas config.json says that "
                f"the model reads {read}",
                "CKPT_CONFIG",
            )
        return sample_sources(form, SOUNDS)

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
        return SensingGraph(self.reference, self.reference.hear)

    @property
    def encoder_inputs(self) -> list[Port]:
        config = self.reference.config
        return signature.speech_inputs(config.num_mel_bins, config.frames)

    @property
    def source_axes(self) -> tuple[int | str, int | str]:
        return 1, self.reference.config.source_context

    def facts(self) -> dict[str, Any]:
        return super().facts() | {"audio": self.audio(), "speech": self.speech()}

    def audio(self) -> dict[str, Any]:
        """How a sound is prepared, for the manifest."""
        return audio_format(self.checkpoint).to_dict()

    def feed(self, role: str, stage: Stage) -> None:
        """Nothing: tones are no speech to fix scales by, and a scale per token needs none."""

    def read(self, sources: Sequence[NDArray[np.float32]]) -> Context:
        with torch.inference_mode():
            return Context(cross=self.reference.hear(torch.from_numpy(np.stack(sources))))

    def encoder(self, bundle: Bundle) -> Encoder:
        return SensedEncoder(open_session(bundle, "encoder"), bundle.manifest)

    def probed(self, source: Any) -> dict[str, Any]:
        return {}  # the first of the sounds made for checks


@dataclass(frozen=True)
class WaveSpeechRecipe(SpeechRecipe):
    """A source is samples, float32 [samples]; they differ in length."""

    reference: moonshine.Model  # type: ignore[assignment]

    @staticmethod
    def remarks(checkpoint: Checkpoint, tokenizer: bytes, options: ExportOptions) -> list[str]:
        return [
            f"a text has {moonshine.TOKENS_PER_SECOND:g} tokens for a second of sound at most, as is "
            "advised for English; languages that need more are asked with max_new_tokens"
        ]

    @staticmethod
    def some_sources(
        checkpoint: Checkpoint, config: Seq2seqConfig, tokenizer: bytes, options: ExportOptions
    ) -> list[Any]:
        return sample_sources(_waves(checkpoint), SOUNDS)

    def speech(self) -> Speech:
        return Speech(tokens_per_second=moonshine.TOKENS_PER_SECOND)

    @property
    def encoder_inputs(self) -> list[Port]:
        return [signature.sound_input("input_values")]

    @property
    def source_axes(self) -> tuple[int | str, int | str]:
        return 1, "source"

    def audio(self) -> dict[str, Any]:
        return _waves(self.checkpoint).to_dict()

    def read(self, sources: Sequence[NDArray[np.float32]]) -> Context:
        with torch.inference_mode():
            heard = [self.reference.hear(torch.from_numpy(source)[None]) for source in sources]
        lengths = torch.tensor([pairs[0][0].shape[2] for pairs in heard], dtype=torch.int32)
        longest = int(lengths.max())
        cross: list[Pair] = []
        for layer in zip(*heard, strict=True):
            key, value = (
                torch.cat([_filled(x, longest) for x in side]) for side in zip(*layer, strict=True)
            )
            cross.append((key, value))
        return Context(lengths=lengths, cross=cross)


def _waves(checkpoint: Checkpoint) -> WaveFormat:
    """How samples are heard: whole sounds of up to a window."""
    facts = {"stride": moonshine.STRIDE, "field": moonshine.FIELD}
    form = framed_format(checkpoint, facts, tidied=False)
    assert isinstance(form, WaveFormat)
    return dataclasses.replace(form, window=min(form.window, moonshine.LONGEST), overlap=0)


def _filled(x: torch.Tensor, length: int) -> torch.Tensor:
    """Keys or values [1, heads, frames, head_dim] with zeros behind them."""
    return torch.nn.functional.pad(x, (0, 0, 0, length - x.shape[2]))
