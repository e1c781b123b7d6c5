"""An image encoder that reads and a decoder of BART's kind that writes, as TrOCR's (Li et al., 2021)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import ModuleType
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from satchel.checkpoints.tensors import LazyTensor
from satchel.models import bart, beit, deit, donut_swin, mbart, swin, trocr, vit, weights
from satchel.models.attend import Heads
from satchel.models.encoder import Tower
from satchel.models.layers import Embedding, Linear
from satchel.models.paired_config import PairedConfig, inner_config
from satchel.models.seq2seq import Pair, Seq2seq
from satchel.models.tables import HEAD, WORDS
from satchel.models.vision import dropped
from satchel.models.vision_config import Size

TASK = "image-embed"  # of which a tower's trunk gives the states that a decoder reads
READERS: dict[str, ModuleType] = {
    "vit": vit,
    "deit": deit,
    "beit": beit,
    "swin": swin,
    "donut-swin": donut_swin,
}
WRITERS: dict[str, ModuleType] = {"trocr": trocr, "mbart": mbart}
IGNORED = "is_encoder_decoder"  # of a decoder that is one half of a pair anyway
RENAMED = (
    (r"^output_projection\.", "lm_head."),
    *bart.RENAMED,
    (r"^decoder\.embed_tokens\.", "words."),
)
BETWEEN = ((r"^enc_to_dec_proj\.", "encoder.projection."),)


@dataclass(frozen=True, kw_only=True)
class Config(PairedConfig):
    """config.json of model_type vision-encoder-decoder: one for each of the two."""

    KEYS: ClassVar[dict[str, tuple[str, ...]]] = {"image_size": ()}

    image_size: Size | None = None  # height and width that preprocessing makes

    @cached_property
    def source(self) -> Any:
        """The configuration of what reads."""
        return inner_config("encoder", self.encoder, READERS)

    @cached_property
    def target(self) -> bart.WriterConfig:
        """The configuration of what writes."""
        plain = {key: self.decoder[key] for key in self.decoder if key != IGNORED}
        config: bart.WriterConfig = inner_config("decoder", plain, WRITERS)
        return config

    @property
    def module(self) -> ModuleType:
        """That of what reads."""
        assert self.source  # or it is refused
        return READERS[self.encoder["model_type"]]

    def tower(self) -> Tower:
        """What reads, without weights."""
        with torch.device("meta"):
            tower: Tower = self.module.towers(self.source, TASK, self.image_size)["image"]
        return tower

    @property
    def prompt_starts(self) -> bool:
        """Whether a prompt stands in the place of the first id of a text, and not behind it."""
        return self.module is donut_swin

    @property
    def projected(self) -> bool:
        """Whether a layer makes the states as wide as the decoder is."""
        wanted = getattr(self.target, "cross_attention_hidden_size", None)
        return wanted is None and self.source.hidden_size != self.target.hidden_size

    @property
    def tied(self) -> bool:
        return self.target.tie_word_embeddings

    @property
    def heads(self) -> Heads:
        return self.target.heads

    @property
    def decoder_depth(self) -> int:
        return self.target.decoder_depth

    @property
    def source_width(self) -> int:
        return self.target.source_width

    @property
    def target_positions(self) -> int | None:
        return self.target.target_positions

    @cached_property
    def source_context(self) -> int:
        return int(self.tower().outputs["last_hidden_state"][1])


class Viewer(nn.Module):
    """The encoder: an image to states as wide as the decoder reads them."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.trunk = config.tower().trunk
        wide = config.source.hidden_size
        self.projection = Linear(wide, config.source_width) if config.projected else None

    def forward(self, pixels: Tensor) -> Tensor:
        """float32 [batch, length, width] of pixels [batch, 3, height, width]."""
        states: Tensor = self.trunk(pixels)
        return states if self.projection is None else self.projection(states)


class Model(Seq2seq):
    """A tower's trunk and a decoder."""

    ties = (HEAD,)
    config: Config

    def __init__(self, config: Config, names: Collection[str]) -> None:
        target = config.target
        words = Embedding(target.vocab_size, target.hidden_size)
        super().__init__(
            config,
            words,
            Viewer(config),
            bart.stack(target, words, target.decoder_depth, crossing=True),
            own_head=HEAD in names or not config.tied,
            bias=True,
        )

    def see(self, pixels: Tensor) -> list[Pair]:
        """Key and value for every decoder layer of float32 pixels [batch, 3, height, width]."""
        states = self.encoder(pixels)
        return [projection(states) for projection in self.cross]

    @staticmethod
    def sanitize(tensors: Mapping[str, LazyTensor], config: Config) -> dict[str, LazyTensor]:
        parts: dict[str, weights.Tensors] = {"encoder": {}, "decoder": {}}
        rest: weights.Tensors = {}
        for name, tensor in tensors.items():
            part, _, inner = name.partition(".")
            parts.get(part, rest)[inner if part in parts else name] = tensor
        read = config.module.sanitize(parts["encoder"], config.source, TASK, config.image_size)
        seen = weights.rename(dropped(read, r"^image\.head\."), [(r"^image\.", "encoder.")])
        written = _written(parts["decoder"], config)
        return seen | written | weights.rename(rest, BETWEEN)


def _written(tensors: weights.Tensors, config: Config) -> weights.Tensors:
    """The decoder's tensors under our names."""
    target = config.target
    named = weights.rename(tensors, RENAMED)
    if config.tied:
        named = weights.tied(named, WORDS, HEAD)
    named = weights.fuse(named, ("q_proj", "k_proj", "v_proj"), "qkv_proj")
    if target.sinusoidal and named:
        rows = target.max_position_embeddings + target.first_position
        table = LazyTensor((rows, target.hidden_size), target.position_table)
        named.setdefault(bart.POSITIONS.format("decoder"), table)
    return weights.fuse(named, ("k_proj", "v_proj"), "kv_proj")
