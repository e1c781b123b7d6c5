"""Qwen2 and Qwen2.5 (Yang et al., 2024): LLaMA with biases on query, key and value, and windows on
the upper layers where the checkpoint asks for them."""

from __future__ import annotations

from dataclasses import dataclass

from satchel.models import llama
from satchel.models.config import windows

Model = llama.Model


@dataclass(frozen=True, kw_only=True)
class Config(llama.Config):
    """config.json of model_type qwen2."""

    max_position_embeddings: int = 32768
    attention_bias: bool = True
    use_sliding_window: bool = False
    sliding_window: int | None = 4096
    max_window_layers: int = 28
    layer_types: list[str] | None = None

    def windows(self) -> list[int | None]:
        kinds = self.layer_types
        if kinds is None and self.use_sliding_window:
            kinds = [
                "sliding_attention" if layer >= self.max_window_layers else "full_attention"
                for layer in range(self.num_hidden_layers)
            ]
        window = self.sliding_window if self.use_sliding_window else None
        return windows(self, kinds, window)

    @property
    def out_bias(self) -> bool:
        return False
