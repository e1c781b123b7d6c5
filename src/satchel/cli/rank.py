"""`satchel rank`: passages by how well they answer a query. Prints; knows no mathematics."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from satchel.cli.command import load, on_bundle
from satchel.cli.results import Rows, only_one_of, print_result
from satchel.lines import count_lines, read_lines

EXAMPLES = """
satchel rank my-bundle --query "what is ONNX" --file passages.txt
"""


def rank(options: argparse.Namespace) -> None:
    """passages by how well they answer a query"""
    only_one_of(options, "passage", "file")
    passages = options.passage
    if options.file:
        count_lines(Path(options.file))
        passages = list(read_lines(Path(options.file)))
    ranked = load(options).rank(options.query, passages, prompt=options.prompt)
    rows: Rows = [(str(one.index), f"{one.score:.4f}", passages[one.index]) for one in ranked]
    print_result(options, ranked, rows)


def add(verbs: Any) -> None:
    """`rank` with its options."""
    command = on_bundle(verbs, "rank", rank, EXAMPLES)
    command.add_argument("--query", required=True, metavar="TEXT", help="what is looked for")
    command.add_argument("passage", nargs="*", help="the texts to order")
    command.add_argument("--file", metavar="FILE", help="passages, one per line")
    command.add_argument("--prompt", help="a prompt of the bundle to put before the query")
    command.add_argument("--json", action="store_true", help="print the result as JSON")
