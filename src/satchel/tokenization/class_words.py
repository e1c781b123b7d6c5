"""The classes whose vocabulary is of words and bytes: WordPiece, and GPT-2's byte-pair encoding."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, normalizers, pre_tokenizers
from tokenizers import processors as post
from tokenizers.models import BPE, WordLevel, WordPiece

from satchel.tokenization.class_layout import ANGLES, BRACKETS, SPACE, Find, Layout, bracketed
from satchel.tokenization.class_parts import Parts
from satchel.tokenization.declared_tokens import Token

END = "<|endoftext|>"
CONTRACTIONS = "'s|'t|'re|'ve|'m|'ll|'d"
CLIP_WORDS = (
    rf"<\|startoftext\|>|<\|endoftext\|>|{CONTRACTIONS}|[\p{{L}}]+|[\p{{N}}]|[^\s\p{{L}}\p{{N}}]+"
)
QWEN_WORDS = (
    rf"(?i:{CONTRACTIONS})|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
WORDPIECE = ("do_lower_case", "strip_accents", "tokenize_chinese_chars")


def _wordpiece(parts: Parts) -> Tokenizer:
    tokenizer = Tokenizer(WordPiece(parts.vocab, unk_token=parts.texts["unk_token"]))
    tokenizer.normalizer = normalizers.BertNormalizer(
        clean_text=True,
        handle_chinese_chars=parts.flag("tokenize_chinese_chars", True),
        strip_accents=parts.option("strip_accents"),
        lowercase=parts.flag("do_lower_case", True),
    )
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(prefix="##")
    return tokenizer


def _letters(parts: Parts) -> Tokenizer:
    """Every token of the vocabulary stands for itself wherever it is found, the longest first; what is
    left between spaces is unknown."""
    tokens = sorted((token for token in parts.vocab if token), key=len, reverse=True)
    tokenizer = Tokenizer(WordLevel(parts.vocab, unk_token=parts.texts["unk_token"]))
    found = Regex("|".join(map(re.escape, tokens)))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(found, "isolated"), pre_tokenizers.WhitespaceSplit()]
    )
    return tokenizer


def _esm_around(parts: Parts, find: Find) -> Any:
    first, last = parts.texts["cls_token"], parts.texts["eos_token"]
    return post.TemplateProcessing(
        single=[first, "$A", last],
        pair=[first, "$A", last, "$B", last],
        special_tokens=[(first, find(first)), (last, find(last))],
    )


def _mpnet_around(parts: Parts, find: Find) -> Any:
    last, first = parts.texts["sep_token"], parts.texts["cls_token"]
    return post.RobertaProcessing((last, find(last)), (first, find(first)), True, False)


def _roberta_around(parts: Parts, find: Find) -> Any:
    last, first = parts.texts["sep_token"], parts.texts["cls_token"]
    return post.RobertaProcessing(
        (last, find(last)),
        (first, find(first)),
        parts.flag("trim_offsets", True),
        parts.flag("add_prefix_space", False),
    )


def _byte_level(parts: Parts, prefix: bool = False) -> Tokenizer:
    """Byte-level byte-pair encoding as GPT-2 has it; `prefix`: with a space before a text, unless the
    files say otherwise."""
    model = BPE(
        parts.vocab, parts.merges, continuing_subword_prefix="", end_of_word_suffix="",
        fuse_unk=False,
    )  # fmt: skip
    tokenizer = Tokenizer(model)
    space = parts.flag("add_prefix_space", prefix)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=space)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _deberta_around(parts: Parts, find: Find) -> Any:
    """Two tokens between the texts of a pair: its models were trained with one, before release 5."""
    first, last = parts.texts["cls_token"], parts.texts["sep_token"]
    return post.TemplateProcessing(
        single=[first, "$A", last],
        pair=[first, "$A", last, last, "$B", last],
        special_tokens=[(first, find(first)), (last, find(last))],
    )


def _gpt_neox(parts: Parts) -> Tokenizer:
    tokenizer = _byte_level(parts)
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(
        add_prefix_space=parts.flag("add_prefix_space", False),
        trim_offsets=parts.flag("trim_offsets", True),
    )
    return tokenizer


def _qwen2(parts: Parts) -> Tokenizer:
    tokenizer = _byte_level(parts)
    tokenizer.normalizer = normalizers.NFC()
    space = parts.flag("add_prefix_space", False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(QWEN_WORDS), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=space, use_regex=False),
        ]
    )
    return tokenizer


def _clip(parts: Parts) -> Tokenizer:
    model = BPE(
        parts.vocab, parts.merges, continuing_subword_prefix="", end_of_word_suffix="</w>",
        fuse_unk=False, unk_token=parts.texts["unk_token"],
    )  # fmt: skip
    tokenizer = Tokenizer(model)
    spaces = normalizers.Replace(Regex(r"\s+"), " ")
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), spaces, normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(CLIP_WORDS), "removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _clip_around(parts: Parts, find: Find) -> Any:
    last, first = parts.texts["eos_token"], parts.texts["bos_token"]
    return post.RobertaProcessing((last, find(last)), (first, find(first)), False, False)


def _nothing_around(parts: Parts, find: Find) -> Any:
    return post.TemplateProcessing(single=["$A"], pair=["$A", "$B:1"], special_tokens=[])


def _whole(text: str) -> AddedToken:
    return AddedToken(text, normalized=False, special=True)


def _wide(tokens: dict[str, str]) -> dict[str, Token]:
    """MPNet's tokens, of which the mask takes the space before it."""
    return {
        role: AddedToken(text, lstrip=role == "mask_token", special=True)
        for role, text in tokens.items()
    }


