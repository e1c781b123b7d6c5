"""The tokens of a long text, read in pieces that overlap, become one row again. Knows no model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding

Array = NDArray[np.float32]
Offset = tuple[int, int]  # first and one past the last character of a token


def assembled(
    pieces: Sequence[Encoding], logits: Sequence[Array], overlap: int
) -> tuple[list[Offset], list[int | None], Array]:
    """Offsets, numbers of words and logits [tokens, n] of the text whose pieces these are.

    Without special tokens and a pair's first text. A token in two pieces counts where it has more of
    the text on either side.
    """
    offsets: list[Offset] = []
    words: list[int | None] = []
    rows: list[Array] = []
    for number, (piece, values) in enumerate(zip(pieces, logits, strict=True)):
        text = piece.n_sequences - 1
        places = [place for place, owner in enumerate(piece.sequence_ids) if owner == text]
        if number + 1 < len(pieces):
            places = places[: len(places) - (overlap - overlap // 2)]
        if number:
            places = places[overlap // 2 :]
        its_offsets, its_words = piece.offsets, piece.word_ids  # each is a list made anew
        offsets += [its_offsets[place] for place in places]
        words += [its_words[place] for place in places]
        rows.append(values[places])
    return offsets, words, np.concatenate(rows)
