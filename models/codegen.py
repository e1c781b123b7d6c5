"""CodeGen (Nijkamp et al., 2022): GPT-J with one projection, packed in the parts that trained it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from satchel.checkpoints.tensors import LazyTensor
from satchel.models import gptj, weights

PARTS = 4  # each has its queries, values and keys


@dataclass(frozen=True, kw_only=True)
class Config(gptj.Config):
    """config.json of model_type codegen."""

    cosmetic: ClassVar[frozenset[str]] = gptj.Config.cosmetic | {"n_ctx"}


class Model(gptj.Model):
    """CodeGen."""

    @staticmethod
    def sanitize(tensors: Mapping[str, LazyTensor], config: Any) -> dict[str, LazyTensor]:
        def by_role(packed: Tensor) -> Tensor:
            query, value, key = packed.unflatten(0, (PARTS, 3, -1)).transpose(0, 1).flatten(1, 2)
            turning = (config.head_size, config.rotary_dim)
            halves = (weights.in_halves(part, *turning) for part in (query, key))
            return torch.cat((*halves, value))

        named = weights.rename(tensors, gptj.RENAMED)
        return weights.transform(named, r"\.qkv_proj\.weight$", by_role)
