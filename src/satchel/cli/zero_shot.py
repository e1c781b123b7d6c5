"""`satchel zero-shot`: texts by labels of one's own. Prints; knows no mathematics."""

from __future__ import annotations

import argparse
import functools
from typing import Any

from satchel.cli.command import load, on_bundle
from satchel.cli.results import CHUNK, Rows, only_one_of, print_by_lines, print_result
from satchel.lines import read_lines

EXAMPLES = """
satchel zero-shot my-bundle "The new phone is out." --labels politics,science,technology
satchel zero-shot my-bundle --file mails.txt --labels "urgent,spam" --multi-label
satchel zero-shot my-bundle "Das Spiel ging verloren." --labels Sport,Kultur --template "Es geht um {}."
"""


def zero_shot(options: argparse.Namespace) -> None:
    """texts by labels of one's own, with a classifier of inference"""
    only_one_of(options, "text", "file")
    labels = [label.strip() for label in options.labels.split(",") if label.strip()]
    settings = {"multi_label": options.multi_label}
    if options.template is not None:
        settings["template"] = options.template
    judge = functools.partial(load(options).zero_shot, labels=labels, **settings)
    if options.file:
        print_by_lines(options, options.file, read_lines, judge, _rows, CHUNK)
    else:
        judged = judge(options.text)
        rows = [
            row for one, text in zip(judged, options.text, strict=True) for row in _rows(one, text)
        ]
        print_result(options, judged, rows)


def _rows(one: Any, text: str) -> Rows:
    return [(label, f"{score:.4f}", text) for label, score in one.scores.items()]


def add(verbs: Any) -> None:
    """`zero-shot` with its options."""
    command = on_bundle(verbs, "zero-shot", zero_shot, EXAMPLES)
    command.add_argument("text", nargs="*", help="texts")
    command.add_argument(
        "--labels", required=True, metavar="A,B", help="the labels, with commas between them"
    )
    command.add_argument(
        "--template", metavar="TEXT", help='what is asked, {} for a label ("This example is {}.")'
    )
    command.add_argument(
        "--multi-label", action="store_true", help="each label by itself: several may be right"
    )
    command.add_argument("--file", metavar="FILE", help="a text file, one text per line")
    command.add_argument("--json", action="store_true", help="print the result as JSON")
