"""/v1/responses: answer a conversation, in OpenAI's newer interface. Nothing is stored."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from satchel.runtime.errors import SatchelError
from satchel.serve import answering
from satchel.serve.asked_chat import AskedChat, Spoken, probabilities
from satchel.serve.failure import Failure, json
from satchel.serve.response_events import Event, GrowingResponse, new_id
from satchel.serve.response_input import chat_tools, conversation
from satchel.serve.response_wire import ResponseRequest, ResponseToolChoice
from satchel.serve.shelf import Entry
from satchel.serve.writing import Writing

STATEFUL = {
    "previous_response_id": "send the items of the conversation as input",
    "conversation": "send its items as input",
    "background": "ask for a stream, or wait",
}
ECHOED = ("instructions", "max_output_tokens", "temperature", "top_p", "metadata", "tools", "user")


async def respond(request: Request, entry: Entry, body: ResponseRequest) -> Response:
    """The answer to a conversation, whole or in events (the Responses API; nothing is stored)."""
    for name, instead in STATEFUL.items():
        if getattr(body, name):
            message = f"{name} is not supported, since no response is stored here: {instead}"
            raise Failure(400, message, "unsupported", name)
    form = answering.form(body.text.format if body.text else None)
    wanted = answering.wanted(body, body.max_output_tokens, _alternatives(body), form)
    choice: Any = body.tool_choice if body.tool_choice is not None else "auto"
    if isinstance(choice, ResponseToolChoice):
        choice = {"type": "function", "function": {"name": choice.name}}
    tools, parallel = chat_tools(body.tools or []), body.parallel_tool_calls is not False
    asked = AskedChat(conversation(body), wanted, tools, choice, parallel)
    growing = GrowingResponse(_about(entry, body))
    if body.stream:
        return await answering.events(_events(entry, asked, growing), done=False)
    return await answering.unless_gone(request, _whole(entry, asked, growing))


def _alternatives(body: ResponseRequest) -> int | None:
    if not body.include and body.top_logprobs is not None:
        message = 'top_logprobs needs include: ["message.output_text.logprobs"]'
        raise Failure(400, message, "value", "top_logprobs")
    return (body.top_logprobs or 0) if body.include else None


def _about(entry: Entry, body: ResponseRequest) -> dict[str, Any]:
    """What a response says of itself: what was asked, and what is so here."""
    asked = {name: msgspec.to_builtins(getattr(body, name)) for name in ECHOED}
    text = msgspec.to_builtins(body.text.format) if body.text and body.text.format else None
    choice = body.tool_choice if body.tool_choice is not None else "auto"
    return asked | {
        "id": new_id("resp"),
        "object": "response",
        "created_at": int(time.time()),
        "model": entry.name,
        "tools": asked["tools"] or [],
        "tool_choice": msgspec.to_builtins(choice),
        "parallel_tool_calls": body.parallel_tool_calls is not False,
        "text": {"format": text or {"type": "text"}},
        "top_logprobs": body.top_logprobs,
        "truncation": "disabled",
        "background": False,
        "store": False,
        "previous_response_id": None,
        "error": None,
        "incomplete_details": None,
    }


async def _whole(entry: Entry, asked: AskedChat, growing: GrowingResponse) -> Response:
    async for _ in _written(entry, asked, growing):
        pass
    return json(growing.body)


async def _events(
    entry: Entry, asked: AskedChat, growing: GrowingResponse
) -> AsyncGenerator[Event]:
    """All events. An error behind the first ends the response, which says so."""
    begun = False
    try:
        async with aclosing(_written(entry, asked, growing)) as written:
            async for event in written:
                begun = True
                yield event
    except SatchelError as error:
        if not begun:
            raise
        yield growing.fail("server_error", Failure.of(error).message)


async def _written(
    entry: Entry, asked: AskedChat, growing: GrowingResponse
) -> AsyncGenerator[Event]:
    async with entry.use() as loaded:
        writing, use = await asked.begin(loaded)
        spoken, reason = Spoken(use), None
        for event in growing.begin():
            yield event
        async for piece in writing.pieces():
            reason = piece.finish_reason
            logprobs = []
            if asked.wanted.alternatives is not None:
                logprobs = probabilities(loaded, piece.row, piece.start, piece.end)
            for event in growing.add(*spoken.add(piece.text, reason is not None), logprobs):
                yield event
        for event in growing.end(reason == "length", _usage(writing)):
            yield event


def _usage(writing: Writing) -> dict[str, Any]:
    read, written = writing.prompt_tokens, writing.completion_tokens
    return {
        "input_tokens": read,
        "input_tokens_details": {"cached_tokens": writing.reused_tokens, "cache_write_tokens": 0},
        "output_tokens": written,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": read + written,
    }
