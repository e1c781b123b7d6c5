"""How each class of tokenizer is put together, whatever the other parts of tokenizer.json say.

Since version 5 transformers makes most of its tokenizers anew from the vocabulary and the settings of
tokenizer_config.json; what goes around a text is the file's, or the class's own where it has one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, normalizers, pre_tokenizers
from tokenizers import processors as post
from tokenizers.models import BPE, Unigram, WordPiece

from satchel.export.class_parts import Parts
from satchel.export.declared_tokens import Token

Find = Callable[[str], int]  # the id of a token by its role
END = "<|endoftext|>"
ANGLES = {
    "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "sep_token": "</s>",
    "pad_token": "<pad>", "cls_token": "<s>", "mask_token": "<mask>",
}  # fmt: skip
BRACKETS = {
    "unk_token": "[UNK]", "sep_token": "[SEP]", "pad_token": "[PAD]", "cls_token": "[CLS]",
    "mask_token": "[MASK]",
}  # fmt: skip
CONTRACTIONS = "'s|'t|'re|'ve|'m|'ll|'d"
CLIP_WORDS = (
    rf"<\|startoftext\|>|<\|endoftext\|>|{CONTRACTIONS}|[\p{{L}}]+|[\p{{N}}]|[^\s\p{{L}}\p{{N}}]+"
)
QWEN_WORDS = (
    rf"(?i:{CONTRACTIONS})|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)


@dataclass(frozen=True)
class Layout:
    """A class: its kind of model, its usual tokens, how it is built, what it puts around a text itself,
    the settings it reads, whether its models tell the two texts of a pair apart, further special tokens
    where no file lists any, and whether its vocabulary may also stand in plain files."""

    model: str
    tokens: dict[str, Token]
    build: Callable[[Parts], Tokenizer]
    around: Callable[[Parts, Find], Any] | None = None
    settings: tuple[str, ...] = ()
    token_types: bool = False
    extra: Callable[[Parts], list[Token]] = field(default=lambda parts: [])
    plain: bool = True


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


def _bracketed(parts: Parts, find: Find) -> Any:
    """A first and a last token, the last one between two texts too."""
    first, last = parts.texts["cls_token"], parts.texts["sep_token"]
    return post.TemplateProcessing(
        single=[first, "$A", last],
        pair=[first, "$A", last, "$B:1", f"{last}:1"],
        special_tokens=[(first, find("cls_token")), (last, find("sep_token"))],
    )


def _mpnet_around(parts: Parts, find: Find) -> Any:
    last, first = parts.texts["sep_token"], parts.texts["cls_token"]
    return post.RobertaProcessing(
        (last, find("sep_token")), (first, find("cls_token")), True, False
    )


def _roberta_around(parts: Parts, find: Find) -> Any:
    last, first = parts.texts["sep_token"], parts.texts["cls_token"]
    return post.RobertaProcessing(
        (last, find("sep_token")),
        (first, find("cls_token")),
        parts.flag("trim_offsets", True),
        parts.flag("add_prefix_space", False),
    )


def _byte_level(parts: Parts) -> Tokenizer:
    """Byte-level byte-pair encoding as GPT-2 has it."""
    model = BPE(
        parts.vocab, parts.merges, continuing_subword_prefix="", end_of_word_suffix="",
        fuse_unk=False,
    )  # fmt: skip
    tokenizer = Tokenizer(model)
    space = parts.flag("add_prefix_space", False)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=space)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


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
    return post.RobertaProcessing(
        (last, find("eos_token")), (first, find("bos_token")), False, False
    )


def _nothing_around(parts: Parts, find: Find) -> Any:
    return post.TemplateProcessing(single=["$A"], pair=["$A", "$B:1"], special_tokens=[])


def _spaced(parts: Parts, space: bool) -> tuple[Any, Any]:
    """How SentencePiece marks words, and back."""
    scheme = "always" if space else "never"
    marks = pre_tokenizers.Metaspace("\u2581", prepend_scheme=scheme)
    cuts = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), marks])
    return cuts, decoders.Metaspace("\u2581", prepend_scheme=scheme)


def _unigram(parts: Parts, unknown: int, space: bool = True) -> Tokenizer:
    tokenizer = Tokenizer(Unigram(parts.vocab, unk_id=unknown, byte_fallback=False))
    if parts.charsmap is not None:
        tokenizer.normalizer = normalizers.Precompiled(parts.charsmap)
    tokenizer.pre_tokenizer, tokenizer.decoder = _spaced(parts, space)
    return tokenizer


def _albert(parts: Parts) -> Tokenizer:
    tokenizer = _unigram(parts, 1, parts.flag("add_prefix_space", True))
    steps: list[Any] = [normalizers.Replace("``", '"'), normalizers.Replace("''", '"')]
    if not parts.flag("keep_accents", False):
        steps += [normalizers.NFKD(), normalizers.StripAccents()]
    if parts.flag("do_lower_case", True):
        steps.append(normalizers.Lowercase())
    if parts.charsmap is not None:
        steps.append(normalizers.Precompiled(parts.charsmap))
    tokenizer.normalizer = normalizers.Sequence(steps)
    return tokenizer


def _xlm_roberta(parts: Parts) -> Tokenizer:
    return _unigram(parts, 3, parts.flag("add_prefix_space", True))


def _xlm_roberta_around(parts: Parts, find: Find) -> Any:
    first, last = parts.texts["bos_token"], parts.texts["eos_token"]
    return post.TemplateProcessing(
        single=[first, "$A", last],
        pair=[first, "$A", last, last, "$B", last],
        special_tokens=[(first, find("bos_token")), (last, find("eos_token"))],
    )


def _t5_around(parts: Parts, find: Find) -> Any:
    return post.TemplateProcessing(
        single=["$A", "</s>"],
        pair=["$A", "</s>", "$B", "</s>"],
        special_tokens=[("</s>", find("eos_token"))],
    )


def _sentinels(parts: Parts) -> list[Token]:
    count = parts.config.get("extra_ids", 100)
    return [f"<extra_id_{index}>" for index in range(count if isinstance(count, int) else 0)]


def _llama(parts: Parts) -> Tokenizer:
    model = BPE(parts.vocab, parts.merges, fuse_unk=True, byte_fallback=True)
    tokenizer = Tokenizer(model)
    space = parts.flag("add_prefix_space", True)
    scheme = ("always" if parts.flag("legacy", False) else "first") if space else "never"
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace("\u2581", scheme, split=False)
    tokenizer.decoder = _byte_fallback([decoders.Strip(" ", 1, 0)] if space else [])
    return tokenizer


def _gemma(parts: Parts) -> Tokenizer:
    unknown = parts.texts["unk_token"]
    model = BPE(parts.vocab, parts.merges, fuse_unk=True, unk_token=unknown, byte_fallback=True)
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.Replace(" ", "\u2581")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    tokenizer.decoder = _byte_fallback([])
    return tokenizer


def _byte_fallback(last: list[Any]) -> Any:
    steps = [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()]
    return decoders.Sequence([*steps, *last])


def _whole(text: str) -> AddedToken:
    return AddedToken(text, normalized=False, special=True)


def _wide(tokens: dict[str, str]) -> dict[str, Token]:
    """MPNet's tokens are normalised as words are, and its mask takes the space before it."""
    return {
        role: AddedToken(text, lstrip=role == "mask_token", normalized=True)
        for role, text in tokens.items()
    }


