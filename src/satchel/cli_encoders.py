"""The verbs for encoder bundles: a table. Prints; knows no mathematics."""

from __future__ import annotations

import argparse
import dataclasses
import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from satchel.command import Verb, load, on_bundle
from satchel.progress import bars
from satchel.report import table
from satchel.runtime.bundle import MANIFEST, sha256_of
from satchel.runtime.errors import StorageError, UsageError, shown

Options = argparse.Namespace


def embed(options: Options) -> None:
    """vectors of texts or images"""
    from satchel import vectors  # needs numpy, which --help does not

    _only_one_of(options, "text", "file", "image")
    if options.file and not options.out:
        raise UsageError("--file needs --out, a .npy file for the vectors")
    out = Path(options.out) if options.out else None
    if out is not None:
        vectors.check_target(out)
    model = load(options)
    settings = {"prompt": options.prompt, "window": options.window}
    if options.file and out is not None:
        digest = sha256_of(model.bundle.path(MANIFEST))
        embed_rows = functools.partial(model.embed, **settings)
        dim = embed_rows([]).shape[1]
        count, done = vectors.embed_file(
            Path(options.file), out, dim, embed_rows, settings | {"bundle": digest}, bars
        )
        again = f", {done} of them by an earlier run" if done else ""
        print(f"{out}: {count} vectors of {dim} numbers{again}")
        return
    if options.image:
        rows = model.embed_images(options.image)
    else:
        rows = model.embed(options.text, **settings)
    if out is not None:
        vectors.save(out, rows)
        print(f"{out}: {len(rows)} vectors of {rows.shape[1]} numbers")
    else:
        for row in rows:
            print(json.dumps([round(float(number), 6) for number in row]))


def classify(options: Options) -> None:
    """labels of texts or images"""
    _only_one_of(options, "text", "image")
    model, items = load(options), options.image or options.text
    found = model.classify_images(items) if options.image else model.classify(items)
    rows = [(one.label, f"{one.score:.4f}", item) for one, item in zip(found, items, strict=True)]
    _print(options, found, rows)


def tokens(options: Options) -> None:
    """labelled spans of a text"""
    spans = load(options).tokens(options.text)
    rows = [(one.label, f"{one.score:.4f}", f"{one.start}-{one.end}", one.text) for one in spans]
    _print(options, spans, rows)


def answer(options: Options) -> None:
    """the part of a context that answers a question"""
    context = _read(Path(options.context))
    found = load(options).answer(options.question, context)
    where = f"{found.start}-{found.end}" if found.text else ""
    _print(options, found, [(found.text or "(no answer)", f"{found.score:.4f}", where)])


def fill_mask(options: Options) -> None:
    """the likeliest words for a masked place"""
    found = load(options).fill_mask(options.text, top=options.top)
    _print(options, found, [(one.token, f"{one.score:.4f}", one.text) for one in found])


def rank(options: Options) -> None:
    """passages by how well they answer a query"""
    found = load(options).rank(options.query, options.passage)
    rows = [(str(one.index), f"{one.score:.4f}", options.passage[one.index]) for one in found]
    _print(options, found, rows)


VERBS: dict[str, tuple[Verb, tuple[tuple[tuple[str, ...], dict[str, Any]], ...]]] = {
    "embed": (
        embed,
        (
            (("text",), {"nargs": "*"}),
            (("--file",), {"help": "a text file, one text per line"}),
            (("--image",), {"nargs": "+", "metavar": "FILE"}),
            (("--out",), {"metavar": "FILE", "help": "a .npy file; a killed run goes on"}),
            (("--prompt",), {"help": "a prompt of the bundle to put before each text"}),
            (("--window",), {"type": int, "help": "split long texts; tokens that overlap"}),
        ),
    ),
    "classify": (
        classify,
        (
            (("text",), {"nargs": "*"}),
            (("--image",), {"nargs": "+", "metavar": "FILE"}),
        ),
    ),
    "tokens": (tokens, ((("text",), {}),)),
    "answer": (
        answer,
        (
            (("--question",), {"required": True}),
            (("--context",), {"required": True, "metavar": "FILE", "help": "a text file"}),
        ),
    ),
    "fill-mask": (
        fill_mask,
        ((("text",), {}), (("--top",), {"type": int, "default": 5, "help": "words (5)"})),
    ),
    "rank": (rank, ((("--query",), {"required": True}), (("passage",), {"nargs": "+"}))),
}


def add_verbs(verbs: Any) -> None:
    """Every verb of the table with its options."""
    for name, (run, arguments) in VERBS.items():
        command = on_bundle(verbs, name, run)
        for flags, settings in arguments:
            command.add_argument(*flags, **settings)
        if run is not embed:
            command.add_argument("--json", action="store_true", help="print the result as JSON")


def _print(options: Options, found: Any, rows: Sequence[tuple[str, ...]]) -> None:
    """A table whose last column is text, or the result as JSON."""
    if options.json:
        plain = [dataclasses.asdict(one) for one in found] if isinstance(found, list) else None
        print(
            json.dumps(
                plain if plain is not None else dataclasses.asdict(found), ensure_ascii=False
            )
        )
        return
    if rows:
        text = [" ".join(row[-1].split()) for row in rows]
        for line, last in zip(table([row[:-1] for row in rows]).splitlines(), text, strict=True):
            print(f"{line}  {last}".rstrip())


def _only_one_of(options: Options, *names: str) -> None:
    given = [name for name in names if getattr(options, name)]
    if len(given) != 1:
        wanted = " or ".join("a text" if name == "text" else f"--{name}" for name in names)
        raise UsageError(f"give {wanted}, and one of them only")


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"{shown(path)} is not UTF-8", "PROMPT_ENCODING") from None
    except IsADirectoryError:
        raise StorageError(f"{shown(path)} is a folder, not a file") from None
