"""Tokenizers out of GGUF files: against transformers, a plain SentencePiece, and damaged."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer

from satchel.checkpoints.checkpoint import Checkpoint
from satchel.checkpoints.gguf import load_gguf
from satchel.runtime.errors import CheckpointError, SatchelError, UnsupportedError
from tests.gguf_files import SMALL, random_model, real_file, sizes, write

PROBES = [
    *("", " ", "  ", "\n", "\r\n\r\n", "\n\n   \n", "\x00\x01", "\ufffd", "a\u200bb\u00a0c"),
    *(
        "Hello world",
        "  two spaces",
        "a   b\t\tc\n\n\nd",
        "it's I'M we'RE don't",
        "<unknown> <a|b>",
    ),
    *("1234567890 3.14 ,007", "x = 1  # two", "$100.00 100%", "____ ---- ====", "(x²+y³)≤∞"),
    *(
        "naïve café",
        "e\u0301",
        "Ünïcödé ß ﬁ",
        "日本語のテキスト",
        "中文 字符 123",
        "한국어",
        "\uff21\uff22\uff11\uff12",
    ),
    *("नमस्ते दुनिया", "مرحبا بالعالم", "Київ", "🙂🚀👩‍👩‍👧", "https://example.com/?q=1&b=2"),
    *("def f(a, b=2):\n\treturn a + b\n", "<|im_start|>user\nHi<|im_end|>\n", "<repo_name> x"),
]


def test_real_tokenizer() -> None:
    import transformers

    path = real_file()
    checkpoint = load_gguf(path)
    tokenizer = Tokenizer.from_str(json.dumps(checkpoint.tokenizer))
    theirs = transformers.AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    for probe in PROBES:
        ids = tokenizer.encode(probe).ids
        assert ids == theirs(probe)["input_ids"], probe
        assert tokenizer.decode(ids, skip_special_tokens=False) == probe
    # From a GGUF file transformers cuts this as GPT-2 does; these are llama.cpp's ids.
    assert tokenizer.encode("   42").ids == [333, 36, 34]
    assert checkpoint.tokenizer_config["eos_token"] == "<|im_end|>"
    assert checkpoint.generation_config is not None
    assert checkpoint.generation_config["eos_token_id"] == [2]
    assert checkpoint.chat_template is not None and "im_start" in checkpoint.chat_template


def load(directory: Path, **tokenizer: Any) -> Checkpoint:
    """A checkpoint without weights but for the embedding, with this tokenizer metadata."""
    words = {f"tokenizer.ggml.{key}": v for key, v in tokenizer.items() if v is not None}
    metadata = sizes("qwen3", random_model("qwen3", **SMALL).config) | words
    rows = len(tokenizer["tokens"] or "1")
    return load_gguf(
        write(directory / "m.gguf", metadata, {"token_embd.weight": torch.ones(rows, 64)})
    )


PIECES = ["\u2581", *"abcde", "ab", "abc", "bc", "\u2581a", "\u2581ab", "de", "cde", "\u2581\u2581"]
SCORES = [-float(index * 7 % 19) for index in range(len(PIECES))]
SPM: dict[str, Any] = {
    "model": "llama",
    "tokens": ["<unk>", "<s>", "</s>", "<tool>", *(f"<0x{b:02X}>" for b in range(256)), *PIECES],
    "token_type": [2, 3, 3, 4] + [6] * 256 + [1] * len(PIECES),
    "scores": [0.0] * 260 + SCORES,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "eot_token_id": 3,
    "unknown_token_id": 0,
}
ALPHABET = ["a", "b", "c", "d", "\u0120", "\u010a", "1", "2"]
BPE: dict[str, Any] = {
    "model": "gpt2",
    "pre": "gpt-2",
    "tokens": ["<e>", *ALPHABET, "ab", "abc", "cd", "12", "\u0120a", "abcd"],
    "token_type": [3] + [1] * 14,
    "merges": ["c d", "a b", "ab c", "1 2", "\u0120 a"],
    "bos_token_id": 0,
}


def merge_by_score(text: str) -> list[str]:
    """SentencePiece at its plainest: join the best pair, the first of equals, while one is left."""
    scores, parts = dict(zip(PIECES, SCORES, strict=True)), list(text)
    while pairs := [
        (-scores[parts[i] + parts[i + 1]], i)
        for i in range(len(parts) - 1)
        if parts[i] + parts[i + 1] in scores
    ]:
        at = min(pairs)[1]
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    return parts


@pytest.mark.parametrize("prefix", [True, False])
def test_sentencepiece(prefix: bool, tmp_path: Path) -> None:
    checkpoint = load(tmp_path, **SPM, add_space_prefix=prefix)
    tokenizer = Tokenizer.from_str(json.dumps(checkpoint.tokenizer))
    for seed in range(300):
        text = "".join(random.Random(seed).choices("abcde ", k=1 + seed % 23))
        found = tokenizer.encode(text, add_special_tokens=False)
        spelled = ("\u2581" if prefix else "") + text.replace(" ", "\u2581")
        assert found.tokens == merge_by_score(spelled)
        assert tokenizer.decode(found.ids) == text
    assert tokenizer.encode("é").tokens[-2:] == ["<0xC3>", "<0xA9>"]
    assert "<tool>" in tokenizer.encode("a<tool>").tokens
    pair = tokenizer.encode("b", "b")
    assert pair.tokens.count("<s>") == 2 and pair.type_ids[-1] == 1
    assert checkpoint.tokenizer_config == {
        "bos_token": "<s>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "add_bos_token": True,
        "add_eos_token": False,
    }
    assert checkpoint.generation_config == {"bos_token_id": 1, "eos_token_id": [2, 3]}
    assert checkpoint.config["eos_token_id"] == 2


@pytest.mark.parametrize(
    ("pre", "text", "tokens"),
    [
        ("gpt-2", "abc ab\n12", ["abc", "\u0120", "ab", "\u010a", "12"]),
        ("smollm", "abc  12", ["abc", "\u0120", "\u0120", "1", "2"]),
        ("qwen2", "abc12", ["abc", "1", "2"]),
        ("llama-bpe", "abcd12", ["<e>", "abcd", "12"]),  # whole: by merges it is ab, cd
        ("gpt-2", "abcd<e>", ["ab", "cd", "<e>"]),
    ],
)
def test_byte_level(pre: str, text: str, tokens: list[str], tmp_path: Path) -> None:
    tokenizer = Tokenizer.from_str(json.dumps(load(tmp_path, **BPE | {"pre": pre}).tokenizer))
    found = tokenizer.encode(text)
    assert found.tokens == tokens
    assert tokenizer.decode(found.ids) == text.replace("<e>", "")


FAULTS: dict[str, tuple[dict[str, Any], type[SatchelError], str]] = {
    "model": (SPM | {"model": "rwkv"}, UnsupportedError, "'rwkv'; known: gpt2, llama"),
    "cut": (BPE | {"pre": "viking"}, UnsupportedError, "'viking'; known: gpt-2, smollm"),
    "no cut": (BPE | {"pre": None}, UnsupportedError, "has the pre-tokenizer None"),
    "no tokens": (SPM | {"tokens": None}, CheckpointError, "lacks .*tokens"),
    "scores": (SPM | {"scores": [0.5]}, CheckpointError, "274 tokens but 1 items in .*scores"),
    "kinds": (SPM | {"token_type": ["a"] * 274}, CheckpointError, "other items than int"),
    "twice": (BPE | {"tokens": ["a"] * 15}, CheckpointError, "the token 'a' twice"),
    "merge": (BPE | {"merges": ["a z"]}, CheckpointError, "merge of unknown tokens: 'a z'"),
    "id": (SPM | {"eos_token_id": 999}, CheckpointError, "eos_token_id 999 in a vocabulary of 274"),
    "no bos": (SPM | {"bos_token_id": None}, CheckpointError, "adds the bos_token .* but lacks"),
    "charsmap": (SPM | {"precompiled_charsmap": [1]}, UnsupportedError, "a normalization of text"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_bad_tokenizer(fault: str, tmp_path: Path) -> None:
    tokenizer, error, message = FAULTS[fault]
    with pytest.raises(error, match=f"^'m.gguf' .*{message}") as raised:
        load(tmp_path, **tokenizer)
    assert "\n" not in str(raised.value)


def test_more_tokens_than_rows(tmp_path: Path) -> None:
    words = {f"tokenizer.ggml.{key}": value for key, value in SPM.items()}
    metadata = sizes("qwen3", random_model("qwen3", **SMALL).config) | words
    path = write(tmp_path / "m.gguf", metadata, {"token_embd.weight": torch.ones(9, 64)})
    with pytest.raises(CheckpointError, match="274 tokens but 9 rows of embeddings"):
        load_gguf(path)
