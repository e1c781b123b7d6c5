"""What the verbs of the command line share: how options are read and refused, and loading a bundle."""

from __future__ import annotations

import argparse
import os
import textwrap
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

import satchel
from satchel.progress import bars
from satchel.runtime.errors import StorageError, UsageError, shown
from satchel.runtime.task import TASKS, TaskError

Verb = Callable[[argparse.Namespace], None]


class VerbParser(argparse.ArgumentParser):
    """Takes options anywhere between arguments: plain argparse refuses the text of
    ``embed OUT --window 3 TEXT``, since it has already given the texts nothing.

    What cannot be read is a UsageError of one line, with the name that may have been meant.
    """

    _again = False

    def __init__(self, *arguments: Any, examples: str = "", **settings: Any) -> None:
        if examples:
            settings["epilog"] = "examples:\n" + textwrap.indent(examples.strip(), "  ")
        settings.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(*arguments, **settings)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        if self._again or self._subparsers is not None:
            return super().parse_known_args(args, namespace)
        self._again = True
        try:
            options, unknown = self.parse_known_intermixed_args(args, namespace)
        finally:
            self._again = False
        if unknown:
            self._refuse(unknown[0])
        return options, unknown

    def _refuse(self, argument: str) -> NoReturn:
        """One argument too many, or an option that this verb does not have."""
        if not argument.startswith("-"):
            self.error(f"{shown(argument)} is an argument too many")
        name = argument.partition("=")[0]
        problem = f"{shown(name)} is no option of {self.prog}"
        if not (meant := _meant(name, self._option_string_actions)):
            self.error(problem)
        raise UsageError(problem + meant)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None:
            check_known("/".join(action.option_strings) or "command", value, action.choices)

    def error(self, message: str) -> NoReturn:
        """Raise UsageError in place of printing the usage and leaving."""
        raise UsageError(f"{message}; see {self.prog} --help")


def check_known(label: str, value: Any, choices: Iterable[Any]) -> None:
    """Raise UsageError, with what may have been meant, unless `value` is one of `choices`."""
    known = list(choices)
    if value not in known:
        names = [str(choice) for choice in known]
        raise UsageError(
            f"{label} {shown(value)} is unknown; known: {', '.join(names)}{_meant(str(value), names)}"
        )


def _meant(name: str, known: Iterable[str]) -> str:
    """The known name that a mistyped one is nearest to, as a question."""
    near = get_close_matches(name, list(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""


def on_bundle(verbs: Any, name: str, run: Verb, examples: str = "") -> argparse.ArgumentParser:
    """A verb whose first argument is a bundle; its help is the docstring of `run`."""
    command = add_verb(verbs, name, run, examples)
    command.add_argument("bundle", help="a folder made by satchel export")
    command.add_argument("--threads", type=int, metavar="N", help="default: the physical cores")
    command.add_argument(
        "--no-kernels", action="store_true", help="ONNX Runtime's own kernels, not satchel's"
    )
    return command


def add_verb(verbs: Any, name: str, run: Verb, examples: str = "") -> argparse.ArgumentParser:
    """A verb that calls `run`, whose docstring is its help; `examples` stand below the options."""
    command: argparse.ArgumentParser = verbs.add_parser(
        name, help=run.__doc__, description=run.__doc__, examples=examples
    )
    command.set_defaults(run=run)
    command.add_argument("--debug", action="store_true", help="show tracebacks")
    return command


def wrong_verb(error: TaskError) -> str:
    """A TaskError in the words of the command line."""
    verbs = " or ".join(f"satchel {command}" for command in TASKS[error.task].commands)
    return f"the bundle was made for {shown(error.task)}; use {verbs}"


def load(options: argparse.Namespace) -> Any:
    """The model of the verb's bundle, with its adapter where one is given."""
    model = _loaded(options, options.bundle)
    path = getattr(options, "adapter", None)
    if path is None:
        return model
    from satchel.runtime.adapter import check_open

    check_open(model.manifest)
    return model.adapted(path)


def add_adapter(command: argparse.ArgumentParser) -> None:
    """The adapter that a bundle's layers are given."""
    command.add_argument(
        "--adapter", metavar="FILE", help="what satchel adapter made: the bundle with that adapter"
    )


def add_draft(command: argparse.ArgumentParser) -> None:
    """The bundle of a smaller model that drafts."""
    command.add_argument(
        "--draft",
        metavar="OUT",
        help="a smaller bundle of the same tokenizer: the same text, in fewer steps of this one",
    )


def load_draft(options: argparse.Namespace) -> Any:
    """The model of --draft, or None."""
    return None if options.draft is None else _loaded(options, options.draft)


def _loaded(options: argparse.Namespace, folder: str) -> Any:
    return satchel.load(
        folder,
        threads=options.threads,
        kernels=not options.no_kernels,
        progress=bars("checking files"),
    )


def check_writable(flag: str, path: Path) -> None:
    """Raise StorageError, before the work, unless the file of an option can be written."""
    if not path.parent.is_dir() or path.is_dir():
        raise StorageError(f"{flag} {shown(path)}: not a file in an existing folder")
    beside = path if path.exists() and not path.is_file() else path.parent  # a pipe, or a new file
    if not os.access(beside, os.W_OK):
        raise StorageError(f"{flag} {shown(path)} cannot be written: permission denied")


def size(count: int) -> str:
    """Bytes as people read them: 63 KB, 4.1 MB, 145 MB."""
    if count < 1e6:
        return f"{max(1, round(count / 1e3))} KB"
    return f"{count / 1e6:.1f} MB" if count < 1e7 else f"{count / 1e6:.0f} MB"
