"""What is known of a class of tokenizers: how it is put together, and its usual tokens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tokenizers import Tokenizer
from tokenizers import processors as post

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


def bracketed(parts: Parts, find: Find) -> Any:
    """A first and a last token around a text, the last one between two texts too."""
    first, last = parts.texts["cls_token"], parts.texts["sep_token"]
    return post.TemplateProcessing(
        single=[first, "$A", last],
        pair=[first, "$A", last, "$B:1", f"{last}:1"],
        special_tokens=[(first, find(first)), (last, find(last))],
    )


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
