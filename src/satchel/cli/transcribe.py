"""`satchel transcribe`: the text of a sound file. Prints; knows no sound."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from typing import Any

from satchel.cli.command import load, on_bundle
from satchel.cli.generation_options import add_options, chosen
from satchel.cli.terminal import readable, readable_json
from satchel.progress import bars
from satchel.runtime.errors import UsageError

EXAMPLES = """
satchel transcribe my-bundle speech.wav
satchel transcribe my-bundle speech.mp3 --language de --timestamps
satchel transcribe my-bundle speech.wav --task translate --json
"""


def transcribe(options: argparse.Namespace) -> None:
    """the text of a sound file"""
    model = load(options)
    model.require("transcribe")
    if model.manifest.speech is None:
        _spell(options, model)
        return
    heard = model.transcribe_stream(
        options.sound,
        language=options.language,
        task=options.task,
        timestamps=options.timestamps or None,  # else as the bundle recommends
        **chosen(options, "transcribe"),
    )
    if options.timestamps and not options.json:
        for segment in heard:
            print(_line(segment), flush=True)
    else:
        for _ in bars("transcribing")(heard):
            pass
        _print_whole(options, heard.result)
    _tell_silence(heard.result)


def _spell(options: argparse.Namespace, model: Any) -> None:
    """The text of a bundle that writes letter by letter what it hears."""
    asked = {"language": options.language, "task": options.task, **chosen(options, "transcribe")}
    given = [name for name, value in asked.items() if value is not None]
    if given:
        flag = "--" + given[0].replace("_", "-")
        raise UsageError(f"{flag} has no effect: this bundle writes the letters that it hears")
    found = model.transcribe(options.sound)
    if options.timestamps and not options.json:
        for segment in found.segments:
            print(_line(segment))
    else:
        _print_whole(options, found)
    _tell_silence(found)


def _line(segment: Any) -> str:
    return f"[{_clock(segment.start)} - {_clock(segment.end)}] {readable(segment.text)}"


def _print_whole(options: argparse.Namespace, found: Any) -> None:
    whole = readable_json(dataclasses.asdict(found))
    print(whole if options.json else readable(found.text))


def _tell_silence(found: Any) -> None:
    if not found.segments:
        print("note: nothing is said", file=sys.stderr)


def add(verbs: Any) -> None:
    """`transcribe` with its options."""
    command = on_bundle(verbs, "transcribe", transcribe, EXAMPLES)
    command.add_argument("sound", help="a WAV, FLAC, OGG or MP3 file")
    command.add_argument(
        "--language", metavar="NAME", help='as "en" or "english"; default: what is heard'
    )
    command.add_argument(
        "--task",
        choices=("transcribe", "translate"),
        help="transcribe (default), or translate to English",
    )
    command.add_argument(
        "--timestamps", action="store_true", help="a line per segment, or per word"
    )
    command.add_argument("--json", action="store_true", help="print the result as JSON")
    add_options(command, "transcribe")


def _clock(seconds: float) -> str:
    """As 01:02:03.45, without hours where there are none."""
    hundredths = round(seconds * 100)
    minutes, rest = divmod(hundredths, 6000)
    hours, minutes = divmod(minutes, 60)
    return (f"{hours:02}:" if hours else "") + f"{minutes:02}:{rest // 100:02}.{rest % 100:02}"
