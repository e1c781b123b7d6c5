"""What a checkpoint's files say of its tokenizer beside its model. Knows no kind of tokenizer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tokenizers import AddedToken

from satchel.checkpoints.checkpoint import Checkpoint
from satchel.tokenization.declared_tokens import ROLES, declared_tokens, optional_file, text_of
from satchel.tokenization.language_tokens import tokenizer_class


@dataclass(frozen=True)
class TokenizerFacts:
    """What a checkpoint says of its tokenizer, beside the SentencePiece model."""

    name: str  # of the class, without "Tokenizer"
    config: dict[str, Any]
    names: dict[str, str]  # tokens by role
    extra: list[str]  # further special tokens
    declared: dict[int, AddedToken]
    vocabulary: dict[str, Any]  # vocab.json
    vocab_size: int  # of the model

    def role(self, name: str, usual: str) -> str:
        return self.names.get(f"{name}_token", usual)

    def flag(self, name: str, usual: bool) -> bool:
        value = self.config.get(name)
        return value if isinstance(value, bool) else usual


def facts_of(checkpoint: Checkpoint, vocab_size: int) -> TokenizerFacts:
    """Gather the tokenizer's files. Raises CheckpointError for what they may not say."""
    declared = declared_tokens(checkpoint)
    names = {
        role: text_of(token)
        for role, token in declared.names.items()
        if role in ROLES and token is not None
    }
    own = [token for role, token in declared.names.items() if role not in ROLES]
    extra = [text_of(token) for token in [*own, *(declared.extra or [])]]
    return TokenizerFacts(
        tokenizer_class(checkpoint),
        dict(checkpoint.tokenizer_config),
        names,
        list(dict.fromkeys(extra)),
        declared.added,
        optional_file(checkpoint, "vocab.json"),
        vocab_size,
    )
