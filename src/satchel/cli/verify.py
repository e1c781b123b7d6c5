"""`satchel verify`: checksums, signatures and parity, again. Prints; knows no mathematics."""

from __future__ import annotations

import argparse
import dataclasses
from typing import Any

from satchel.cli.command import load, on_bundle


def verify(options: argparse.Namespace) -> None:
    """checksums, graph signatures and parity, again"""
    from satchel.cli.report import table
    from satchel.measure import verification
    from satchel.runtime.errors import FidelityError
    from satchel.runtime.kernels import installed

    model = load(options)
    rows = verification.verify(model)
    if not options.no_kernels and installed():
        # The bundle may run without the package too.
        options.no_kernels = True
        own = [dataclasses.replace(row, name=f"{row.name}, own kernels") for row in rows[2:]]
        rows = verification.verify(load(options)) + own
    print(table([("check", "value", "limit", "")] + [row.cells() for row in rows]))
    failed = [row.words() for row in rows if not row.passed]
    if failed:
        raise FidelityError(f"{len(failed)} of {len(rows)} checks failed: {', '.join(failed)}")
    if not model.manifest.verified:
        print("note: this bundle was kept by --force although its export's checks failed")


def add(verbs: Any) -> None:
    """`verify` with its options."""
    on_bundle(verbs, "verify", verify, "satchel verify my-bundle")
