"""GPT-Neo (Black et al., 2021): GPT-2 with scores that are not scaled, and windows on some layers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from satchel.checkpoints.tensors import LazyTensor
from satchel.models import gpt2, weights
from satchel.models.attend import Heads
from satchel.models.config import LIMITS
from satchel.runtime.errors import CheckpointError, shown

RENAMED = (
    *gpt2.RENAMED,
    (r"\.attn\.attention\.out_proj\.", ".self_attn.o_proj."),
    (r"\.attn\.attention\.", ".self_attn."),
)


@dataclass(frozen=True, kw_only=True)
class Config(gpt2.Config):
    """config.json of model_type gpt_neo."""

    KEYS: ClassVar[dict[str, tuple[str, ...]]] = {
        "num_hidden_layers": ("num_layers", "num_hidden_layers"),
        "num_attention_heads": ("num_heads", "num_attention_heads"),
        "hidden_act": ("activation_function",),
        "num_key_value_heads": (),
        "head_dim": (),
    }
    cosmetic: ClassVar[frozenset[str]] = gpt2.Config.cosmetic | {"embed_dropout", "resid_dropout"}
    qkv_bias: ClassVar[bool] = False

    max_position_embeddings: int = 2048
    window_size: int = 256
    attention_types: list[object] | None = None  # [kinds of layers, how many times] ...
    attention_layers: list[str] | None = None  # what follows from them

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_same("attention_layers", self.kinds(), "attention_types")
        if self.window_size < 1:
            raise CheckpointError(
                f"config.json: window_size = {self.window_size}; expected 1 at least", "CKPT_CONFIG"
            )

    def kinds(self) -> list[str]:
        """ "global" or "local" for each layer."""
        kinds: list[str] = []
        for entry in self.attention_types or [[["global", "local"], 12]]:
            match entry:
                case [[*names], int(times)] if times <= LIMITS["num_hidden_layers"]:
                    kinds += [str(name) for name in names] * times
                case _:
                    kinds.append("")
        if set(kinds) - {"global", "local"} or len(kinds) != self.num_hidden_layers:
            raise CheckpointError(
                f"config.json: attention_types = {shown(self.attention_types)} does not say global "
                f"or local for {self.num_hidden_layers} layers",
                "CKPT_CONFIG",
            )
        return kinds

    def heads(self, layer: int) -> Heads:
        count, window = self.num_attention_heads, self.window_size
        local = self.kinds()[layer] == "local"
        return Heads(count, count, self.head_size, 1.0, window=window if local else None)


class Model(gpt2.Model):
    """GPT-Neo."""

    @staticmethod
    def sanitize(tensors: Mapping[str, LazyTensor], config: Any) -> dict[str, LazyTensor]:
        return weights.fuse_llama(weights.rename(tensors, RENAMED))
