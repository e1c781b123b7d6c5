"""A tokenizer.json for a checkpoint that has none, and the proof that it cuts texts as SentencePiece.

The library itself cuts probe texts between special tokens, and its pieces are looked up; ids and text
must come out the same.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from tokenizers import Tokenizer

from satchel.checkpoints.checkpoint import Checkpoint
from satchel.checkpoints.gguf_tokenizer import CONTROL, SPACE, UNKNOWN, USER_DEFINED
from satchel.checkpoints.strict_json import read_limited
from satchel.runtime.errors import CheckpointError, FidelityError, SatchelError, shown
from satchel.tokenization.probes import PROBES
from satchel.tokenization.sentencepiece import Model, Vocabulary, build, names_of, read_model
from satchel.tokenization.tokenizer_files import facts_of
from satchel.tokenization.vocabulary import vocabulary_of

MODELS = ("spiece.model", "sentencepiece.bpe.model", "spm.model", "tokenizer.model", "source.spm")
MODEL_LIMIT = 64 << 20
NUMBER_AND_COMMA = re.compile(r".*\d,", re.DOTALL)


def made_tokenizer(checkpoint: Checkpoint, vocab_size: int) -> dict[str, Any] | None:
    """The content of tokenizer.json from a checkpoint's SentencePiece model; None where it has none.

    Raises CheckpointError or UnsupportedError for what cannot be turned, FidelityError with the first
    text that comes out otherwise.
    """
    name = next((name for name in MODELS if name in checkpoint.tokenizer_files), None)
    if name is None:
        return None
    facts = facts_of(checkpoint, vocab_size)
    own_numbers = facts.name in ("Albert", "XLNet")
    model = _read(checkpoint, name, _without_numbers_and_commas if own_numbers else None)
    vocabulary = vocabulary_of(model, facts)
    if "target.spm" in checkpoint.tokenizer_files:
        _read(checkpoint, "target.spm")  # its pieces are in vocab.json; a damaged file says more
    try:
        tokenizer = Tokenizer.from_str(build(model, vocabulary).to_str())
    except (SatchelError, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # tokenizers panics with a BaseException of its own
        raise CheckpointError(
            f"{name} makes no tokenizer: {shown(error)}", "TOKENIZER_INVALID"
        ) from None
    prove(tokenizer, model, vocabulary, [*PROBES, *_own_probes(model, vocabulary)])
    content: dict[str, Any] = json.loads(tokenizer.to_str())
    return content


def _read(checkpoint: Checkpoint, name: str, adjust: Any = None) -> Model:
    return read_model(read_limited(checkpoint.tokenizer_files[name], MODEL_LIMIT), name, adjust)


def _without_numbers_and_commas(piece: str, score: float) -> float:
    """ALBERT and XLNet keep a comma apart from the digit before it."""
    return score - 100 if NUMBER_AND_COMMA.fullmatch(piece) else score


def _own_probes(model: Model, vocabulary: Vocabulary) -> list[str]:
    """Texts with what this vocabulary treats in a way of its own."""
    special = [token.content for token in vocabulary.added][:8]
    symbols = model.of_kind(USER_DEFINED)[:8]
    longest = sorted(model.pieces, key=len)[-8:]
    texts = [text for token in special for text in (token, f"one {token} two", f"{token}x")]
    texts += [f"one{symbol}two {symbol} three" for symbol in symbols]
    return texts + [piece.replace(SPACE, " ") for piece in longest]


def prove(tokenizer: Tokenizer, model: Model, vocabulary: Vocabulary, texts: Iterable[str]) -> None:
    """Raise FidelityError at the first text that `tokenizer` does not cut and join as `model`."""
    reference = Reference(model, vocabulary)
    for text in texts:
        expected = reference.encode(text)
        actual = tokenizer.encode(text, add_special_tokens=False).ids
        if expected is not None and not reference.alike(expected, actual):
            raise FidelityError(
                f"the tokenizer made of {model.name} gives {shown(text, 60)} the ids "
                f"{shown(actual, 60)}, SentencePiece {shown(expected, 60)}; give the checkpoint a "
                "tokenizer.json",
                "TOKENIZER_INVALID",
            )
        joined = reference.decode(actual) if expected is not None and SPACE not in text else None
        if joined is not None and tokenizer.decode(actual) != joined:
            raise FidelityError(
                f"the tokenizer made of {model.name} reads its ids of {shown(text, 60)} as "
                f"{shown(tokenizer.decode(actual), 60)}, SentencePiece as {shown(joined, 60)}; give "
                "the checkpoint a tokenizer.json",
                "TOKENIZER_INVALID",
            )


class Reference:
    """SentencePiece itself with a checkpoint's ids."""

    def __init__(self, model: Model, vocabulary: Vocabulary) -> None:
        self.model, self.vocabulary = model, vocabulary
        self.ids = names_of(model, vocabulary)
        self.pieces = {self.ids[piece]: piece for piece in model.pieces if piece in self.ids}
        self.scores = dict(zip(model.pieces, model.scores, strict=True))
        self.kinds = dict(zip(model.pieces, model.kinds, strict=True))
        self.added = {token.content: token for token in vocabulary.added}
        tokens = map(re.escape, sorted(self.added, key=len, reverse=True))
        self.cut = re.compile(f"({'|'.join(tokens)})" if self.added else "(?!)()")

    def encode(self, text: str) -> list[int] | None:
        """Ids without what goes around a text; None where tokenizers is known to differ."""
        ids: list[int] = []
        parts = self.cut.split(text)
        for index, part in enumerate(parts):
            if index % 2:
                ids.append(self.vocabulary.tokens[part])
                continue
            if index and self.added[parts[index - 1]].rstrip:
                part = part.lstrip()
            if index + 1 < len(parts) and self.added[parts[index + 1]].lstrip:
                part = part.rstrip()
            part_ids = self._part(part, index == 0)
            if part_ids is None:
                return None
            ids += part_ids
        return ids

    def _part(self, text: str, first: bool) -> list[int] | None:
        for step in self.vocabulary.before:
            text = step.normalize_str(text)
        if self.vocabulary.prefix_once and (not first or text[:1] in (" ", SPACE)):
            return None
        pieces = self.model.split(text)
        added = self.model.space_as_suffix or self.model.dummy_prefix
        if added and pieces == [SPACE]:
            return None  # a text that comes to nothing, as one of controls does
        alone = len(pieces) == 2 and self.kinds.get(pieces[1]) == USER_DEFINED
        if self.model.dummy_prefix and alone:
            return None  # a symbol and nothing else has no dummy prefix
        ids = []
        for piece in pieces:
            known = self.kinds.get(piece, UNKNOWN) != UNKNOWN
            if known or piece in self.vocabulary.tokens:
                ids.append(self.ids.get(piece, self.vocabulary.tokens.get(piece, -1)))
            elif set(piece) & self.vocabulary.tokens.keys():
                return None  # unknown to this model, but letter by letter in the vocabulary
            else:
                ids.append(self.vocabulary.tokens[self.vocabulary.unknown])
        return ids

    def alike(self, expected: list[int], actual: list[int]) -> bool:
        """Whether two cuts are the same, or as likely as far as float32 sums can tell."""
        if expected == actual or not self.model.unigram:
            return expected == actual
        ours, theirs = (
            [self.scores[self.pieces[index]] for index in ids if index in self.pieces]
            for ids in (actual, expected)
        )
        rounding = len(theirs) * 2.0**-24 * abs(sum(theirs))
        same = len(ours) == len(actual) and len(theirs) == len(expected)
        return same and abs(sum(ours) - sum(theirs)) <= rounding

    def decode(self, ids: list[int]) -> str | None:
        """The text of ids, None where some are no pieces of text."""
        pieces = [self.pieces.get(index) for index in ids]
        if any(piece is None or self.kinds[piece] in (UNKNOWN, CONTROL) for piece in pieces):
            return None
        return self.model.join([piece for piece in pieces if piece is not None])
