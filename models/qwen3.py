"""Qwen3 (Yang et al., 2025): Qwen2 without biases and with RMS norms on each query and key head."""

from __future__ import annotations

from dataclasses import dataclass

from satchel.models import llama, qwen2

Model = llama.Model


@dataclass(frozen=True, kw_only=True)
class Config(qwen2.Config):
    """config.json of model_type qwen3."""

    head_dim: int | None = 128
    attention_bias: bool = False

    @property
    def out_bias(self) -> bool:
        return self.attention_bias

    @property
    def qk_norm_eps(self) -> float | None:
        return self.rms_norm_eps
