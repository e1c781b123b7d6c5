"""OLMo 3 (OLMo Team, 2025): OLMo 2 with windows on three of four layers, whose rotation is not scaled."""

from __future__ import annotations

from dataclasses import dataclass

from satchel.models import gemma3_text, olmo2
from satchel.models.config import windows
from satchel.models.rope import RopeParameters
from satchel.runtime.errors import UnsupportedError

Model = olmo2.Model
THETA = 500000.0


@dataclass(frozen=True, kw_only=True)
class Config(olmo2.Config):
    """config.json of model_type olmo3."""

    rope_theta: float = THETA
    sliding_window: int | None = 4096
    layer_types: list[str] | None = None

    def ropes(self) -> dict[str, RopeParameters]:
        if self.rope_theta != THETA:
            raise UnsupportedError(
                f"config.json: rope_theta = {self.rope_theta:g} counts for every layer in transformers "
                f"4 and not for those with a window in 5, beside {THETA:g}; state it in rope_parameters"
            )
        return gemma3_text.ropes_of_kinds(self, THETA, THETA)

    def layer_ropes(self) -> list[str | None]:
        return gemma3_text.kinds_of_layers(self)

    def windows(self) -> list[int | None]:
        kinds = self.layer_types or [
            "sliding_attention" if (layer + 1) % 4 else "full_attention"
            for layer in range(self.num_hidden_layers)
        ]
        return windows(self, kinds, self.sliding_window)
