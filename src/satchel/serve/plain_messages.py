"""Messages of a request as the runtime takes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from satchel.serve.failure import Failure
from satchel.serve.wire import Message, OtherContent, TextContent


def plain(messages: list[Message]) -> list[dict[str, Any]]:
    """The messages as the runtime takes them: roles, texts and calls."""
    return [_plain(number, message) for number, message in enumerate(messages)]


def text_of(where: str, content: str | Sequence[TextContent | OtherContent]) -> str:
    """The text of a message's content, which stands at `where`. Raises Failure for images and sounds."""
    if isinstance(content, str):
        return content
    texts = []
    for part in content:
        if isinstance(part, OtherContent):
            message = f"{where}: this bundle reads texts alone, no {part.kind}"
            raise Failure(400, message, "unsupported", f"{where}.content")
        texts.append(part.text)
    return "".join(texts)


def _plain(number: int, message: Message) -> dict[str, Any]:
    where = f"messages[{number}]"
    role = "system" if message.role == "developer" else message.role
    if message.content is None and not message.tool_calls:
        raise Failure(400, f"{where} has no content", "value", f"{where}.content")
    said: dict[str, Any] = {"role": role, "content": text_of(where, message.content or "")}
    if role == "tool":
        if message.tool_call_id is None:
            raise Failure(400, f"{where} has no tool_call_id", "value", f"{where}.tool_call_id")
        said["tool_call_id"] = message.tool_call_id
    if message.tool_calls:
        if role != "assistant":
            raise Failure(400, f"{where}: only an assistant calls tools", "value", where)
        said["tool_calls"] = msgspec.to_builtins(message.tool_calls)
    return said
