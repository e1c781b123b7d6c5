"""`satchel depth`: how far away the pixels of an image are. Prints, and writes maps."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from satchel.cli.command import load, on_bundle
from satchel.cli.maps import folder_of, targets
from satchel.cli.results import Rows, print_result
from satchel.cli.terminal import readable_json
from satchel.runtime.errors import UsageError

EXAMPLES = """
satchel depth my-bundle photo.jpg
satchel depth my-bundle rooms/*.jpg --out maps
satchel depth my-bundle photo.jpg --out maps --npy --json
"""
LEVELS = (1 << 16) - 1  # of a grey image


def depth(options: argparse.Namespace) -> None:
    """how far away the pixels of an image are"""
    if options.npy and options.out is None:
        raise UsageError("--npy says how --out FOLDER is written; give that too")
    files = targets(options.image, options.out, ".npy" if options.npy else ".png")
    model = load(options)
    folder_of(options.out)
    for image, target in zip(options.image, files, strict=True):
        [found] = model.estimate_depth([image])
        if target is not None:
            _write(found, target)
        least, greatest = float(found.min()), float(found.max())
        if options.json:
            place = {"map": str(target)} if target is not None else {}
            print(readable_json({"image": image, **place, "least": least, "greatest": greatest}))
        else:
            rows: Rows = [(f"{least:.4f}", f"{greatest:.4f}", image)]
            print_result(options, found, rows)


def _write(found: Any, target: Path) -> None:
    """The numbers themselves, or a grey image from the least of them to the greatest."""
    import numpy as np

    if target.suffix == ".npy":
        np.save(target, found)
        return
    from PIL import Image  # without it no file would have been read

    spread = float(found.max() - found.min()) or 1.0
    levels = np.rint((found - found.min()) / np.float64(spread) * LEVELS)
    Image.fromarray(levels.astype(np.uint16)).save(target)


def add(verbs: Any) -> None:
    """`depth` with its options."""
    command = on_bundle(verbs, "depth", depth, EXAMPLES)
    command.add_argument("image", nargs="+", help="image files")
    command.add_argument(
        "--out", metavar="FOLDER", help="write a PNG per image, black for the least number"
    )
    command.add_argument(
        "--npy", action="store_true", help="with --out, write float32 .npy files in place of PNG"
    )
    command.add_argument("--json", action="store_true", help="print a line of JSON per image")
