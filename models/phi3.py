"""Phi-3 and Phi-4 mini (Abdin et al., 2024): LLaMA with projections that are fused in the checkpoint,
partial rotation and long-rope factors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from satchel.checkpoints.config_keys import COSMETIC
from satchel.checkpoints.tensors import LazyTensor
from satchel.models import llama
from satchel.models.config import windows
from satchel.models.rope import RopeParameters
from satchel.runtime.errors import UnsupportedError, shown


@dataclass(frozen=True, kw_only=True)
class Config(llama.Config):
    """config.json of model_type phi3."""

    cosmetic: ClassVar[frozenset[str]] = COSMETIC | {"embd_pdrop", "resid_pdrop"}

    max_position_embeddings: int = 4096
    original_max_position_embeddings: int = 4096
    rms_norm_eps: float = 1e-5
    partial_rotary_factor: float = 1.0
    sliding_window: int | None = None

    def rope(self) -> RopeParameters:
        rope = self.rope_of(self.rope_theta, self.partial_rotary_factor)
        if rope.rope_type not in (
            "default",
            "longrope",
        ):  # as transformers, for which yarn is longrope
            raise UnsupportedError(
                f"config.json: rope type {shown(rope.rope_type)} is not supported by phi3; known here: "
                "default, longrope"
            )
        return replace(rope, original_max_position_embeddings=self.original_max_position_embeddings)

    def windows(self) -> list[int | None]:
        return windows(self, None, self.sliding_window)


class Model(llama.Model):
    """Phi-3: the blocks of LLaMA."""

    @staticmethod
    def sanitize(tensors: Mapping[str, LazyTensor], config: llama.Config) -> dict[str, LazyTensor]:
        return dict(tensors)
