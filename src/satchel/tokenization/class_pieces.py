"""The classes whose vocabulary is of SentencePiece's pieces: spaces are letters of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, normalizers, pre_tokenizers
from tokenizers import processors as post
from tokenizers.models import BPE, Unigram

from satchel.tokenization.class_layout import ANGLES, BRACKETS, SPACE, Find, Layout, bracketed
from satchel.tokenization.class_parts import Parts
from satchel.tokenization.declared_tokens import Token
from satchel.tokenization.language_tokens import MBART, MBART_50

MASKED = ANGLES | {"mask_token": AddedToken("<mask>", lstrip=True, special=True)}
NORMALISED = AddedToken("<mask>", lstrip=True, normalized=True, special=True)


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


def _deberta_v2(parts: Parts) -> Tokenizer:
    """Its rules are the class's own: those of the SentencePiece model are not looked at."""
    unknown = (parts.texts["unk_token"], 0.0)
    place = parts.vocab.index(unknown) if unknown in parts.vocab else parts.config.get("unk_id", 1)
    tokenizer = Tokenizer(Unigram(parts.vocab, unk_id=place, byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence(
        [
            *([normalizers.Lowercase()] if parts.flag("do_lower_case", False) else []),
            normalizers.Replace(Regex(r"\s{2,}|[\n\r\t]"), " "),
            normalizers.NFC(),
            normalizers.Strip(left=False, right=True),
        ]
    )
    scheme = "always" if parts.flag("add_prefix_space", True) else "first"
    marks = pre_tokenizers.Metaspace("\u2581", prepend_scheme=scheme)
    split = [pre_tokenizers.Punctuation("isolated")] if parts.flag("split_by_punct", False) else []
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([*split, marks])
    tokenizer.decoder = decoders.Metaspace("\u2581", prepend_scheme=scheme)
    return tokenizer


def _xlm_roberta(parts: Parts) -> Tokenizer:
    return _unigram(parts, 3, parts.flag("add_prefix_space", True))


def _camembert(parts: Parts) -> Tokenizer:
    texts = [piece[0] for piece in parts.vocab]
    unknown = parts.texts["unk_token"]
    index = texts.index(unknown) if unknown in texts else 0
    return _unigram(parts, index, parts.flag("add_prefix_space", True))


def _xlm_roberta_around(parts: Parts, find: Find) -> Any:
    first, last = parts.texts["bos_token"], parts.texts["eos_token"]
    return post.TemplateProcessing(
        single=[first, "$A", last],
        pair=[first, "$A", last, last, "$B", last],
        special_tokens=[(first, find(first)), (last, find(last))],
    )


def _t5_around(parts: Parts, find: Find) -> Any:
    return post.TemplateProcessing(
        single=["$A", "</s>"],
        pair=["$A", "</s>", "$B", "</s>"],
        special_tokens=[("</s>", find(parts.texts["eos_token"]))],
    )


def _sentinels(parts: Parts) -> list[Token]:
    count = parts.config.get("extra_ids", 100)
    return [f"<extra_id_{index}>" for index in range(count if isinstance(count, int) else 0)]


def _folded(parts: Parts, *first: Any) -> Any:
    """Rules of characters, then one space for several."""
    return normalizers.Sequence([*first, normalizers.Replace(Regex(r" {2,}"), " ")])


def _split_at_spaces(tokenizer: Tokenizer, parts: Parts) -> Tokenizer:
    rules = [normalizers.Precompiled(parts.charsmap)] if parts.charsmap is not None else []
    tokenizer.normalizer = _folded(parts, *rules)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace("\u2581", "always")
    tokenizer.decoder = decoders.Metaspace("\u2581", "always")
    return tokenizer


def _pegasus(parts: Parts) -> Tokenizer:
    unknown = parts.vocab.index((parts.texts["unk_token"], 0.0), 1)
    tokenizer = _split_at_spaces(Tokenizer(Unigram(parts.vocab, unk_id=unknown)), parts)
    if parts.charsmap is None:
        tokenizer.normalizer = _folded(parts, normalizers.Replace(Regex(r"\n"), " "))
    return tokenizer


def _pegasus_around(parts: Parts, find: Find) -> Any:
    end = parts.texts["eos_token"]
    return post.TemplateProcessing(
        single=["$A", end], pair=["$A", "$B", end], special_tokens=[(end, find(end))]
    )


def _masks(parts: Parts) -> list[Token]:
    offset = parts.config.get("offset", 103)
    numbers = range(2, offset if isinstance(offset, int) else 2)
    return ["<mask_1>", *(f"<unk_{number}>" for number in numbers)]


def _mbart(parts: Parts) -> Tokenizer:
    tokenizer = _unigram(parts, 3)
    tokenizer.normalizer = None
    return tokenizer


def _mbart_50(parts: Parts) -> Tokenizer:
    return _split_at_spaces(Tokenizer(Unigram(parts.vocab, unk_id=3)), parts)


def _nllb(parts: Parts) -> Tokenizer:
    model = BPE(parts.vocab, parts.merges, unk_token=parts.texts["unk_token"], fuse_unk=True)
    tokenizer = _split_at_spaces(Tokenizer(model), parts)
    if parts.charsmap is None:
        tokenizer.normalizer = None
    return tokenizer


def _language(usual: str, in_front: bool) -> Callable[[Parts, Find], Any]:
    """The source's language, before a text or behind its end."""

    def around(parts: Parts, find: Find) -> Any:
        language, end = str(parts.config.get("src_lang") or usual), parts.texts["eos_token"]
        front = in_front and not parts.flag("legacy_behaviour", False)
        before, behind = ([language], [end]) if front else ([], [end, language])
        return post.TemplateProcessing(
            single=[*before, "$A", *behind],
            pair=[*before, "$A", "$B", *behind],
            special_tokens=[(language, find(language)), (end, find(end))],
        )

    return around


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


PIECES: dict[str, Layout] = {
    "Albert": Layout(
        "Unigram", {**ANGLES, **BRACKETS, "bos_token": "[CLS]", "eos_token": "[SEP]",
                    "unk_token": "<unk>", "pad_token": "<pad>"},
        _albert, settings=("do_lower_case", "keep_accents", *SPACE),
    ),
    "Camembert": Layout(
        "Unigram", {**MASKED}, _camembert, _xlm_roberta_around, SPACE,
        extra=lambda parts: ["<s>NOTUSED", "</s>NOTUSED", "<unk>NOTUSED"],
    ),
    "DebertaV2": Layout(
        "Unigram", {"bos_token": "[CLS]", "eos_token": "[SEP]", **BRACKETS}, _deberta_v2, bracketed,
        ("do_lower_case", "split_by_punct", *SPACE), token_types=True,
    ),
    "Gemma": Layout(
        "BPE", {"unk_token": "<unk>", "bos_token": "<bos>", "eos_token": "<eos>",
                "pad_token": "<pad>", "mask_token": "<mask>"}, _gemma, plain=False,
    ),
    "Llama": Layout(
        "BPE", {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>"},
        _llama, settings=("legacy", *SPACE), plain=False,
    ),
    "MBart": Layout(
        "Unigram", {**MASKED}, _mbart, _language("en_XX", False), ("src_lang",),
        extra=lambda parts: [*MBART],
    ),
    "MBart50": Layout(
        "Unigram", {role: token for role, token in MASKED.items() if role != "bos_token"},
        _mbart_50, _language("en_XX", True), ("src_lang",), extra=lambda parts: [*MBART_50],
    ),
    "Nllb": Layout(
        "BPE", {**ANGLES, "mask_token": NORMALISED}, _nllb,
        _language("eng_Latn", True), ("src_lang", "legacy_behaviour"), plain=False,
    ),
    "Pegasus": Layout(
        "Unigram", {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>",
                    "mask_token": "<mask_2>"}, _pegasus, _pegasus_around, ("offset",), extra=_masks,
    ),
    "T5": Layout(
        "Unigram", {"unk_token": "<unk>", "eos_token": "</s>", "pad_token": "<pad>"},
        lambda parts: _unigram(parts, 2), _t5_around, ("extra_ids",), extra=_sentinels,
    ),
    "XLMRoberta": Layout("Unigram", {**ANGLES}, _xlm_roberta, _xlm_roberta_around, SPACE),
}  # fmt: skip
