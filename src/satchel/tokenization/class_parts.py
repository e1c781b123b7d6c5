"""What a tokenizer is put together from: a vocabulary, settings and the texts of special tokens.

The vocabulary is that of tokenizer.json or of vocab.txt, vocab.json and merges.txt.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from satchel.checkpoints.checkpoint import Checkpoint
from satchel.checkpoints.strict_json import read_json, read_limited
from satchel.runtime.errors import CheckpointError, shown
from satchel.tokenization.declared_tokens import whole_number

LIMIT = 64 << 20
Merges = list[tuple[str, str]]
VERSION = re.compile("#version")


@dataclass(frozen=True)
class Parts:
    """`vocab` maps tokens to ids, or is a list of pieces with their scores for a Unigram model."""

    vocab: Any
    merges: Merges
    charsmap: bytes | None
    config: Mapping[str, Any]  # tokenizer_config.json
    texts: Mapping[str, str]  # of tokens, by role

    def flag(self, key: str, usual: bool) -> bool:
        """A switch of tokenizer_config.json. Raises CheckpointError for what is none."""
        value = self.config.get(key)
        if value is None:
            return usual
        if not isinstance(value, bool):
            raise CheckpointError(
                f"tokenizer_config.json: {key} = {shown(value)}; expected true or false",
                "CKPT_CONFIG",
            )
        return value

    def option(self, key: str) -> bool | None:
        """A switch that may be left open."""
        return self.flag(key, False) if self.config.get(key) is not None else None


def vocabulary_files(checkpoint: Checkpoint, model: str) -> tuple[Any, Merges, bytes | None] | None:
    """Vocabulary, merges and SentencePiece's rules of characters for a model ("BPE", ...).

    None where the files hold another kind of model, or none at all.
    """
    files, content = checkpoint.tokenizer_files, checkpoint.tokenizer
    if content is not None:
        stored = content.get("model")
        if not isinstance(stored, dict) or stored.get("type") != model:
            return None
        if model == "Unigram":
            pieces = [tuple(piece) for piece in stored["vocab"]]
            return pieces, [], _charsmap(content.get("normalizer"))
        vocab = _numbered(stored["vocab"], "tokenizer.json")
        return (
            vocab,
            [_merge(merge) for merge in stored.get("merges") or []],
            _charsmap(content.get("normalizer")),
        )
    if model in ("WordPiece", "WordLevel") and "vocab.txt" in files:
        return _lines(files["vocab.txt"]), [], None
    if model == "BPE" and {"vocab.json", "merges.txt"} <= files.keys():
        vocab = read_json(files["vocab.json"], LIMIT)
        return _numbered(vocab, "vocab.json"), _merges(files["merges.txt"], vocab), None
    return None


def _charsmap(normalizer: Any) -> bytes | None:
    steps = normalizer.get("normalizers", [normalizer]) if isinstance(normalizer, dict) else []
    charsmaps = (step.get("precompiled_charsmap") for step in steps if isinstance(step, dict))
    text = next((text for text in charsmaps if text is not None), None)
    return base64.b64decode(text) if text is not None else None


def _merge(merge: Any) -> tuple[str, str]:
    pair = merge.split(" ") if isinstance(merge, str) else list(merge)
    if len(pair) != 2:
        raise CheckpointError(f"{shown(merge)} is no merge of two tokens", "TOKENIZER_INVALID")
    return pair[0], pair[1]


def _text(path: Path) -> str:
    try:
        return read_limited(path, LIMIT).decode("utf-8")
    except UnicodeDecodeError as error:
        raise CheckpointError(f"{path.name} is not UTF-8", "TOKENIZER_INVALID") from error


def _rows(path: Path) -> list[str]:
    """The lines of a file; other than in Python only a newline ends one."""
    rows = _text(path).split("\n")
    return rows[:-1] if not rows[-1] else rows


def _lines(path: Path) -> dict[str, int]:
    """vocab.txt: a token's id is the number of its line, the last one's where it stands there twice."""
    return {line.rstrip(): number for number, line in enumerate(_rows(path))}


def _numbered(vocab: dict[str, Any], name: str) -> dict[str, int]:
    """A vocabulary in JSON: no two tokens with one id."""
    owners: dict[int, str] = {}
    for token, index in vocab.items():
        if owners.setdefault(whole_number(index, token), token) != token:
            raise CheckpointError(
                f"{name} gives {shown(owners[index])} and {shown(token)} the same id {index}",
                "TOKENIZER_INVALID",
            )
    return {token: whole_number(index, token) for token, index in vocab.items()}


def _merges(path: Path, vocab: dict[str, Any]) -> Merges:
    """merges.txt: two tokens a line, whose union is a token too."""
    merges = [_merge(row.rstrip("\r")) for row in _rows(path) if row and not VERSION.match(row)]
    for pair in merges:
        lacking = [token for token in (*pair, "".join(pair)) if token not in vocab]
        if lacking:
            raise CheckpointError(
                f"merges.txt joins {shown(pair[0])} and {shown(pair[1])}, but vocab.json lacks "
                f"{shown(lacking[0])}",
                "TOKENIZER_INVALID",
            )
    return merges
