"""config.json of an encoder-decoder model: what all of them have. Knows no architecture."""

from __future__ import annotations

from dataclasses import dataclass

from satchel.models.attend import Heads
from satchel.models.config import LEAST_CONTEXT, ModelConfig
from satchel.runtime.errors import CheckpointError, UnsupportedError

SOURCE_LIMIT = (
    4096  # tokens of a source where positions set no limit: attention grows with the square
)


@dataclass(frozen=True, kw_only=True)
class Seq2seqConfig(ModelConfig):
    """Base of the configurations; architectures say the rest under the names of their config.json."""

    vocab_size: int
    is_encoder_decoder: bool = True
    tie_word_embeddings: bool = True

    def __post_init__(self) -> None:
        self.check_sizes()
        if not self.is_encoder_decoder:
            raise UnsupportedError(
                "config.json: is_encoder_decoder = False; satchel exports whole encoder-decoder models"
            )
        if self.heads.head_dim % 8:
            raise UnsupportedError(
                f"config.json: head size {self.heads.head_dim} is not a multiple of 8, which "
                "the fused attention needs"
            )
        least = min(self.source_positions or LEAST_CONTEXT, self.target_positions or LEAST_CONTEXT)
        if least < LEAST_CONTEXT:
            raise UnsupportedError(
                f"config.json: positions for {least} tokens; satchel needs {LEAST_CONTEXT} at least"
            )

    @property
    def tied(self) -> bool:
        """Whether the head has the weight of the decoder's words, unless the file has two that differ."""
        return self.tie_word_embeddings

    @property
    def heads(self) -> Heads:
        """The geometry of a decoder layer's attention, to itself and to the source."""
        raise NotImplementedError

    @property
    def decoder_depth(self) -> int:
        """Layers of the decoder."""
        raise NotImplementedError

    @property
    def source_width(self) -> int:
        """Columns of the encoder's states."""
        raise NotImplementedError

    @property
    def source_positions(self) -> int | None:
        """Tokens a source may have; None where positions set no limit."""
        return None

    @property
    def target_positions(self) -> int | None:
        """Tokens a target may have; None where positions set no limit."""
        return None

    @property
    def usual_positions(self) -> int:
        """Tokens of targets that the model was made for, where positions set no limit."""
        return 512

    @property
    def source_context(self) -> int:
        """Tokens a source of the exported model may have."""
        return self.source_positions or SOURCE_LIMIT

    def context(self, requested: int | None) -> int:
        """Positions of targets to export: `requested`, or all the model has."""
        limit = self.target_positions
        if requested is None:
            return limit or self.usual_positions
        if requested < LEAST_CONTEXT or (limit is not None and requested > limit):
            raise UnsupportedError(
                f"--context {requested} is outside {LEAST_CONTEXT}..{limit or ''}, the positions "
                "this model was made for"
            )
        return requested


def divided(hidden_size: int, heads: int, key: str) -> int:
    """The size of a head, where `heads` (the `key` of config.json) of them make the hidden size."""
    if hidden_size % heads:
        raise CheckpointError(
            f"config.json: {key} = {heads} does not divide the hidden size {hidden_size}",
            "CKPT_CONFIG",
        )
    return hidden_size // heads
