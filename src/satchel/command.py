"""What the verbs of the command line share: their options for a bundle, and loading it."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import satchel
from satchel.progress import bars
from satchel.runtime.errors import StorageError, shown

Verb = Callable[[argparse.Namespace], None]


class VerbParser(argparse.ArgumentParser):
    """Takes options anywhere between arguments: plain argparse refuses the text of
    ``embed OUT --window 3 TEXT``, since it has already given the texts nothing."""

    _again = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        if self._again:  # by the method below
            return super().parse_known_args(args, namespace)
        self._again = True
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._again = False


def on_bundle(verbs: Any, name: str, run: Verb) -> argparse.ArgumentParser:
    """A verb whose first argument is a bundle; its help is the docstring of `run`."""
    command: argparse.ArgumentParser = verbs.add_parser(name, help=run.__doc__)
    command.set_defaults(run=run)
    command.add_argument("bundle", help="a folder made by satchel export")
    command.add_argument("--threads", type=int, help="default: the physical cores")
    debug(command)
    return command


def debug(command: argparse.ArgumentParser) -> None:
    """The option that every verb has."""
    command.add_argument("--debug", action="store_true", help="show tracebacks")


def load(options: argparse.Namespace) -> Any:
    """The model of the verb's bundle."""
    return satchel.load(options.bundle, threads=options.threads, progress=bars("checking files"))


def check_json(path: Path) -> None:
    """Raise StorageError, before the work, unless the file of --json can be written."""
    if not path.parent.is_dir() or path.is_dir():
        raise StorageError(f"--json {shown(path)}: not a file in an existing folder")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise StorageError(f"--json {shown(path)} cannot be written: permission denied")
