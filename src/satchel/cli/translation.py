"""A text line by line into another language: in batches of like length, in the order of the lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from satchel.progress import Stage, quiet
from satchel.runtime.errors import SatchelError
from satchel.runtime.seq2seq_model import Seq2seqModel

WINDOW = 256  # lines that are sorted, and written out together
ROWS, TOKENS = 16, 1024  # of a batch, at most: of sources, the longest counted for each


def translate_lines(
    model: Seq2seqModel,
    lines: Sequence[str],
    source_lang: str | None = None,
    target_lang: str | None = None,
    stage: Stage = quiet,
    **options: Any,
) -> Iterator[str]:
    """A line for each line; a blank one stays blank. Every line is checked before the first is made.

    `options` are those of generate; with lookup, lines are translated one at a time. Raises the
    errors of `Seq2seqModel.translate`, with the line.
    """
    sources = [
        _encoded(model, n, line, source_lang, target_lang) for n, line in enumerate(lines, 1)
    ]
    model.targets([], target_lang, **options)  # a missing language is found before any work
    batches = [
        batch
        for start in range(0, len(sources), WINDOW)
        for batch in _batches(sources, start, 1 if options.get("lookup") else ROWS)
    ]
    texts: dict[int, str] = {}
    written = 0
    for batch in stage("translating")(batches):
        targets = model.targets([sources[index] for index in batch], target_lang, **options)
        for index, target in zip(batch, targets, strict=True):
            texts[index] = " ".join(target.text.splitlines())
        while written < len(sources) and (written in texts or not sources[written]):
            yield texts.pop(written, "")
            written += 1
    yield from [""] * (len(sources) - written)


def _encoded(
    model: Seq2seqModel, number: int, line: str, source_lang: str | None, target_lang: str | None
) -> list[int]:
    if not line.strip():
        return []
    try:
        ids = model.encode_source(line, source_lang, target_lang)
        model.encoder.checked(ids)
    except SatchelError as error:
        if error.code == "USAGE":  # of a language, not of this line
            raise
        raise type(error)(f"line {number}: {error}", error.code) from error
    return ids


def _batches(sources: Sequence[Sequence[int]], start: int, rows: int) -> Iterator[list[int]]:
    """Indices of a window's sources, longest first, so that those of a batch are alike."""
    window = range(start, min(start + WINDOW, len(sources)))
    order = sorted((i for i in window if sources[i]), key=lambda i: -len(sources[i]))
    while order:
        size = max(1, min(rows, TOKENS // len(sources[order[0]])))
        yield order[:size]
        order = order[size:]
