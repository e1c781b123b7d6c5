"""/v1/responses with the `openai` package: whole and in events, tools, forms, what is refused."""

from __future__ import annotations

import json
from typing import Any

import httpx
import openai
import pydantic
import pytest
from openai.types.responses import Response, ResponseStreamEvent

from satchel.runtime.decoder_model import DecoderModel
from satchel.runtime.tool_formats import ToolCall
from satchel.serve.response_events import GrowingResponse
from tests.test_tools import ASK, NAMED, SCHEMA, TOOLS, caller, client, model  # noqa: F401

ASKED: dict[str, Any] = {"model": "caller", "input": "How is it in Rome?", "max_output_tokens": 9}
FUNCTIONS: list[dict[str, Any]] = [{"type": "function"} | tool["function"] for tool in TOOLS]
CHOICE = {"type": "function", "name": "weather"}
CALLING = ASKED | {
    "tools": FUNCTIONS, "tool_choice": CHOICE, "max_output_tokens": 600, "parallel_tool_calls": False
}  # fmt: skip
EVENT: Any = pydantic.TypeAdapter(ResponseStreamEvent)


class Weather(pydantic.BaseModel):
    warm: bool


def test_text_is_that_of_python_whole_and_in_events(
    client: Any,  # noqa: F811
    model: DecoderModel,  # noqa: F811
) -> None:
    expected = model.chat(ASK, max_new_tokens=9)
    answer = client.responses.create(**ASKED, store=True, metadata={"a": "b"})
    Response.model_validate(answer.model_dump(by_alias=True), strict=True)
    assert answer.output_text == expected.text and expected.finish_reason == "length"
    assert (answer.status, answer.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    assert (answer.store, answer.metadata, answer.previous_response_id) == (False, {"a": "b"}, None)
    assert answer.usage.output_tokens == 9
    assert answer.usage.input_tokens == len(model.encode_chat(ASK))

    events = list(client.responses.create(**ASKED, stream=True))
    kinds = [event.type.removeprefix("response.") for event in events]
    ends = ["output_text.done", "content_part.done", "output_item.done", "incomplete"]
    assert kinds[:4] == ["created", "in_progress", "output_item.added", "content_part.added"]
    assert set(kinds[4:-4]) == {"output_text.delta"} and kinds[-4:] == ends
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert "".join(event.delta for event in events[4:-4]) == expected.text
    for event in events:
        EVENT.validate_python(event.model_dump(by_alias=True), strict=True)
    final = events[-1].response
    assert final.output_text == events[-4].text == expected.text
    assert final.usage.output_tokens == 9 and events[-2].item == final.output[0]


def test_probabilities_are_those_of_python(client: Any, model: DecoderModel) -> None:  # noqa: F811
    expected = model.generate(model.encode_chat(ASK), max_new_tokens=9).logprobs
    asked = ASKED | {"include": ["message.output_text.logprobs"], "top_logprobs": 2}
    part = client.responses.create(**asked).output[0].content[0]
    assert [one.logprob for one in part.logprobs] == expected
    assert {len(one.top_logprobs) for one in part.logprobs} == {2}
    events = list(client.responses.create(**asked, stream=True))
    deltas = [one for event in events if event.type.endswith(".delta") for one in event.logprobs]
    done = next(event for event in events if event.type == "response.output_text.done")
    assert [one.logprob for one in done.logprobs] == expected
    assert [one.logprob for one in deltas] == expected[: len(deltas)] and deltas


def test_items_are_the_messages_of_a_chat(client: Any, model: DecoderModel) -> None:  # noqa: F811
    call = {"id": "abcdefghi", "type": "function", "function": CALL}
    tools = model.tool_use(TOOLS, "none") or model.tool_use(TOOLS)
    assert tools is not None
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": "Be brief."},
        *ASK,
        {"role": "assistant", "content": "Let me see.", "tool_calls": [call, call]},
        {"role": "tool", "tool_call_id": "abcdefghi", "content": "warm"},
        {"role": "tool", "tool_call_id": "abcdefghi", "content": "cold"},
        {"role": "system", "content": "Yes or no?"},
    ]
    said = {"type": "output_text", "text": "Let me see.", "annotations": []}
    called = {"type": "function_call", "call_id": "abcdefghi", "id": "fc_1"} | CALL
    result = {"type": "function_call_output", "call_id": "abcdefghi"}
    items: list[dict[str, Any]] = [
        {"role": "user", "content": [{"type": "input_text", "text": ASK[0]["content"]}]},
        {"type": "message", "role": "assistant", "content": [said], "status": "completed"},
        called,
        called,
        result | {"output": "warm"},
        result | {"output": [{"type": "input_text", "text": "cold"}]},
        {"role": "developer", "content": "Yes or no?"},
    ]
    asked = ASKED | {"instructions": "Be brief.", "input": items, "tool_choice": "auto"}
    answer = client.responses.create(**asked, tools=FUNCTIONS)
    assert answer.usage.input_tokens == len(model.encode_chat(messages, tools.tools))


