"""`satchel entities`: spans of texts by labels of one's own. Prints; knows no mathematics."""

from __future__ import annotations

import argparse
import functools
from typing import Any

from satchel.cli.command import load, on_bundle
from satchel.cli.results import only_one_of
from satchel.cli.tokens import print_spans

EXAMPLES = """
satchel entities my-bundle "Ada Lovelace was born in London." --labels person,place
satchel entities my-bundle --file mails.txt --labels "order number,date" --threshold 0.3 --json
"""


def entities(options: argparse.Namespace) -> None:
    """spans of a text by labels of one's own"""
    only_one_of(options, "text", "file")
    labels = [label.strip() for label in options.labels.split(",") if label.strip()]
    settings = {
        "threshold": options.threshold,
        "flat": not options.nested,
        "multi_label": options.multi_label,
    }
    find = functools.partial(load(options).entities, labels=labels, **settings)
    print_spans(options, find)


def add(verbs: Any) -> None:
    """`entities` with its options."""
    command = on_bundle(verbs, "entities", entities, EXAMPLES)
    command.add_argument("text", nargs="?", help="one text")
    command.add_argument(
        "--labels", required=True, metavar="A,B", help="the labels, with commas between them"
    )
    command.add_argument(
        "--threshold", type=float, default=0.5, metavar="P", help="least score (0.5)"
    )
    command.add_argument("--nested", action="store_true", help="spans may lie within others")
    command.add_argument(
        "--multi-label", action="store_true", help="a span may have several labels"
    )
    command.add_argument("--file", metavar="FILE", help="a text file, one text per line")
    command.add_argument("--json", action="store_true", help="print the result as JSON")
