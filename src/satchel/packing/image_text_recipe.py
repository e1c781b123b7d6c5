"""How models that read images and write texts are packed: as other encoder-decoder models, but for what
goes in."""

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
from satchel.export.graph import SensingGraph
from satchel.export.image_config import image_format
from satchel.models import vision_encoder_decoder
from satchel.models.seq2seq import Context
from satchel.models.seq2seq_config import Seq2seqConfig
from satchel.packing.recipe import ExportOptions
from satchel.packing.seq2seq_recipe import Encoder, Seq2seqRecipe
from satchel.progress import Stage
from satchel.runtime.bundle import Bundle
from satchel.runtime.manifest import Port, Seq2seqUse
from satchel.runtime.session import open_session
from satchel.runtime.source_graph import SensedEncoder

PICTURES = 4  # that the checks see
UNSEEN = "an image has no ids"


@dataclass(frozen=True)
class ImageTextRecipe(Seq2seqRecipe):
    """A source is an image, float32 [3, height, width]."""

    task: ClassVar[str] = "image-to-text"
    asked: ClassVar[Mapping[str, str]] = {
        "encoder_repetition_penalty": UNSEEN,
        "encoder_no_repeat_ngram_size": UNSEEN,
    }

    reference: vision_encoder_decoder.Model

    @classmethod
    def of(cls, checkpoint: Checkpoint, options: ExportOptions, stage: Stage) -> Self:
        options.no_texts("images")
        return super().of(checkpoint, options, stage)

    @staticmethod
    def image_size(checkpoint: Checkpoint) -> tuple[int, int]:
        height, width = image_format(checkpoint).usual[0]
        return height, width

    @staticmethod
    def remarks(checkpoint: Checkpoint, tokenizer: bytes, options: ExportOptions) -> list[str]:
        return []  # it is judged on pictures

    @staticmethod
    def some_sources(
        checkpoint: Checkpoint, config: Seq2seqConfig, tokenizer: bytes, options: ExportOptions
    ) -> list[Any]:
        form = image_format(checkpoint)
        return [form.pixels(picture) for picture in form.pictures(PICTURES)]

    @property
    def encoder_module(self) -> nn.Module:
        return SensingGraph(self.reference, self.reference.see)

    @property
    def encoder_inputs(self) -> list[Port]:
        return signature.picture_inputs(self.image_size(self.checkpoint))

    @property
    def source_axes(self) -> tuple[int | str, int | str]:
        return 1, self.reference.config.source_context

    def facts(self) -> dict[str, Any]:
        config = self.reference.config
        use = Seq2seqUse(self.start, config.source_context, config.prompt_starts)
        image = image_format(self.checkpoint).to_dict()
        return super().facts() | {"image": image, "seq2seq": use, "translation": None}

    def feed(self, role: str, stage: Stage) -> None:
        """Nothing: made pictures hold no text to fix scales by, and a scale per token needs none."""

    def read(self, sources: Sequence[NDArray[np.float32]]) -> Context:
        with torch.inference_mode():
            return Context(cross=self.reference.see(torch.from_numpy(np.stack(sources))))

    def encoder(self, bundle: Bundle) -> Encoder:
        return SensedEncoder(open_session(bundle, "encoder"), bundle.manifest)

    def probed(self, source: Any) -> dict[str, Any]:
        return {}  # the first of the pictures made for checks
