"""/v1/chat/completions: answer a conversation."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from satchel.runtime.grammar import Grammar
from satchel.runtime.row import Row
from satchel.runtime.tool_formats import ToolCall
from satchel.runtime.tool_use import ToolUse
from satchel.serve import answering
from satchel.serve.asked_chat import AskedChat, Spoken, probabilities
from satchel.serve.failure import Failure, json
from satchel.serve.plain_messages import plain
from satchel.serve.shelf import Entry, Loaded
from satchel.serve.wire import ChatRequest, SchemaFormat

BEGIN = {"role": "assistant", "content": ""}


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
    asked = body.response_format
    return answering.form(asked.json_schema if isinstance(asked, SchemaFormat) else asked)


def _tools(body: ChatRequest) -> tuple[list[dict[str, Any]], Any, bool]:
    choice = body.tool_choice if body.tool_choice is not None else "auto"
    parallel = body.parallel_tool_calls is not False
    return msgspec.to_builtins(body.tools or []), msgspec.to_builtins(choice), parallel


def _message(text: str, use: ToolUse | None) -> dict[str, Any]:
    """What an answer says and calls."""
    said, calls = Spoken(use).add(text, last=True)
    message: dict[str, Any] = {"role": "assistant", "content": said, "refusal": None}
    if not calls:
        return message
    return message | {"content": said or None, "tool_calls": [_call(call) for call in calls]}


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
        spoken = [Spoken(use) for _ in range(wanted.texts)]
        called = [0] * wanted.texts
        for number in range(wanted.texts):
            yield about | {"choices": [_choice(number, BEGIN)]}
        async for piece in writing.pieces():
            logprobs = None
            if wanted.alternatives is not None and piece.start < piece.end:
                logprobs = _logprobs(loaded, piece.row, piece.start, piece.end)
            number = piece.number
            said, calls = spoken[number].add(piece.text, piece.finish_reason is not None)
            for delta in _deltas(said, calls, called[number], logprobs is not None):
                yield about | {"choices": [_choice(number, delta, logprobs)]}
                logprobs = None
            called[number] += len(calls)
            if piece.finish_reason is not None:
                reason = "tool_calls" if called[number] else answering.REASONS[piece.finish_reason]
                yield about | {"choices": [_choice(number, {}, None, reason)]}
        if body.stream_options and body.stream_options.include_usage:
            yield about | {"choices": [], "usage": answering.usage(writing)}


def _deltas(said: str, calls: list[ToolCall], called: int, told: bool) -> Iterator[dict[str, Any]]:
    """The changes that a piece makes behind `called` calls; with `told` one at least."""
    if said or (told and not calls):
        yield {"content": said}
    for number, call in enumerate(calls, called):
        yield {"tool_calls": [{"index": number} | _call(call)]}


def _choice(
    number: int, delta: dict[str, Any], logprobs: Any = None, reason: str | None = None
) -> dict[str, Any]:
    return {"index": number, "delta": delta, "logprobs": logprobs, "finish_reason": reason}


def _logprobs(loaded: Loaded, row: Row, start: int, end: int) -> dict[str, Any]:
    return {"content": probabilities(loaded, row, start, end), "refusal": None}
