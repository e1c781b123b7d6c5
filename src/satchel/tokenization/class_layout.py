"""What is known of a class of tokenizers: how it is put together, and its usual tokens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tokenizers import Tokenizer

from satchel.tokenization.class_parts import Parts
from satchel.tokenization.declared_tokens import Token

Find = Callable[[str], int]  # the id of a token
ANGLES = {
    "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "sep_token": "</s>",
    "pad_token": "<pad>", "cls_token": "<s>", "mask_token": "<mask>",
}  # fmt: skip
BRACKETS = {
    "unk_token": "[UNK]", "sep_token": "[SEP]", "pad_token": "[PAD]", "cls_token": "[CLS]",
    "mask_token": "[MASK]",
}  # fmt: skip
SPACE = ("add_prefix_space",)


@dataclass(frozen=True)
class Layout:
    """A class of tokenizers."""

    model: str  # its kind
    tokens: dict[str, Token]  # its usual ones, by role
    build: Callable[[Parts], Tokenizer]
    around: Callable[[Parts, Find], Any] | None = None  # what it puts around a text itself
    settings: tuple[str, ...] = ()  # the keys that it reads
    token_types: bool = False  # its models tell the two texts of a pair apart
    # Further special tokens where no file lists any.
    extra: Callable[[Parts], list[Token]] = field(default=lambda parts: [])
    plain: bool = True  # its vocabulary may also stand in plain files
