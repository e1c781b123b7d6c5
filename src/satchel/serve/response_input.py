"""The items of /v1/responses as the messages of a conversation."""

from __future__ import annotations

import json
from typing import Any

from satchel.serve.failure import Failure
from satchel.serve.plain_messages import text_of
from satchel.serve.response_wire import InputItem, ResponseRequest, ResponseTool


def conversation(body: ResponseRequest) -> list[dict[str, Any]]:
    """Instructions and input as the runtime takes them. Calls belong to the message before them."""
    said: list[dict[str, Any]] = []
    if body.instructions is not None:
        said.append({"role": "system", "content": body.instructions})
    if isinstance(body.input, str):
        return [*said, {"role": "user", "content": body.input}]
    for number, item in enumerate(body.input):
        where = f"input[{number}]"
        if item.type == "function_call":
            if not said or said[-1]["role"] != "assistant":
                said.append({"role": "assistant", "content": ""})
            said[-1].setdefault("tool_calls", []).append(_call(where, item))
        elif item.type == "function_call_output":
            text = text_of(where, item.output or "")
            said.append({"role": "tool", "tool_call_id": item.call_id, "content": text})
        else:
            role = "system" if item.role == "developer" else item.role
            said.append({"role": role, "content": text_of(where, item.content or "")})
    return said


def _call(where: str, item: InputItem) -> dict[str, Any]:
    try:
        arguments = json.loads(item.arguments or "")
    except (ValueError, RecursionError):
        arguments = None
    if not isinstance(arguments, dict):
        message = f"{where}: arguments must be the JSON text of an object"
        raise Failure(400, message, "value", f"{where}.arguments")
    function = {"name": item.name, "arguments": arguments}
    return {"id": item.call_id, "type": "function", "function": function}


def chat_tools(tools: list[ResponseTool]) -> list[dict[str, Any]]:
    """Functions as the runtime takes them, which are one level deeper."""
    return [
        {
            "type": "function",
            "function": {
                "name": tool.name,
                "description": tool.description,
                "parameters": tool.parameters,
                "strict": tool.strict,
            },
        }
        for tool in tools
    ]