CALL = {"name": "weather", "arguments": '{"town": "Rome", "days": 2}'}


def test_functions_are_called_and_answered(client: Any, model: DecoderModel) -> None:  # noqa: F811
    how: dict[str, Any] = {"tool_choice": NAMED, "parallel_tool_calls": False}
    expected = model.chat(ASK, tools=TOOLS, **how, max_new_tokens=600).tool_calls[0]
    answer = client.responses.create(**CALLING)
    Response.model_validate(answer.model_dump(by_alias=True), strict=True)
    (call,) = answer.output
    assert (call.type, call.name, json.loads(call.arguments)) == (
        "function_call", expected.name, expected.arguments,
    )  # fmt: skip
    assert answer.status == "completed" and answer.tools[0].parameters == SCHEMA

    with client.responses.stream(**CALLING) as stream:
        kinds = [event.type.removeprefix("response.") for event in stream]
        final = stream.get_final_response()
    added, called, done = "output_item.added", "function_call_arguments", "output_item.done"
    assert kinds == [
        "created", "in_progress", added, f"{called}.delta", f"{called}.done", done, "completed"
    ]  # fmt: skip
    assert json.loads(final.output[0].arguments) == expected.arguments

    result = {"type": "function_call_output", "call_id": call.call_id, "output": "warm"}
    start = {"role": "user", "content": ASKED["input"]}
    for spoken in (answer.output, final.output):
        again = ASKED | {"input": [start, *spoken, result], "tools": FUNCTIONS}
        said = client.responses.create(**again, tool_choice="none")
        assert [item.type for item in said.output] == ["message"]


def test_calls_are_held_to_their_schemas_unless_told_otherwise(client: Any) -> None:  # noqa: F811
    unkept = {"type": "function", "name": "f", "parameters": {"properties": {"a": {"not": {}}}}}
    for more in ({}, {"strict": True}):
        with pytest.raises(openai.BadRequestError, match="form of the tools cannot be kept to"):
            client.responses.create(**ASKED, tools=[unkept | more])
    assert client.responses.create(**ASKED, tools=[unkept | {"strict": False}]).output_text


def test_forms_hold(client: Any) -> None:  # noqa: F811
    asked = ASKED | {"max_output_tokens": 900}
    answer = client.responses.parse(**asked, text_format=Weather)
    assert answer.status == "completed" and isinstance(answer.output_parsed, Weather)
    with client.responses.stream(**asked, text_format=Weather) as stream:
        assert stream.get_final_response().output_parsed == answer.output_parsed
    start = {"role": "user", "content": ASKED["input"]}
    again = client.responses.parse(
        **asked | {"input": [start, *answer.output, start]}, text_format=Weather
    )
    assert isinstance(again.output_parsed, Weather)
    text: Any = {"format": {"type": "json_object"}}
    cut = client.responses.create(**ASKED, text=text)
    assert cut.output_text.lstrip().startswith("{")


