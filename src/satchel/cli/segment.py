"""`satchel segment`: the labels of an image's places. Prints, and writes maps."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from satchel.cli.command import load, on_bundle
from satchel.cli.maps import folder_of, targets
from satchel.cli.results import Rows, print_result
from satchel.cli.terminal import readable_json

if TYPE_CHECKING:
    from satchel.runtime.areas import Areas

EXAMPLES = """
satchel segment my-bundle photo.jpg
satchel segment my-bundle street/*.jpg --out maps --json
"""


def segment(options: argparse.Namespace) -> None:
    """the labels of an image's places, and how much each covers"""
    files = targets(options.image, options.out, ".png")
    model = load(options)
    folder_of(options.out)
    for image, target in zip(options.image, files, strict=True):
        [areas] = model.segment_images([image])
        if target is not None:
            _write(areas, target)
        shares = areas.shares()
        if options.json:
            place = {"map": str(target)} if target is not None else {}
            print(readable_json({"image": image, **place, "shares": shares}))
        else:
            rows: Rows = [(name, f"{share:.4f}", image) for name, share in shares.items()]
            print_result(options, areas, rows)


def _write(areas: Areas, target: Path) -> None:
    """A grey image whose levels are the places of labels."""
    from PIL import Image  # without it no file would have been read

    levels = "uint8" if len(areas.labels) <= 1 << 8 else "uint16"
    Image.fromarray(areas.places.astype(levels)).save(target)


def add(verbs: Any) -> None:
    """`segment` with its options."""
    command = on_bundle(verbs, "segment", segment, EXAMPLES)
    command.add_argument("image", nargs="+", help="image files")
    command.add_argument(
        "--out", metavar="FOLDER", help="write a PNG per image, whose levels are places of labels"
    )
    command.add_argument("--json", action="store_true", help="print a line of JSON per image")
