"""Calls of functions in a text, as it comes piece by piece. What is no call remains text."""

from __future__ import annotations

from collections.abc import Collection

from satchel.runtime.text import overlap
from satchel.runtime.tool_formats import ToolCall, ToolFormat


class ToolReader:
    """Parts what a model writes into what it says and calls of the functions in `names`.

    It depends not on how the text comes in pieces. White space behind calls is dropped.
    """

    def __init__(self, form: ToolFormat, names: Collection[str]) -> None:
        self.calls: list[ToolCall] = []
        self._form, self._names = form, names
        self._held = ""  # text that may yet be a call
        self._said = False  # whether there was text before, so that the whole is no call
        self._behind = False  # a call, and nothing else yet

    def add(self, piece: str) -> tuple[str, list[ToolCall]]:
        """What `piece` makes certain: text and calls, possibly none."""
        self._held += piece
        return self._parted(False)

    def close(self) -> tuple[str, list[ToolCall]]:
        """The rest when no more comes."""
        return self._parted(True)

    def _parted(self, final: bool) -> tuple[str, list[ToolCall]]:
        before, said = len(self.calls), ""
        while (at := self._opening()) >= 0:
            said += self._text(at)
            if found := self._read(final):
                self.calls += found[0]
                self._held, self._behind = self._held[found[1] :], True
            elif final:  # no call begins here, though it looked like one
                said += self._text(1)
            else:
                return said, self.calls[before:]
        said += self._text(len(self._held) - (0 if final else self._waiting()))
        return said, self.calls[before:]

    def _text(self, count: int) -> str:
        """So many characters of what is held, which are no call; behind one, white space is nothing."""
        text, self._held = self._held[:count], self._held[count:]
        if not text or (self._behind and not text.strip()):
            return ""
        self._said, self._behind = True, False
        return text

    def _read(self, final: bool) -> tuple[list[ToolCall], int] | None:
        whole = self._form.shape == "whole"
        found = None if whole and not final else self._form.read(self._held, self._names)
        return None if found and whole and self._held[found[1] :].strip() else found

    def _opening(self) -> int:
        """Where calls may begin in what is held; -1 for nowhere."""
        if self._form.begin:
            return self._held.find(self._form.begin)
        start = len(self._held) - len(self._held.lstrip())
        return start if self._held.startswith("{", start) and not self._said else -1

    def _waiting(self) -> int:
        """How many characters at the end are not yet known to be text."""
        begun = overlap(self._held, self._form.begin)
        # Behind a call white space goes, and before the whole of one.
        idle = self._behind or (self._form.shape == "whole" and not self._said)
        if idle and not self._held[: len(self._held) - begun].strip():
            return len(self._held)
        return begun
