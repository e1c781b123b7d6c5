"""Jina embeddings v3 as its authors' own code saves it: model_type xlm-roberta, positions rotary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from satchel.models import rotary_bert
from satchel.models.jina_embeddings_v3 import Model

__all__ = ["Config", "Model"]


@dataclass(frozen=True, kw_only=True)
class Config(rotary_bert.Config):
    """config.json of such a model. Its adapters are merged before it is read."""

    KEYS: ClassVar[dict[str, tuple[str, ...]]] = rotary_bert.Config.KEYS | {
        "rope_theta": ("rotary_emb_base",)
    }
    cosmetic: ClassVar[frozenset[str]] = rotary_bert.Config.cosmetic | frozenset(
        """emb_pooler load_trained_adapters lora_adaptations lora_alpha lora_dropout_p
        lora_main_params_trainable lora_rank matryoshka_dimensions position_embedding_type
        task_instructions use_flash_attn use_reentrant""".split()  # noqa: SIM905
    )
