"""The tokenizer inside a GGUF file as tokenizer.json and its companions. Knows no model.

A vocabulary does not say how text was cut before its merges. Only names of known cuts are accepted,
since wrong ones give other ids unnoticed.
"""

from __future__ import annotations

import json
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, normalizers, pre_tokenizers
from tokenizers.models import BPE

from satchel.checkpoints.gguf_file import Metadata, T, items, optional, required
from satchel.runtime.errors import CheckpointError, UnsupportedError, shown

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)
TOKENS = "tokenizer.ggml.tokens"
ROLES = {
    "bos_token": "tokenizer.ggml.bos_token_id",
    "eos_token": "tokenizer.ggml.eos_token_id",
    "unk_token": "tokenizer.ggml.unknown_token_id",
    "pad_token": "tokenizer.ggml.padding_token_id",
}
STOPS = [f"tokenizer.ggml.{name}_token_id" for name in ("eos", "eot", "eom")]
SPACE = "\u2581"  # how SentencePiece writes a space

LLAMA3_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN2_WORDS = LLAMA3_WORDS.replace("{1,3}", "")
LLAMA3 = ("llama-bpe", "llama-v3", "llama3")  # three names of one tokenizer
PRE_TOKENIZERS = ("gpt-2", "smollm", "qwen2", *LLAMA3)


def tokenizer_json(metadata: Metadata) -> dict[str, Any] | None:
    """The content of tokenizer.json, or None where the file has no tokenizer."""
    model = optional(metadata, "tokenizer.ggml.model", str)
    if model in (None, "no_vocab"):
        return None
    if model not in ("gpt2", "llama"):
        raise UnsupportedError(f"has the tokenizer {shown(model)}; known: gpt2, llama, no_vocab")
    tokens = items(metadata, TOKENS, str)
    kinds = per_token(metadata, "tokenizer.ggml.token_type", int)
    vocabulary = {token: index for index, token in enumerate(tokens)}
    if len(vocabulary) < len(tokens):
        twice = next(token for index, token in enumerate(tokens) if vocabulary[token] != index)
        raise CheckpointError(f"has the token {shown(twice)} twice", "TOKENIZER_INVALID")
    build = byte_level if model == "gpt2" else sentencepiece
    tokenizer = build(metadata, vocabulary, kinds)
    tokenizer.add_tokens(
        [
            # Found in the raw text, before anything else is done to it.
            AddedToken(token, normalized=False, special=kind != USER_DEFINED)
            for token, kind in zip(tokens, kinds, strict=True)
            if kind in (UNKNOWN, CONTROL, USER_DEFINED)
        ]
    )
    content: dict[str, Any] = json.loads(tokenizer.to_str())
    return content | {"post_processor": post_processor(metadata)}


def per_token(metadata: Metadata, key: str, kind: type[T]) -> list[T]:
    """A metadata list with one item for each token."""
    values, count = items(metadata, key, kind), len(required(metadata, TOKENS, list))
    if len(values) != count:
        raise CheckpointError(f"has {count} tokens but {len(values)} items in {key}")
    return values


def byte_level(metadata: Metadata, vocabulary: dict[str, int], kinds: list[int]) -> Tokenizer:
    """BPE over bytes written as letters, as GPT-2 introduced it."""
    name = optional(metadata, "tokenizer.ggml.pre", str)
    if name not in PRE_TOKENIZERS:
        known = ", ".join(PRE_TOKENIZERS)
        raise UnsupportedError(f"has the pre-tokenizer {shown(name)}; known: {known}")
    merges = [split_merge(m, vocabulary) for m in items(metadata, "tokenizer.ggml.merges", str)]
    # Llama 3 takes a word that is a token as it is, even where merges would not build it.
    tokenizer = Tokenizer(BPE(vocabulary, merges, ignore_merges=name in LLAMA3))
    if name == "qwen2":
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizer(name)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def split_merge(merge: str, vocabulary: dict[str, int]) -> tuple[str, str]:
    """The two tokens of one merge; both and what they make must be tokens."""
    left, _, right = merge.partition(" ")
    if not left or not right or not {left, right, left + right} <= vocabulary.keys():
        raise CheckpointError(f"has a merge of unknown tokens: {shown(merge)}", "TOKENIZER_INVALID")
    return left, right


