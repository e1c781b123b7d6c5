"""`satchel bench`: load time, speed and memory of a bundle. Prints; knows no mathematics."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from satchel.cli.command import check_writable, on_bundle
from satchel.cli.terminal import write_whole


def bench(options: argparse.Namespace) -> None:
    """load time, speed and memory"""
    from satchel.cli.report import table
    from satchel.measure import benchmark

    if options.json:
        check_writable("--json", Path(options.json))
    figures = benchmark.measure(
        options.bundle, options.threads, options.repeats, not options.no_kernels
    )
    print(f"kernels: {figures['kernels']}")
    print(table([("figure", "median", "min", "max"), *benchmark.rows(figures)]))
    if options.profile_nodes:
        from satchel.measure.node_times import profile_nodes, tables

        figures["nodes"] = profile_nodes(options.bundle, options.threads, not options.no_kernels)
        for heading, rows in tables(figures["nodes"]):
            print(f"\n{heading}\n{table(rows)}")
    if options.json:
        write_whole(Path(options.json), json.dumps(figures, indent=1) + "\n")


def add(verbs: Any) -> None:
    """`bench` with its options."""
    command = on_bundle(verbs, "bench", bench, "satchel bench my-bundle --json figures.json")
    command.add_argument("--json", metavar="FILE", help="also write the figures to FILE")
    command.add_argument("--repeats", type=int, default=5, metavar="N", help="runs per figure (5)")
    command.add_argument(
        "--profile-nodes",
        action="store_true",
        help="also where the time goes, by operator and node",
    )
