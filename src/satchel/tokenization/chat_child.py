"""The process that runs a stranger's chat template, under limits. Decides nothing about its texts.

`chat_template.py` gives it a request on standard input; it answers on standard output, both JSON. Its
memory is capped here; the parent keeps the time.
"""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from datetime import datetime
from typing import Any

from jinja2.exceptions import SecurityError, TemplateSyntaxError

from satchel.runtime.errors import shown
from satchel.runtime.template import Clock, render_template

MEMORY_BYTES = 1 << 30
TEXT_CHARACTERS = 1 << 25  # of all probes together

# Two moments that differ in every field a template could write.
_DATES = (datetime(2001, 2, 3, 4, 5, 6), datetime(2019, 12, 28, 21, 47, 53))


def limit_resources(seconds: float) -> None:
    """Cap this process's memory and processor time, where the system can."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        # The parent's clock is the limit; this one is for a parent that was killed.
        spare = int(seconds) + 2
        resource.setrlimit(resource.RLIMIT_CPU, (spare, spare))


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Every probe's text, or None where the template raised; or why the template is refused."""
    asked: list[str] = []
    first, second = (_clock(date, asked) for date in _DATES)
    try:
        texts, error = _render(request, first)
        dated = bool(asked) and texts != _render(request, second)[0]
    except (MemoryError, RecursionError, OverflowError):
        return {"refused": "it asks for too much memory or work"}
    except SecurityError as attack:
        return {"refused": f"it reaches for what the sandbox forbids: {shown(attack)}"}
    except TemplateSyntaxError as fault:
        return {"refused": f"it is not valid Jinja: {shown(fault)}"}
    return {"texts": texts, "dated": dated, "error": error}


def _clock(date: datetime, asked: list[str]) -> Clock:
    def now() -> datetime:
        asked.append("date")
        return date

    return now


def _render(request: dict[str, Any], clock: Clock) -> tuple[list[str | None], str]:
    """One text per probe, and the first thing the template raised."""
    texts: list[str | None] = []
    first_error, room = "", TEXT_CHARACTERS
    for probe in request["probes"]:
        try:
            text = render_template(
                request["template"],
                probe["messages"],
                probe["add_generation_prompt"],
                request["special_tokens"],
                clock,
                probe["tools"],
            )
            room -= len(text)
        except (MemoryError, RecursionError, OverflowError, SecurityError, TemplateSyntaxError):
            raise
        except Exception as error:  # a template is a program: it may raise anything
            text, first_error = None, first_error or shown(error)
        if room < 0:
            raise OverflowError
        texts.append(text)
    return texts, first_error


def main() -> None:
    """Answer one request."""
    request = json.load(sys.stdin)
    limit_resources(request["seconds"])
    json.dump(answer(request), sys.stdout)


if __name__ == "__main__":
    main()
