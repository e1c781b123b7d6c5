"""Compare satchel-web with transformers.js in Chromium, on the same weights; see README.md.

    python benchmarks/web.py EMBEDDER WRITER SPELLER

EMBEDDER and WRITER are bundles of the weights that the packages of `make setup` carry; SPELLER is what
the page opens.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # inherited by every process started here

import command
import decoder_peers
import encoder_peers
import numpy as np
import web_report
from decoders import Work, ask, text_ids
from encoder_work import cosines, whole_texts
from encoders import checkpoint_of, opened
from environment import ROOT, WORKERS, Home, say
from interleave import Worker, WorkerError, in_turns
from report import Figure, alike
from web_peers import Tabs, WebEntrant

from satchel.runtime.bundle import Bundle, open_bundle
from satchel.runtime.errors import SatchelError

BATCHES = (1, 8)  # texts at once that the peer is given: what is best for it depends on the machine
PROMPT, STEPS = 128, 32
STRIDE, PROMPTS = 512, 32  # prompts of two rounds share no ids
PAGE = ROOT / "web_demo" / "page"
Visit = Callable[[WebEntrant, Worker, int], None]


class Part(NamedTuple):
    """One model in all tabs: the first entrant is ours."""

    title: str
    entrants: list[WebEntrant]
    figures: list[Figure]


def main() -> None:
    """Prepare, measure, print."""
    options = _options()
    home = Home(options.home)
    tabs = Tabs(home, options.threads)
    try:
        writer = open_bundle(options.writer)
    except SatchelError as error:
        sys.exit(str(error))
    parts = [
        _embedding(tabs, options),
        _writing(tabs, writer, options),
        _page(options.speller, options.fresh_rounds),
    ]
    page = web_report.tables(parts, options.threads)

    def result(conditions: dict[str, Any]) -> dict[str, Any]:
        return web_report.result(parts, conditions)

    command.publish(options, page, result)
    if failed := [part.entrants[0].failure for part in parts if part.entrants[0].failure]:
        sys.exit(f"satchel failed: {failed[0]}")


def _options() -> argparse.Namespace:
    parser = command.parser(__doc__, rounds="each speed", compares=False)
    parser.add_argument("bundle", metavar="embedder", type=Path, help="of all-MiniLM-L6-v2")
    parser.add_argument(
        "writer", type=Path, help="of SmolLM2-135M-Instruct, --profile int8-portable"
    )
    parser.add_argument("speller", type=Path, help="of the g2p example")
    parser.add_argument("--checkpoint", type=Path, help="the folder the embedder was made from")
    parser.add_argument("--gguf", type=Path, help="the file the writer was made from")
    parser.add_argument("--texts", type=command.count, default=100, help="to embed (100)")
    options = command.parsed(parser)
    if options.quick:
        options.rounds, options.texts = 1, 16
    options.checkpoint = checkpoint_of(parser, options.checkpoint)
    options.gguf = options.gguf or decoder_peers.weights()
    if options.gguf is None:
        parser.error(f"--gguf is needed: {decoder_peers.WEIGHTS_PACKAGE} is not installed")
    return options


def _embedding(tabs: Tabs, options: argparse.Namespace) -> Part:
    """A corpus to vectors, which are held to PyTorch's."""
    bundle, modules = opened(options)
    texts = whole_texts(bundle, options.texts)
    peers = tabs.peers("feature-extraction", lambda: options.checkpoint, BATCHES)
    entrants = [*tabs.satchel(bundle), *peers]
    speed = web_report.corpus(len(texts))
    expected = _vectors(tabs.home, texts, options, modules)

    def visit(entrant: WebEntrant, worker: Worker, number: int) -> None:
        given = [texts] if entrant.batch is None else [texts, entrant.batch]
        answer = worker.ask(op="embed", given=given)
        found = np.array(answer["value"])
        if found.shape != expected.shape:
            raise WorkerError(f"vectors of shape {found.shape}; expected {expected.shape}")
        close = cosines(found, expected)
        entrant.quality = {"mean cosine": float(close.mean()), "least cosine": float(close.min())}
        if number:
            entrant.add(speed.name, answer["seconds"])

    _measure(entrants, options, visit)
    return Part("all-MiniLM-L6-v2", entrants, [speed, *web_report.OPENING])


