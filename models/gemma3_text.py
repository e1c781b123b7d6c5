"""Gemma 3, text only (Gemma Team, 2025): Gemma 2 with query and key norms instead of soft caps, and
a rope base of its own for the layers with a window. EmbeddingGemma (2025) sees in both directions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from satchel.checkpoints.config_keys import COSMETIC
from satchel.models import gemma2, llama
from satchel.models.config import both_styles, windows
from satchel.models.rope import RopeParameters, whole_rotation
from satchel.runtime.errors import CheckpointError, UnsupportedError

Model = gemma2.Model


def ropes_of_kinds(config: llama.Config, full: float, sliding: float) -> dict[str, RopeParameters]:
    """Rotary parameters per layer type, with these bases where they say none; the older key style scales
    the full layers alone."""
    old = config.rope_scaling or {}
    if config.rope_parameters and old:
        raise both_styles()
    if "type" in old and "rope_type" not in old:
        raise UnsupportedError(
            "config.json: rope_scaling says type and not rope_type, which transformers 5 passes "
            "over where layers rotate in two ways and 4 did not; name it rope_type, or leave it out"
        )
    new: dict[str, Any] = config.rope_parameters or {"full_attention": old, "sliding_attention": {}}
    bases = {"full_attention": full, "sliding_attention": sliding}
    for kind in bases:
        if kind not in new:
            raise CheckpointError(
                f"config.json: rope_parameters says nothing about {kind}", "CKPT_CONFIG"
            )
    return {
        kind: whole_rotation(RopeParameters.from_dict(new[kind], base))
        for kind, base in bases.items()
    }


def kinds_of_layers(config: llama.Config) -> list[str | None]:
    """Per layer the name that `ropes_of_kinds` has for its rotation."""
    return ["sliding_attention" if window else "full_attention" for window in config.windows()]


@dataclass(frozen=True, kw_only=True)
class Config(gemma2.Config):
    """config.json of model_type gemma3_text."""

    # A soft cap of scores stands in many files, and transformers does not use it.
    KEYS: ClassVar[dict[str, tuple[str, ...]]] = gemma2.Config.KEYS | {"attn_logit_softcapping": ()}
    cosmetic: ClassVar[frozenset[str]] = COSMETIC | {
        "_sliding_window_pattern",
        "attn_logit_softcapping",
    }

    max_position_embeddings: int = 131072
    rope_theta: float = 1000000.0
    rope_local_base_freq: float = 10000.0
    sliding_window_pattern: int = 6
    final_logit_softcapping: float | None = None
    attn_logit_softcapping: float | None = None
    use_bidirectional_attention: bool | None = False

    @property
    def causal(self) -> bool:
        return not self.use_bidirectional_attention

    def ropes(self) -> dict[str, RopeParameters]:
        return ropes_of_kinds(self, self.rope_theta, self.rope_local_base_freq)

    def layer_ropes(self) -> list[str | None]:
        return kinds_of_layers(self)

    def windows(self) -> list[int | None]:
        kinds = self.layer_types or [
            "sliding_attention" if (layer + 1) % self.sliding_window_pattern else "full_attention"
            for layer in range(self.num_hidden_layers)
        ]
        window = self.sliding_window
        if window is not None and not self.causal:
            window = window // 2 + 1  # half of it on either side, and the token itself
        return windows(self, kinds, window)

    @property
    def qk_norm_eps(self) -> float | None:
        return self.rms_norm_eps
