"""`satchel adapter`: an adapter of peft becomes one of a bundle. Prints; knows no mathematics."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from satchel.cli.command import add_verb, check_writable
from satchel.progress import bars
from satchel.runtime.errors import shown

EXAMPLES = """
satchel adapter path/to/checkpoint path/to/lora my-bundle my-style.adapter
"""


def adapter(options: argparse.Namespace) -> None:
    """an adapter that peft saved, for a bundle with open layers"""
    check_writable("OUT", Path(options.out))
    from satchel.packing.convert_lora import convert_lora

    made = convert_lora(
        options.source,
        options.lora,
        options.bundle,
        options.out,
        force=options.force,
        revision=options.revision,
        ignored_keys=options.ignore_config_key,
        stage=bars,
    )
    for check in made.checks:
        print(check.words())
    for note in made.notes:
        print(f"note: {note}")
    most = max(made.ranks.values(), default=0)
    print(f"{shown(options.out)}: {len(made.ranks)} layers, of rank {most} at most")


def add(verbs: Any) -> None:
    """`adapter` with its options."""
    command = add_verb(verbs, "adapter", adapter, EXAMPLES)
    command.add_argument("source", help="the checkpoint that the bundle was made of")
    command.add_argument("lora", help="a folder that peft saved")
    command.add_argument("bundle", help="a folder made by satchel export --adapters")
    command.add_argument("out", help="the file to write")
    command.add_argument("--force", action="store_true", help="keep an adapter whose checks fail")
    command.add_argument("--revision", metavar="NAME", help="branch, tag or commit of a hub id")
    command.add_argument(
        "--ignore-config-key",
        action="append",
        default=[],
        metavar="KEY",
        help="a key of config.json that does not change the mathematics",
    )
