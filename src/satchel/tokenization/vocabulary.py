"""Ids of a checkpoint's tokens, by the class of its tokenizer. Knows no way to cut a text.

Checkpoints number pieces otherwise than SentencePiece: fairseq puts one token in front, Pegasus 103,
Marian and M2M-100 have a list (vocab.json).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from tokenizers import AddedToken, Regex, normalizers

from satchel.checkpoints.gguf_tokenizer import CONTROL, UNKNOWN
from satchel.checkpoints.tensors import some
from satchel.runtime.errors import CheckpointError, UnsupportedError, shown
from satchel.tokenization.declared_tokens import whole_number
from satchel.tokenization.language_tokens import M2M_100, MBART, MBART_50, WMT_21
from satchel.tokenization.sentencepiece import Model, Vocabulary, bare
from satchel.tokenization.tokenizer_files import TokenizerFacts

Token = tuple[str, bool]  # its text, and whether it takes the spaces before it


def vocabulary_of(model: Model, facts: TokenizerFacts) -> Vocabulary:
    """Ids of all tokens, which of them are special, and what goes around a text."""
    if facts.name not in LAYOUTS:
        raise UnsupportedError(
            f"a SentencePiece model for {shown(facts.name)}Tokenizer is not understood; known: "
            f"{', '.join(sorted(LAYOUTS))}; a tokenizer.json would do"
        )
    return LAYOUTS[facts.name](model, facts)


def _vocabulary(
    model: Model,
    facts: TokenizerFacts,
    tokens: dict[str, int],
    special: Iterable[Token],
    single: list[str],
    pair: list[str],
    unknown: str = "<unk>",
    **rest: Any,
) -> Vocabulary:
    """Complete a layout with what the checkpoint declares beside it."""
    added = {
        text: AddedToken(text, lstrip=left, special=True, normalized=False)
        for text, left in special
        if text in tokens
    }
    owners = {index: token for token, index in tokens.items()}
    for index, token in facts.declared.items():
        if (
            tokens.get(token.content, index) != index
            or owners.get(index, token.content) != token.content
        ):
            raise CheckpointError(
                f"the id {index} of {shown(token.content)} belongs to {shown(owners.get(index))}, "
                "or that token has another",
                "TOKENIZER_INVALID",
            )
        tokens[token.content], owners[index] = index, token.content
        added[token.content] = token
    # A token that no file numbers goes behind all others, as in transformers.
    for text in dict.fromkeys([*sorted(facts.names.values()), *facts.extra]):
        if text not in tokens:
            tokens[text] = max(owners) + 1
            owners[tokens[text]] = text
        added.setdefault(text, AddedToken(text, special=True, normalized=False))
    missing = [t for t in map(bare, [unknown, *single]) if t not in (*tokens, "$A")]
    if missing:
        raise CheckpointError(
            f"{model.name}: the vocabulary lacks {some(missing)}", "TOKENIZER_INVALID"
        )
    beyond = [token for token, index in tokens.items() if index >= facts.vocab_size]
    if beyond:
        raise CheckpointError(
            f"{model.name} and the files beside it give {len(beyond)} tokens beyond the model's "
            f"{facts.vocab_size} embeddings, such as {shown(beyond[0])}",
            "TOKENIZER_INVALID",
        )
    return Vocabulary(tokens, unknown, list(added.values()), facts.vocab_size, single, pair, **rest)


def _own(model: Model) -> dict[str, int]:
    """The model's own numbering."""
    return {piece: index for index, piece in enumerate(model.pieces)}


def _control(model: Model) -> list[Token]:
    return [(piece, False) for piece in model.of_kind(CONTROL, UNKNOWN)]


def _unknown(model: Model) -> str:
    return model.of_kind(UNKNOWN)[0]


def _t5(model: Model, facts: TokenizerFacts) -> Vocabulary:
    tokens, count = _own(model), facts.config.get("extra_ids", 100)
    if isinstance(count, bool) or not isinstance(count, int) or not 0 <= count <= 10_000:
        raise CheckpointError(f"tokenizer_config.json: extra_ids = {shown(count)}", "CKPT_CONFIG")
    extra = [f"<extra_id_{index}>" for index in reversed(range(count))]
    for token in extra:
        tokens.setdefault(token, len(tokens))
    end = facts.role("eos", "</s>")
    special = [*_control(model), *((token, False) for token in extra)]
    single, pair = ["$A", end], ["$A", end, "$B", end]
    return _vocabulary(model, facts, tokens, special, single, pair, _unknown(model))


def _siglip(model: Model, facts: TokenizerFacts) -> Vocabulary:
    end, special = facts.role("eos", "</s>"), _control(model)
    pair = ["$A", end, "$B", end]
    return _vocabulary(model, facts, _own(model), special, ["$A", end], pair, _unknown(model))


