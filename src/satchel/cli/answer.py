"""`satchel answer`: the part of a context that answers a question. Prints; knows no mathematics."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from satchel.cli.command import load, on_bundle
from satchel.cli.results import Rows, only_one_of, print_by_lines, print_result
from satchel.lines import read_lines
from satchel.runtime.errors import StorageError, UsageError, shown

EXAMPLES = """
satchel answer my-bundle --question "Who wrote it?" --context page.txt --top 3
"""


def answer(options: argparse.Namespace) -> None:
    """the part of a context that answers a question"""
    only_one_of(options, "question", "file")
    context, model = _read(Path(options.context)), load(options)

    def find(question: str) -> Any:
        if options.top is None:
            return model.answer(question, context)
        return model.answers(question, context, top=options.top)

    if options.file:
        print_by_lines(options, options.file, read_lines, lambda lines: [find(lines[0])], _rows)
    else:
        answers = find(options.question)
        print_result(options, answers, _rows(answers, options.question))


def _rows(answers: Any, question: str) -> Rows:
    every = answers if isinstance(answers, list) else [answers]
    return [
        (
            f"{one.score:.4f}",
            f"{one.start}-{one.end}" if one.text else "",
            one.text or "(no answer)",
        )
        for one in every
    ]


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"{shown(path)} is not UTF-8", "PROMPT_ENCODING") from None
    except IsADirectoryError:
        raise StorageError(f"{shown(path)} is a folder, not a file") from None


def add(verbs: Any) -> None:
    """`answer` with its options."""
    command = on_bundle(verbs, "answer", answer, EXAMPLES)
    command.add_argument("--question", metavar="TEXT", help="what is asked")
    command.add_argument("--file", metavar="FILE", help="questions, one per line")
    command.add_argument("--context", metavar="FILE", required=True, help="a text file")
    command.add_argument("--top", type=int, metavar="N", help="the N likeliest, among them none")
    command.add_argument("--json", action="store_true", help="print the result as JSON")
