"""Longformer (Beltagy et al., 2020): RoBERTa whose tokens see their neighbours alone, but for some that
see the whole text and are seen by all: the first of a text that gets a label, and those of a question."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from satchel.checkpoints.tensors import LazyTensor
from satchel.models import attend, bert, roberta, weights
from satchel.models.encoder_config import EncoderConfig
from satchel.models.heads import HeadShape
from satchel.models.layers import Linear
from satchel.models.neighbours import Leading, NearAttention, Neighbours, Texts, counted
from satchel.runtime.errors import CheckpointError, shown

RENAMED = (
    (r"^longformer\.", ""),
    (r"\.attention\.self\.(query|key|value)_global\.", r".attention.\1_global."),
)
FARTHEST = 1 << 20  # tokens of a window


def reaches(window: list[int] | int, layers: int) -> list[int]:
    """Per layer how many tokens are seen on either side, of config.json's `attention_window`."""
    each = window if isinstance(window, list) else [window] * layers
    if len(each) != layers or any(one % 2 or not 0 < one <= FARTHEST for one in each):
        raise CheckpointError(
            f"config.json: attention_window = {shown(window)}; expected an even number of tokens, or "
            f"one for each of {layers} layers",
            "CKPT_CONFIG",
        )
    return [one // 2 for one in each]


@dataclass(frozen=True, kw_only=True)
class Config(roberta.Config):
    """config.json of model_type longformer."""

    cosmetic: ClassVar[frozenset[str]] = EncoderConfig.cosmetic | {"onnx_export"}

    attention_window: list[int] | int = 512
    sep_token_id: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        reaches(self.attention_window, self.num_hidden_layers)


class LeadingAttention(NearAttention):
    """That in which leading tokens, where there are any, see the whole text by layers of their own."""

    def __init__(self, hidden_size: int, num_heads: int, reach: int) -> None:
        super().__init__(hidden_size, num_heads, reach)
        self.query_global = Linear(hidden_size, hidden_size)
        self.kv_global = Linear(hidden_size, 2 * hidden_size)

    def attended(self, x: Tensor, near: Neighbours) -> Tensor:
        attended, leading = super().attended(x, near), near.leading
        if leading is None:
            return attended
        query = self.query_global(x.index_select(1, leading.places))
        key, value = self.kv_global(x).chunk(2, dim=-1)
        whole = attend.attention(query, key, value, self.num_heads, self.scale)
        places = torch.arange(x.shape[1])
        whole = whole.index_select(1, places.clamp(max=leading.most - 1))
        leads = (places < leading.count[:, None])[..., None]
        return torch.where(leads, whole, attended)


class Model(bert.Model):
    """The trunk of Longformer."""

    unused = ("pooler",)
    leading: str | None = None  # tokens that see the whole text, as the head has it

    def __init__(self, config: Config, typed: bool) -> None:
        super().__init__(config, typed)
        self.separator = config.sep_token_id

    def forward(  # type: ignore[override]
        self, input_ids: Tensor, token_type_ids: Tensor | None = None
    ) -> Tensor:
        """States [batch, length, hidden] of int64 ids [batch, length]."""
        x = self.embeddings(input_ids, token_type_ids)
        batch, length = input_ids.shape
        texts = Texts(batch, length, leading=self.leads(input_ids))
        for block in self.passes():
            x = block(x, texts)
        return x

    def leads(self, input_ids: Tensor) -> Leading | None:
        """The tokens of int64 ids [batch, length] that see the whole text."""
        if self.leading is None:
            return None
        if self.leading == "first":
            return Leading(torch.ones(1, dtype=torch.int64), 1)
        count = (input_ids == self.separator).int().argmax(1)  # those before the first separator
        return Leading(count, counted(count.max().clamp(min=1)))

    @staticmethod
    def blocks(config: EncoderConfig) -> nn.ModuleList:
        assert isinstance(config, Config)
        size, heads = config.hidden_size, config.num_attention_heads
        return nn.ModuleList(
            bert.BertBlock(config, LeadingAttention(size, heads, reach))
            for reach in reaches(config.attention_window, config.num_hidden_layers)
        )

    @staticmethod
    def sanitize(tensors: Mapping[str, LazyTensor], config: EncoderConfig) -> weights.Tensors:
        named = bert.Model.sanitize(weights.rename(tensors, RENAMED), config)
        return weights.fuse(named, ("key_global", "value_global"), "kv_global")

    @staticmethod
    def heads(config: EncoderConfig) -> dict[str, HeadShape]:
        shapes = roberta.Model.heads(config)
        leading = {"classify": "first", "answer": "question"}
        return shapes | {
            task: dataclasses.replace(shapes[task], leading=those)
            for task, those in leading.items()
        }