def _llama(model: Model, facts: TokenizerFacts) -> Vocabulary:
    begin = [facts.role("bos", "<s>")] if facts.flag("add_bos_token", True) else []
    end = [facts.role("eos", "</s>")] if facts.flag("add_eos_token", False) else []
    once = model.dummy_prefix and not facts.flag("legacy", True)
    around = [*begin, "$A", *end]
    return _vocabulary(
        model, facts, _own(model), _control(model), around, [*around, *begin, "$B", *end],
        _unknown(model), prefix_once=once,
    )  # fmt: skip


def _gemma(model: Model, facts: TokenizerFacts) -> Vocabulary:
    named = {"bos_token": "<bos>", "eos_token": "<eos>"} | facts.names
    return _llama(model, replace(facts, names=named))


def _bracketed(model: Model, facts: TokenizerFacts) -> Vocabulary:
    """[CLS] and [SEP] around a text; ALBERT's are preceded by normalisation of its own."""
    first, last = facts.role("cls", "[CLS]"), facts.role("sep", "[SEP]")
    pair = [first, "$A", last, "$B:1", f"{last}:1"]
    special = [*_control(model), (facts.role("mask", "[MASK]"), True)]
    before = _plain_letters(facts) if facts.name == "Albert" else []
    return _vocabulary(
        model,
        facts,
        _own(model),
        special,
        [first, "$A", last],
        pair,
        _unknown(model),
        before=before,
    )


def _deberta_v2(model: Model, facts: TokenizerFacts) -> Vocabulary:
    if facts.flag("split_by_punct", False):
        raise UnsupportedError(
            f"tokenizer_config.json: split_by_punct = True is not supported with {model.name} alone; a "
            "tokenizer.json would do"
        )
    first, last = facts.role("cls", "[CLS]"), facts.role("sep", "[SEP]")
    mask, tokens = facts.role("mask", "[MASK]"), _own(model)
    tokens.setdefault(mask, len(tokens))  # no file of a published model numbers it
    special = [*_control(model), (mask, False)]
    pair = [first, "$A", last, "$B:1", f"{last}:1"]
    before: list[normalizers.Normalizer] = []
    if facts.flag("do_lower_case", False):
        before.append(normalizers.Lowercase())
    return _vocabulary(
        model, facts, tokens, special, [first, "$A", last], pair, _unknown(model), before=before
    )


def _xlnet(model: Model, facts: TokenizerFacts) -> Vocabulary:
    sep, cls = facts.role("sep", "<sep>"), facts.role("cls", "<cls>")
    single, pair = ["$A", sep, f"{cls}:2"], ["$A", sep, "$B:1", f"{sep}:1", f"{cls}:2"]
    special = [*_control(model), (facts.role("mask", "<mask>"), True)]
    return _vocabulary(
        model, facts, _own(model), special, single, pair, _unknown(model),
        before=_plain_letters(facts, lower=False),
    )  # fmt: skip


def _plain_letters(facts: TokenizerFacts, lower: bool = True) -> list[normalizers.Normalizer]:
    steps: list[normalizers.Normalizer] = [
        normalizers.Replace(Regex(r"\s+"), " "),
        normalizers.Replace("``", '"'),
        normalizers.Replace("''", '"'),
    ]
    if not facts.flag("keep_accents", False):
        steps += [normalizers.NFKD(), normalizers.StripAccents()]
    return [*steps, normalizers.Lowercase()] if facts.flag("do_lower_case", lower) else steps


def _fairseq(model: Model, further: Iterable[str]) -> tuple[dict[str, int], list[Token]]:
    """fairseq's numbering: <pad> is put among the first tokens, `further` ones behind the pieces."""
    if model.pieces[:3] != ["<unk>", "<s>", "</s>"]:
        raise UnsupportedError(
            f"{model.name} begins with {some(model.pieces[:3])}; expected <unk>, <s>, </s>"
        )
    first = {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3}
    tokens = first | {piece: n + 1 for n, piece in enumerate(model.pieces) if n >= 3}
    listed = [*further]
    tokens |= {token: len(model.pieces) + 1 + n for n, token in enumerate(listed)}
    special = [(token, token == "<mask>") for token in [*first, *listed]]
    return tokens, special


def _xlm_roberta(model: Model, facts: TokenizerFacts) -> Vocabulary:
    tokens, special = _fairseq(model, ["<mask>"])
    single, pair = ["<s>", "$A", "</s>"], ["<s>", "$A", "</s>", "</s>", "$B", "</s>"]
    return _vocabulary(model, facts, tokens, special, single, pair)


def _mbart(model: Model, facts: TokenizerFacts) -> Vocabulary:
    """mBART's 25 languages behind the text, or the 50 of its successor in front of it."""
    room = facts.vocab_size - len(model.pieces) - 2
    fifty = facts.name == "MBart50" or (
        "tokenizer_class" not in facts.config and room >= len(MBART_50)
    )
    tokens, special = _fairseq(model, [*(MBART_50 if fifty else MBART), "<mask>"])
    return _translating(model, facts, tokens, special, "en_XX", in_front=fifty)


