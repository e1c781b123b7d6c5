"""Spans from the labels of tokens, whatever a tokenizer calls a word."""

from __future__ import annotations

import numpy as np

from satchel.runtime.spans import merge_labels


def test_spans_of_tokens() -> None:
    """Words by their first token, spaces left out, bytes of one character kept together."""
    text = "New York, 東京 né🦊"
    tokens = [
        ((0, 3), 0, "B-X"),
        ((3, 8), 1, "I-X"),
        ((8, 9), 1, "O"),  # a comma in the word of York
        ((9, 11), 2, "B-X"),  # with its space
        ((11, 12), 2, "B-Y"),  # a language without spaces has words inside words
        ((12, 14), 3, "Z"),
        ((14, 15), 3, "O"),
        ((15, 16), 4, "Z"),
        ((15, 16), 4, "O"),
        ((0, 0), None, "Z"),
    ]
    names = ["O", "B-X", "I-X", "B-Y", "Z"]
    scores = np.stack([np.eye(5, dtype=np.float32)[names.index(name)] for _, _, name in tokens])
    spans = merge_labels(
        text, [one[0] for one in tokens], [one[1] for one in tokens], scores, names
    )
    assert [(one.label, one.text, one.score) for one in spans] == [
        ("X", "New York", 1),
        ("X", "東", 1),
        ("Y", "京", 1),
        ("Z", "né🦊", 1),
    ]
