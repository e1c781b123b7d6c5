"""Messages of a conversation: what they may be, and how a chat template takes them.

A message is `{"role", "content"}`. Where functions are called, an assistant's may have `tool_calls`, as
in OpenAI's interface, and the role `tool` gives the result of one, with its `tool_call_id`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from satchel.runtime.errors import UsageError, shown
from satchel.runtime.template import Message
from satchel.runtime.tool_formats import ToolCall, ToolFormat

ROLES = ("system", "user", "assistant")
TOOL = "tool"  # the role of a result
MORE = {"assistant": {"tool_calls"}, TOOL: {"tool_call_id", "name"}}
SURROGATE = re.compile("[\ud800-\udfff]")


def checked_messages(messages: object) -> Sequence[Message]:
    """The messages as they are. Raises UsageError at the first thing that is not a message."""
    if not isinstance(messages, Sequence) or isinstance(messages, str | bytes):
        raise UsageError(f"messages must be a list, not {type(messages).__name__}")
    if not messages:
        raise UsageError("messages is empty: a conversation has at least one message")
    for number, message in enumerate(messages, 1):
        if fault := _fault(message):
            raise UsageError(f"message {number}: {fault}")
    return messages


def use_tools(messages: Sequence[Message]) -> bool:
    """Whether there are calls or results in a conversation."""
    return any(message["role"] == TOOL or message.get("tool_calls") for message in messages)


def for_template(messages: Sequence[Message], form: ToolFormat | None) -> list[dict[str, Any]]:
    """The messages, arguments of calls as objects. With `form` calls are written into the content."""
    taken = []
    for message in messages:
        one = {name: value for name, value in message.items() if name != "tool_calls"}
        calls = [_call(call) for call in message.get("tool_calls") or []]
        if calls and form is not None:
            one["content"] += form.written(calls)
        elif calls:
            one["tool_calls"] = [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {"name": call.name, "arguments": dict(call.arguments)},
                }
                for call in calls
            ]
        taken.append(one)
    return taken


def texts_of(value: Any) -> Iterator[str]:
    """All texts in plain JSON, keys too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for pair in value.items():
            yield from texts_of(pair)
    elif isinstance(value, Sequence):
        for one in value:
            yield from texts_of(one)


def with_texts(value: Any, change: Callable[[str], str]) -> Any:
    """Plain JSON with all of its texts changed, keys too."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {change(str(key)): with_texts(one, change) for key, one in value.items()}
    if isinstance(value, Sequence):
        return [with_texts(one, change) for one in value]
    return value


def _fault(message: object) -> str:
    """What is wrong with one message, or nothing."""
    if not isinstance(message, Mapping):
        return f'must be {{"role": ..., "content": ...}}, not {type(message).__name__}'
    role, content = message.get("role"), message.get("content")
    more = MORE.get(role, set()) if isinstance(role, str) else set()
    if set(message) - more != {"role", "content"}:
        return f"has the keys {shown(list(message))}; expected role and content"
    if role not in (*ROLES, TOOL):
        return f"has the role {shown(role)}; known: {', '.join((*ROLES, TOOL))}"
    if not isinstance(content, str):
        return f"content must be text, not {type(content).__name__}"
    if SURROGATE.search(content):
        return "content holds half a surrogate pair, which is not text"
    try:
        calls = [_call(call) for call in message.get("tool_calls") or []]
    except (TypeError, ValueError, RecursionError):
        return (
            'tool_calls must be a list of {"id": ..., "type": "function", "function": {"name": ..., '
            '"arguments": an object, or the JSON text of one}}'
        )
    if any(
        SURROGATE.search(text) for call in calls for text in texts_of([call.name, call.arguments])
    ):
        return "a call holds half a surrogate pair, which is not text"
    return ""


def _call(value: Any) -> ToolCall:
    """One entry of `tool_calls`. Raises ValueError where it is none."""
    match value:
        case {"id": str(number), "function": {"name": str(name), "arguments": arguments}}:
            if isinstance(arguments, str):
                arguments = json.loads(arguments)
            if isinstance(arguments, Mapping):
                return ToolCall(name, arguments, number)
    raise ValueError("not a call")
