"""`satchel embed`: vectors of texts, images or sounds. Prints; knows no mathematics."""

from __future__ import annotations

import argparse
import functools
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from satchel.cli.command import load, on_bundle
from satchel.cli.results import CHUNK, only_one_of, print_by_lines
from satchel.cli.terminal import readable_json
from satchel.lines import read_lines
from satchel.progress import bars
from satchel.runtime.bundle import sha256_of
from satchel.runtime.errors import UsageError
from satchel.runtime.manifest import MANIFEST

EXAMPLES = """
satchel embed my-bundle "a text" "another"
satchel embed my-bundle --file corpus.txt --out vectors.npy
satchel embed my-bundle --file more.txt --out vectors.npy --append
satchel embed my-bundle "a text" --dims 256
satchel embed my-bundle --image photo.jpg
satchel embed my-bundle --audio speech.wav
satchel embed my-splade --sparse "a text"
"""


def embed(options: argparse.Namespace) -> None:
    """vectors of texts, images or sounds"""
    from satchel.cli import vectors  # needs numpy, which --help does not
    from satchel.cli.vector_function import VectorFunction

    only_one_of(options, "text", "file", "image", "audio")
    for name in ("overwrite", "append"):
        if getattr(options, name) and not options.out:
            raise UsageError(f"--{name} is for --out")
    if options.sparse:
        _sparse(options)
        return
    if options.file and not options.out:
        raise UsageError("--file needs --out, a .npy file for the vectors")
    flag = "--image" if options.image else "--audio" if options.audio else None
    settings = {"prompt": options.prompt, "window": options.window, "dims": options.dims}
    if flag and any(value is not None for value in settings.values()):
        raise UsageError(f"--prompt, --window and --dims are for texts, not for {flag}")
    out = Path(options.out) if options.out else None
    if out is not None:
        vectors.check_output(out, options.overwrite, options.append)
    model = load(options)
    how = {"overwrite": options.overwrite, "append": options.append}
    if options.file and out is not None:
        digest = sha256_of(model.bundle.path(MANIFEST))
        embed_rows = functools.partial(model.embed, **settings)
        dim = embed_rows([]).shape[1]
        count, done = vectors.embed_file(
            Path(options.file), out, dim, embed_rows, settings | {"bundle": digest},
            VectorFunction.of(model, "texts", **settings), **how, stage=bars,
        )  # fmt: skip
        again = f", {done} of them by an earlier run" if done else ""
        print(f"{out}: {count} vectors of {dim} numbers{again}")
        return
    if options.image:
        rows = model.embed_images(options.image)
    elif options.audio:
        rows = model.embed_sounds(options.audio)
    else:
        rows = model.embed(options.text, **settings)
    if out is not None:
        inputs = "images" if options.image else "sounds" if options.audio else "texts"
        function = VectorFunction.of(model, inputs, **settings)
        vectors.save(out, rows, function, **how)
        print(f"{out}: {len(rows)} vectors of {rows.shape[1]} numbers")
    else:
        for row in rows:
            print(json.dumps([round(float(number), 6) for number in row]))


@dataclass(frozen=True)
class SparseRow:
    """The numbers of a vector that are not 0, as they are printed."""

    indices: list[int]
    values: list[float]


def _sparse(options: argparse.Namespace) -> None:
    """A line of JSON per text."""
    for name in ("out", "image", "audio", "window", "dims"):
        if getattr(options, name) is not None:
            raise UsageError(f"--sparse prints vectors of texts, as JSON; --{name} is for others")
    embed_sparse = functools.partial(load(options).embed_sparse, prompt=options.prompt)

    def rows(texts: list[str]) -> list[SparseRow]:
        return [
            SparseRow(one.indices.tolist(), [round(float(number), 6) for number in one.values])
            for one in embed_sparse(texts)
        ]

    if options.file:
        options.json = True
        print_by_lines(options, options.file, read_lines, rows, lambda result, item: [], CHUNK)
    else:
        for row in rows(options.text):
            print(readable_json(asdict(row)))


def add(verbs: Any) -> None:
    """`embed` with its options."""
    command = on_bundle(verbs, "embed", embed, EXAMPLES)
    command.add_argument("text", nargs="*", help="texts")
    command.add_argument("--file", metavar="FILE", help="a text file, one text per line")
    command.add_argument("--image", metavar="FILE", nargs="+", help="image files")
    command.add_argument("--audio", metavar="FILE", nargs="+", help="sound files")
    command.add_argument(
        "--out", metavar="FILE", help="a .npy file; a killed run of --file goes on"
    )
    command.add_argument(
        "--sparse", action="store_true", help="print what is not 0, with its places, as of SPLADE"
    )
    command.add_argument("--overwrite", action="store_true", help="replace what is at --out")
    command.add_argument(
        "--append",
        action="store_true",
        help="add to what is at --out, if its vectors are of this kind",
    )
    command.add_argument(
        "--prompt", metavar="NAME", help="a prompt of the bundle to put before each text"
    )
    command.add_argument(
        "--dims", type=int, metavar="N", help="keep the first N numbers of each vector"
    )
    command.add_argument(
        "--window", type=int, metavar="N", help="split long texts; tokens that overlap"
    )
