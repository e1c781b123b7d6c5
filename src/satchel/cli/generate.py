"""`satchel generate`: text after a prompt, or from a source. Prints; knows no mathematics."""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from typing import Any

from satchel.cli.command import add_adapter, add_draft, load, load_draft, on_bundle
from satchel.cli.generation_options import add_forms, add_options, chosen, form
from satchel.cli.terminal import readable, readable_json
from satchel.runtime.errors import UsageError

EXAMPLES = """
satchel generate my-bundle "Once upon a time" --max-new-tokens 64
satchel generate my-bundle "Why is the sky blue?" --chat --stats
satchel generate my-bundle "Once upon a time" --temperature 0.8 --top-p 0.9 --seed 1
satchel generate my-bundle "Once upon a time" --draft my-smaller-bundle --stats
satchel generate my-bundle "Describe a bag." --chat --json-schema bag.json
satchel generate my-bundle "translate English to German: a house" --num-beams 4 --n-best 2 --json
"""


def generate(options: argparse.Namespace) -> None:
    """text after a prompt, or from a source; streamed"""
    from satchel.runtime.options import ABOUT, Options

    model = load(options)
    if options.chat:
        model.require("chat")
    settings = chosen(options, "generate") | {"stop": options.stop, "grammar": form(options)}
    settings["draft"] = load_draft(options)
    named = {name: value for name, value in settings.items() if name in ABOUT}
    beams = Options.from_options(named, model.manifest.generation).num_beams
    if options.json or options.n_best is not None or beams > 1:
        _print_whole(model, options, settings)
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
        generation, seconds = stream.result, time.perf_counter() - began
        count = len(generation.tokens)
        speed = (count - 1) / (seconds - first) if count > 1 else 0.0
        print(
            f"[{generation.prompt_tokens} tokens read, first piece after {first:.2f} s; "
            f"{count} written, {_read_ahead(generation)}, {speed:.0f} tokens/s; "
            f"ended by {generation.finish_reason}]",
            file=sys.stderr,
        )


def _read_ahead(generation: Any) -> str:
    """How many ids of a text took no step of their own."""
    drafted = f", {generation.drafted} of {generation.draft_tried} drafts right"
    forced = f", {generation.forced} forced by the form"
    return (
        f"{generation.looked_up} of them looked up"
        + drafted * (generation.draft_tried > 0)
        + forced * (generation.forced > 0)
    )


def _print_whole(model: Any, options: argparse.Namespace, settings: dict[str, Any]) -> None:
    """The whole of a generation at once: a line per text, or of JSON."""
    if options.stats:
        raise UsageError("--stats is for a text that is streamed; satchel bench measures")
    prompt = model.encode_chat(_as_user(options.prompt)) if options.chat else options.prompt
    generations = model.generate(prompt, **settings)
    for row in generations if isinstance(generations, list) else [generations]:
        print(readable_json(dataclasses.asdict(row)) if options.json else readable(row.text))


def _as_user(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def add(verbs: Any) -> None:
    """`generate` with its options."""
    command = on_bundle(verbs, "generate", generate, EXAMPLES)
    command.add_argument("prompt", help="the text to go on from, or the source")
    command.add_argument("--chat", action="store_true", help="the prompt is a user's message")
    command.add_argument("--json", action="store_true", help="print a line of JSON per text")
    command.add_argument("--stats", action="store_true", help="print the speed, on stderr")
    command.add_argument("--stop", nargs="+", metavar="TEXT", help="end at these")
    add_adapter(command)
    add_draft(command)
    add_forms(command)
    add_options(command, "generate")
