"""`satchel tokens`: labelled spans of texts. Prints; knows no mathematics."""

from __future__ import annotations

import argparse
import functools
from collections.abc import Callable
from typing import Any

from satchel.cli.command import load, on_bundle
from satchel.cli.results import CHUNK, Rows, only_one_of, print_by_lines, print_result
from satchel.lines import read_lines

EXAMPLES = """
satchel tokens my-bundle "Ada Lovelace was born in London."
"""


def tokens(options: argparse.Namespace) -> None:
    """labelled spans of a text"""
    only_one_of(options, "text", "file")
    print_spans(options, functools.partial(load(options).tokens, window=options.window))


def print_spans(options: argparse.Namespace, find: Callable[..., Any]) -> None:
    """What `find` finds in the text or in the lines of the file."""
    if options.file:
        print_by_lines(options, options.file, read_lines, find, _rows, CHUNK)
    else:
        spans = find(options.text)
        print_result(options, spans, _rows(spans, options.text))


def _rows(spans: Any, text: str) -> Rows:
    return [(one.label, f"{one.score:.4f}", f"{one.start}-{one.end}", one.text) for one in spans]


def add(verbs: Any) -> None:
    """`tokens` with its options."""
    command = on_bundle(verbs, "tokens", tokens, EXAMPLES)
    command.add_argument("text", nargs="?", help="one text")
    command.add_argument("--file", metavar="FILE", help="a text file, one text per line")
    command.add_argument(
        "--window", type=int, metavar="N", help="split long texts; tokens that overlap"
    )
    command.add_argument("--json", action="store_true", help="print the result as JSON")