IMAGE = {"role": "user", "content": [{"type": "input_image", "image_url": "x", "detail": "low"}]}
SOUND = {"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}
FILE = {"role": "user", "content": [{"type": "input_file", "file_id": "x"}]}
TORN = {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{"}
REFUSED: dict[str, tuple[dict[str, Any], str, str | None, str]] = {
    "an image": ({"input": [IMAGE]}, "unsupported", "input[0].content", "texts alone, no images"),
    "a sound": ({"input": [SOUND]}, "unsupported", "input[0].content", "texts alone, no sounds"),
    "a file": ({"input": [FILE]}, "unsupported", "input[0].content", "texts alone, no files"),
    "an item with too little": (
        {"input": [{"role": "user"}]}, "invalid_body", "input[0]", "a message has content, role",
    ),
    "an item with too much": (
        {"input": [TORN | {"role": "user"}]}, "invalid_body", "input[0]", "and nothing else",
    ),
    "arguments that are no JSON": (
        {"input": [TORN]}, "value", "input[0].arguments", "must be the JSON text of an object",
    ),
    "an unknown item": ({"input": [{"type": "reasoning"}]}, "invalid_body", "input[0].type", "reasoning"),
    "no item": ({"input": []}, "invalid_body", "input", "length >= 1"),
    "a tool of OpenAI's": (
        {"tools": [{"type": "web_search"}]}, "invalid_body", "tools[0].type", "web_search",
    ),
    "a tool that is not there": ({"tool_choice": CHOICE}, "usage", None, "not among the tools"),
    "an earlier response": (
        {"previous_response_id": "resp_1"}, "unsupported", "previous_response_id", "is stored here",
    ),
    "a conversation": ({"conversation": "c"}, "unsupported", "conversation", "send its items as input"),
    "the background": ({"background": True}, "unsupported", "background", "ask for a stream, or wait"),
    "several texts": ({"n": 2}, "invalid_body", "n", "2"),
    "an unknown field": ({"reasoning": {}}, "invalid_body", None, "reasoning"),
    "probabilities of nothing": ({"top_logprobs": 2}, "value", "top_logprobs", "needs include"),
    "two forms": (
        {"text": {"format": {"type": "json_object"}}, "grammar": {"regex": "a"}},
        "value", "grammar", "give one form",
    ),
    "too long": ({"input": "word " * 9999}, "context_length_exceeded", None, "tokens"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_answered_is_refused_by_name(client: Any, name: str) -> None:  # noqa: F811
    more, code, param, words = REFUSED[name]
    for stream in (False, True):
        sent = ASKED | more | {"stream": stream}
        answer = httpx.post(f"{client.base_url}responses", json=sent)
        error = answer.json()["error"]
        assert (answer.status_code, error["code"], error["param"]) == (400, code, param), error
        assert words in error["message"] and len(error["message"]) <= 600


def test_texts_and_calls_keep_their_order() -> None:
    growing = GrowingResponse({"id": "resp_1"})
    for text, calls in (
        ("a", []),
        ("b", [ToolCall("f", {})]),
        ("", [ToolCall("g", {})]),
        ("c", []),
    ):
        list(growing.add(text, calls, []))
    list(growing.end(False, {}))
    output = growing.body["output"]
    assert [item.get("name") or item["content"][0]["text"] for item in output] == [
        "ab", "f", "g", "c"
    ]  # fmt: skip
    assert {item["status"] for item in output} == {"completed"}


def test_an_answer_that_fails_says_so() -> None:
    growing = GrowingResponse({"id": "resp_1"})
    list(growing.add("a", [], []))
    event = growing.fail("server_error", "out of memory")
    assert event["type"] == "response.failed" and event["response"]["status"] == "failed"
    assert event["response"]["error"] == {"code": "server_error", "message": "out of memory"}
    assert event["response"]["output"][0]["content"][0]["text"] == "a"


def test_an_answer_of_nothing_is_an_empty_message() -> None:
    growing = GrowingResponse({"id": "resp_1"})
    kinds = [event["type"].removeprefix("response.") for event in growing.end(False, {})]
    assert kinds[0] == "output_item.added" and kinds[-2:] == ["output_item.done", "completed"]
    assert growing.body["output"][0]["content"][0]["text"] == ""
