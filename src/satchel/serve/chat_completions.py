"""/v1/chat/completions: answer a conversation."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, replace
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from satchel.runtime.grammar import Grammar
from satchel.runtime.tool_formats import ToolCall
from satchel.runtime.tool_use import ToolUse
from satchel.serve import answering
from satchel.serve.failure import Failure, json
from satchel.serve.plain_messages import plain
from satchel.serve.shelf import Entry, Loaded
from satchel.serve.wire import ChatRequest, JsonObject, SchemaFormat
from satchel.serve.writing import Piece, Wanted, Writing

BEGIN = {"role": "assistant", "content": ""}


@dataclass(frozen=True)
class AskedChat:
    """A conversation, how its answer is to be written, and the tools that it may use."""

    messages: list[dict[str, Any]]
    wanted: Wanted
    tools: list[dict[str, Any]]
    choice: Any
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


async def chat(request: Request, entry: Entry, body: ChatRequest) -> Response:
    """The answer, whole or in events."""
    wanted = answering.wanted(body, _bound(body), _alternatives(body), _form(body))
    asked = AskedChat(plain(body.messages), wanted, *_tools(body))
    about = answering.named("chatcmpl") | {"model": entry.name}
    if body.stream:
        return await answering.events(_events(entry, asked, body, about))
    return await answering.unless_gone(request, _whole(entry, asked, about))


def _bound(body: ChatRequest) -> int | None:
    if body.max_tokens is not None and body.max_completion_tokens is not None:
        raise Failure(
            400,
            "max_tokens and max_completion_tokens say the same: give one",
            "value",
            "max_tokens",
        )
    return body.max_completion_tokens or body.max_tokens


def _alternatives(body: ChatRequest) -> int | None:
    if body.top_logprobs is not None and not body.logprobs:
        raise Failure(400, "top_logprobs needs logprobs", "value", "top_logprobs")
    return (body.top_logprobs or 0) if body.logprobs else None


def _form(body: ChatRequest) -> Grammar | None:
    match body.response_format:
        case JsonObject():
            return Grammar.json_schema({"type": "object"})
        case SchemaFormat(json_schema=asked):
            return Grammar.json_schema(asked.schema)
    return None


def _tools(body: ChatRequest) -> tuple[list[dict[str, Any]], Any, bool]:
    choice = body.tool_choice if body.tool_choice is not None else "auto"
    parallel = body.parallel_tool_calls is not False
    return msgspec.to_builtins(body.tools or []), msgspec.to_builtins(choice), parallel


def _message(text: str, use: ToolUse | None) -> dict[str, Any]:
    """What an answer says and calls."""
    message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None}
    if use is None:
        return message
    reader = use.reader()
    said = reader.add(text)[0] + reader.close()[0]
    if not reader.calls:
        return message | {"content": said}
    return message | {"content": said or None, "tool_calls": [_call(c) for c in reader.calls]}


def _call(call: ToolCall) -> dict[str, Any]:
    function = {"name": call.name, "arguments": call.json}
    return {"id": call.id, "type": "function", "function": function}


async def _whole(entry: Entry, asked: AskedChat, about: dict[str, Any]) -> Response:
    wanted = asked.wanted
    async with entry.use() as loaded:
        writing, use = await asked.begin(loaded)
        choices = [
            {
                "index": number,
                "message": (message := _message(text, use)),
                "logprobs": _logprobs(loaded, row, 0, len(row.tokens))
                if wanted.alternatives is not None
                else None,
                "finish_reason": "tool_calls"
                if message.get("tool_calls")
                else answering.REASONS[reason],
            }
            for number, (text, row, reason) in enumerate(await writing.whole())
        ]
        usage = answering.usage(writing)
        return json(about | {"object": "chat.completion", "choices": choices, "usage": usage})


async def _events(
    entry: Entry, asked: AskedChat, body: ChatRequest, about: dict[str, Any]
) -> AsyncGenerator[dict[str, Any]]:
    wanted = asked.wanted
    about = about | {"object": "chat.completion.chunk"}
    async with entry.use() as loaded:
        writing, use = await asked.begin(loaded)
        spoken = [_Spoken(use) for _ in range(wanted.texts)]
        for number in range(wanted.texts):
            yield about | {"choices": [_choice(number, BEGIN)]}
        async for piece in writing.pieces():
            probabilities = None
            if wanted.alternatives is not None and piece.start < piece.end:
                probabilities = _logprobs(loaded, piece.row, piece.start, piece.end)
            one = spoken[piece.number]
            for delta in one.deltas(piece, bool(probabilities)):
                yield about | {"choices": [_choice(piece.number, delta, probabilities)]}
                probabilities = None
            if piece.finish_reason is not None:
                reason = "tool_calls" if one.called else answering.REASONS[piece.finish_reason]
                yield about | {"choices": [_choice(piece.number, {}, None, reason)]}
        if body.stream_options and body.stream_options.include_usage:
            yield about | {"choices": [], "usage": answering.usage(writing)}


class _Spoken:
    """One text of a stream: what its pieces say and call."""

    def __init__(self, use: ToolUse | None) -> None:
        self._reader = None if use is None else use.reader()
        self.called = 0

    def deltas(self, piece: Piece, told: bool) -> Iterator[dict[str, Any]]:
        """The changes that a piece makes; with `told` one at least."""
        said = piece.text
        calls: list[ToolCall] = []
        if self._reader is not None:
            said, calls = self._reader.add(piece.text)
            if piece.finish_reason is not None:
                rest, more = self._reader.close()
                said, calls = said + rest, calls + more
        if said or (told and not calls):
            yield {"content": said}
        for call in calls:
            yield {"tool_calls": [{"index": self.called} | _call(call)]}
            self.called += 1


def _choice(
    number: int, delta: dict[str, Any], logprobs: Any = None, reason: str | None = None
) -> dict[str, Any]:
    return {"index": number, "delta": delta, "logprobs": logprobs, "finish_reason": reason}


def _logprobs(loaded: Loaded, row: Any, start: int, end: int) -> dict[str, Any]:
    """Each id between two places with its log-probability, and the likeliest in its place."""
    content = []
    for place in range(start, end):
        top = row.tops[place] if row.top else []
        entry = _likely(loaded, row.tokens[place], row.logprobs[place])
        content.append(entry | {"top_logprobs": [_likely(loaded, *each) for each in top]})
    return {"content": content, "refusal": None}


def _likely(loaded: Loaded, token: int, logprob: float) -> dict[str, Any]:
    text = loaded.model.tokenizer.decode([token], skip_special_tokens=False)
    return {"token": text, "logprob": logprob, "bytes": list(text.encode())}
