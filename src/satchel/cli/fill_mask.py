"""`satchel fill-mask`: the likeliest words for a masked place. Prints; knows no mathematics."""

from __future__ import annotations

import argparse
import functools
from typing import Any

from satchel.cli.command import load, on_bundle
from satchel.cli.results import Rows, only_one_of, print_by_lines, print_result
from satchel.lines import read_lines

EXAMPLES = """
satchel fill-mask my-bundle "Paris is the [MASK] of France."
"""


def fill_mask(options: argparse.Namespace) -> None:
    """the likeliest words for a masked place"""
    only_one_of(options, "text", "file")
    fill = functools.partial(load(options).fill_mask, top=options.top)
    if options.file:
        print_by_lines(options, options.file, read_lines, lambda lines: [fill(lines[0])], _rows)
    else:
        filled = fill(options.text)
        print_result(options, filled, _rows(filled, options.text))


def _rows(filled: Any, text: str) -> Rows:
    return [(one.token, f"{one.score:.4f}", one.text) for one in filled]


def add(verbs: Any) -> None:
    """`fill-mask` with its options."""
    command = on_bundle(verbs, "fill-mask", fill_mask, EXAMPLES)
    command.add_argument("text", nargs="?", help="one text")
    command.add_argument("--file", metavar="FILE", help="a text file, one text per line")
    command.add_argument("--top", type=int, default=5, metavar="N", help="words (5)")
    command.add_argument("--json", action="store_true", help="print the result as JSON")
