"""A conversation that a model goes on with: what is asked of it, and what its answer says and calls.

Knows no wire format: both of OpenAI's interfaces for conversations stand on it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from satchel.runtime.row import Row
from satchel.runtime.tool_formats import ToolCall
from satchel.runtime.tool_use import Choice, ToolUse
from satchel.serve.shelf import Loaded
from satchel.serve.writing import Wanted, Writing


@dataclass(frozen=True)
class AskedChat:
    """A conversation, how its answer is to be written, and the tools that it may use."""

    messages: list[dict[str, Any]]
    wanted: Wanted
    tools: list[dict[str, Any]]
    choice: Choice
    parallel: bool

    async def begin(self, loaded: Loaded) -> tuple[Writing, ToolUse | None]:
        """Begin to write. A bundle that does not talk, or takes no tools, is refused here."""
        model = loaded.model
        model.require("chat")
        wanted = self.wanted
        answer = (self.tools, self.choice, self.parallel, wanted.grammar)
        use = await loaded.run(lambda: model.tool_use(*answer))
        tools = None if use is None else use.tools
        prompt = await loaded.run(lambda: model.encode_chat(self.messages, tools))
        if use is not None:
            wanted = replace(wanted, grammar=use.grammar, shown=use.marks)
        return Writing(loaded, prompt, wanted), use


class Spoken:
    """One text as it comes: what its pieces say and call."""

    def __init__(self, use: ToolUse | None) -> None:
        self._reader = None if use is None else use.reader()

    def add(self, text: str, last: bool) -> tuple[str, list[ToolCall]]:
        """What further text makes certain; with `last` all of it."""
        if self._reader is None:
            return text, []
        said, calls = self._reader.add(text)
        if last:
            rest, more = self._reader.close()
            said, calls = said + rest, calls + more
        return said, calls


def probabilities(loaded: Loaded, row: Row, start: int, end: int) -> list[dict[str, Any]]:
    """Each id between two places with its log-probability, and the likeliest in its place."""
    assert row.logprobs is not None
    content = []
    for place in range(start, end):
        top = row.tops[place] if row.top else []
        entry = _likely(loaded, row.tokens[place], row.logprobs[place])
        content.append(entry | {"top_logprobs": [_likely(loaded, *each) for each in top]})
    return content


def _likely(loaded: Loaded, token: int, logprob: float) -> dict[str, Any]:
    text = loaded.model.tokenizer.decode([token], skip_special_tokens=False)
    return {"token": text, "logprob": logprob, "bytes": list(text.encode())}
