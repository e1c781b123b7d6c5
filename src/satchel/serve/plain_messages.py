"""Messages of a request as the runtime takes them."""

from __future__ import annotations

from typing import Any

import msgspec

from satchel.serve.failure import Failure
from satchel.serve.wire import AudioPart, ImagePart, Message


def plain(messages: list[Message]) -> list[dict[str, Any]]:
    """The messages as the runtime takes them: roles, texts and calls."""
    return [_plain(number, message) for number, message in enumerate(messages)]


def _plain(number: int, message: Message) -> dict[str, Any]:
    where = f"messages[{number}]"
    role = "system" if message.role == "developer" else message.role
    said: dict[str, Any] = {"role": role, "content": _text(where, message)}
    if role == "tool":
        if message.tool_call_id is None:
            raise Failure(400, f"{where} has no tool_call_id", "value", f"{where}.tool_call_id")
        said["tool_call_id"] = message.tool_call_id
    if message.tool_calls:
        if role != "assistant":
            raise Failure(400, f"{where}: only an assistant calls tools", "value", where)
        said["tool_calls"] = msgspec.to_builtins(message.tool_calls)
    return said


def _text(where: str, message: Message) -> str:
    content = message.content
    if content is None and not message.tool_calls:
        raise Failure(400, f"{where} has no content", "value", f"{where}.content")
    if content is None or isinstance(content, str):
        return content or ""
    for part in content:
        if isinstance(part, ImagePart | AudioPart):
            kind = "images" if isinstance(part, ImagePart) else "sounds"
            raise Failure(
                400,
                f"{where}: this bundle reads texts alone, no {kind}",
                "unsupported",
                f"{where}.content",
            )
    return "".join(part.text for part in content)  # type: ignore[union-attr]
