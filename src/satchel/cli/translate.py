"""`satchel translate`: standard input into another language. Prints; knows no mathematics."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from satchel.cli.command import load, on_bundle
from satchel.cli.generation_options import add_options, chosen
from satchel.cli.terminal import readable
from satchel.lines import piped_lines
from satchel.progress import bars

EXAMPLES = "satchel translate my-bundle --source-lang en --target-lang de < in.txt > out.txt"


def translate(options: argparse.Namespace) -> None:
    """standard input into another language, line by line"""
    from satchel.cli.translation import translate_lines

    model = load(options)
    model.require("translate")
    settings = chosen(options, "translate") | {"stop": options.stop}
    lines = translate_lines(
        model,
        piped_lines(sys.stdin.buffer),
        options.source_lang,
        options.target_lang,
        bars,
        **settings,
    )
    for line in lines:
        sys.stdout.buffer.write(readable(line).encode("utf-8") + b"\n")
        sys.stdout.buffer.flush()


def add(verbs: Any) -> None:
    """`translate` with its options."""
    command = on_bundle(verbs, "translate", translate, EXAMPLES)
    command.add_argument(
        "--source-lang", metavar="NAME", help="of the input, as the checkpoint names it"
    )
    command.add_argument("--target-lang", metavar="NAME", help="of the output, likewise")
    command.add_argument("--stop", nargs="+", metavar="TEXT", help="end at these")
    add_options(command, "translate")
