"""`satchel verify`: checksums, signatures and parity, again. Prints; knows no mathematics."""

from __future__ import annotations

import argparse
from typing import Any

from satchel.cli.command import load, on_bundle


def verify(options: argparse.Namespace) -> None:
    """checksums, graph signatures and parity, again"""
    from satchel.cli.report import table
    from satchel.measure import verification
    from satchel.runtime.errors import FidelityError

    model = load(options)
    rows = verification.verify(model)
    print(table([("check", "value", "limit", "")] + [row.cells() for row in rows]))
    failed = [row.words() for row in rows if not row.passed]
    if failed:
        raise FidelityError(f"{len(failed)} of {len(rows)} checks failed: {', '.join(failed)}")
    if not model.manifest.verified:
        print("note: this bundle was kept by --force although its export's checks failed")


def add(verbs: Any) -> None:
    """`verify` with its options."""
    on_bundle(verbs, "verify", verify, "satchel verify my-bundle")
