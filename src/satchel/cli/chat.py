"""`satchel chat`: a conversation of several turns. Prints; knows no mathematics."""

from __future__ import annotations

import argparse
from typing import Any

from satchel.cli.command import load, on_bundle
from satchel.cli.generation_options import add_options, chosen

EXAMPLES = """
satchel chat my-bundle
satchel chat my-bundle --system "Answer in one sentence." --temperature 0.7
"""


def chat(options: argparse.Namespace) -> None:
    """a conversation of several turns"""
    from satchel.cli.conversation import converse

    model = load(options)
    model.require("chat")
    converse(model, options.system, chosen(options, "chat") | {"stop": options.stop})


def add(verbs: Any) -> None:
    """`chat` with its options."""
    command = on_bundle(verbs, "chat", chat, EXAMPLES)
    command.add_argument("--system", metavar="TEXT", help="a system message to begin with")
    command.add_argument("--stop", nargs="+", metavar="TEXT", help="end at these")
    add_options(command, "chat")
