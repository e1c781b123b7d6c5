"""The verbs for bundles that write: text after a prompt, translations, conversations."""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from typing import Any

from satchel.cli.command import load, on_bundle
from satchel.cli.terminal import readable, readable_json
from satchel.lines import piped_lines
from satchel.progress import bars
from satchel.runtime.errors import UsageError

CHOICE = ("temperature", "top_k", "top_p", "min_p", "seed")
OTHERS = ("repetition_penalty", "no_repeat_ngram_size", "min_new_tokens", "lookup")
SEARCH = ("num_beams", "length_penalty", "early_stopping")
BEAMS = (*SEARCH, "n_best")
EXAMPLES = {
    "generate": """
satchel generate my-bundle "Once upon a time" --max-new-tokens 64
satchel generate my-bundle "Why is the sky blue?" --chat --stats
satchel generate my-bundle "Once upon a time" --temperature 0.8 --top-p 0.9 --seed 1
satchel generate my-bundle "translate English to German: a house" --num-beams 4 --n-best 2 --json
""",
    "translate": """
satchel translate my-bundle --source-lang en --target-lang de < in.txt > out.txt
""",
    "chat": """
satchel chat my-bundle
satchel chat my-bundle --system "Answer in one sentence." --temperature 0.7
""",
}


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
        print(readable(piece), end="", flush=True)
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
        print(readable_json(dataclasses.asdict(row)) if options.json else readable(row.text))


def translate(options: argparse.Namespace) -> None:
    """standard input into another language, line by line"""
    from satchel.cli.translation import translate_lines

    model = load(options)
    model.require("translate")
    settings = {name: getattr(options, name) for name in CHOICE + OTHERS + SEARCH}
    settings |= {"max_new_tokens": options.max_new_tokens, "stop": options.stop}
    lines = piped_lines(sys.stdin.buffer)
    found = translate_lines(
        model, lines, options.source_lang, options.target_lang, bars, **settings
    )
    for line in found:
        sys.stdout.buffer.write(readable(line).encode("utf-8") + b"\n")
        sys.stdout.buffer.flush()


def chat(options: argparse.Namespace) -> None:
    """a conversation of several turns"""
    from satchel.cli.conversation import converse

    settings = {name: getattr(options, name) for name in CHOICE + OTHERS}
    settings |= {"max_new_tokens": options.max_new_tokens, "stop": options.stop}
    model = load(options)
    model.require("chat")
    converse(model, options.system, settings)


def _as_user(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def add_generate(verbs: Any) -> None:
    """`generate` with its options."""
    command = on_bundle(verbs, "generate", generate, EXAMPLES["generate"])
    command.add_argument("prompt", help="the text to go on from, or the source")
    command.add_argument("--chat", action="store_true", help="the prompt is a user's message")
    command.add_argument("--json", action="store_true", help="print a line of JSON per text")
    command.add_argument("--stats", action="store_true", help="print the speed, on stderr")
    _generation(command)
    _search(command)
    command.add_argument("--n-best", type=int, metavar="N", help="the N best texts of a search")


def add_translate(verbs: Any) -> None:
    """`translate` with its options."""
    command = on_bundle(verbs, "translate", translate, EXAMPLES["translate"])
    command.add_argument(
        "--source-lang", metavar="NAME", help="of the input, as the checkpoint names it"
    )
    command.add_argument("--target-lang", metavar="NAME", help="of the output, likewise")
    _generation(command)
    _search(command)


def add_chat(verbs: Any) -> None:
    """`chat` with its options."""
    command = on_bundle(verbs, "chat", chat, EXAMPLES["chat"])
    command.add_argument("--system", metavar="TEXT", help="a system message to begin with")
    _generation(command)


def _search(command: argparse.ArgumentParser) -> None:
    command.add_argument("--num-beams", type=int, metavar="N", help="search with N beams")
    command.add_argument(
        "--length-penalty", type=float, metavar="X", help="above 0 favours long texts"
    )
    command.add_argument(
        "--early-stopping", type=_early, metavar="{true,false,never}",
        help="end a search when N texts are found, when better ones are unlikely, or impossible",
    )  # fmt: skip


def _early(value: str) -> bool | str:
    known: dict[str, bool | str] = {"true": True, "false": False, "never": "never"}
    if value not in known:
        raise argparse.ArgumentTypeError(f"{value!r} is not true, false or never")
    return known[value]


def _generation(command: argparse.ArgumentParser) -> None:
    for name, kind, text in (
        ("temperature", float, "0 is greedy; above 1 is wilder"),
        ("top-k", int, "choose among the K likeliest tokens"),
        ("top-p", float, "choose among the likeliest that make up this share of probability"),
        ("min-p", float, "leave out tokens less likely than this part of the likeliest"),
        ("repetition-penalty", float, "above 1 avoids tokens that were there already"),
        ("no-repeat-ngram-size", int, "no N tokens in a row occur twice"),
        ("seed", int, "of the random choice: the same text for the same seed"),
        ("min-new-tokens", int, "do not end before N tokens"),
    ):
        metavar = "N" if kind is int else "X"
        command.add_argument(f"--{name}", type=kind, metavar=metavar, help=text)
    command.add_argument(
        "--max-new-tokens", type=int, default=..., metavar="N",
        help="end after N tokens; default: what the bundle recommends, or 512",
    )  # fmt: skip
    command.add_argument(
        "--lookup", action=argparse.BooleanOptionalAction,
        help="read ahead what repeats the prompt or the text: the same text, in fewer steps",
    )  # fmt: skip
    command.add_argument("--stop", nargs="+", metavar="TEXT", help="end at these")
