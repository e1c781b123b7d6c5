"""`satchel classify`: labels of texts, pairs of texts, images or sounds. Prints; knows no mathematics."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from satchel.cli.command import load, on_bundle
from satchel.cli.results import CHUNK, Rows, only_one_of, print_by_lines, print_result
from satchel.lines import read_lines
from satchel.runtime.errors import UsageError, shown

EXAMPLES = """
satchel classify my-bundle "I liked it."
satchel classify my-bundle --pair "A man sleeps." "Nobody is awake." --json
satchel classify my-bundle --image photo.jpg
satchel classify my-bundle --audio speech.wav
"""


def classify(options: argparse.Namespace) -> None:
    """labels of texts, pairs of texts, images or sounds"""
    only_one_of(options, "text", "pair", "image", "audio", "file", "pair_file")
    model = load(options)
    if options.file:
        print_by_lines(options, options.file, read_lines, model.classify, _rows, CHUNK)
    elif options.pair_file:
        print_by_lines(options, options.pair_file, _pairs, model.classify, _rows, CHUNK)
    else:
        pairs = [tuple(pair) for pair in options.pair or []]
        items = options.image or options.audio or options.text or pairs
        files = model.classify_images if options.image else None
        files = model.classify_sounds if options.audio else files
        classifications = (files or model.classify)(items)
        rows = [_rows(one, item)[0] for one, item in zip(classifications, items, strict=True)]
        print_result(options, classifications, rows)


def _rows(one: Any, item: Any) -> Rows:
    text = " | ".join(item) if isinstance(item, tuple) else str(item)
    return [(one.label, f"{one.score:.4f}", text)]


def _pairs(source: Path) -> Iterator[tuple[str, ...]]:
    for number, line in enumerate(read_lines(source), 1):
        pair = tuple(line.split("\t"))
        if len(pair) != 2:
            raise UsageError(
                f"{shown(source)}: line {number} has {len(pair) - 1} tabs; expected one, between "
                "two texts"
            )
        yield pair


def add(verbs: Any) -> None:
    """`classify` with its options."""
    command = on_bundle(verbs, "classify", classify, EXAMPLES)
    command.add_argument("text", nargs="*", help="texts")
    command.add_argument(
        "--pair",
        nargs=2,
        action="append",
        metavar=("TEXT", "TEXT"),
        help="two texts that are judged together",
    )
    command.add_argument("--image", metavar="FILE", nargs="+", help="image files")
    command.add_argument("--audio", metavar="FILE", nargs="+", help="sound files")
    command.add_argument("--file", metavar="FILE", help="a text file, one text per line")
    command.add_argument(
        "--pair-file", metavar="FILE", help="two texts per line, a tab between them"
    )
    command.add_argument("--json", action="store_true", help="print the result as JSON")
