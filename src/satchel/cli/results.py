"""Results as a table, as JSON, or line by line of a file: what the verbs of encoders share. Prints."""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from satchel.cli.report import plain, table
from satchel.cli.terminal import readable_json
from satchel.lines import count_lines
from satchel.progress import bars, quiet
from satchel.runtime.errors import UsageError, shown

Rows = list[tuple[str, ...]]  # of a table
BARE = {"text": "a text", "passage": "a passage"}  # arguments without a flag
CHUNK = 64  # lines of a file that are read at once


def print_result(options: argparse.Namespace, result: Any, rows: Rows) -> None:
    """A table whose last column is text, or the result as JSON."""
    if options.json:
        print(_json(result))
    elif rows:
        for line, row in zip(table([row[:-1] for row in rows]).splitlines(), rows, strict=True):
            print(f"{line}  {one_line(row[-1])}".rstrip())


def print_by_lines(
    options: argparse.Namespace,
    name: str,
    read: Callable[[Path], Iterator[Any]],
    run: Callable[[list[Any]], list[Any]],
    rows: Callable[[Any, Any], Rows],
    size: int = 1,
) -> None:
    """Print what `run` makes of the lines that `read` gives of a file, `size` at once, as it comes.

    With --json one value per line; else a line's number and its rows' cells, with tabs between them.
    """
    source = Path(name)
    count, _ = count_lines(source)
    items = read(source)
    stage = bars if not sys.stdout.isatty() else quiet
    for start in stage("reading lines")(range(0, count, size)):
        chunk = list(itertools.islice(items, size))
        try:
            results = run(chunk)
        except UsageError as error:
            where = f"line {start + 1}" + (f" to {start + len(chunk)}" if len(chunk) > 1 else "")
            raise UsageError(f"{shown(source)}: {where}: {error}", error.code) from error
        for number, (item, result) in enumerate(zip(chunk, results, strict=True), start + 1):
            if options.json:
                print(_json(result))
                continue
            for row in rows(result, item):
                print("\t".join((str(number), *map(one_line, row))))


def only_one_of(options: argparse.Namespace, *names: str) -> None:
    given = [name for name in names if getattr(options, name) not in (None, [])]
    if len(given) != 1:
        flags = [name.replace("_", "-") for name in names]
        wanted = " or ".join(BARE.get(flag, f"--{flag}") for flag in flags)
        raise UsageError(f"give {wanted}, and one of them only")


def _json(result: Any) -> str:
    plain = [dataclasses.asdict(one) for one in result] if isinstance(result, list) else None
    return readable_json(dataclasses.asdict(result) if plain is None else plain)


def one_line(text: str) -> str:
    return plain(" ".join(text.split()))
