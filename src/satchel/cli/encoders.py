"""The verbs for encoder bundles: a table. Prints; knows no mathematics."""

from __future__ import annotations

import argparse
import dataclasses
import functools
import itertools
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from satchel.cli.command import Verb, load, on_bundle
from satchel.cli.report import plain, table
from satchel.cli.terminal import readable_json
from satchel.lines import measure, read_lines
from satchel.progress import bars, quiet
from satchel.runtime.bundle import sha256_of
from satchel.runtime.errors import StorageError, UsageError, shown
from satchel.runtime.manifest import MANIFEST

Options = argparse.Namespace
Rows = list[tuple[str, ...]]  # of a table
BARE = {"text": "a text", "passage": "a passage"}  # arguments without a flag
CHUNK = 64  # lines of a file that are read at once


def embed(options: Options) -> None:
    """vectors of texts or images"""
    from satchel.cli import vectors  # needs numpy, which --help does not

    _only_one_of(options, "text", "file", "image")
    if options.file and not options.out:
        raise UsageError("--file needs --out, a .npy file for the vectors")
    if options.overwrite and not options.out:
        raise UsageError("--overwrite is for --out")
    if options.image and (options.prompt is not None or options.window is not None):
        raise UsageError("--prompt and --window are for texts, not for --image")
    out = Path(options.out) if options.out else None
    if out is not None:
        vectors.check_target(out, options.overwrite)
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


def classify(options: Options) -> None:
    """labels of texts, of pairs of texts, or of images"""
    _only_one_of(options, "text", "pair", "image", "file", "pair_file")
    model = load(options)
    if options.file:
        _by_lines(options, options.file, read_lines, model.classify, _labelled, CHUNK)
    elif options.pair_file:
        _by_lines(options, options.pair_file, _read_pairs, model.classify, _labelled, CHUNK)
    else:
        items = options.image or options.text or [tuple(pair) for pair in options.pair]
        found = model.classify_images(items) if options.image else model.classify(items)
        rows = [_labelled(one, item)[0] for one, item in zip(found, items, strict=True)]
        _print(options, found, rows)


def tokens(options: Options) -> None:
    """labelled spans of a text"""
    _only_one_of(options, "text", "file")
    find = functools.partial(load(options).tokens, window=options.window)
    if options.file:
        _by_lines(options, options.file, read_lines, find, _spans, CHUNK)
    else:
        spans = find(options.text)
        _print(options, spans, _spans(spans, options.text))


def answer(options: Options) -> None:
    """the part of a context that answers a question"""
    _only_one_of(options, "question", "file")
    context, model = _read(Path(options.context)), load(options)

    def find(question: str) -> Any:
        if options.top is None:
            return model.answer(question, context)
        return model.answers(question, context, top=options.top)

    if options.file:
        _by_lines(options, options.file, read_lines, lambda lines: [find(lines[0])], _answers)
    else:
        found = find(options.question)
        _print(options, found, _answers(found, options.question))


def fill_mask(options: Options) -> None:
    """the likeliest words for a masked place"""
    _only_one_of(options, "text", "file")
    fill = functools.partial(load(options).fill_mask, top=options.top)
    if options.file:
        _by_lines(options, options.file, read_lines, lambda lines: [fill(lines[0])], _filled)
    else:
        found = fill(options.text)
        _print(options, found, _filled(found, options.text))


def rank(options: Options) -> None:
    """passages by how well they answer a query"""
    _only_one_of(options, "passage", "file")
    passages = options.passage
    if options.file:
        measure(Path(options.file))
        passages = list(read_lines(Path(options.file)))
    found = load(options).rank(options.query, passages, prompt=options.prompt)
    rows: Rows = [(str(one.index), f"{one.score:.4f}", passages[one.index]) for one in found]
    _print(options, found, rows)


def _labelled(one: Any, item: Any) -> Rows:
    text = " | ".join(item) if isinstance(item, tuple) else str(item)
    return [(one.label, f"{one.score:.4f}", text)]


def _spans(spans: Any, text: str) -> Rows:
    return [(one.label, f"{one.score:.4f}", f"{one.start}-{one.end}", one.text) for one in spans]


def _answers(found: Any, question: str) -> Rows:
    every = found if isinstance(found, list) else [found]
    return [
        (
            f"{one.score:.4f}",
            f"{one.start}-{one.end}" if one.text else "",
            one.text or "(no answer)",
        )
        for one in every
    ]


def _filled(found: Any, text: str) -> Rows:
    return [(one.token, f"{one.score:.4f}", one.text) for one in found]


