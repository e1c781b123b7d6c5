"""`satchel embed`: vectors of texts or images. Prints; knows no mathematics."""

from __future__ import annotations

import argparse
import functools
import json
from pathlib import Path
from typing import Any

from satchel.cli.command import load, on_bundle
from satchel.cli.results import only_one_of
from satchel.progress import bars
from satchel.runtime.bundle import sha256_of
from satchel.runtime.errors import UsageError
from satchel.runtime.manifest import MANIFEST

EXAMPLES = """
satchel embed my-bundle "a text" "another"
satchel embed my-bundle --file corpus.txt --out vectors.npy
satchel embed my-bundle --image photo.jpg
"""


def embed(options: argparse.Namespace) -> None:
    """vectors of texts or images"""
    from satchel.cli import vectors  # needs numpy, which --help does not

    only_one_of(options, "text", "file", "image")
    if options.file and not options.out:
        raise UsageError("--file needs --out, a .npy file for the vectors")
    if options.overwrite and not options.out:
        raise UsageError("--overwrite is for --out")
    if options.image and (options.prompt is not None or options.window is not None):
        raise UsageError("--prompt and --window are for texts, not for --image")
    out = Path(options.out) if options.out else None
    if out is not None:
        vectors.check_output(out, options.overwrite)
    model = load(options)
    settings = {"prompt": options.prompt, "window": options.window}
    if options.file and out is not None:
        digest = sha256_of(model.bundle.path(MANIFEST))
        embed_rows = functools.partial(model.embed, **settings)
        dim = embed_rows([]).shape[1]
        count, done = vectors.embed_file(
            Path(options.file), out, dim, embed_rows, settings | {"bundle": digest},
            overwrite=options.overwrite, stage=bars,
        )  # fmt: skip
        again = f", {done} of them by an earlier run" if done else ""
        print(f"{out}: {count} vectors of {dim} numbers{again}")
        return
    if options.image:
        rows = model.embed_images(options.image)
    else:
        rows = model.embed(options.text, **settings)
    if out is not None:
        vectors.save(out, rows, options.overwrite)
        print(f"{out}: {len(rows)} vectors of {rows.shape[1]} numbers")
    else:
        for row in rows:
            print(json.dumps([round(float(number), 6) for number in row]))


def add(verbs: Any) -> None:
    """`embed` with its options."""
    command = on_bundle(verbs, "embed", embed, EXAMPLES)
    command.add_argument("text", nargs="*", help="texts")
    command.add_argument("--file", metavar="FILE", help="a text file, one text per line")
    command.add_argument("--image", metavar="FILE", nargs="+", help="image files")
    command.add_argument(
        "--out", metavar="FILE", help="a .npy file; a killed run of --file goes on"
    )
    command.add_argument("--overwrite", action="store_true", help="replace what is at --out")
    command.add_argument(
        "--prompt", metavar="NAME", help="a prompt of the bundle to put before each text"
    )
    command.add_argument(
        "--window", type=int, metavar="N", help="split long texts; tokens that overlap"
    )
