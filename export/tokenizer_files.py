"""What a checkpoint's files say of its tokenizer beside its model. Knows no kind of tokenizer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tokenizers import AddedToken

from satchel.export.languages import tokenizer_class
from satchel.models.checkpoint import Checkpoint, read_json
from satchel.runtime.errors import CheckpointError, shown

VOCABULARY_LIMIT = 32 << 20
ROLES = {f"{name}_token" for name in ("bos", "eos", "unk", "sep", "pad", "cls", "mask")}


@dataclass(frozen=True)
class Said:
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


def said_of(checkpoint: Checkpoint, vocab_size: int) -> Said:
    """Gather the tokenizer's files. Raises CheckpointError for what they may not say."""
    files, config = checkpoint.tokenizer_files, dict(checkpoint.tokenizer_config)

    def optional(name: str) -> dict[str, Any]:
        return read_json(files[name], VOCABULARY_LIMIT) if name in files else {}

    special = optional("special_tokens_map.json")
    names = {
        role: text
        for source in (special, config)
        for role in ROLES
        if (text := _text(source.get(role))) is not None
    }
    extra: list[str] = []
    for source in (config, special):
        for key in ("additional_special_tokens", "extra_special_tokens"):
            listed = source.get(key)
            values = listed.values() if isinstance(listed, dict) else listed or []
            extra += [text for text in map(_text, values) if text and text not in extra]
    declared = {
        whole_number(index, token): AddedToken(token, special=True, normalized=False)
        for token, index in optional("added_tokens.json").items()
    }
    for index, entry in (config.get("added_tokens_decoder") or {}).items():
        token = _text(entry)
        if token is None:
            raise CheckpointError(f"added_tokens_decoder: {shown(index)} has no content")
        flags = {
            flag: bool(entry.get(flag))
            for flag in ("lstrip", "rstrip", "single_word", "normalized", "special")
        }
        declared[whole_number(index, token)] = AddedToken(token, **flags)
    vocabulary = optional("vocab.json")
    return Said(tokenizer_class(checkpoint), config, names, extra, declared, vocabulary, vocab_size)


def _text(value: Any) -> str | None:
    content = value.get("content") if isinstance(value, dict) else value
    return content if isinstance(content, str) else None


def whole_number(index: Any, token: str) -> int:
    number = int(index) if isinstance(index, str) and index.isdigit() else index
    if isinstance(number, bool) or not isinstance(number, int) or number < 0:
        raise CheckpointError(
            f"the id of {shown(token)} is {shown(index)}, no whole number", "TOKENIZER_INVALID"
        )
    return number
