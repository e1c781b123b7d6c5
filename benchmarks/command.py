"""What the comparison commands share of their command lines: options, and where results go."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from comparison import split
from environment import HOME

from satchel.runtime.errors import SatchelError, install
from satchel.runtime.kernels import installed


def parser(
    description: str | None, rounds: str, compares: bool = True, loads: bool = True
) -> argparse.ArgumentParser:
    """Options that mean the same everywhere; `rounds` says what there are 7 of.

    Only what `compares` entrants can be drawn, and what `loads` starts fresh processes.
    """
    result = argparse.ArgumentParser(description=description)
    result.add_argument("--threads", type=count, default=2, help="of every engine (2)")
    result.add_argument("--rounds", type=count, default=7, help=f"samples of {rounds} (7)")
    if loads:
        result.add_argument(
            "--fresh-rounds", type=count, default=3, help="samples of loading and memory (3)"
        )
    result.add_argument("--home", type=Path, default=HOME, help="where peers are kept (.bench)")
    result.add_argument("--json", type=Path, metavar="FILE", help="also write everything to FILE")
    result.add_argument(
        "--markdown", type=Path, metavar="FILE", help="also write the tables to FILE"
    )
    if compares:
        result.add_argument(
            "--pictures", type=Path, metavar="FOLDER", help="also draw it, into FOLDER"
        )
    else:
        result.set_defaults(pictures=None)
    result.add_argument("--quick", action="store_true", help="few rounds: only whether it works")
    return result


def parsed(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """The options; ends with a line where a result could not be written."""
    options = parser.parse_args()
    if options.quick:
        options.fresh_rounds = 1
    for path in (options.json, options.markdown):
        if path and not path.parent.is_dir():
            parser.error(f"{path}: there is no folder {path.parent}")
    try:
        installed()
    except SatchelError as error:
        parser.error(str(error))
    if options.pictures:
        check_pictures(parser, options.pictures)
    return options


def check_pictures(parser: argparse.ArgumentParser, folder: Path) -> None:
    """Ends with a line where pictures could not be drawn into a folder."""
    if not folder.parent.is_dir() or folder.is_file():
        parser.error(f"{folder}: not a folder, nor a new one in a folder")
    if not find_spec("matplotlib"):
        parser.error(f"pictures need matplotlib: {install('bench')}")


def count(text: str) -> int:
    """A whole number from 1, as argparse wants its types."""
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def publish(
    options: argparse.Namespace, page: str, result: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    """Print the tables, and write what the options name; `result` is given what was chosen."""
    print(page)
    if options.markdown:
        options.markdown.write_text(page + "\n", "utf-8")
    if not options.json and not options.pictures:
        return
    conditions = {name: getattr(options, name) for name in ("threads", "rounds", "quick")}
    made = result(conditions)
    if options.json:
        options.json.write_text(json.dumps(made, indent=1) + "\n", "utf-8")
    if options.pictures:
        import pictures

        pictures.draw(split(made), options.pictures)
