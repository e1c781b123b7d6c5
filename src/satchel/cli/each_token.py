"""`satchel token-vectors`: a vector of every token of texts. Prints; knows no mathematics."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from satchel.cli.command import load, on_bundle
from satchel.cli.results import only_one_of
from satchel.lines import count_lines, read_lines

EXAMPLES = """
satchel token-vectors my-colbert "a passage" "another"
satchel token-vectors my-colbert --kind query "what is looked for"
"""


def token_vectors(options: argparse.Namespace) -> None:
    """a vector of every token of texts: a line of JSON per text"""
    only_one_of(options, "text", "file")
    texts = options.text
    if options.file:
        count_lines(Path(options.file))
        texts = read_lines(Path(options.file))
    model = load(options)
    for text in texts:
        vectors = model.token_vectors(text, kind=options.kind, prompt=options.prompt)
        print(json.dumps([[round(float(number), 6) for number in row] for row in vectors]))


def add(verbs: Any) -> None:
    """`token-vectors` with its options."""
    command = on_bundle(verbs, "token-vectors", token_vectors, EXAMPLES)
    command.add_argument("text", nargs="*", help="texts")
    command.add_argument("--file", metavar="FILE", help="a text file, one text per line")
    command.add_argument(
        "--kind", choices=("query", "document"), default="document", help="what they are (document)"
    )
    command.add_argument(
        "--prompt", metavar="NAME", help="a prompt of the bundle in place of the usual one"
    )
