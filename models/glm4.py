"""GLM-4-0414 (GLM Team, 2025): GLM-4 with norms on both sides of attention and MLP."""

from __future__ import annotations

from collections.abc import Mapping

from satchel.checkpoints.tensors import LazyTensor
from satchel.models import gemma2, glm, llama, weights

Config = glm.Config
RENAMED = (  # as Gemma 2 names them
    (r"\.post_attention_layernorm\.", ".pre_feedforward_layernorm."),
    (r"\.post_self_attn_layernorm\.", ".post_attention_layernorm."),
    (r"\.post_mlp_layernorm\.", ".post_feedforward_layernorm."),
)


class Model(glm.Model):
    """GLM with the blocks of Gemma 2."""

    block = staticmethod(gemma2.Gemma2Block)

    @staticmethod
    def sanitize(tensors: Mapping[str, LazyTensor], config: llama.Config) -> dict[str, LazyTensor]:
        return weights.rename(glm.Model.sanitize(tensors, config), RENAMED)
