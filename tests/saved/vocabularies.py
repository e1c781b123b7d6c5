"""Tiny vocabularies of every kind, trained on the shipped text, as slow tokenizers read them."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

from satchel.measure.fidelity import shipped_text
from tests.tiny_sentencepiece import FAIRSEQ, T5, pieces, trained

LLAMA = {
    **FAIRSEQ,
    "model_type": "bpe",
    "byte_fallback": True,
    "normalization_rule_name": "identity",
    "remove_extra_whitespaces": False,
}
GEMMA = LLAMA | {
    "add_dummy_prefix": False,
    "pad_id": 0,
    "eos_id": 1,
    "bos_id": 2,
    "unk_id": 3,
    "eos_piece": "<eos>",
    "bos_piece": "<bos>",
    "user_defined_symbols": ["<start_of_turn>", "<end_of_turn>", "\n\n", "\u2581\u2581"],
}
ALBERT = {
    "pad_id": 0,
    "unk_id": 1,
    "bos_id": -1,
    "eos_id": -1,
    "control_symbols": ["[CLS]", "[SEP]", "[MASK]"],
}
CLIP_WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
Files = dict[str, bytes]


def _lines() -> list[str]:
    return shipped_text().splitlines()


@functools.cache
def _byte_pairs(words: str | None = None) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Vocabulary and merges over bytes; with `words`, of lower-case words that end in ``</w>``."""
    suffix: dict[str, Any] = {"end_of_word_suffix": "</w>"} if words else {}
    tokenizer = Tokenizer(models.BPE(**suffix))
    if words is None:
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    else:
        tokenizer.normalizer = normalizers.Lowercase()
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
            pre_tokenizers.Split(Regex(words), "removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ])  # fmt: skip
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=700, initial_alphabet=alphabet, show_progress=False, **suffix
    )  # fmt: skip
    tokenizer.train_from_iterator(_lines(), trainer)
    merges = [tuple(pair) for pair in json.loads(tokenizer.to_str())["model"]["merges"]]
    tokens = [*alphabet, *(f"{letter}</w>" for letter in alphabet if words)]
    tokens += [left + right for left, right in merges]
    return {token: index for index, token in enumerate(dict.fromkeys(tokens))}, merges


def _bpe(first: list[str], last: list[str], words: str | None = None) -> Files:
    """vocab.json and merges.txt with special tokens before and behind the others."""
    vocab, merges = _byte_pairs(words)
    tokens = [*first, *vocab, *last]
    lines = ["#version: 0.2", *(f"{left} {right}" for left, right in merges)]
    return {
        "vocab.json": _json({token: index for index, token in enumerate(tokens)}),
        "merges.txt": "\n".join(lines).encode() + b"\n",
    }


def _wordpiece(first: list[str], last: list[str]) -> Files:
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=700, show_progress=False)
    tokenizer.train_from_iterator(_lines(), trainer)
    cased = ["The", "A", "\u00e9", "##\u00e9", "caf\u00e9", "caf", "##e", "\u4e16", "\u4e16\u754c"]
    words = sorted(tokenizer.get_vocab(), key=tokenizer.get_vocab().__getitem__)
    tokens = dict.fromkeys([*first, *words, *cased, *last])
    return {"vocab.txt": "".join(f"{token}\n" for token in tokens).encode()}


def _numbered(model: bytes, more: list[str] | None = None) -> Files:
    """vocab.json of a SentencePiece model by the numbers that fairseq gives."""
    tokens = ["<s>", "<pad>", "</s>", "<unk>", *pieces(model)[3:], *(more or [])]
    return {"vocab.json": _json({token: index for index, token in enumerate(tokens)})}


def _marian() -> Files:
    source, target = trained(**FAIRSEQ, half=0), trained(**FAIRSEQ, half=1)
    both = sorted({*pieces(source)[3:], *pieces(target)[3:]})
    tokens = ["</s>", "<unk>", ">>fr<<", ">>de<<", *both, "<pad>"]
    return {
        "source.spm": source,
        "target.spm": target,
        "vocab.json": _json({token: index for index, token in enumerate(tokens)}),
    }


def _m2m() -> Files:
    model = trained(**FAIRSEQ, model_type="bpe")
    return {"sentencepiece.bpe.model": model, **_numbered(model)}


def _json(content: Any) -> bytes:
    return json.dumps(content, ensure_ascii=False).encode()


BERT = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
VOCABULARIES: dict[str, Callable[[], Files]] = {
    "bert": lambda: _wordpiece(BERT, []),
    "mpnet": lambda: _wordpiece(["<s>", "<pad>", "</s>", "[UNK]"], ["<mask>"]),
    "gpt2": lambda: _bpe([], ["<|endoftext|>"]),
    "roberta": lambda: _bpe(["<s>", "<pad>", "</s>", "<unk>"], ["<mask>"]),
    "clip": lambda: _bpe([], ["<|startoftext|>", "<|endoftext|>"], CLIP_WORDS),
    "t5": lambda: {"spiece.model": trained(**T5)},
    "albert": lambda: {"spiece.model": trained(**ALBERT)},
    "xlm-roberta": lambda: {"sentencepiece.bpe.model": trained(**FAIRSEQ)},
    "llama": lambda: {"tokenizer.model": trained(**LLAMA)},
    "gemma": lambda: {"tokenizer.model": trained(**GEMMA)},
    "m2m_100": _m2m,
    "nllb": lambda: {"sentencepiece.bpe.model": trained(**FAIRSEQ, model_type="bpe")},
    "marian": _marian,
}


def write_vocabularies(folder: Path) -> Path:
    """Write each to a folder of its own in `folder`."""
    for name, make in VOCABULARIES.items():
        (folder / name).mkdir(parents=True)
        for file, content in make().items():
            (folder / name / file).write_bytes(content)
    return folder
