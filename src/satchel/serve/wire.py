"""What clients send, field by field. A field that is not here is refused, never passed over.

Names and meanings are those of OpenAI's interface; `rerank` is that of Jina and llama.cpp. Fields that
cannot change an answer here (`user`, `store`, `metadata`, ...) are taken and left alone.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta

FunctionName = Annotated[str, Meta(pattern="^[a-zA-Z0-9_-]{1,64}$")]
Name = Annotated[str, Meta(min_length=1, max_length=200)]
Count = Annotated[int, Meta(ge=1, le=1_000_000)]
Chance = Annotated[float, Meta(ge=0, le=1)]
Temperature = Annotated[float, Meta(ge=0, le=2)]
Penalty = Annotated[float, Meta(ge=-2, le=2)]
Seed = Annotated[int, Meta(ge=0, le=2**53)]
Stops = str | Annotated[list[str], Meta(max_length=16)] | None
Prompt = str | int | list[int]
Bias = dict[str, Annotated[float, Meta(ge=-100, le=100)]]


class Wire(msgspec.Struct, forbid_unknown_fields=True):
    """Read strictly."""


class StreamOptions(Wire):
    """`include_usage`: a last event says how many tokens there were."""

    include_usage: bool = False
    include_obfuscation: bool = False


class TextContent(Wire):
    """A piece of a message's content that is text."""

    text: str


class OtherContent(msgspec.Struct):
    """A piece that no bundle which talks takes in. It is refused by its kind, whatever else it says."""

    kind: ClassVar[str]


class TextPart(TextContent, tag="text"):
    """Text."""


class ImagePart(OtherContent, tag="image_url"):
    """Refused."""

    kind: ClassVar[str] = "images"


class AudioPart(OtherContent, tag="input_audio"):
    """Refused."""

    kind: ClassVar[str] = "sounds"


Part = TextPart | ImagePart | AudioPart


class CalledFunction(Wire):
    """A function and its arguments, JSON as text."""

    name: str
    arguments: str


class MessageToolCall(Wire):
    """A call that the model made."""

    id: str
    function: CalledFunction
    type: Literal["function"] = "function"


class Message(Wire):
    """A message of a conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[Part] | None = None
    name: str | None = None
    tool_calls: list[MessageToolCall] | None = None
    tool_call_id: str | None = None
    refusal: str | None = None


class ToolFunction(Wire):
    """A function that the model may call."""

    name: FunctionName
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class Tool(Wire):
    """A tool: a function."""

    function: ToolFunction
    type: Literal["function"] = "function"


class NamedFunction(Wire):
    """A function by its name."""

    name: str


class ToolChoice(Wire):
    """The one tool that must be called."""

    function: NamedFunction
    type: Literal["function"] = "function"


class JsonSchema(Wire):
    """A schema that the answer has to fit."""

    name: str = "answer"
    schema: dict[str, Any] | bool = True
    description: str | None = None
    strict: bool | None = None


class FreeText(Wire, tag="text"):
    """Any text."""


class JsonObject(Wire, tag="json_object"):
    """Any JSON object."""


class SchemaFormat(Wire, tag="json_schema"):
    """JSON of a schema."""

    json_schema: JsonSchema


class OwnForm(Wire):
    """Not OpenAI's: a regular expression or a Lark grammar that the whole text has to fit."""

    regex: str | None = None
    lark: str | None = None


class Sampling(Wire):
    """What all that write have in common."""

    model: Name
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: Temperature | None = None
    top_p: Chance | None = None
    top_k: Annotated[int, Meta(ge=1)] | None = None
    min_p: Chance | None = None
    repetition_penalty: Annotated[float, Meta(gt=0, le=10)] | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    logit_bias: Bias | None = None
    seed: Seed | None = None
    stop: Stops = None
    n: Annotated[int, Meta(ge=1, le=64)] | None = None
    grammar: OwnForm | None = None
    user: str | None = None


class ChatRequest(Sampling, kw_only=True):
    """/v1/chat/completions"""

    messages: Annotated[list[Message], Meta(min_length=1, max_length=10_000)]
    max_tokens: Count | None = None
    max_completion_tokens: Count | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    response_format: FreeText | JsonObject | SchemaFormat | None = None
    tools: Annotated[list[Tool], Meta(max_length=128)] | None = None
    tool_choice: Literal["none", "auto", "required"] | ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    modalities: list[Literal["text"]] | None = None
    store: bool | None = None
    metadata: dict[str, Any] | None = None
    service_tier: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None


class CompletionRequest(Sampling, kw_only=True):
    """/v1/completions"""

    prompt: str | list[Prompt]  # one text, texts, the ids of one, ids of several
    max_tokens: Annotated[int, Meta(ge=0)] | None = None
    logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    echo: bool | None = None
    best_of: int | None = None
    suffix: str | None = None


class EmbeddingRequest(Wire):
    """/v1/embeddings; `prompt` names one of the bundle's prompts, such as "query", and with `window` the
    vectors of long texts are those of pieces, which overlap by so many tokens."""

    model: Name
    input: str | list[Prompt]
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: Count | None = None
    prompt: str | None = None
    window: Annotated[int, Meta(ge=0)] | None = None
    user: str | None = None


class RerankRequest(Wire):
    """/v1/rerank"""

    model: Name
    query: str
    documents: Annotated[list[str], Meta(min_length=1, max_length=10_000)]
    top_n: Annotated[int, Meta(ge=1)] | None = None
    return_documents: bool = False


class TranslateRequest(Wire):
    """/v1/translate: not OpenAI's."""

    model: Name
    input: str | Annotated[list[str], Meta(max_length=1_000)]
    source_lang: str | None = None
    target_lang: str | None = None
    num_beams: Annotated[int, Meta(ge=1, le=64)] | None = None
    max_tokens: Count | None = None
