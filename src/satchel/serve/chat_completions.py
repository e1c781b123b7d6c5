"""/v1/chat/completions: answer a conversation."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from satchel.runtime.grammar import Grammar
from satchel.serve import answering
from satchel.serve.failure import Failure, json
from satchel.serve.shelf import Entry, Loaded
from satchel.serve.wire import (
    AudioPart,
    ChatRequest,
    ImagePart,
    JsonObject,
    Message,
    SchemaFormat,
)
from satchel.serve.writing import Piece, Wanted, Writing

BEGIN = {"role": "assistant", "content": ""}


async def chat(request: Request, entry: Entry, body: ChatRequest) -> Response:
    """The answer, whole or in events."""
    wanted = answering.wanted(body, _bound(body), _alternatives(body), _form(body))
    messages = plain(body.messages)
    _refuse_tools(body)
    about = answering.named("chatcmpl") | {"model": entry.name}
    if body.stream:
        source = _events(entry, messages, wanted, body, about)
        return await answering.events(source)
    return await answering.unless_gone(request, _whole(entry, messages, wanted, about))


def plain(messages: list[Message]) -> list[dict[str, str]]:
    """The messages as the runtime takes them: roles and texts."""
    return [_plain(number, message) for number, message in enumerate(messages)]


def _plain(number: int, message: Message) -> dict[str, str]:
    where = f"messages[{number}]"
    role = "system" if message.role == "developer" else message.role
    if role == "tool" or message.tool_calls:
        raise Failure(400, f"{where}: tools are not supported", "unsupported", where)
    content = message.content
    if content is None:
        raise Failure(400, f"{where} has no content", "value", f"{where}.content")
    if isinstance(content, str):
        return {"role": role, "content": content}
    for part in content:
        if isinstance(part, ImagePart | AudioPart):
            kind = "images" if isinstance(part, ImagePart) else "sounds"
            raise Failure(
                400,
                f"{where}: this bundle reads texts alone, no {kind}",
                "unsupported",
                f"{where}.content",
            )
    return {"role": role, "content": "".join(part.text for part in content)}  # type: ignore[union-attr]


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


def _refuse_tools(body: ChatRequest) -> None:
    if body.tools and body.tool_choice != "none":
        raise Failure(
            400, "this bundle's chat format of tools is not known", "unsupported", "tools"
        )


async def begun(loaded: Loaded, messages: list[dict[str, str]], wanted: Wanted) -> Writing:
    """The writing of an answer. A bundle that does not talk is refused here."""
    loaded.model.require("chat")
    prompt = await loaded.run(lambda: loaded.model.encode_chat(messages))
    return Writing(loaded, prompt, wanted)


async def _whole(
    entry: Entry, messages: list[dict[str, str]], wanted: Wanted, about: dict[str, Any]
) -> Response:
    async with entry.use() as loaded:
        writing = await begun(loaded, messages, wanted)
        choices = [
            {
                "index": number,
                "message": {"role": "assistant", "content": text, "refusal": None},
                "logprobs": _logprobs(loaded, row, 0, len(row.tokens))
                if wanted.alternatives is not None
                else None,
                "finish_reason": answering.REASONS[reason],
            }
            for number, (text, row, reason) in enumerate(await writing.whole())
        ]
        usage = answering.usage(writing)
        return json(about | {"object": "chat.completion", "choices": choices, "usage": usage})


async def _events(
    entry: Entry,
    messages: list[dict[str, str]],
    wanted: Wanted,
    body: ChatRequest,
    about: dict[str, Any],
) -> AsyncGenerator[dict[str, Any]]:
    about = about | {"object": "chat.completion.chunk"}
    async with entry.use() as loaded:
        writing = await begun(loaded, messages, wanted)
        for number in range(wanted.texts):
            yield about | {"choices": [_choice(number, BEGIN)]}
        async for piece in writing.pieces():
            probabilities = None
            if wanted.alternatives is not None and piece.start < piece.end:
                probabilities = _logprobs(loaded, piece.row, piece.start, piece.end)
            if piece.text or probabilities:
                yield about | {
                    "choices": [_choice(piece.number, {"content": piece.text}, probabilities)]
                }
            if piece.finish_reason is not None:
                yield about | {"choices": [_choice(piece.number, {}, None, _reason(piece))]}
        if body.stream_options and body.stream_options.include_usage:
            yield about | {"choices": [], "usage": answering.usage(writing)}


def _reason(piece: Piece) -> str:
    return answering.REASONS[str(piece.finish_reason)]


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
