"""SmolLM3 (Hugging Face, 2025): LLaMA with every fourth layer free of rotary positions."""

from __future__ import annotations

from dataclasses import dataclass

from satchel.models import llama
from satchel.models.config import windows
from satchel.runtime.errors import CheckpointError

Model = llama.Model


@dataclass(frozen=True, kw_only=True)
class Config(llama.Config):
    """config.json of model_type smollm3."""

    num_key_value_heads: int | None = 4
    max_position_embeddings: int = 32768
    rope_theta: float = 2000000.0
    tie_word_embeddings: bool = True
    use_sliding_window: bool = False
    sliding_window: int | None = None
    layer_types: list[str] | None = None
    no_rope_layers: list[int] | None = None  # despite its name, 1 where a layer rotates
    no_rope_layer_interval: int = 4

    def layer_ropes(self) -> list[str | None]:
        layers, interval = self.num_hidden_layers, self.no_rope_layer_interval
        turns = self.no_rope_layers or [(layer + 1) % interval for layer in range(layers)]
        if len(turns) != layers:
            raise CheckpointError(
                f"config.json: no_rope_layers has {len(turns)} entries for {layers} layers",
                "CKPT_CONFIG",
            )
        return ["all" if turn else None for turn in turns]

    def windows(self) -> list[int | None]:
        window = self.sliding_window if self.use_sliding_window else None
        kinds = self.layer_types
        if kinds is None and window is not None:
            kinds = [
                "full_attention" if rope else "sliding_attention" for rope in self.layer_ropes()
            ]
        return windows(self, kinds, window)
