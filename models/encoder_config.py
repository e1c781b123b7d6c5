"""config.json of a text encoder: what all of them have. Knows no architecture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from satchel.checkpoints.config_keys import COSMETIC
from satchel.models.config import ModelConfig
from satchel.runtime.errors import CheckpointError, UnsupportedError


@dataclass(frozen=True, kw_only=True)
class EncoderConfig(ModelConfig):
    """What every text encoder has. Labels and task are read elsewhere, from the same file."""

    cosmetic: ClassVar[frozenset[str]] = COSMETIC | frozenset(
        ["attention_probs_dropout_prob", "embedding_size", "hidden_dropout_prob"]
    )

    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    hidden_act: str = "gelu"
    max_position_embeddings: int = 512
    layer_norm_eps: float = 1e-12
    tie_word_embeddings: bool = True
    is_decoder: bool = False
    add_cross_attention: bool = False

    def __post_init__(self) -> None:
        self.check_sizes()
        self.check_activation("hidden_act")
        if self.hidden_size % self.num_attention_heads:
            raise CheckpointError(
                f"config.json: num_attention_heads = {self.num_attention_heads} does not divide "
                f"hidden_size = {self.hidden_size}",
                "CKPT_CONFIG",
            )
        for key in ("is_decoder", "add_cross_attention"):
            if getattr(self, key):
                raise UnsupportedError(f"config.json: {key} = True makes this encoder a decoder")
        if self.positions < 1:
            raise CheckpointError(
                f"config.json: max_position_embeddings = {self.max_position_embeddings} leaves no "
                "position for a text",
                "CKPT_CONFIG",
            )

    @property
    def embedding_width(self) -> int:
        """Columns of the embedding tables."""
        return self.hidden_size

    @property
    def token_types(self) -> int:
        """Rows of the token type table; 0 if there is none."""
        return 0

    @property
    def learned_positions(self) -> bool:
        """Whether a table has the positions; else the blocks tell them."""
        return True

    @property
    def boxed(self) -> bool:
        """Whether tokens have boxes on a page."""
        return False

    @property
    def first_position(self) -> int:
        """Row of the position table that the first token takes."""
        return 0

    @property
    def positions(self) -> int:
        """Tokens a text may have."""
        return self.max_position_embeddings - self.first_position

    @property
    def eps(self) -> float:
        """What layer norms add to the variance."""
        return self.layer_norm_eps
