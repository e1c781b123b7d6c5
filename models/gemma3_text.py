"""Gemma 3, text only (Gemma Team, 2025): Gemma 2 with query and key norms instead of soft caps, and
a rope base of its own for the layers with a window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from satchel.checkpoints.config_keys import COSMETIC
from satchel.models import gemma2
from satchel.models.config import both_styles, windows
from satchel.models.rope import RopeParameters, whole_rotation
from satchel.runtime.errors import CheckpointError, UnsupportedError

Model = gemma2.Model


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

    def ropes(self) -> dict[str, RopeParameters]:
        """Rotary parameters per layer type; the older key style scales the full layers alone."""
        if self.rope_parameters and self.rope_scaling:
            raise both_styles()
        if "type" in (self.rope_scaling or {}) and "rope_type" not in (self.rope_scaling or {}):
            raise UnsupportedError(
                "config.json: rope_scaling says type and not rope_type, which transformers 5 passes "
                "over in gemma3_text and 4 did not; name it rope_type, or leave rope_scaling out"
            )
        new: dict[str, Any] = self.rope_parameters or {
            "full_attention": self.rope_scaling or {},
            "sliding_attention": {},
        }
        bases = {"full_attention": self.rope_theta, "sliding_attention": self.rope_local_base_freq}
        for kind in bases:
            if kind not in new:
                raise CheckpointError(
                    f"config.json: rope_parameters says nothing about {kind}", "CKPT_CONFIG"
                )
        return {
            kind: whole_rotation(RopeParameters.from_dict(new[kind], base))
            for kind, base in bases.items()
        }

    def layer_ropes(self) -> list[str | None]:
        return ["sliding_attention" if window else "full_attention" for window in self.windows()]

    def windows(self) -> list[int | None]:
        kinds = self.layer_types or [
            "sliding_attention" if (layer + 1) % self.sliding_window_pattern else "full_attention"
            for layer in range(self.num_hidden_layers)
        ]
        return windows(self, kinds, self.sliding_window)

    @property
    def qk_norm_eps(self) -> float | None:
        return self.rms_norm_eps