WORDS: dict[str, Layout] = {
    "Bert": Layout("WordPiece", {**BRACKETS}, _wordpiece, bracketed, WORDPIECE, token_types=True),
    "Blenderbot": Layout(
        "BPE", {**ANGLES, "mask_token": AddedToken("<mask>", lstrip=True, normalized=False)},
        partial(_byte_level, prefix=True), settings=SPACE,
    ),
    "CLIP": Layout(
        "BPE", {"unk_token": END, "bos_token": "<|startoftext|>", "eos_token": END, "pad_token": END},
        _clip, _clip_around,
    ),
    "Deberta": Layout(
        "BPE", {"bos_token": "[CLS]", "eos_token": "[SEP]", **BRACKETS}, _byte_level, _deberta_around,
        SPACE, token_types=True,
    ),
    "DistilBert": Layout("WordPiece", {**BRACKETS}, _wordpiece, bracketed, WORDPIECE),
    "Esm": Layout(
        "WordLevel", {"unk_token": "<unk>", "cls_token": "<cls>", "pad_token": "<pad>",
                      "mask_token": "<mask>", "eos_token": "<eos>"}, _letters, _esm_around,
    ),
    "GPT2": Layout(
        "BPE", {"unk_token": END, "bos_token": END, "eos_token": END}, _byte_level, settings=SPACE
    ),
    "GPTNeoX": Layout(
        "BPE", {"unk_token": END, "bos_token": END, "eos_token": END, "pad_token": "<|padding|>"},
        _gpt_neox, _nothing_around, ("trim_offsets", *SPACE),
    ),
    "MPNet": Layout(
        "WordPiece", _wide({**ANGLES, "unk_token": "[UNK]"}), _wordpiece, _mpnet_around, WORDPIECE
    ),
    "Qwen2": Layout(
        "BPE", {"unk_token": END, "eos_token": END, "pad_token": END}, _qwen2, settings=SPACE
    ),
    "Roberta": Layout(
        "BPE", {**ANGLES}, _byte_level, _roberta_around, ("trim_offsets", *SPACE)
    ),
    "LayoutLMv3": Layout(
        "BPE", {**ANGLES}, lambda parts: _byte_level(parts, prefix=True), _roberta_around,
        ("trim_offsets", *SPACE),
    ),
    "Whisper": Layout(
        "BPE", {role: _whole(END) for role in ("unk_token", "bos_token", "eos_token")},
        _byte_level, settings=SPACE,
    ),
}  # fmt: skip
