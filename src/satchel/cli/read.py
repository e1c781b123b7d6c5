"""`satchel read`: the texts of images. Prints; knows no image."""

from __future__ import annotations

import argparse
import dataclasses
from typing import Any

from satchel.cli.command import load, on_bundle
from satchel.cli.generation_options import add_options, chosen
from satchel.cli.terminal import readable, readable_json

EXAMPLES = """
satchel read my-bundle line.png
satchel read my-bundle scans/*.png --num-beams 4 --json
satchel read my-bundle receipt.jpg --prompt "<s_cord-v2>" --special-tokens
"""


def read(options: argparse.Namespace) -> None:
    """the texts of images"""
    model = load(options)
    model.require("read_images")
    asked = {"prompt": options.prompt, "special_tokens": options.special_tokens}
    settings = chosen(options, "read_images") | asked
    for image in options.image:
        [found] = model.read_images([image], **settings)
        if options.json:
            print(readable_json({"image": image, **dataclasses.asdict(found)}))
        else:
            print(readable(found.text))


def add(verbs: Any) -> None:
    """`read` with its options."""
    command = on_bundle(verbs, "read", read, EXAMPLES)
    command.add_argument("image", nargs="+", help="image files")
    command.add_argument("--prompt", default="", metavar="TEXT", help="what each text begins with")
    command.add_argument(
        "--special-tokens", action="store_true", help="keep them, as those that mark Donut's fields"
    )
    command.add_argument("--json", action="store_true", help="print a line of JSON per image")
    add_options(command, "read_images")
