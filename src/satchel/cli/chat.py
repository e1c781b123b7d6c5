"""`satchel chat`: a conversation of several turns. Prints; knows no mathematics."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from satchel.cli.command import add_adapter, add_draft, check_writable, load, load_draft, on_bundle
from satchel.cli.generation_options import add_forms, add_options, chosen, form

EXAMPLES = """
satchel chat my-bundle
satchel chat my-bundle --system "Answer in one sentence." --temperature 0.7
satchel chat my-bundle --session talk.kept
"""


def chat(options: argparse.Namespace) -> None:
    """a conversation of several turns"""
    from satchel.cli.chat_file import ChatFile
    from satchel.cli.conversation import converse

    path = None if options.session is None else Path(options.session)
    if path is not None:
        check_writable("--session", path)
    model = load(options)
    model.require("chat")
    settings = chosen(options, "chat") | {"stop": options.stop, "grammar": form(options)}
    settings["draft"] = load_draft(options)
    converse(model, ChatFile(model, path, options.system), settings)


def add(verbs: Any) -> None:
    """`chat` with its options."""
    command = on_bundle(verbs, "chat", chat, EXAMPLES)
    command.add_argument("--system", metavar="TEXT", help="a system message to begin with")
    command.add_argument("--stop", nargs="+", metavar="TEXT", help="end at these")
    command.add_argument(
        "--session", metavar="FILE", help="go on with the conversation of FILE, and keep it there"
    )
    add_adapter(command)
    add_draft(command)
    add_forms(command)
    add_options(command, "chat")
