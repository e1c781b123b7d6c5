"""What clients send to /v1/responses, field by field: what of OpenAI's interface can be kept here."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta

from satchel.serve.wire import (
    Count,
    FreeText,
    FunctionName,
    JsonObject,
    JsonSchema,
    NamedFunction,
    OtherContent,
    Sampling,
    TextContent,
    ToolFunction,
    Wire,
)


class InputText(TextContent, tag="input_text"):
    """Text of who asks."""


class OutputText(TextContent, tag="output_text"):
    """Text of an answer, which comes back as it was given."""

    annotations: list[Any] | None = None
    logprobs: list[Any] | None = None


class InputImage(OtherContent, tag="input_image"):
    """Refused."""

    kind: ClassVar[str] = "images"


class InputAudio(OtherContent, tag="input_audio"):
    """Refused."""

    kind: ClassVar[str] = "sounds"


class InputFile(OtherContent, tag="input_file"):
    """Refused."""

    kind: ClassVar[str] = "files"


InputPart = InputText | OutputText | InputImage | InputAudio | InputFile
Content = str | list[InputPart]
NEEDED = {
    "message": {"role", "content"},
    "function_call": {"call_id", "name", "arguments"},
    "function_call_output": {"call_id", "output"},
}
TOLD = {"type", "id", "status"}  # what the server said of an item, and hears again


class InputItem(Wire):
    """A message, a call of a function, or its result: `NEEDED` says what each has."""

    type: Literal["message", "function_call", "function_call_output"] = "message"
    role: Literal["user", "assistant", "system", "developer"] | None = None
    content: Content | None = None
    call_id: Annotated[str, Meta(min_length=1)] | None = None
    name: FunctionName | None = None
    arguments: str | None = None
    output: Content | None = None
    id: str | None = None
    status: Literal["in_progress", "completed", "incomplete"] | None = None

    def __post_init__(self) -> None:
        given = {name for name in self.__struct_fields__ if getattr(self, name) is not None}
        needed = NEEDED[self.type]
        if given - TOLD != needed:
            raise ValueError(f"a {self.type} has {', '.join(sorted(needed))}, and nothing else")


class ResponseTool(ToolFunction, kw_only=True):
    """A function that the model may call. Without `strict` its calls are held to its schema."""

    type: Literal["function"]
    strict: bool | None = True


class ResponseToolChoice(NamedFunction, kw_only=True):
    """The one function that must be called."""

    type: Literal["function"]


class NamedSchema(JsonSchema, tag="json_schema"):
    """JSON of a schema."""


class TextForm(Wire):
    """The form that a text is to have."""

    format: FreeText | JsonObject | NamedSchema | None = None


class ResponseRequest(Sampling, kw_only=True):
    """/v1/responses"""

    input: str | Annotated[list[InputItem], Meta(min_length=1, max_length=10_000)]
    instructions: str | None = None
    max_output_tokens: Count | None = None
    text: TextForm | None = None
    tools: Annotated[list[ResponseTool], Meta(max_length=128)] | None = None
    tool_choice: Literal["none", "auto", "required"] | ResponseToolChoice | None = None
    parallel_tool_calls: bool | None = None
    include: list[Literal["message.output_text.logprobs"]] | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    n: Literal[1] | None = None
    truncation: Literal["disabled"] | None = None
    previous_response_id: str | None = None
    conversation: str | dict[str, Any] | None = None
    background: bool | None = None
    store: bool | None = None
    metadata: dict[str, Any] | None = None
    service_tier: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
