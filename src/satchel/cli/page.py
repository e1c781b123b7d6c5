"""`satchel page`: what a page says whose words have boxes. Prints; knows no mathematics."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from satchel.cli.command import load, on_bundle
from satchel.cli.results import Rows, print_result
from satchel.cli.terminal import readable_json
from satchel.runtime.errors import StorageError, UsageError, shown

EXAMPLES = """
satchel page my-bundle form.json
satchel page my-bundle form.json --json
"""


def page(options: argparse.Namespace) -> None:
    """labels of words with boxes on a page, or of the page"""
    words, boxes = read_page(Path(options.file))
    model = load(options)
    task = model.manifest.task
    if task == "page-embed":
        print(readable_json([float(x) for x in model.embed_page(words, boxes)]))
        return
    rows: Rows
    if task == "page-classify":
        found = model.classify_page(words, boxes)
        ordered = sorted(found.scores.items(), key=lambda item: -item[1])
        rows = [(f"{score:.4f}", label) for label, score in ordered]
    else:
        found = model.label_words(words, boxes)
        rows = [(one.label, f"{one.score:.4f}", one.word) for one in found]
    print_result(options, found, rows)


def read_page(path: Path) -> tuple[list[Any], list[Any]]:
    """Words and boxes of a JSON file; UsageError where it is none. What they are is checked later."""
    try:
        content = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise StorageError(f"{shown(path)}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{shown(path)} is not JSON in UTF-8: {shown(error)}") from error
    wanted = '[{"text": "a word", "box": [left, top, right, bottom]}, ...]'
    if not isinstance(content, list):
        raise UsageError(f"{shown(path)}: expected {wanted}")
    for number, item in enumerate(content, 1):
        if not isinstance(item, dict) or item.keys() != {"text", "box"}:
            raise UsageError(f"{shown(path)}: word {number} is {shown(item)}; expected {wanted}")
    return [item["text"] for item in content], [item["box"] for item in content]


def add(verbs: Any) -> None:
    """`page` with its options."""
    command = on_bundle(verbs, "page", page, EXAMPLES)
    command.add_argument("file", help="a JSON file of words with boxes")
    command.add_argument("--json", action="store_true", help="print the result as JSON")
