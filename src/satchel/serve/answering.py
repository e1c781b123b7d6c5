"""What the endpoints that write share: options of a request, events, a client that leaves."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import StreamingResponse

from satchel.runtime.errors import SatchelError
from satchel.runtime.grammar import Grammar
from satchel.serve.failure import Failure
from satchel.serve.wire import FreeText, JsonObject, JsonSchema, Sampling
from satchel.serve.writing import Wanted, Writing

Answer = TypeVar("Answer")
REASONS = {"eos": "stop", "stop": "stop", "length": "length", "cancelled": "stop"}
OPTIONS = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty", "seed")


def named(kind: str) -> dict[str, Any]:
    """What every answer begins with: an id of its own and when it was made."""
    return {"id": f"{kind}-{secrets.token_hex(12)}", "created": int(time.time())}


def wanted(
    body: Sampling,
    max_new_tokens: int | None,
    alternatives: int | None,
    grammar: Grammar | None,
) -> Wanted:
    """How the texts of a request are to be written."""
    options = {name: value for name in OPTIONS if (value := getattr(body, name)) is not None}
    if options.get("top_p") == 0:
        raise Failure(
            400, "top_p = 0 leaves no token; for the likeliest give temperature 0", "value", "top_p"
        )
    if options.get("temperature") == 0 or ("temperature" not in options and body.top_p == 1):
        # The likeliest token each time: what bounds a choice has nothing to bound.
        options = {
            name: options[name] for name in ("temperature", "repetition_penalty") if name in options
        }
    if body.logit_bias:
        options["logit_bias"] = _by_id(body.logit_bias)
    stop = [body.stop] if isinstance(body.stop, str) else body.stop
    if body.grammar is not None:
        grammar = _own(body.grammar.regex, body.grammar.lark, grammar)
    return Wanted(
        options,
        max_new_tokens,
        stop,
        body.n or 1,
        alternatives,
        body.presence_penalty or 0.0,
        body.frequency_penalty or 0.0,
        grammar,
    )


def form(asked: FreeText | JsonObject | JsonSchema | None) -> Grammar | None:
    """The form that a text is asked for; None for any."""
    match asked:
        case JsonObject():
            return Grammar.json_schema({"type": "object"})
        case JsonSchema(schema=schema):
            return Grammar.json_schema(schema)
    return None


def _by_id(biases: dict[str, float]) -> dict[int, float]:
    try:
        return {int(token): value for token, value in biases.items()}
    except ValueError:
        raise Failure(400, "logit_bias: keys are ids of tokens", "value", "logit_bias") from None


def _own(regex: str | None, lark: str | None, other: Grammar | None) -> Grammar:
    given = [each for each in (regex, lark, other) if each is not None]
    if len(given) != 1:
        raise Failure(
            400,
            "give one form: grammar.regex, grammar.lark, that of the answer, or tools",
            "value",
            "grammar",
        )
    return Grammar.regex(regex) if regex is not None else Grammar.lark(str(lark))


def usage(writing: Writing) -> dict[str, Any]:
    """How many tokens were read and written."""
    read, written = writing.prompt_tokens, writing.completion_tokens
    return {
        "prompt_tokens": read,
        "completion_tokens": written,
        "total_tokens": read + written,
        "prompt_tokens_details": {"cached_tokens": writing.reused_tokens},
    }


async def unless_gone(request: Request, work: Awaitable[Answer]) -> Answer:
    """The result of some work, which is given up when the client leaves."""
    task = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({task, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise Failure(499, "the client left", "gone")
        return task.result()
    finally:
        leaving.cancel()
        task.cancel()
        await asyncio.gather(task, leaving, return_exceptions=True)


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def events(source: AsyncGenerator[Any], done: bool = True) -> StreamingResponse:
    """Server-sent events, named by their `type` where they have one; with `done` a last one says so.

    What goes wrong behind the first is the last of them.
    """
    first = await anext(source)

    async def lines() -> AsyncIterator[bytes]:
        try:
            yield _event(first)
            async for event in source:
                yield _event(event)
        except SatchelError as error:
            yield _event(Failure.of(error).body)
        finally:
            await source.aclose()
        if done:
            yield b"data: [DONE]\n\n"

    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(lines(), media_type="text/event-stream", headers=headers)


def _event(event: dict[str, Any]) -> bytes:
    name = f"event: {event['type']}\n".encode() if "type" in event else b""
    return name + b"data: " + msgspec.json.encode(event) + b"\n\n"
