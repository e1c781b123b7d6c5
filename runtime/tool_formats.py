"""How models write calls of functions, by name, and the calls read back. Knows no model and no schema.

A call stands in the text that a model writes: JSON between marks, in a list, or the whole text. Which
format a bundle has is found at export, by reading back what its template writes.
"""

from __future__ import annotations

import json
import re
import secrets
import string
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from json import JSONDecoder
from typing import Any, Literal, NoReturn

from tokenizers import Tokenizer

ARGS, CALL_ID = "[ARGS]", "[CALL_ID]"
NAMED = re.compile(r"\s*([\w.-]+)(?:\[CALL_ID\]\w+)?\s*(?=\[ARGS\])")
ALPHABET = string.ascii_letters + string.digits


def call_id() -> str:
    """The name of a call: nine letters and digits, which is what Mistral's templates insist on."""
    return "".join(secrets.choice(ALPHABET) for _ in range(9))


@dataclass(frozen=True)
class ToolCall:
    """A function that the model calls, and the arguments, an object of JSON."""

    name: str
    arguments: Mapping[str, Any]
    id: str = field(default_factory=call_id, compare=False)

    @property
    def json(self) -> str:
        """The arguments as JSON."""
        return json.dumps(self.arguments, ensure_ascii=False)


@dataclass(frozen=True)
class ToolFormat:
    """What stands before and behind calls, and how they are put.

    `each` call is an object between marks; a `list` of them is; the `whole` text is one; or it is `named`
    before its arguments. `arguments` is the key of those.
    """

    shape: Literal["each", "list", "whole", "named"]
    begin: str = ""
    end: str = ""
    arguments: str = "arguments"
    others: tuple[str, ...] = ()  # further words with power, of results and lists of tools

    @property
    def marks(self) -> tuple[str, ...]:
        """The words that a reader must see, though some tokenizers have them as special tokens."""
        named = (ARGS, CALL_ID) if self.shape == "named" else ()
        return tuple(mark for mark in (self.begin, self.end, *named) if mark)

    @property
    def words(self) -> tuple[str, ...]:
        """All words with power: text that holds them is never taken for them."""
        return (*self.marks, *self.others)

    def tokens(self, tokenizer: Tokenizer) -> dict[int, str]:
        """Those of the marks that are tokens of their own."""
        added = tokenizer.get_added_tokens_decoder().items()
        return {number: token.content for number, token in added if token.content in self.marks}

    def read(self, text: str, names: Collection[str]) -> tuple[list[ToolCall], int] | None:
        """The calls that `text` begins with and where they end. None where it does not, or not yet."""
        at = len(self.begin)
        if not text.startswith(self.begin):
            return None
        name = None
        if self.shape == "named":
            found = NAMED.match(text, at)
            if found is None:
                return None
            name, at = found[1], found.end() + len(ARGS)
        try:
            value, at = DECODER.raw_decode(text, _blank(text, at))
        except (ValueError, RecursionError):
            return None
        if self.end:
            at = _blank(text, at)
            if not text.startswith(self.end, at):
                return None
        listed = value if self.shape == "list" else [value]
        calls = [self._call(one, name) for one in listed] if isinstance(listed, list) else []
        known = [call for call in calls if call is not None and call.name in names]
        return (known, at + len(self.end)) if calls and len(known) == len(calls) else None

    def _call(self, value: Any, name: str | None) -> ToolCall | None:
        if name is None and isinstance(value, dict):
            name, value = value.get("name"), value.get(self.arguments)
        if not isinstance(name, str) or not isinstance(value, dict):
            return None
        return ToolCall(name, value)

    def written(self, calls: Sequence[ToolCall]) -> str:
        """Calls as the model writes them."""
        if self.shape == "named":
            return "".join(f"{self.begin}{call.name}{ARGS}{call.json}" for call in calls)
        objects = [
            f'{{"name": {json.dumps(call.name)}, "{self.arguments}": {call.json}}}'
            for call in calls
        ]
        if self.shape == "list":
            return f"{self.begin}[{', '.join(objects)}]{self.end}"
        if self.shape == "whole":
            return "\n".join(objects)
        return "\n".join(f"{self.begin}\n{one}\n{self.end}" for one in objects)


_XML = ("<tool_response>", "</tool_response>", "<tools>", "</tools>")
_INST = ("[TOOL_RESULTS]", "[/TOOL_RESULTS]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]")
# Where one is the beginning of another, the longer comes first.
FORMATS: Mapping[str, ToolFormat] = {
    "hermes": ToolFormat("each", "<tool_call>", "</tool_call>", others=_XML),  # Qwen, SmolLM3
    "smollm2": ToolFormat("list", "<tool_call>", "</tool_call>", others=_XML),
    "nemotron": ToolFormat("list", "<TOOLCALL>", "</TOOLCALL>"),
    "phi4": ToolFormat("list", "<|tool_call|>", "<|/tool_call|>"),
    "granite": ToolFormat("list", "<|tool_call|>"),
    "mistral": ToolFormat("list", "[TOOL_CALLS]", others=_INST),
    "mistral-args": ToolFormat("named", "[TOOL_CALLS]", others=_INST),
    "llama3": ToolFormat("whole", arguments="parameters"),
}


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


DECODER = JSONDecoder(parse_constant=_no_number)


def _blank(text: str, at: int) -> int:
    """The place behind the white space at `at`."""
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at
