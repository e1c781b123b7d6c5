"""Compare satchel's server with llama.cpp's over HTTP, on the same weights; see README.md.

python benchmarks/servers.py WRITER EMBEDDER
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # inherited by every process started here

import command
import decoder_peers
import numpy as np
import server_peers
import server_report
from decoders import text_ids
from encoder_report import corpus
from encoder_work import whole_texts
from environment import WORKERS, Home, say
from interleave import Entrant, Worker, WorkerError, in_turns
from report import Figure
from server_clients import Asking
from server_peers import KINDS, ServerEntrant
from server_process import running
from server_report import ALONE, BESIDE, CLIENTS, FIGURES, FORM, PROMPT, TOGETHER, TOKENS

from satchel.runtime.bundle import Bundle, open_bundle
from satchel.runtime.errors import SatchelError

SHORT, SHORTS = 8, 4  # ids of a short prompt, and how many make a sample
BESIDE_TOKENS = (
    896  # of the others at most: more than they write until the short prompts have begun
)
CHAT_TOKENS = 128
STRIDE = 2053  # ids between the prompts of two rounds, which share no beginning
HOUSES = {  # a form that no text of CHAT_TOKENS can have reached the end of
    "type": "array",
    "minItems": 64,
    "items": {
        "type": "object",
        "properties": {"name": {"type": "string"}, "windows": {"type": "integer"}},
        "required": ["name", "windows"],
        "additionalProperties": False,
    },
}


def main() -> None:
    """Prepare, measure, print."""
    options = _options()
    writer, embedder = _opened(options.writer, "generate"), _opened(options.embedder, "embed")
    home, ids = Home(options.home), text_ids([writer])
    file = home.folder / "ids.json"
    file.write_text(json.dumps(ids), "utf-8")
    servers = server_peers.satchel(writer, embedder, options.gguf, file, options.threads)
    servers += [
        server_peers.llama_cpp(home, options.gguf, kind, options.threads) for kind in options.kinds
    ]
    embedding = [Entrant("over HTTP"), Entrant("from Python")]
    with contextlib.ExitStack() as stack:
        asking = _started(servers, stack)
        say(f"measuring {len(servers)} servers, {options.rounds} rounds")
        in_turns(servers, options.rounds + 1, FIGURES, _writing(asking, ids))
        _embed(embedding, servers[0], asking, embedder, home, options)
    about = (servers, embedding, options.texts)
    page = server_report.tables(*about, options.threads)
    command.publish(options, page, lambda made: server_report.result(*about, made))
    if failed := [one.failure for one in (servers[0], *embedding) if one.failure]:
        sys.exit(f"satchel failed: {failed[0]}")


def _options() -> argparse.Namespace:
    parser = command.parser(__doc__, rounds="each figure", compares=False, loads=False)
    parser.add_argument("writer", type=Path, help="a bundle of a decoder that chats")
    parser.add_argument("embedder", type=Path, help="a bundle of a text encoder")
    parser.add_argument("--gguf", type=Path, help="the file the writer was made from")
    parser.add_argument("--texts", type=command.count, default=2000, help="to embed (2000)")
    parser.add_argument(
        "--kinds", nargs="*", default=list(KINDS), help=f"llama.cpp's weights ({' '.join(KINDS)})"
    )
    options = command.parsed(parser)
    if options.quick:
        options.rounds, options.texts = 1, 16
    options.gguf = options.gguf or decoder_peers.weights()
    if options.gguf is None:
        parser.error(f"--gguf is needed: {decoder_peers.WEIGHTS_PACKAGE} is not installed")
    if not options.gguf.is_file():
        parser.error(f"--gguf {options.gguf} is no file")
    return options


def _opened(folder: Path, task: str) -> Bundle:
    """A bundle of a task; ends with a line where it is none."""
    try:
        bundle = open_bundle(folder)
    except SatchelError as error:
        sys.exit(str(error))
    if bundle.manifest.task != task:
        sys.exit(f"{folder} is made to {bundle.manifest.task}; expected one to {task}")
    return bundle


def _started(servers: Sequence[ServerEntrant], stack: contextlib.ExitStack) -> dict[str, Asking]:
    """All servers run, and only one is asked at a time."""
    asking: dict[str, Asking] = {}

    def start(entrant: ServerEntrant, _: Any, number: int) -> None:
        if entrant.engine:
            with Worker([*entrant.engine, "--context", "1", "--texts", "1"]) as worker:
                entrant.versions = worker.ready["versions"]
        served = stack.enter_context(running(entrant.command))
        asking[entrant.name] = Asking(served.address, entrant.common)

    in_turns(servers, 1, ["start"], start)
    return asking


def _writing(
    asking: dict[str, Asking], ids: Sequence[int]
) -> Callable[[ServerEntrant, Figure, int], None]:
    """One sample of a figure; the first round warms up and is not kept."""

    def visit(entrant: ServerEntrant, figure: Figure, number: int) -> None:
        server, place = asking[entrant.name], FIGURES.index(figure)
        start = (number * len(FIGURES) + place) * STRIDE % (len(ids) - STRIDE)
        prompts = [ids[start + i * PROMPT :][:PROMPT] for i in range(CLIENTS)]
        shorts = [ids[start + CLIENTS * PROMPT + i * SHORT :][:SHORT] for i in range(SHORTS)]
        if figure is TOGETHER:
            sample = server.together(prompts, TOKENS)
        elif figure is ALONE:
            sample = server.first(shorts)
        elif figure is BESIDE:
            sample = server.first_beside(shorts, prompts[1:], BESIDE_TOKENS)
        else:
            question = f"Describe the {number + 12} houses of a village."
            sample = server.per_token(question, CHAT_TOKENS, HOUSES if figure is FORM else None)
        if number:
            entrant.add(figure.name, sample)

    return visit


def _embed(
    entrants: Sequence[Entrant],
    server: ServerEntrant,
    asking: dict[str, Asking],
    embedder: Bundle,
    home: Home,
    options: argparse.Namespace,
) -> None:
    """The same texts over HTTP and from Python, whose vectors have to be the same."""
    http, python = entrants
    if server.failure:
        http.failure = python.failure = server.failure
        return
    texts = whole_texts(embedder, options.texts)
    inputs, out = home.folder / "server-inputs.json", home.folder / "vectors.npy"
    inputs.write_text(json.dumps({"texts": texts}), "utf-8")
    engine = [sys.executable, str(WORKERS / "satchel_encoder_worker.py"), str(embedder.folder)]
    engine += ["--library", "--inputs", str(inputs), "--threads", str(options.threads)]
    figure, vectors = corpus(options.texts).name, {}
    with Worker(engine) as worker:
        http.versions = python.versions = worker.ready["versions"]

        def visit(entrant: Entrant, _: Any, number: int) -> None:
            if entrant is python:
                seconds = worker.ask(texts=len(texts), out=str(out))["seconds"]
                vectors[entrant.name] = np.load(out)
            else:
                name = embedder.folder.resolve().name
                seconds, vectors[entrant.name] = asking[server.name].embedded(name, texts)
            if len(vectors) == 2 and not np.array_equal(*vectors.values()):
                raise WorkerError("vectors over HTTP are not those of Python")
            if number:
                entrant.add(figure, seconds)

        say(f"measuring {len(texts)} texts, {options.rounds} rounds")
        in_turns(entrants, options.rounds + 1, ["corpus"], visit)


if __name__ == "__main__":
    main()
