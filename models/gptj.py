"""GPT-J (Wang and Komatsuzaki, 2021): pairs of some channels rotate, and attention stands beside the
MLP behind one norm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from satchel.checkpoints.tensors import LazyTensor
from satchel.models import gpt2, gpt_neox, llama, weights
from satchel.models.rope import RopeParameters

RENAMED = (
    (r"^lm_head\.bias$", "logits_bias"),
    *gpt2.RENAMED,
    (r"\.attn\.out_proj\.", ".self_attn.o_proj."),
    (r"\.attn\.", ".self_attn."),
    (r"\.mlp\.fc_in\.", ".mlp.up_proj."),
    (r"\.mlp\.fc_out\.", ".mlp.down_proj."),
)
THETA = 10000.0


@dataclass(frozen=True, kw_only=True)
class Config(llama.Config):
    """config.json of model_type gptj."""

    KEYS: ClassVar[dict[str, tuple[str, ...]]] = gpt2.Config.KEYS | {
        "layer_norm_eps": ("layer_norm_epsilon",),
        # What these say is not used.
        **dict.fromkeys(("rope_theta", "rope_scaling", "rope_parameters"), ()),
    }
    cosmetic: ClassVar[frozenset[str]] = gpt2.Config.cosmetic
    logits_bias: ClassVar[bool] = True

    intermediate_size: int | None = None  # type: ignore[assignment]
    hidden_act: str = "gelu_new"
    layer_norm_eps: float = 1e-5
    rotary_dim: int = 64
    mlp_bias: bool = True
    use_parallel_residual: ClassVar[bool] = True
    norms: ClassVar[int] = 1

    def rope(self) -> RopeParameters:
        return RopeParameters.from_dict({}, THETA, self.rotary_dim / self.head_size)


class Model(gpt_neox.Model):
    """GPT-J."""

    prefix = "transformer."

    @staticmethod
    def sanitize(tensors: Mapping[str, LazyTensor], config: Any) -> dict[str, LazyTensor]:
        named = weights.rename(tensors, RENAMED)
        turning = (r"\.[qk]_proj\.weight$", config.head_size, config.rotary_dim)
        return weights.fuse_llama(weights.half_split(named, *turning))
