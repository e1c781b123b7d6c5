"""Export a decoder of 1.1 billion parameters, and measure memory, time and speed; see README.md."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # inherited by every process started here

import command
import decoders
import large_model
import limits
import report
import shares
from decoder_peers import CONTEXT, DecoderEntrant, Settings
from decoder_report import LEGEND, LOAD, MEMORY, PREFILL_128, SIZE, START
from decoders import Work
from environment import OFFLINE, WORKERS, Home, say
from interleave import Worker, WorkerError
from report import Figure, Phase, cell

from satchel.quantize.profiles import NAMES
from satchel.runtime.bundle import open_bundle

LIMIT = 12e9  # bytes an export may have resident at once
EXPORT = Figure("export", "s")
EXPORT_MEMORY = Figure("peak memory of the export", "MB")
DECODE = Figure("decode 32 after 128", "tok/s", 32, (Phase("decoder", 32, 1, 1),))
SPEEDS = {PREFILL_128: Work(128), DECODE: Work(128, 1 + 32)}
FIGURES = (EXPORT, EXPORT_MEMORY, *SPEEDS, LOAD, START, MEMORY, SIZE)


def main() -> None:
    """Make, export, measure, print."""
    parser = command.parser(__doc__, rounds="each speed", compares=False)
    parser.add_argument("--profile", choices=NAMES, default="int8", help="of the bundle (int8)")
    options = command.parsed(parser)
    if options.quick:
        options.rounds = 2
    os.environ |= OFFLINE | {"OMP_NUM_THREADS": str(options.threads)}
    name, home = large_model.NAME + "-tiny" * options.quick, Home(options.home)
    try:
        ours = _exported(name, home, options.profile, options.threads)
    except (WorkerError, OSError) as error:
        sys.exit(f"{name} could not be exported: {error}")
    machine = limits.Machine(options.threads, options.quick)
    machine.measure()
    decoders.measure_speed([ours], options.rounds, SPEEDS)
    decoders.measure_fresh([ours], options.fresh_rounds)
    reached = (machine.measure(), [ours], FIGURES)

    def result(conditions: dict[str, Any]) -> dict[str, Any]:
        conditions |= {"model": name, "profile": options.profile, "context": CONTEXT}
        return report.result(ours, [], FIGURES, conditions) | shares.result(*reached)

    page = [
        f"## {name}, {options.profile}",
        f"{report.processor()}, {options.threads} threads. {LEGEND}",
        report.table(
            ["figure", ours.name], ([one.title, cell(one.values(ours))] for one in FIGURES)
        ),
        report.described(ours),
        shares.tables(*reached),
    ]
    command.publish(options, "\n\n".join(page), result)
    if ours.failure:
        sys.exit(f"satchel failed: {ours.failure}")
    [peak] = ours.samples[EXPORT_MEMORY.name]
    if peak > LIMIT:
        sys.exit(f"the export needed {peak / 1e9:.1f} GB; at most {LIMIT / 1e9:.0f} are allowed")


def _exported(name: str, home: Home, profile: str, threads: int) -> DecoderEntrant:
    """The checkpoint's bundle, made anew by a process of its own, with what that needed."""
    script = Path(large_model.__file__)
    checkpoint = home.made(
        name, [script], lambda to: home.run([sys.executable, str(script), name, str(to)])
    )
    out = home.folder / "models" / f"{name}-{profile}"
    say(f"exporting {name}")
    with Worker([sys.executable, str(WORKERS / "export_worker.py")]) as worker:
        done = worker.ask(source=str(checkpoint), out=str(out), profile=profile)
        peak = worker.peak_bytes()
    bundle, ids = open_bundle(out), home.folder / "ids.json"
    ids.write_text(json.dumps(decoders.text_ids([bundle])), "utf-8")
    settings = Settings(home, ids, threads, checkpoint)
    run = settings.command(sys.executable, "satchel_worker.py", out)
    failed = ", ".join(done["failed"])
    note = f"Kept by --force, for its weights are random: {failed} failed." if failed else None
    ours = DecoderEntrant("satchel", run, bundle.size, note, **shares.of_bundle(bundle))
    ours.add(EXPORT.name, done["seconds"])
    ours.add(EXPORT_MEMORY.name, peak)
    return ours


if __name__ == "__main__":
    main()
