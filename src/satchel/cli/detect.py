"""`satchel detect`: the objects in images, with the boxes around them. Prints."""

from __future__ import annotations

import argparse
import dataclasses
from typing import Any

from satchel.cli.command import load, on_bundle
from satchel.cli.results import Rows, print_result
from satchel.cli.terminal import readable_json

EXAMPLES = """
satchel detect my-bundle photo.jpg
satchel detect my-bundle street/*.jpg --threshold 0.9 --json
"""


def detect(options: argparse.Namespace) -> None:
    """the objects in images, and the boxes around them"""
    model = load(options)
    for image in options.image:
        [found] = model.detect_objects([image], threshold=options.threshold)
        if options.json:
            objects = [dataclasses.asdict(one) for one in found]
            print(readable_json({"image": image, "objects": objects}))
            continue
        rows: Rows = [
            (one.label, f"{one.score:.4f}", *(f"{side:.1f}" for side in one.box), image)
            for one in found
        ]
        print_result(options, found, rows)


def add(verbs: Any) -> None:
    """`detect` with its options."""
    command = on_bundle(verbs, "detect", detect, EXAMPLES)
    command.add_argument("image", nargs="+", help="image files")
    command.add_argument(
        "--threshold", type=float, default=0.5, metavar="P", help="how sure at least (0.5)"
    )
    command.add_argument("--json", action="store_true", help="print a line of JSON per image")
