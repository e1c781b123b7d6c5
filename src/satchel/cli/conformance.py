"""`satchel conformance`: what a bundle must answer, for other runtimes. Prints; knows no mathematics."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from satchel.cli.command import load, on_bundle
from satchel.cli.terminal import write_whole
from satchel.progress import bars
from satchel.runtime.errors import FidelityError, UsageError, shown

EXAMPLES = """
satchel conformance my-bundle cases.json
satchel conformance my-bundle --check cases.json
"""
MOST = 20  # failures that are printed


def conformance(options: argparse.Namespace) -> None:
    """what a bundle must answer, written for other runtimes or repeated"""
    from satchel.measure.conformance import case_file

    if (options.out is None) == (options.check is None):
        raise UsageError("give a file to write, or --check FILE, and one of them only")
    if options.fuzz is not None and options.fuzz < 0:
        raise UsageError(f"--fuzz {options.fuzz}; expected 0 or more")
    options.no_kernels = True  # another runtime has none of them
    if options.check is None:
        out = Path(options.out)
        _check_place(out, Path(options.bundle))
        fuzz = case_file.FUZZ if options.fuzz is None else options.fuzz
        content = case_file.make(load(options), fuzz, options.seed or case_file.SEED, bars)
        write_whole(out, case_file.written(content))
        kinds = len({case["kind"] for case in content["cases"]})
        print(f"{shown(str(out))[1:-1]}: {len(content['cases'])} cases of {kinds} kinds")
        return
    if options.fuzz is not None or options.seed is not None:
        raise UsageError("--fuzz and --seed are for writing cases, not for --check")
    content = case_file.read(options.check)
    _report(case_file.check(load(options), content, bars), content)


def _check_place(out: Path, bundle: Path) -> None:
    """Refuse what cannot be written, before any work."""
    if not out.parent.is_dir() or out.is_dir():
        raise UsageError(f"{shown(out)} is not a file in an existing folder")
    if out.resolve().is_relative_to(bundle.resolve()):
        raise UsageError(f"{shown(out)} lies inside the bundle: give another place")


def _report(outcome: Any, content: dict[str, Any]) -> None:
    from satchel.cli.report import plain, table

    rows = [
        (kind, str(count), str(outcome.failed[kind]), "FAILED" if outcome.failed[kind] else "ok")
        for kind, count in outcome.cases.items()
    ]
    print(table([("kind", "cases", "failed", ""), *rows]))
    if not outcome.bits:
        made = f"ONNX Runtime {content['onnxruntime']} on {content['processor']}"
        print(plain(f"note: the cases are of {made}: bits are not compared, near ties may differ"))
    for line in outcome.lines[:MOST]:
        print(plain(line))
    if outcome.lines:
        total = sum(outcome.cases.values())
        raise FidelityError(f"{len(outcome.lines)} of {total} cases failed", "CONFORMANCE")


def add(verbs: Any) -> None:
    """`conformance` with its options."""
    command = on_bundle(verbs, "conformance", conformance, EXAMPLES)
    command.add_argument("out", nargs="?", metavar="OUT", help="the file of cases to write")
    command.add_argument("--check", metavar="FILE", help="repeat the cases of FILE")
    command.add_argument("--fuzz", type=int, metavar="N", help="texts by chance (200)")
    command.add_argument("--seed", type=int, metavar="N", help="of what is by chance (0)")
