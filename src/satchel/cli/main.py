"""The command line: a table of verbs, each a module. Prints; knows no mathematics."""

from __future__ import annotations

import argparse
import errno
import io
import signal
import sys
import traceback
import warnings
from typing import Any

import satchel
from satchel.cli import (
    answer,
    bench,
    chat,
    classify,
    conformance,
    depth,
    detect,
    each_token,
    embed,
    entities,
    export,
    fill_mask,
    generate,
    inspect,
    make_adapter,
    page,
    quality,
    rank,
    read,
    seal,
    segment,
    serve,
    tokens,
    transcribe,
    translate,
    verify,
    zero_shot,
)
from satchel.cli.command import VerbParser, wrong_verb
from satchel.cli.terminal import open_closed_streams
from satchel.runtime.errors import SatchelError, StorageError, UsageError, install, shown
from satchel.runtime.task import TaskError

VERBS = (  # in the order of --help
    export,
    generate,
    translate,
    chat,
    inspect,
    embed,
    each_token,
    classify,
    segment,
    depth,
    detect,
    zero_shot,
    tokens,
    page,
    entities,
    answer,
    fill_mask,
    rank,
    transcribe,
    read,
    make_adapter,
    serve,
    verify,
    seal,
    quality,
    bench,
    conformance,
)
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status. Errors are one line on stderr."""
    open_closed_streams()
    try:
        options = _parser().parse_args(arguments)
    except UsageError as error:
        return _fail(error, debug=False)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal may not know every character
            stream.reconfigure(errors="replace")
    signal.signal(signal.SIGTERM, _terminate)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _warn  # type: ignore[assignment]
            options.run(options)
    except SatchelError as error:
        return _fail(error, options.debug)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader of a pipe has had enough
        sys.stderr.close()
        return 0
    except OSError as error:  # files are named by who writes them
        nameless = "standard output" if error.errno in FULL else "reading or writing"
        name = shown(error.filename) if error.filename else nameless
        if error.errno is None:  # not of a file: a library that another loads by its path
            name = "cannot load a library"
        return _fail(StorageError(f"{name}: {error.strerror or error}"), options.debug)
    except ModuleNotFoundError as error:
        hint = f"{error.name} is not installed; exporting needs: {install('export')}"
        return _fail(UsageError(hint), options.debug)
    except ImportError as error:  # a library that cannot be mapped, as where memory is short
        problem = f"cannot load {shown(error.name or 'a library')}: {shown(error)}"
        return _fail(StorageError(problem), options.debug)
    except MemoryError:
        print("error[OUT_OF_MEMORY]: not enough memory", file=sys.stderr)
        return 6
    return 0


def _fail(error: SatchelError, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    problem = wrong_verb(error) if isinstance(error, TaskError) else error
    print(f"error[{error.code}]: {problem}", file=sys.stderr)
    return error.exit_status


def _warn(message: Warning | str, *where: Any) -> None:
    print(f"warning: {message}", file=sys.stderr)


def _terminate(number: int, frame: Any) -> None:
    raise SystemExit(128 + number)  # so that a half-made bundle is removed on the way out


def _parser() -> argparse.ArgumentParser:
    parser = VerbParser(prog="satchel", description=satchel.__doc__)
    parser.add_argument("--version", action="version", version=f"satchel {satchel.__version__}")
    verbs = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=VerbParser)
    for verb in VERBS:
        verb.add(verbs)
    return parser


if __name__ == "__main__":
    sys.exit(main())
