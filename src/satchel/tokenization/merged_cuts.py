"""The proof of a tokenizer made of a plain vocabulary: words are cut again, in Python, by definition.

Byte-pair encoding (Sennrich et al., 2016) takes the merge learnt first, WordPiece (Wu et al., 2016)
the longest piece that fits.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import pairwise

from tokenizers import Tokenizer

from satchel.runtime.errors import FidelityError, shown
from satchel.tokenization.probes import PROBES


def prove_cuts(tokenizer: Tokenizer, texts: Iterable[str] = PROBES) -> None:
    """Raise FidelityError at the first text whose ids differ; `tokenizer` has no added tokens yet."""
    model = json.loads(tokenizer.to_str())["model"]
    vocab: dict[str, int] = model["vocab"]
    unknown = vocab.get(model["unk_token"])
    ranks = {tuple(pair): rank for rank, pair in enumerate(model.get("merges") or [])}
    suffix = model.get("end_of_word_suffix") or ""
    for text in texts:
        if tokenizer.normalizer is not None:
            text = tokenizer.normalizer.normalize_str(text)
        expected: list[int] = []
        for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(text):
            if model["type"] == "WordPiece":
                cut = longest_pieces(word, vocab, model["max_input_chars_per_word"])
                ids = [unknown] if cut is None else [*cut]
            elif model["type"] == "WordLevel":
                ids = [vocab.get(word, unknown)]
            else:
                pieces = merged([*word[:-1], word[-1] + suffix], ranks)
                ids = [vocab.get(piece, unknown) for piece in pieces]
            expected += [index for index in ids if index is not None]
        actual = tokenizer.encode(text, add_special_tokens=False).ids
        if actual != expected:
            raise FidelityError(
                f"the vocabulary gives {shown(text, 60)} the ids {shown(expected, 60)}, the tokenizer "
                f"made of it {shown(actual, 60)}; give the checkpoint a tokenizer.json",
                "TOKENIZER_INVALID",
            )


def longest_pieces(word: str, vocab: dict[str, int], most: int) -> list[int] | None:
    """WordPiece ids of a word; None where it is unknown."""
    ids, start = [], 0
    while start < len(word) and len(word) <= most:
        head = "##" if start else ""
        ends = range(len(word), start, -1)
        end = next((end for end in ends if head + word[start:end] in vocab), None)
        if end is None:
            return None
        ids.append(vocab[head + word[start:end]])
        start = end
    return ids if start == len(word) else None


def merged(pieces: list[str], ranks: dict[tuple[str, ...], int]) -> list[str]:
    """The pieces of a word after all merges."""
    while len(pieces) > 1:
        pairs = list(pairwise(pieces))
        rank, at = min((ranks.get(pair, len(ranks)), at) for at, pair in enumerate(pairs))
        if rank == len(ranks):
            break
        pieces[at : at + 2] = [pieces[at] + pieces[at + 1]]
    return pieces
