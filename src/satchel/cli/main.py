"""The command line: a table of verbs, each a function. Prints; knows no mathematics."""

from __future__ import annotations

import argparse
import errno
import io
import json
import signal
import sys
import traceback
import warnings
from pathlib import Path
from typing import Any

import satchel
from satchel.cli.command import VerbParser, add_verb, check_json, load, on_bundle, wrong_verb
from satchel.cli.encoders import add_verbs
from satchel.cli.main import export, quality, text, transcribe
from satchel.cli.terminal import open_closed_streams, write_whole
from satchel.progress import bars
from satchel.runtime.errors import SatchelError, StorageError, UsageError, install, shown
from satchel.runtime.task import TaskError

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


def inspect(options: argparse.Namespace) -> None:
    """what a bundle holds"""
    from satchel.cli.report import describe
    from satchel.runtime.bundle import manifest_text, open_bundle

    bundle = open_bundle(options.bundle, bars("checking files"))
    if options.json:
        print(manifest_text(bundle.folder), end="")
    else:
        print(describe(bundle))


def seal(options: argparse.Namespace) -> None:
    """accept a manifest that was edited by hand"""
    from satchel.cli.seal import seal as run

    if run(Path(options.bundle)):
        print(f"{options.bundle}: sealed")
    else:
        print(f"{options.bundle}: as it was written; nothing to do")


def verify(options: argparse.Namespace) -> None:
    """checksums, graph signatures and parity, again"""
    from satchel.cli.report import table
    from satchel.measure.verification import verify as run

    model = load(options)
    rows = run(model)
    print(table([("check", "value", "limit", "")] + [row.cells() for row in rows]))
    failed = [row.words() for row in rows if not row.passed]
    if failed:
        from satchel.runtime.errors import FidelityError

        raise FidelityError(f"{len(failed)} of {len(rows)} checks failed: {', '.join(failed)}")
    if not model.manifest.verified:
        print("note: this bundle was kept by --force although its export's checks failed")


def bench(options: argparse.Namespace) -> None:
    """load time, speed and memory"""
    from satchel.cli.report import table
    from satchel.measure.benchmark import measure, rows

    if options.json:
        check_json(Path(options.json))
    figures = measure(options.bundle, options.threads, options.repeats)
    print(table([("figure", "median", "min", "max"), *rows(figures)]))
    if options.profile_nodes:
        from satchel.measure.node_times import profile_nodes, tables

        figures["nodes"] = profile_nodes(options.bundle, options.threads)
        for heading, found in tables(figures["nodes"]):
            print(f"\n{heading}\n{table(found)}")
    if options.json:
        write_whole(Path(options.json), json.dumps(figures, indent=1) + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = VerbParser(prog="satchel", description=satchel.__doc__)
    parser.add_argument("--version", action="version", version=f"satchel {satchel.__version__}")
    verbs = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=VerbParser)
    export.add_export(verbs)
    text.add_generate(verbs)
    text.add_translate(verbs)
    text.add_chat(verbs)
    command = on_bundle(verbs, "inspect", inspect, "satchel inspect my-bundle")
    command.add_argument("--json", action="store_true", help="print the manifest")
    add_verbs(verbs)
    transcribe.add_verb(verbs)
    on_bundle(verbs, "verify", verify, "satchel verify my-bundle")
    command = add_verb(verbs, "seal", seal, "satchel seal my-bundle")
    command.add_argument("bundle", help="a folder made by satchel export")
    quality.add_verb(verbs)
    command = on_bundle(verbs, "bench", bench, "satchel bench my-bundle --json figures.json")
    command.add_argument("--json", metavar="FILE", help="also write the figures to FILE")
    command.add_argument("--repeats", type=int, default=5, metavar="N", help="runs per figure (5)")
    command.add_argument(
        "--profile-nodes",
        action="store_true",
        help="also where the time goes, by operator and node",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