def pre_tokenizer(name: str) -> pre_tokenizers.PreTokenizer:
    """How the original tokenizer.json of each kind cuts text before the merges."""
    if name == "gpt-2":
        return pre_tokenizers.ByteLevel(add_prefix_space=False)
    if name == "smollm":
        digits = pre_tokenizers.Digits(individual_digits=True)
        return pre_tokenizers.Sequence([digits, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    words = Regex(LLAMA3_WORDS if name in LLAMA3 else QWEN2_WORDS)
    split = pre_tokenizers.Split(words, "isolated")
    letters = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    return pre_tokenizers.Sequence([split, letters])


def sentencepiece(metadata: Metadata, vocabulary: dict[str, int], kinds: list[int]) -> Tokenizer:
    """SentencePiece's BPE: spaces are letters, and of two pairs the better result merges first."""
    for key in ("tokenizer.ggml.precompiled_charsmap", "tokenizer.ggml.remove_extra_whitespaces"):
        if metadata.get(key):
            raise UnsupportedError(f"has {key}, a normalization of text that is not understood")
    merges = ranked_merges(vocabulary, kinds, per_token(metadata, "tokenizer.ggml.scores", float))
    unknown = next((t for t, kind in zip(vocabulary, kinds, strict=True) if kind == UNKNOWN), None)
    model = BPE(vocabulary, merges, unk_token=unknown, fuse_unk=True, byte_fallback=True)
    tokenizer = Tokenizer(model)
    spaces = normalizers.Replace(" ", SPACE)
    steps = [decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse()]
    if optional(metadata, "tokenizer.ggml.add_space_prefix", bool) is False:
        tokenizer.normalizer = spaces
    else:
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend(SPACE), spaces])
        steps.append(decoders.Strip(" ", 1, 0))
    tokenizer.decoder = decoders.Sequence(steps)
    return tokenizer


def ranked_merges(
    vocabulary: dict[str, int], kinds: list[int], scores: list[float]
) -> list[tuple[str, str]]:
    """Every pair of tokens that makes a token, best result first."""
    ids = {t: i for t, i in vocabulary.items() if kinds[i] in (NORMAL, UNUSED)}
    ranked = [
        (-scores[whole], whole, ids[token[:cut]], ids[token[cut:]], token[:cut], token[cut:])
        for token, whole in ids.items()
        for cut in range(1, len(token))
        if token[:cut] in ids and token[cut:] in ids
    ]
    return [(left, right) for *_, left, right in sorted(ranked)]


def post_processor(metadata: Metadata) -> dict[str, Any] | None:
    """The part of tokenizer.json that puts tokens before and after each text."""
    marks: list[str | None] = []
    ids: dict[str, int] = {}
    for role, wanted in zip(("bos_token", "eos_token"), adds(metadata), strict=True):
        index = token_id(metadata, ROLES[role])
        if wanted and index is None:
            raise CheckpointError(f"adds the {role} to each text but lacks {ROLES[role]}")
        marks.append(items(metadata, TOKENS, str)[index] if wanted and index is not None else None)
        ids |= {mark: index for mark in marks[-1:] if mark is not None and index is not None}
    if not ids:
        return None

    def wrapped(sequence: str, kind: int) -> list[dict[str, Any]]:
        parts = [("SpecialToken", marks[0]), ("Sequence", sequence), ("SpecialToken", marks[1])]
        return [{part: {"id": name, "type_id": kind}} for part, name in parts if name is not None]

    return {
        "type": "TemplateProcessing",
        "single": wrapped("A", 0),
        "pair": wrapped("A", 0) + wrapped("B", 1),
        "special_tokens": {t: {"id": t, "ids": [i], "tokens": [t]} for t, i in ids.items()},
    }


def adds(metadata: Metadata) -> tuple[bool, bool]:
    """Whether a text gets a first and a last token; silence means what llama.cpp takes it for."""
    spm = metadata.get("tokenizer.ggml.model") == "llama"
    begin = optional(metadata, "tokenizer.ggml.add_bos_token", bool)
    end = optional(metadata, "tokenizer.ggml.add_eos_token", bool)
    if begin is None:
        begin = spm or metadata.get("tokenizer.ggml.pre") in LLAMA3
    return begin, bool(end)


def token_id(metadata: Metadata, key: str) -> int | None:
    """A token id from the metadata, checked against the vocabulary."""
    index, size = optional(metadata, key, int), len(required(metadata, TOKENS, list))
    if index is not None and not 0 <= index < size:
        raise CheckpointError(f"has {key} {index} in a vocabulary of {size}", "TOKENIZER_INVALID")
    return index


def special_ids(metadata: Metadata) -> dict[str, int]:
    """The ids that config.json has: bos_token_id, eos_token_id, pad_token_id."""
    ids = {f"{role}_id": token_id(metadata, ROLES[role]) for role in ROLES if role != "unk_token"}
    return {name: index for name, index in ids.items() if index is not None}


def tokenizer_config(metadata: Metadata) -> dict[str, Any]:
    """The content of tokenizer_config.json."""
    tokens, (begin, end) = items(metadata, TOKENS, str), adds(metadata)
    ids = {role: token_id(metadata, key) for role, key in ROLES.items()}
    named = {role: tokens[index] for role, index in ids.items() if index is not None}
    return {**named, "add_bos_token": begin, "add_eos_token": end}


def generation_config(metadata: Metadata) -> dict[str, Any]:
    """The content of generation_config.json: where a text starts, is padded and may end."""
    stops = [token_id(metadata, key) for key in STOPS]
    ends = list(dict.fromkeys(stop for stop in stops if stop is not None))
    ids: dict[str, Any] = dict(special_ids(metadata))
    return ids | ({"eos_token_id": ends} if ends else {})