def _vectors(home: Home, texts: list[str], options: argparse.Namespace, modules: Any) -> Any:
    """What sentence-transformers makes of the texts in float32."""
    inputs, out = home.folder / "web-inputs.json", home.folder / "vectors.npy"
    inputs.write_text(
        json.dumps({"texts": texts, "ids": [], "sentences": [], "tokens": []}), "utf-8"
    )
    settings = encoder_peers.Settings(home, inputs, options.threads, options.checkpoint, modules)
    with Worker(encoder_peers.pytorch(settings).library) as worker:
        worker.ask(texts=len(texts), out=str(out))
    return np.load(out)


def _writing(tabs: Tabs, bundle: Bundle, options: argparse.Namespace) -> Part:
    """A prompt and the steps after it; greedy ids are held to PyTorch's."""
    ids = text_ids([bundle])
    file = tabs.home.folder / "ids.json"
    file.write_text(json.dumps(ids), "utf-8")
    settings = decoder_peers.Settings(tabs.home, file, options.threads, options.gguf)
    peers = tabs.peers("text-generation-with-past", settings.checkpoint, ())
    entrants = [*tabs.satchel(bundle), *peers]
    reference = decoder_peers.pytorch(settings)[0].command
    with Worker([*reference, "--context", "1024", "--texts", "1"]) as worker:
        (expected,) = ask(worker, Work(PROMPT, 1 + STEPS), 0)["tokens"]

    def visit(entrant: WebEntrant, worker: Worker, number: int) -> None:
        start = number % PROMPTS * STRIDE
        prompt = ids[start : start + PROMPT]
        first, all_ = (worker.ask(op="write", given=[prompt, count]) for count in (1, 1 + STEPS))
        if len(first["value"]) != 1 or len(all_["value"]) != 1 + STEPS:
            raise WorkerError(f"{len(all_['value'])} ids; expected {1 + STEPS}")
        if number:
            entrant.add(web_report.FIRST.name, first["seconds"])
            entrant.add(web_report.STEPS.name, (all_["seconds"] - first["seconds"]) / STEPS)
        else:
            same = alike(expected, all_["value"])
            entrant.quality = {f"ids as float32's, of {1 + STEPS}": same}

    _measure(entrants, options, visit)
    figures = [web_report.FIRST, web_report.STEPS, *web_report.OPENING]
    return Part("SmolLM2-135M-Instruct", entrants, figures)


def _measure(entrants: Sequence[WebEntrant], options: argparse.Namespace, visit: Visit) -> None:
    """Tabs that stay open answer in turns; the first round warms up and is not kept. Then tabs anew."""
    workers: dict[str, Worker] = {}

    def load(entrant: WebEntrant, _: Any, number: int) -> None:
        worker = workers[entrant.name] = Worker(entrant.command)
        entrant.versions = worker.ready["versions"]

    def measure(entrant: WebEntrant, _: Any, number: int) -> None:
        visit(entrant, workers[entrant.name], number)

    def reopen(entrant: WebEntrant, _: Any, number: int) -> None:
        worker = workers[entrant.name]
        first = worker.ask(op="open", fresh=True)
        entrant.add(web_report.FIRST_VISIT.name, first["seconds"])
        entrant.add(web_report.SENT.name, first["bytes"])
        entrant.add(web_report.VISIT.name, worker.ask(op="open", fresh=False)["seconds"])

    try:
        in_turns(entrants, 1, ["load"], load)
        say(f"measuring speed, {options.rounds} rounds")
        in_turns(entrants, options.rounds + 1, ["speed"], measure)
        say(f"opening tabs anew, {options.fresh_rounds} rounds")
        in_turns(entrants, options.fresh_rounds, ["open"], reopen)
    finally:
        for worker in workers.values():
            worker.close()


def _page(speller: Path, rounds: int) -> Part:
    """The page of web_demo, opened again and again: its first tab spells a word."""
    ours = WebEntrant("satchel", ["node", str(WORKERS / "browser" / "page.mjs"), str(speller)])
    say("opening the page")
    try:
        subprocess.run(
            ["npm", "run", "--silent", "build"], cwd=PAGE, check=True, capture_output=True
        )
        with Worker(ours.command) as worker:
            ours.versions = worker.ready["versions"]
            for _ in range(rounds + 1):
                ours.add(web_report.WORD.name, worker.ask(op="visit")["seconds"])
    except (WorkerError, OSError, subprocess.CalledProcessError) as error:
        ours.failure = str(error)
    return Part("the page, g2p", [ours], [web_report.WORD])


if __name__ == "__main__":
    main()