def _nllb(model: Model, facts: TokenizerFacts) -> Vocabulary:
    declared = {token.content for token in facts.declared.values()}
    languages = [] if declared else [text for text in facts.extra if text != "<mask>"]
    if not languages and not declared:
        raise CheckpointError(
            "no tokenizer file lists the languages of NLLB: special_tokens_map.json should",
            "TOKENIZER_INVALID",
        )
    tokens, special = _fairseq(model, [*languages, "<mask>"] if languages else [])
    in_front = not facts.flag("legacy_behaviour", False)
    return _translating(model, facts, tokens, special, "eng_Latn", in_front)


def _m2m_100(model: Model, facts: TokenizerFacts) -> Vocabulary:
    codes = WMT_21 if facts.config.get("language_codes") == "wmt21" else M2M_100
    tokens = _listed(model, facts)
    languages = [f"__{code}__" for code in codes]
    tokens |= {token: len(tokens) + n for n, token in enumerate(languages)}
    special = [(token, False) for token in ("<s>", "<pad>", "</s>", "<unk>", *languages)]
    source = f"__{facts.config.get('src_lang') or 'en'}__"
    return _translating(model, facts, tokens, special, source, in_front=True)


def _translating(
    model: Model,
    facts: TokenizerFacts,
    tokens: dict[str, int],
    special: list[Token],
    usual: str,
    in_front: bool,
) -> Vocabulary:
    language = facts.config.get("src_lang") or usual
    if language not in tokens and language not in {t.content for t in facts.declared.values()}:
        language = usual
    text = [language, "$A", "</s>"] if in_front else ["$A", "</s>", language]
    at = text.index("$A") + 1
    return _vocabulary(model, facts, tokens, special, text, [*text[:at], "$B", *text[at:]])


def _pegasus(model: Model, facts: TokenizerFacts) -> Vocabulary:
    offset = facts.config.get("offset", 103)
    if isinstance(offset, bool) or not isinstance(offset, int) or not 0 <= offset <= 10_000:
        raise CheckpointError(f"tokenizer_config.json: offset = {shown(offset)}", "CKPT_CONFIG")
    tokens = {piece: n + offset for n, piece in enumerate(model.pieces) if n > 1 or not offset}
    special = _control(model)
    if offset:
        first = [facts.role("pad", "<pad>"), facts.role("eos", "</s>"), "<mask_1>"]
        first += [facts.role("mask", "<mask_2>"), *(f"<unk_{n}>" for n in range(2, offset))]
        first = first[: offset + 2]
        tokens = {token: n for n, token in enumerate(first)} | tokens
        special = [(token, False) for token in (*first, _unknown(model))]
    end = facts.role("eos", "</s>")
    return _vocabulary(
        model, facts, tokens, special, ["$A", end], ["$A", "$B", end], _unknown(model)
    )


def _marian(model: Model, facts: TokenizerFacts) -> Vocabulary:
    if facts.flag("separate_vocabs", False):
        raise UnsupportedError(
            "source and target have vocabularies of their own (separate_vocabs); known: one vocab.json"
        )
    tokens = _listed(model, facts)
    special = [(t, False) for t in tokens if t.startswith(">>") and t.endswith("<<")]
    end, unknown = facts.role("eos", "</s>"), facts.role("unk", "<unk>")
    special += [(token, False) for token in (end, unknown, facts.role("pad", "<pad>"))]
    return _vocabulary(model, facts, tokens, special, ["$A", end], ["$A", "$B", end], unknown)


def _listed(model: Model, facts: TokenizerFacts) -> dict[str, int]:
    """The ids of vocab.json: each once, none left out."""
    if not facts.vocabulary:
        raise CheckpointError(f"{model.name} needs a vocab.json beside it", "TOKENIZER_INVALID")
    tokens = {token: whole_number(index, token) for token, index in facts.vocabulary.items()}
    owners: dict[int, str] = {}
    for token, index in tokens.items():
        if owners.setdefault(index, token) != token:
            raise CheckpointError(
                f"vocab.json gives {shown(owners[index])} and {shown(token)} the same id {index}",
                "TOKENIZER_INVALID",
            )
    if max(owners) != len(owners) - 1:
        gap = next(index for index in range(len(owners)) if index not in owners)
        raise CheckpointError(f"vocab.json has no token with the id {gap}", "TOKENIZER_INVALID")
    return tokens


LAYOUTS: dict[str, Callable[[Model, TokenizerFacts], Vocabulary]] = {
    "Albert": _bracketed,
    "BigBird": _bracketed,
    "DebertaV2": _deberta_v2,
    "Gemma": _gemma,
    "Llama": _llama,
    "M2M100": _m2m_100,
    "MBart": _mbart,
    "MBart50": _mbart,
    "Marian": _marian,
    "Nllb": _nllb,
    "Pegasus": _pegasus,
    "Siglip": _siglip,
    "T5": _t5,
    "XLMRoberta": _xlm_roberta,
    "XLNet": _xlnet,
}
