"""`satchel chat`: a conversation of several turns. Prints; knows no mathematics."""

from __future__ import annotations

import argparse
from typing import Any

from satchel.cli.command import load, on_bundle
from satchel.cli.generation_options import add_forms, add_options, chosen, form

EXAMPLES = """
satchel chat my-bundle
satchel chat my-bundle --system "Answer in one sentence." --temperature 0.7
"""


def chat(options: argparse.Namespace) -> None:
    """a conversation of several turns"""
    from satchel.cli.conversation import converse

    model = load(options)
    model.require("chat")
    settings = chosen(options, "chat") | {"stop": options.stop, "grammar": form(options)}
    converse(model, options.system, settings)


def add(verbs: Any) -> None:
    """`chat` with its options."""
    command = on_bundle(verbs, "chat", chat, EXAMPLES)
    command.add_argument("--system", metavar="TEXT", help="a system message to begin with")
    command.add_argument("--stop", nargs="+", metavar="TEXT", help="end at these")
    add_forms(command)
    add_options(command, "chat")
