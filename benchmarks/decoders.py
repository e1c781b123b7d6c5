"""Compare satchel with other engines on the same model, prompts and steps; see README.md."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # inherited by every process started here

import command
import decoder_peers
import decoder_report
import growth
import limits
import report
import shares
from decoder_peers import CONTEXT, PEERS, DecoderEntrant
from decoder_quality import Quality
from environment import OFFLINE, ROOT, TEXT, Home, say
from interleave import Worker, WorkerError, in_turns
from report import Figure

from satchel.measure.fidelity import WINDOWS
from satchel.runtime.bundle import TOKENIZER, Bundle, open_bundle
from satchel.runtime.errors import SatchelError
from satchel.runtime.text import load_tokenizer

BUNDLE = ROOT / "bundles" / "smollm2-135m-instruct"


class Work(NamedTuple):
    """Texts of so many ids in, so many steps out."""

    length: int
    steps: int = 1
    texts: int = 1


SPEEDS = {  # figure -> what is done: one step is timed from the start, several from the first on
    decoder_report.PREFILL_128: Work(128),
    decoder_report.PREFILL_512: Work(512),
    decoder_report.DECODE: Work(128, 1 + 64),
    decoder_report.DECODE_8: Work(128, 1 + 32, texts=8),
}
FIRST = Work(16)
FULL = Work(448, 1 + 64)  # fills FRESH_CONTEXT
SAME = Work(128, 8)  # enough to tell prompts by
FRESH_CONTEXT = FULL.length + FULL.steps - 1
STRIDE = 512  # ids between the prompts of two rounds, so that neighbours share none
PROMPTS = 32  # as many as the text has room for


def main() -> None:
    """Prepare, measure, print."""
    options = _options()
    try:
        bundles = [open_bundle(folder) for folder in options.bundle]
        ids = text_ids(bundles)
    except SatchelError as error:
        sys.exit(f"{error}\nRun `make demo` to make {BUNDLE.relative_to(ROOT)}, or give --bundle")
    os.environ |= OFFLINE | {"OMP_NUM_THREADS": str(options.threads)}
    home = Home(options.home)
    file = home.folder / "ids.json"
    file.write_text(json.dumps(ids), "utf-8")
    settings = decoder_peers.Settings(home, file, options.threads, options.gguf)
    ours, *others = decoder_peers.satchel(bundles, settings)
    if options.growth:
        _measure_growth([ours, *others], min(one.manifest.context for one in bundles), options)
        return
    machine = limits.Machine(options.threads, options.quick)
    machine.measure()
    others += [one for peer in options.peers for one in decoder_peers.prepared(peer, settings)]
    entrants = [ours, *others]
    _measure_quality(entrants, Quality(home.folder, ids, options.windows))
    measure_speed(entrants, options.rounds, SPEEDS)
    measure_fresh(entrants, options.fresh_rounds)
    reached = (machine.measure(), entrants, decoder_report.FIGURES)
    page = decoder_report.tables(ours, others, options.threads)

    def result(conditions: dict[str, Any]) -> dict[str, Any]:
        conditions |= {"model": bundles[0].manifest.source.name, "context": CONTEXT}
        conditions |= {"windows": options.windows}
        return decoder_report.result(ours, others, conditions) | shares.result(*reached)

    command.publish(options, f"{page}\n\n{shares.tables(*reached)}", result)
    if ours.failure:
        sys.exit(f"satchel failed: {ours.failure}")


def _measure_growth(
    entrants: list[DecoderEntrant], context: int, options: argparse.Namespace
) -> None:
    """Our bundles alone, on either kernels: longer texts, and more of them."""
    speeds = {}
    for texts, length in growth.shapes(context):
        speeds[growth.prefill(texts, length)] = Work(length, 1, texts)
        speeds[growth.decode(texts, length)] = Work(length, 1 + growth.STEPS, texts)
    measure_speed(entrants, options.rounds, speeds)
    ours, *others = entrants

    def result(conditions: dict[str, Any]) -> dict[str, Any]:
        return report.result(ours, list(others), list(speeds), conditions | {"context": context})

    command.publish(options, growth.page(entrants, context, options.threads), result)
    if ours.failure:
        sys.exit(f"satchel failed: {ours.failure}")


def _options() -> argparse.Namespace:
    parser = command.parser(__doc__, rounds="each speed")
    parser.add_argument(
        "--bundle",
        type=Path,
        nargs="+",
        default=[BUNDLE],
        help="ours, and others to show beside it",
    )
    parser.add_argument("--gguf", type=Path, help="the file that they were made from")
    parser.add_argument(
        "--windows", type=int, choices=range(1, WINDOWS + 1), default=WINDOWS, help="judged (all)"
    )
    parser.add_argument(
        "--growth", action="store_true", help="only our bundles, longer texts and more of them"
    )
    parser.add_argument(
        "--peers", nargs="*", choices=PEERS, default=list(PEERS), help="all, unless named"
    )
    options = command.parsed(parser)
    if options.quick:
        options.rounds, options.windows = 2, 1
    options.gguf = options.gguf or decoder_peers.weights()
    if options.gguf is None:
        parser.error(f"--gguf is needed: {decoder_peers.WEIGHTS_PACKAGE} is not installed")
    if not options.gguf.is_file():
        parser.error(f"--gguf: there is no file {options.gguf}")
    if len({folder.resolve().name for folder in options.bundle}) < len(options.bundle):
        parser.error("--bundle: two have the same name")
    return options


def text_ids(bundles: list[Bundle]) -> list[int]:
    """The ids of the shipped text: every engine reads the same prompts from them."""
    text = TEXT.read_text("utf-8")
    found = [load_tokenizer(bundle.path(TOKENIZER)).encode(text).ids for bundle in bundles]
    ids: list[int] = found[0]
    for bundle, others in zip(bundles, found, strict=True):
        if others != ids:
            sys.exit(f"{bundle.folder} has another tokenizer than {bundles[0].folder}")
    return ids


def _measure_quality(entrants: list[DecoderEntrant], quality: Quality) -> None:
    """Logits of every position of a text, from processes of their own: they take memory."""

    def measure(entrant: DecoderEntrant, _: Any, number: int) -> None:
        with Worker(_started(entrant, FRESH_CONTEXT)) as worker:
            quality.measure(entrant, worker)

    reference = [one for one in entrants if one.name == decoder_peers.REFERENCE]
    if reference:
        say(f"measuring quality on {len(quality.windows)} windows")
        in_turns(reference, 1, ["quality"], measure)
    if reference and not reference[0].failure:
        in_turns([one for one in entrants if one not in reference], 1, ["quality"], measure)
    quality.forget()


def measure_speed(entrants: list[DecoderEntrant], rounds: int, speeds: dict[Figure, Work]) -> None:
    """Workers that stay loaded answer in turns; the first round warms up and is not kept."""
    workers: dict[str, Worker] = {}

    def load(entrant: DecoderEntrant, _: Any, number: int) -> None:
        texts = max(work.texts for work in speeds.values()) if entrant.batches else 1
        worker = workers[entrant.name] = Worker(_started(entrant, CONTEXT, texts))
        entrant.versions = worker.ready["versions"]
        check_prompts_differ(worker)

    def measure(entrant: DecoderEntrant, figure: Figure, number: int) -> None:
        work = speeds[figure]
        if work.texts > 1 and not entrant.batches:
            return
        answer = ask(workers[entrant.name], work, number % PROMPTS * STRIDE)
        if number:
            entrant.add(figure.name, answer["first" if work.steps == 1 else "rest"])
        elif figure == decoder_report.DECODE:
            entrant.tokens = answer["tokens"][0]

    try:
        in_turns(entrants, 1, ["load"], load)
        say(f"measuring speed, {rounds} rounds")
        in_turns(entrants, rounds + 1, list(speeds), measure)
    finally:
        for worker in workers.values():
            worker.close()


def measure_fresh(entrants: list[DecoderEntrant], rounds: int) -> None:
    """Load time and memory of processes that have done nothing else."""

    def measure(entrant: DecoderEntrant, _: Any, number: int) -> None:
        with Worker(_started(entrant, FRESH_CONTEXT)) as worker:
            answer = ask(worker, FIRST, 0)
            entrant.add(decoder_report.START.name, time.perf_counter() - worker.began)
            entrant.add(decoder_report.LOAD.name, worker.ready["seconds"] + answer["first"])
            ask(worker, FULL, 0)
            entrant.add(decoder_report.MEMORY.name, worker.peak_bytes())
            entrant.add(decoder_report.SIZE.name, entrant.size)

    say(f"measuring fresh processes, {rounds} rounds")
    in_turns(entrants, rounds, ["fresh"], measure)


def _started(entrant: DecoderEntrant, context: int, texts: int = 1) -> list[str]:
    return [*entrant.command, "--context", str(context), "--texts", str(texts)]


def ask(worker: Worker, work: Work, start: int) -> dict[str, Any]:
    """One measurement, refused unless there are as many texts and ids as were asked for."""
    answer = worker.ask(**work._asdict(), start=start)
    lengths = [len(ids) for ids in answer["tokens"]]
    if lengths != [work.steps] * work.texts:
        raise WorkerError(f"texts of {lengths} ids; expected {work.texts} of {work.steps}")
    return answer


def check_prompts_differ(worker: Worker) -> None:
    """An engine that answers two prompts alike has kept something of the first."""
    first, second, again = (ask(worker, SAME, start)["tokens"] for start in (0, STRIDE, 0))
    if first == second:
        raise WorkerError("two prompts gave the same ids: the second was not computed")
    if first != again:
        raise WorkerError("the same prompt gave other ids: the text before it was not dropped")


if __name__ == "__main__":
    main()
