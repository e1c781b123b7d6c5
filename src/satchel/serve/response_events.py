"""A response as it grows: the events of OpenAI's interface, and the response that they come to.

Knows neither models nor requests.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from typing import Any

from satchel.runtime.tool_formats import ToolCall

Event = dict[str, Any]
CUT = {"reason": "max_output_tokens"}


class GrowingResponse:
    """The response `about`, to which texts and calls are added one after the other.

    Each method gives the events of what it does. A message is open while text comes, and closed by a call
    or the end; a call comes whole.
    """

    def __init__(self, about: dict[str, Any]) -> None:
        self.body = about | {"status": "in_progress", "output": [], "usage": None}
        self._number = 0
        self._message: dict[str, Any] | None = None  # the item that is open, with its text so far
        self._told: list[Any] = []  # log-probabilities of ids whose text is not yet certain

    def begin(self) -> Iterator[Event]:
        """It is there, and empty."""
        yield self._event("response.created", response=dict(self.body))
        yield self._event("response.in_progress", response=dict(self.body))

    def add(self, text: str, calls: Sequence[ToolCall], logprobs: Sequence[Any]) -> Iterator[Event]:
        """Further text with the log-probabilities of its ids, then calls."""
        self._told += logprobs
        if text:
            yield from self._say(text)
        for call in calls:
            yield from self._close("completed")
            self._told = []
            yield from self._call(call)

    def end(self, cut: bool, usage: dict[str, Any]) -> Iterator[Event]:
        """No more comes; `cut` by a bound of tokens or not. There is one item at least."""
        status = "incomplete" if cut else "completed"
        if not self.body["output"]:
            yield from self._open()
        if self._message is not None:
            yield from self._close(status)
        self.body |= {"status": status, "usage": usage}
        if cut:
            self.body["incomplete_details"] = CUT
        yield self._event(f"response.{status}", response=self.body)

    def fail(self, code: str, message: str) -> Event:
        """What came is all that comes, for an error."""
        self.body |= {"status": "failed", "error": {"code": code, "message": message}}
        return self._event("response.failed", response=self.body)

    def _event(self, kind: str, **fields: Any) -> Event:
        number, self._number = self._number, self._number + 1
        return {"type": kind, "sequence_number": number} | fields

    def _at(self, item: dict[str, Any]) -> dict[str, Any]:
        """Where an event of the last item, or of its text, takes place."""
        place = {"item_id": item["id"], "output_index": len(self.body["output"]) - 1}
        return place | {"content_index": 0} if item["type"] == "message" else place

    def _added(self, item: dict[str, Any]) -> Event:
        self.body["output"] = [*self.body["output"], item]
        index = len(self.body["output"]) - 1
        return self._event("response.output_item.added", output_index=index, item=dict(item))

    def _done(self, item: dict[str, Any]) -> Event:
        index = len(self.body["output"]) - 1
        return self._event("response.output_item.done", output_index=index, item=item)

    def _open(self) -> Iterator[Event]:
        about = {"id": new_id("msg"), "type": "message", "role": "assistant"}
        self._message = about | {"status": "in_progress", "content": []}
        yield self._added(self._message)
        part: dict[str, Any] = {
            "type": "output_text",
            "text": "",
            "annotations": [],
            "logprobs": [],
        }
        self._message["content"] = [part]
        yield self._event("response.content_part.added", **self._at(self._message), part=dict(part))

    def _say(self, text: str) -> Iterator[Event]:
        if self._message is None:
            yield from self._open()
        assert self._message is not None
        part, told = self._message["content"][0], self._told
        part |= {"text": part["text"] + text, "logprobs": part["logprobs"] + told}
        self._told = []
        place = self._at(self._message)
        yield self._event("response.output_text.delta", **place, delta=text, logprobs=told)

    def _close(self, status: str) -> Iterator[Event]:
        item, self._message = self._message, None
        if item is None:
            return
        item["status"], part = status, item["content"][0]
        part["logprobs"] = part["logprobs"] + self._told
        text = {"text": part["text"], "logprobs": part["logprobs"]}
        yield self._event("response.output_text.done", **self._at(item), **text)
        yield self._event("response.content_part.done", **self._at(item), part=part)
        yield self._done(item)

    def _call(self, call: ToolCall) -> Iterator[Event]:
        about = {"id": new_id("fc"), "type": "function_call", "call_id": call.id, "name": call.name}
        item = about | {"arguments": "", "status": "in_progress"}
        yield self._added(item)
        item |= {"arguments": call.json, "status": "completed"}
        kind, place = "response.function_call_arguments", self._at(item)
        yield self._event(f"{kind}.delta", **place, delta=call.json)
        yield self._event(f"{kind}.done", **place, name=call.name, arguments=call.json)
        yield self._done(item)


def new_id(kind: str) -> str:
    """The name of a response or an item."""
    return f"{kind}_{secrets.token_hex(12)}"