WORDPIECE = ("do_lower_case", "strip_accents", "tokenize_chinese_chars")
SPACE = ("add_prefix_space",)
LAYOUTS: dict[str, Layout] = {
    "Albert": Layout(
        "Unigram", {**ANGLES, **BRACKETS, "bos_token": "[CLS]", "eos_token": "[SEP]",
                    "unk_token": "<unk>", "pad_token": "<pad>"},
        _albert, settings=("do_lower_case", "keep_accents", *SPACE),
    ),
    "Bert": Layout("WordPiece", {**BRACKETS}, _wordpiece, _bracketed, WORDPIECE, token_types=True),
    "CLIP": Layout(
        "BPE", {"unk_token": END, "bos_token": "<|startoftext|>", "eos_token": END, "pad_token": END},
        _clip, _clip_around,
    ),
    "DistilBert": Layout("WordPiece", {**BRACKETS}, _wordpiece, _bracketed, WORDPIECE),
    "GPT2": Layout(
        "BPE", {"unk_token": END, "bos_token": END, "eos_token": END}, _byte_level, settings=SPACE
    ),
    "GPTNeoX": Layout(
        "BPE", {"unk_token": END, "bos_token": END, "eos_token": END, "pad_token": "<|padding|>"},
        _gpt_neox, _nothing_around, ("trim_offsets", *SPACE),
    ),
    "Gemma": Layout(
        "BPE", {"unk_token": "<unk>", "bos_token": "<bos>", "eos_token": "<eos>",
                "pad_token": "<pad>", "mask_token": "<mask>"}, _gemma, plain=False,
    ),
    "Llama": Layout(
        "BPE", {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>"},
        _llama, settings=("legacy", *SPACE), plain=False,
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
    "T5": Layout(
        "Unigram", {"unk_token": "<unk>", "eos_token": "</s>", "pad_token": "<pad>"},
        lambda parts: _unigram(parts, 2), _t5_around, ("extra_ids",), extra=_sentinels,
    ),
    "Whisper": Layout(
        "BPE", {role: _whole(END) for role in ("unk_token", "bos_token", "eos_token")},
        _byte_level, settings=SPACE,
    ),
    "XLMRoberta": Layout("Unigram", {**ANGLES}, _xlm_roberta, _xlm_roberta_around, SPACE),
}  # fmt: skip
