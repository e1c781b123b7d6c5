"""ESM (Rives et al., 2021; Lin et al., 2023): pre-norm encoders of proteins, with rotary positions or a
table of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from satchel.checkpoints.config_keys import NEUTRAL
from satchel.checkpoints.tensors import LazyTensor
from satchel.models import prenorm, roberta, weights
from satchel.models.bert import BertEmbeddings
from satchel.models.encoder_config import EncoderConfig
from satchel.models.heads import HeadShape
from satchel.models.layers import LayerNorm, StoredRope
from satchel.runtime.errors import CheckpointError, UnsupportedError, shown

KEPT = 1 - 0.15 * 0.8  # the share of tokens that training did not mask
FREQUENCIES = "rotary_embeddings.inv_freq"
RENAMED = (
    (r"^esm\.", ""),
    (r"^embeddings\.layer_norm\.", "embeddings.LayerNorm."),
    (r"^lm_head\.bias$", "lm_head.decoder.bias"),
)


@dataclass(frozen=True, kw_only=True)
class Config(EncoderConfig):
    """config.json of model_type esm."""

    KEYS: ClassVar[dict[str, tuple[str, ...]]] = {"hidden_act": ()}
    neutral: ClassVar[dict[str, tuple[Any, ...]]] = NEUTRAL | {"is_folding_model": (False,)}

    pad_token_id: int
    mask_token_id: int | None = None
    max_position_embeddings: int = 1026
    position_embedding_type: str = "absolute"
    rope_theta: float = 10000.0
    emb_layer_norm_before: bool | None = None
    token_dropout: bool | None = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.position_embedding_type not in ("absolute", "rotary"):
            raise UnsupportedError(
                f"config.json: position_embedding_type {shown(self.position_embedding_type)} is not "
                "supported; known: absolute, rotary"
            )
        if self.token_dropout and self.mask_token_id is None:
            raise CheckpointError("config.json lacks mask_token_id", "CKPT_CONFIG")

    @property
    def learned_positions(self) -> bool:
        return self.position_embedding_type == "absolute"

    @property
    def first_position(self) -> int:
        return self.pad_token_id + 1 if self.learned_positions else 0

    @property
    def half(self) -> int:
        """Channels of a head that turn with as many others."""
        return self.hidden_size // self.num_attention_heads // 2


class EsmEmbeddings(BertEmbeddings):
    """Masked tokens are left out and the others made up for it, as where training drops tokens."""

    def __init__(self, config: Config) -> None:
        super().__init__(config, typed=False, normed=bool(config.emb_layer_norm_before))
        self.mask = config.mask_token_id if config.token_dropout else None

    def words(self, input_ids: Tensor) -> Tensor:
        x = super().words(input_ids)
        if self.mask is None:
            return x
        shown = (input_ids != self.mask).to(x.dtype)
        return x * (shown * (KEPT / shown.mean(1, keepdim=True)))[..., None]


class Model(prenorm.PreNormEncoder):
    """The trunk of ESM."""

    unused = ("pooler", "contact_head")

    def __init__(self, config: Config, typed: bool) -> None:
        rope = None if config.learned_positions else StoredRope(config.positions, config.half)
        super().__init__(
            EsmEmbeddings(config),
            (prenorm.bert_block(config, rope) for _ in range(config.num_hidden_layers)),
            LayerNorm(config.hidden_size, config.eps),
        )

    @staticmethod
    def sanitize(tensors: Mapping[str, LazyTensor], config: Config) -> weights.Tensors:
        stored = [it for name, it in tensors.items() if name.endswith(FREQUENCIES)]
        rest = {name: it for name, it in tensors.items() if not name.endswith(FREQUENCIES)}
        named = prenorm.sanitize(weights.rename(rest, RENAMED), config)
        if config.learned_positions:
            return named
        named.pop("trunk.embeddings.position_embeddings.weight", None)  # of no use to rotary files
        if stored:  # rounded, perhaps, as training had them
            frequencies = stored[0].load().float()
        else:
            frequencies = config.rope_theta ** -(torch.arange(config.half) / config.half)
        angles = torch.arange(config.positions)[:, None] * frequencies
        pair = {"cos": angles.cos(), "sin": angles.sin()}
        return named | weights.known(
            {f"trunk.layers.0.self_attn.rope.{part}": table for part, table in pair.items()}
        )

    @staticmethod
    def heads(config: EncoderConfig) -> dict[str, HeadShape]:
        shapes = roberta.Model.heads(config)
        return {task: shapes[task] for task in ("classify", "tokens", "fill-mask")}
