"""EXAONE 4 (LG AI Research, 2025): norms behind attention and MLP; layers that see everything know no
positions where others have a window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from satchel.models import llama, olmo2
from satchel.models.config import windows
from satchel.models.layers import Attention
from satchel.runtime.errors import UnsupportedError, shown


@dataclass(frozen=True, kw_only=True)
class Config(llama.Config):
    """config.json of model_type exaone4."""

    KEYS: ClassVar[dict[str, tuple[str, ...]]] = {"pattern": ("sliding_window_pattern",)}

    rms_norm_eps: float = 1e-5
    num_key_value_heads: int | None = 32
    sliding_window: int | None = 4096
    pattern: str | int | None = 4
    layer_types: list[str] | None = None

    def windows(self) -> list[int | None]:
        kinds, every = self.layer_types, self.pattern
        if kinds is None:
            if self.sliding_window is None or not isinstance(every, int) or every < 1:
                raise UnsupportedError(
                    f"config.json: sliding_window_pattern = {shown(every)} with sliding_window = "
                    f"{self.sliding_window} says no kinds of layers; give layer_types"
                )
            kinds = [
                "sliding_attention" if (layer + 1) % every else "full_attention"
                for layer in range(self.num_hidden_layers)
            ]
        return windows(self, kinds, self.sliding_window)

    def layer_ropes(self) -> list[str | None]:
        everywhere = self.sliding_window is None
        return ["all" if window or everywhere else None for window in self.windows()]

    @property
    def qk_norm_eps(self) -> float:
        return self.rms_norm_eps


class Exaone4Block(olmo2.Olmo2Block):
    """OLMo 2's block with a norm for each head."""

    attending = Attention


class Model(llama.Model):
    """EXAONE 4."""

    block = staticmethod(Exaone4Block)
