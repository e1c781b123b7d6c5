"""The options of a generation on the command line, as `runtime/options.py` declares them."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from satchel.runtime.errors import StorageError, shown
from satchel.runtime.options import ABOUT, WRITING, About

if TYPE_CHECKING:
    from satchel.runtime.grammar import Grammar

PARTS = {"sampling": "sampling", "beams": "beam search", "": "of every way to choose"}
METAVARS = {int: "N", float: "X", str: "WORD", object: "JSON"}


def add_options(command: argparse.ArgumentParser, method: str) -> None:
    """Every option that `method` takes, and how long its texts may be and where they end."""
    bound = "512" if method in WRITING else "what fits a window"
    command.add_argument(
        "--max-new-tokens", type=int, default=..., metavar="N",
        help=f"end after N tokens; default: what the bundle recommends, or {bound}",
    )  # fmt: skip
    groups = {part: command.add_argument_group(title) for part, title in PARTS.items()}
    for name, about in ABOUT.items():
        if method in about.methods:
            groups[about.part].add_argument(
                "--" + name.replace("_", "-"), help=about.help, **_settings(about)
            )


def add_forms(command: argparse.ArgumentParser) -> None:
    """The forms that a text may be kept to."""
    forms = command.add_argument_group("form of the text (needs llguidance)")
    one = forms.add_mutually_exclusive_group()
    one.add_argument("--json-schema", metavar="FILE", help="JSON that fits this schema")
    one.add_argument("--regex", metavar="R", help="a text that matches as a whole")
    one.add_argument("--grammar", metavar="FILE", help="a text of this Lark grammar")


def form(options: argparse.Namespace) -> Grammar | None:
    """What the user said of the form."""
    from satchel.runtime.grammar import Grammar  # needs numpy, which --help does not

    if options.regex is not None:
        return Grammar.regex(options.regex)
    if options.json_schema is not None:
        return Grammar.json_schema(_file("--json-schema", options.json_schema))
    return None if options.grammar is None else Grammar.lark(_file("--grammar", options.grammar))


def _file(flag: str, path: str) -> str:
    try:
        return Path(path).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StorageError(f"{flag} {shown(path)} cannot be read: {shown(error)}") from None


def chosen(options: argparse.Namespace, method: str) -> dict[str, Any]:
    """What the user said of the options that `method` takes, and of the length of its texts."""
    taken = (name for name, about in ABOUT.items() if method in about.methods)
    given = {name: value for name in taken if (value := getattr(options, name)) is not None}
    if options.max_new_tokens is not ...:
        given["max_new_tokens"] = options.max_new_tokens
    return given


def _settings(about: About) -> dict[str, Any]:
    """What argparse is told of an option."""
    kind = about.rule.read_as
    if kind is bool:
        return {"action": argparse.BooleanOptionalAction}
    read = {str: _word, object: _json}.get(kind, kind)
    return {"type": read, "metavar": METAVARS[kind]}


def _word(text: str) -> bool | str:
    """A word; true and false are what they say."""
    return {"true": True, "false": False}.get(text, text)


def _json(text: str) -> Any:
    """A value as JSON, in which the keys of objects are ids."""
    try:
        return json.loads(text, object_pairs_hook=lambda pairs: {int(k): v for k, v in pairs})
    except (ValueError, RecursionError):
        raise argparse.ArgumentTypeError(
            f'{text!r} is not JSON, as [1, 2] or {{"1": 0.5}}'
        ) from None
