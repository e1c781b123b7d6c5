"""The file of `satchel chat --session`: a conversation that goes on where it was. Knows no model."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from satchel.runtime.errors import UsageError, shown


class ChatFile:
    """A conversation and the text that stays read for it, in a file or in memory alone."""

    def __init__(self, model: Any, path: Path | None, system: str | None) -> None:
        self.path = path
        self.opening = [] if system is None else [{"role": "system", "content": system}]
        known = path is not None and path.exists()
        self.kept = model.load_kept(path) if known else model.keep()
        if not known:
            self.kept.messages = list(self.opening)
            return
        if self.opening and self.messages[:1] != self.opening:
            raise UsageError(
                f"--system: the conversation of {shown(path)} began otherwise; leave it out"
            )
        self.opening = [turn for turn in self.messages[:1] if turn["role"] == "system"]
        if sys.stdin.isatty():
            print(f"{len(self.messages)} messages of {shown(path)} before; /reset starts over.")

    @property
    def messages(self) -> list[dict[str, str]]:
        """What was said so far; whoever answers adds to it."""
        said: list[dict[str, str]] = self.kept.messages
        return said

    def reset(self) -> None:
        """Start over; the file stays as it is until the next answer."""
        self.kept.messages = list(self.opening)

    def save(self) -> None:
        """Write what was said and read to the file, if there is one."""
        if self.path is not None:
            self.kept.save(self.path)
