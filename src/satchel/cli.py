"""The command line: a table of verbs, each a function. Prints; knows no mathematics."""

from __future__ import annotations

import argparse
import dataclasses
import io
import json
import signal
import sys
import time
import traceback
import warnings
from pathlib import Path
from types import EllipsisType
from typing import Any

import satchel
from satchel import cli_quality, cli_speech
from satchel.cli_encoders import add_verbs
from satchel.command import VerbParser, check_json, debug, load, on_bundle
from satchel.lines import piped_lines
from satchel.progress import bars
from satchel.runtime.errors import SatchelError, StorageError, UsageError, shown

CHOICE = ("temperature", "top_k", "top_p", "min_p", "seed")
OTHERS = ("repetition_penalty", "no_repeat_ngram_size", "min_new_tokens", "lookup")
SEARCH = ("num_beams", "length_penalty", "early_stopping")
BEAMS = (*SEARCH, "n_best")


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status. Errors are one line on stderr."""
    options = _parser().parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal may not know every character
            stream.reconfigure(errors="replace")
    signal.signal(signal.SIGTERM, _terminate)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _warn  # type: ignore[assignment]
            options.run(options)
    except SatchelError as error:
        return _fail(error, options.debug)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader of a pipe has had enough
        sys.stderr.close()
        return 0
    except OSError as error:
        name = shown(error.filename) if error.filename else "a file"
        return _fail(StorageError(f"{name}: {error.strerror or error}"), options.debug)
    except ModuleNotFoundError as error:
        hint = f"{error.name} is not installed; exporting needs: pip install 'satchel[export]'"
        return _fail(UsageError(hint), options.debug)
    except MemoryError:
        print("error[OUT_OF_MEMORY]: not enough memory", file=sys.stderr)
        return 6
    return 0


def _fail(error: SatchelError, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    print(f"error[{error.code}]: {error}", file=sys.stderr)
    return error.exit_status


def _warn(message: Warning | str, *where: Any) -> None:
    print(f"warning: {message}", file=sys.stderr)


def _terminate(number: int, frame: Any) -> None:
    raise SystemExit(128 + number)  # so that a half-made bundle is removed on the way out


def export(options: argparse.Namespace) -> None:
    """checkpoint to bundle"""
    from satchel.packing import pack
    from satchel.report import checks_table

    packed = pack(
        options.source,
        options.out,
        profile=options.profile,
        keep_fp32=options.keep_fp32,
        calibration=options.calibration,
        quality_text=options.quality_text,
        tune=options.tune,
        cache=options.cache,
        context=options.context,
        task=options.task,
        force=options.force,
        overwrite=options.overwrite,
        revision=options.revision,
        ignored_keys=options.ignore_config_key,
        stage=bars,
    )
    print(checks_table(packed.manifest))
    for note in packed.notes:
        print(f"note: {note}")
    size = sum(file.size for file in packed.manifest.files.values())
    state = "verified" if packed.manifest.verified else "UNVERIFIED, kept by --force"
    print(f"{options.out}: {size / 1e6:.0f} MB, {packed.manifest.architecture}, {state}")


def generate(options: argparse.Namespace) -> None:
    """text after a prompt, or from a source; streamed"""
    from satchel.runtime.options import Options

    model = load(options)
    if options.chat:
        model.require("chat")
    chosen = {name: getattr(options, name) for name in CHOICE + OTHERS + BEAMS}
    settings = chosen | {"max_new_tokens": options.max_new_tokens, "stop": options.stop}
    beams = Options.from_options(chosen, model.manifest.generation).num_beams
    if options.json or options.n_best is not None or beams > 1:
        _print_found(model, options, settings)
        return
    if options.chat:
        stream = model.chat_stream(_as_user(options.prompt), **settings)
    else:
        stream = model.stream(options.prompt, **settings)
    began, first = time.perf_counter(), 0.0
    for piece in stream:
        first = first or time.perf_counter() - began
        print(piece, end="", flush=True)
    print()
    if options.stats:
        count, seconds = len(stream.result.tokens), time.perf_counter() - began
        speed = (count - 1) / (seconds - first) if count > 1 else 0.0
        found = stream.result
        print(
            f"[{found.prompt_tokens} tokens read, first piece after {first:.2f} s; "
            f"{count} written, {found.looked_up} of them looked up, {speed:.0f} tokens/s; "
            f"ended by {found.finish_reason}]",
            file=sys.stderr,
        )


def _print_found(model: Any, options: argparse.Namespace, settings: dict[str, Any]) -> None:
    """The whole of a generation at once: a line per text, or of JSON."""
    if options.stats:
        raise UsageError("--stats is for a text that is streamed; satchel bench measures")
    prompt = model.encode_chat(_as_user(options.prompt)) if options.chat else options.prompt
    found = model.generate(prompt, **settings)
    for row in found if isinstance(found, list) else [found]:
        print(json.dumps(dataclasses.asdict(row), ensure_ascii=False) if options.json else row.text)


def translate(options: argparse.Namespace) -> None:
    """standard input into another language, line by line"""
    from satchel.translation import translate_lines

    model = load(options)
    model.require("translate")
    settings = {name: getattr(options, name) for name in CHOICE + OTHERS + SEARCH}
    settings |= {"max_new_tokens": options.max_new_tokens, "stop": options.stop}
    lines = piped_lines(sys.stdin.buffer)
    found = translate_lines(
        model, lines, options.source_lang, options.target_lang, bars, **settings
    )
    for line in found:
        sys.stdout.buffer.write(line.encode("utf-8") + b"\n")
        sys.stdout.buffer.flush()


def chat(options: argparse.Namespace) -> None:
    """a conversation of several turns"""
    from satchel.conversation import converse

    settings = {name: getattr(options, name) for name in CHOICE + OTHERS}
    settings |= {"max_new_tokens": options.max_new_tokens, "stop": options.stop}
    model = load(options)
    model.require("chat")
    converse(model, options.system, settings)


def inspect(options: argparse.Namespace) -> None:
    """what a bundle holds"""
    from satchel.report import describe
    from satchel.runtime.bundle import open_bundle

    bundle = open_bundle(options.bundle, bars("checking files"))
    if options.json:
        print(bundle.manifest.to_json(), end="")
    else:
        print(describe(bundle))


def verify(options: argparse.Namespace) -> None:
    """checksums, graph signatures and parity, again"""
    from satchel.report import table
    from satchel.runtime.verify import verify as run

    model = load(options)
    rows = run(model)
    print(table([("check", "value", "limit", "")] + [row.cells() for row in rows]))
    failed = [row.name for row in rows if not row.passed]
    if failed:
        from satchel.runtime.errors import FidelityError

        raise FidelityError(f"{len(failed)} of {len(rows)} checks failed: {', '.join(failed)}")
    if not model.manifest.verified:
        print("note: this bundle was kept by --force although its export's checks failed")


def bench(options: argparse.Namespace) -> None:
    """load time, speed and memory"""
    from satchel.report import table
    from satchel.runtime.bench import measure, rows

    if options.json:
        check_json(Path(options.json))
    figures = measure(options.bundle, options.threads, options.repeats)
    print(table([("figure", "median", "min", "max"), *rows(figures)]))
    if options.profile_nodes:
        from satchel.runtime.profile_nodes import profile_nodes, tables

        figures["nodes"] = profile_nodes(options.bundle, options.threads)
        for heading, found in tables(figures["nodes"]):
            print(f"\n{heading}\n{table(found)}")
    if options.json:
        Path(options.json).write_text(json.dumps(figures, indent=1) + "\n", "utf-8")


def _as_user(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="satchel", description=satchel.__doc__)
    parser.add_argument("--version", action="version", version=f"satchel {satchel.__version__}")
    verbs = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=VerbParser)
    command: argparse.ArgumentParser = verbs.add_parser("export", help=export.__doc__)
    command.set_defaults(run=export)
    command.add_argument("source", help="a Hugging Face folder, a .gguf file, or a hub id")
    command.add_argument("out", help="the bundle folder to make")
    command.add_argument(
        "--profile", default="int8", help="int8 (default), int8-portable, int4 or fp32"
    )
    command.add_argument(
        "--keep-fp32", action="append", default=[], metavar="LAYER",
        help="leave a layer float32: its name, the last part of it, or a pattern",
    )  # fmt: skip
    command.add_argument(
        "--cache",
        help="of keys and values: float32 or int8, a quarter of the memory and exact steps; "
        "default: int8 where it costs next to nothing",
    )
    command.add_argument(
        "--calibration", metavar="FILE", help="a text per line to fix scales by; default: shipped"
    )
    command.add_argument(
        "--quality-text", metavar="FILE", help="a text per line to measure on; default: shipped"
    )
    command.add_argument(
        "--tune", type=float, metavar="LOSS",
        help="give the layers that cost most better schemes, until their losses add up to this",
    )  # fmt: skip
    command.add_argument("--context", type=int, help="positions the bundle is made for")
    command.add_argument("--task", help="what the bundle is for; default: what the checkpoint is")
    command.add_argument("--force", action="store_true", help="keep a bundle whose checks fail")
    command.add_argument("--overwrite", action="store_true", help="replace the bundle at OUT")
    command.add_argument("--revision", help="branch, tag or commit of a hub id")
    command.add_argument(
        "--ignore-config-key", action="append", default=[], metavar="KEY",
        help="a key of config.json that does not change the mathematics",
    )  # fmt: skip
    debug(command)
    command = on_bundle(verbs, "generate", generate)
    command.add_argument("prompt")
    command.add_argument("--chat", action="store_true", help="the prompt is a user's message")
    command.add_argument("--json", action="store_true", help="print a line of JSON per text")
    command.add_argument("--stats", action="store_true", help="print the speed, on stderr")
    _generation(command, ...)
    _search(command)
    command.add_argument("--n-best", type=int, metavar="N", help="the N best texts of a search")
    command = on_bundle(verbs, "translate", translate)
    command.add_argument("--source-lang", metavar="NAME", help="as the checkpoint names it")
    command.add_argument("--target-lang", metavar="NAME")
    _generation(command, ...)
    _search(command)
    command = on_bundle(verbs, "chat", chat)
    command.add_argument("--system", help="a system message to begin with")
    _generation(command, None)
    command = on_bundle(verbs, "inspect", inspect)
    command.add_argument("--json", action="store_true", help="print the manifest")
    add_verbs(verbs)
    cli_speech.add_verb(verbs)
    on_bundle(verbs, "verify", verify)
    cli_quality.add_verb(verbs)
    command = on_bundle(verbs, "bench", bench)
    command.add_argument("--json", metavar="FILE", help="also write the figures to FILE")
    command.add_argument("--repeats", type=int, default=5, help="runs per figure (5)")
    command.add_argument(
        "--profile-nodes",
        action="store_true",
        help="also where the time goes, by operator and node",
    )
    return parser


def _search(command: argparse.ArgumentParser) -> None:
    command.add_argument("--num-beams", type=int, metavar="N", help="search with N beams")
    command.add_argument("--length-penalty", type=float, help="above 0 favours long texts")
    command.add_argument(
        "--early-stopping", type=_early, metavar="{true,false,never}",
        help="end a search when N texts are found, when better ones are unlikely, or impossible",
    )  # fmt: skip


def _early(value: str) -> bool | str:
    known: dict[str, bool | str] = {"true": True, "false": False, "never": "never"}
    if value not in known:
        raise argparse.ArgumentTypeError(f"{value!r} is not true, false or never")
    return known[value]


def _generation(command: argparse.ArgumentParser, max_new_tokens: EllipsisType | None) -> None:
    command.add_argument("--max-new-tokens", type=int, default=max_new_tokens, metavar="N")
    command.add_argument("--min-new-tokens", type=int, metavar="N")
    command.add_argument("--temperature", type=float, help="0 is greedy")
    command.add_argument("--top-k", type=int)
    command.add_argument("--top-p", type=float)
    command.add_argument("--min-p", type=float)
    command.add_argument("--repetition-penalty", type=float)
    command.add_argument("--no-repeat-ngram-size", type=int, metavar="N")
    command.add_argument("--seed", type=int)
    command.add_argument(
        "--lookup", action=argparse.BooleanOptionalAction,
        help="read ahead what repeats the prompt or the text: the same text, in fewer steps",
    )  # fmt: skip
    command.add_argument("--stop", nargs="+", default=[], metavar="TEXT", help="end at these")


if __name__ == "__main__":
    sys.exit(main())
