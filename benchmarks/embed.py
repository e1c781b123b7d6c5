"""Embed a corpus with satchel.sentence, fastembed and sentence-transformers, on the same weights; see
README.md."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # inherited by every process started here

import command
import embed_peers
import encoder_peers
import encoder_report
from embed_peers import PEERS
from encoder_peers import EncoderEntrant
from encoder_report import corpus
from encoder_work import Work
from encoders import checkpoint_of, measure_corpus, opened
from environment import Home, say
from interleave import Worker, in_turns
from report import Figure

START = Figure("process start to first vector", "s")
QUICK_TEXTS = 64


def main() -> None:
    """Prepare, measure, print."""
    options = _options()
    bundle, modules = opened(options)
    home, work = Home(options.home), Work.of(bundle, options.texts)
    inputs = home.folder / "embed-inputs.json"
    inputs.write_text(json.dumps(work.inputs), "utf-8")
    settings = encoder_peers.Settings(home, inputs, options.threads, options.checkpoint, modules)
    ours, *others = embed_peers.satchel(bundle, settings)
    others += [embed_peers.prepared(peer, settings, bundle) for peer in options.peers]
    entrants = [ours, *others]
    _measure_start(entrants, options.fresh_rounds, home.folder / "vectors.npy")
    measure_corpus(entrants, work, options.rounds, home.folder / "vectors.npy")
    for entrant in entrants:
        work.compare(entrant)
    figures = [
        corpus(options.texts),
        START,
        encoder_report.LIBRARY_MEMORY,
        encoder_report.SIZE,
    ]
    page = encoder_report.tables(ours, others, figures, options.threads)

    def result(conditions: dict[str, Any]) -> dict[str, Any]:
        conditions |= {"model": bundle.manifest.source.name, "texts": options.texts}
        return encoder_report.result(ours, others, figures, conditions)

    command.publish(options, page, result)
    if ours.failure:
        sys.exit(f"satchel failed: {ours.failure}")


def _options() -> argparse.Namespace:
    parser = command.parser(__doc__, rounds="the corpus")
    parser.add_argument("bundle", type=Path, help="made by satchel export from a text encoder")
    parser.add_argument("--checkpoint", type=Path, help="the folder it was made from")
    parser.add_argument("--texts", type=command.count, default=2000, help="of the corpus (2000)")
    parser.add_argument(
        "--peers", nargs="*", choices=PEERS, default=list(PEERS), help="all, unless named"
    )
    options = command.parsed(parser)
    if options.quick:
        options.rounds = 1
        options.texts = min(options.texts, QUICK_TEXTS)
    options.checkpoint = checkpoint_of(parser, options.checkpoint)
    return options


def _measure_start(entrants: list[EncoderEntrant], rounds: int, scratch: Path) -> None:
    """From starting Python, imports and all, to the vector of one text."""

    def measure(entrant: EncoderEntrant, _: Any, number: int) -> None:
        with Worker(entrant.library) as worker:
            worker.ask(texts=1, out=str(scratch))
            entrant.add(START.name, time.perf_counter() - worker.began)
            entrant.add(encoder_report.SIZE.name, entrant.size)

    say(f"measuring fresh processes, {rounds} rounds")
    in_turns(entrants, rounds, ["fresh"], measure)


if __name__ == "__main__":
    main()