FILE = {"metavar": "FILE"}
VERBS: dict[str, tuple[Verb, tuple[tuple[str, dict[str, Any]], ...]]] = {
    "embed": (
        embed,
        (
            ("text", {"nargs": "*", "help": "texts"}),
            ("--file", {**FILE, "help": "a text file, one text per line"}),
            ("--image", {**FILE, "nargs": "+", "help": "image files"}),
            ("--out", {**FILE, "help": "a .npy file; a killed run of --file goes on"}),
            ("--overwrite", {"action": "store_true", "help": "replace what is at --out"}),
            (
                "--prompt",
                {"metavar": "NAME", "help": "a prompt of the bundle to put before each text"},
            ),
            (
                "--window",
                {"type": int, "metavar": "N", "help": "split long texts; tokens that overlap"},
            ),
        ),
    ),
    "classify": (
        classify,
        (
            ("text", {"nargs": "*", "help": "texts"}),
            (
                "--pair",
                {
                    "nargs": 2,
                    "action": "append",
                    "metavar": ("TEXT", "TEXT"),
                    "help": "two texts that are judged together",
                },
            ),
            ("--image", {**FILE, "nargs": "+", "help": "image files"}),
            ("--file", {**FILE, "help": "a text file, one text per line"}),
            ("--pair-file", {**FILE, "help": "two texts per line, a tab between them"}),
        ),
    ),
    "tokens": (
        tokens,
        (
            ("text", {"nargs": "?", "help": "one text"}),
            ("--file", {**FILE, "help": "a text file, one text per line"}),
            (
                "--window",
                {"type": int, "metavar": "N", "help": "split long texts; tokens that overlap"},
            ),
        ),
    ),
    "answer": (
        answer,
        (
            ("--question", {"metavar": "TEXT", "help": "what is asked"}),
            ("--file", {**FILE, "help": "questions, one per line"}),
            ("--context", {**FILE, "required": True, "help": "a text file"}),
            (
                "--top",
                {"type": int, "metavar": "N", "help": "the N likeliest, among them none"},
            ),
        ),
    ),
    "fill-mask": (
        fill_mask,
        (
            ("text", {"nargs": "?", "help": "one text"}),
            ("--file", {**FILE, "help": "a text file, one text per line"}),
            ("--top", {"type": int, "default": 5, "metavar": "N", "help": "words (5)"}),
        ),
    ),
    "rank": (
        rank,
        (
            ("--query", {"required": True, "metavar": "TEXT", "help": "what is looked for"}),
            ("passage", {"nargs": "*", "help": "the texts to order"}),
            ("--file", {**FILE, "help": "passages, one per line"}),
            ("--prompt", {"help": "a prompt of the bundle to put before the query"}),
        ),
    ),
}


EXAMPLES = {
    "embed": """
satchel embed my-bundle "a text" "another"
satchel embed my-bundle --file corpus.txt --out vectors.npy
satchel embed my-bundle --image photo.jpg
""",
    "classify": """
satchel classify my-bundle "I liked it."
satchel classify my-bundle --pair "A man sleeps." "Nobody is awake." --json
satchel classify my-bundle --image photo.jpg
""",
    "tokens": 'satchel tokens my-bundle "Ada Lovelace was born in London."',
    "answer": 'satchel answer my-bundle --question "Who wrote it?" --context page.txt --top 3',
    "fill-mask": 'satchel fill-mask my-bundle "Paris is the [MASK] of France."',
    "rank": 'satchel rank my-bundle --query "what is ONNX" --file passages.txt',
}


def add_verbs(verbs: Any) -> None:
    """Every verb of the table with its options."""
    for name, (run, arguments) in VERBS.items():
        command = on_bundle(verbs, name, run, EXAMPLES[name])
        for flag, settings in arguments:
            command.add_argument(flag, **settings)
        if run is not embed:
            command.add_argument("--json", action="store_true", help="print the result as JSON")


def _print(options: Options, found: Any, rows: Rows) -> None:
    """A table whose last column is text, or the result as JSON."""
    if options.json:
        print(_json(found))
    elif rows:
        for line, row in zip(table([row[:-1] for row in rows]).splitlines(), rows, strict=True):
            print(f"{line}  {_one_line(row[-1])}".rstrip())


def _by_lines(
    options: Options,
    name: str,
    read: Callable[[Path], Iterator[Any]],
    run: Callable[[list[Any]], list[Any]],
    rows: Callable[[Any, Any], Rows],
    size: int = 1,
) -> None:
    """Print what `run` makes of the lines that `read` gives of a file, `size` at once, as it comes.

    With --json one value per line; else a line's number and its rows' cells, with tabs between them.
    """
    source = Path(name)
    count, _ = measure(source)
    items = read(source)
    stage = bars if not sys.stdout.isatty() else quiet
    for start in stage("reading lines")(range(0, count, size)):
        chunk = list(itertools.islice(items, size))
        try:
            results = run(chunk)
        except UsageError as error:
            where = f"line {start + 1}" + (f" to {start + len(chunk)}" if len(chunk) > 1 else "")
            raise UsageError(f"{shown(source)}: {where}: {error}", error.code) from error
        for number, (item, found) in enumerate(zip(chunk, results, strict=True), start + 1):
            if options.json:
                print(_json(found))
                continue
            for row in rows(found, item):
                print("\t".join((str(number), *map(_one_line, row))))


def _read_pairs(source: Path) -> Iterator[tuple[str, ...]]:
    for number, line in enumerate(read_lines(source), 1):
        pair = tuple(line.split("\t"))
        if len(pair) != 2:
            raise UsageError(
                f"{shown(source)}: line {number} has {len(pair) - 1} tabs; expected one, between "
                "two texts"
            )
        yield pair


def _json(found: Any) -> str:
    plain = [dataclasses.asdict(one) for one in found] if isinstance(found, list) else None
    return readable_json(dataclasses.asdict(found) if plain is None else plain)


def _one_line(text: str) -> str:
    return plain(" ".join(text.split()))


def _only_one_of(options: Options, *names: str) -> None:
    given = [name for name in names if getattr(options, name) not in (None, [])]
    if len(given) != 1:
        flags = [name.replace("_", "-") for name in names]
        wanted = " or ".join(BARE.get(flag, f"--{flag}") for flag in flags)
        raise UsageError(f"give {wanted}, and one of them only")


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"{shown(path)} is not UTF-8", "PROMPT_ENCODING") from None
    except IsADirectoryError:
        raise StorageError(f"{shown(path)} is a folder, not a file") from None
