"""`satchel inspect`: what a bundle holds. Prints; knows no mathematics."""

from __future__ import annotations

import argparse
from typing import Any

from satchel.cli.command import on_bundle
from satchel.progress import bars


def inspect(options: argparse.Namespace) -> None:
    """what a bundle holds"""
    from satchel.cli.report import describe
    from satchel.runtime.bundle import manifest_text, open_bundle

    bundle = open_bundle(options.bundle, bars("checking files"))
    if options.json:
        print(manifest_text(bundle.folder), end="")
    else:
        print(describe(bundle))


def add(verbs: Any) -> None:
    """`inspect` with its options."""
    command = on_bundle(verbs, "inspect", inspect, "satchel inspect my-bundle")
    command.add_argument("--json", action="store_true", help="print the manifest")
