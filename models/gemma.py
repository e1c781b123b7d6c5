"""Gemma (Mesnard et al., 2024): LLaMA whose embeddings are scaled by the root of their size."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from satchel.checkpoints.tensors import LazyTensor
from satchel.models import llama, weights
from satchel.runtime.errors import UnsupportedError, shown

FIRST_FILES = {"gelu": "gelu_pytorch_tanh"}  # what their word means


@dataclass(frozen=True, kw_only=True)
class Config(llama.Config):
    """config.json of model_type gemma."""

    num_key_value_heads: int | None = 16
    head_dim: int | None = 256
    hidden_act: str = "gelu_pytorch_tanh"
    hidden_activation: str | None = None
    max_position_embeddings: int = 8192
    tie_word_embeddings: bool = True

    @classmethod
    def values(cls, raw: dict[str, Any], ignored_keys: Collection[str] = ()) -> dict[str, Any]:
        values = super().values(raw, ignored_keys)
        if "hidden_act" in values:
            values["hidden_act"] = FIRST_FILES.get(values["hidden_act"], values["hidden_act"])
        return values

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.hidden_activation not in (None, self.hidden_act):
            raise UnsupportedError(
                f"config.json: hidden_activation = {shown(self.hidden_activation)} counts for "
                f"transformers 4 and hidden_act, here {shown(self.hidden_act)}, for 5; make them agree"
            )

    @property
    def stream_eps(self) -> float:
        return self.rms_norm_eps / self.hidden_size


class Model(llama.Model):
    """Gemma."""

    @staticmethod
    def sanitize(tensors: Mapping[str, LazyTensor], config: llama.Config) -> dict[str, LazyTensor]:
        # Gemma stores its norm gains minus one.
        fused = weights.transform(
            weights.fuse_llama(tensors), r"norm\.weight$", lambda gain: gain + 1
        )
        # The whole stream in units of what embeddings are scaled by: norms divide by its length anyway.
        return weights.scaled(fused, r"\.(o|down)_proj\.", config.hidden_size**-0.5)
