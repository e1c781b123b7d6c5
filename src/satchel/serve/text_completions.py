"""/v1/completions: go on from a prompt."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from satchel.runtime.decoder_model import DecoderModel
from satchel.runtime.row import Row
from satchel.serve import answering
from satchel.serve.failure import Failure, json
from satchel.serve.shelf import Entry, Loaded
from satchel.serve.wire import CompletionRequest, Prompt
from satchel.serve.writing import Wanted, Writing

SIXTEEN = 16  # tokens, where the request does not say: OpenAI's default of this endpoint


async def complete(request: Request, entry: Entry, body: CompletionRequest) -> Response:
    """The texts behind each prompt, whole or in events."""
    for name, off in (("suffix", None), ("echo", False), ("best_of", None)):
        if getattr(body, name) not in (None, off):
            raise Failure(400, f"{name} is not supported", "unsupported", name)
    bound = SIXTEEN if body.max_tokens is None else body.max_tokens
    wanted = answering.wanted(body, bound, body.logprobs, None)
    prompts = _prompts(body.prompt)
    about = answering.named("cmpl") | {"object": "text_completion", "model": entry.name}
    if body.stream:
        if len(prompts) > 1:
            raise Failure(400, "a stream has one prompt", "unsupported", "prompt")
        return await answering.events(_events(entry, prompts[0], wanted, body, about))
    return await answering.unless_gone(request, _whole(entry, prompts, wanted, about))


def _prompts(given: str | list[Prompt]) -> list[str | list[int]]:
    """The prompts: texts or ids."""
    if isinstance(given, str):
        return [given]
    ids = [each for each in given if isinstance(each, int)]
    several = [each for each in given if not isinstance(each, int)]
    if not given or (ids and several):
        raise Failure(400, "prompt: expected texts, or ids of tokens", "value", "prompt")
    return [ids] if ids else several


async def _writing(loaded: Loaded, prompt: str | list[int], wanted: Wanted) -> Writing:
    loaded.model.require("generate")
    if not isinstance(loaded.model, DecoderModel):
        task = loaded.model.manifest.task
        message = f"this bundle ({task}) does not go on from a prompt: ask /v1/translate"
        raise Failure(400, message, "wrong_task", "model")
    ids = await loaded.run(lambda: loaded.model.prompt_ids(prompt))
    return Writing(loaded, ids, wanted)


async def _whole(
    entry: Entry, prompts: list[str | list[int]], wanted: Wanted, about: dict[str, Any]
) -> Response:
    choices: list[dict[str, Any]] = []
    usages = []
    async with entry.use() as loaded:
        writings = [await _writing(loaded, prompt, wanted) for prompt in prompts]
        try:
            for writing in writings:
                for text, row, reason in await writing.whole():
                    logprobs = None
                    if wanted.alternatives is not None:
                        logprobs = _logprobs(loaded, row, 0, len(row.tokens))
                    choices.append(_choice(len(choices), text, logprobs, answering.REASONS[reason]))
                usages.append(answering.usage(writing))
        finally:
            for writing in writings:
                writing.cancel()
    totals = ("prompt_tokens", "completion_tokens", "total_tokens")
    usage = {name: sum(one[name] for one in usages) for name in totals}
    return json(about | {"choices": choices, "usage": usage})


async def _events(
    entry: Entry,
    prompt: str | list[int],
    wanted: Wanted,
    body: CompletionRequest,
    about: dict[str, Any],
) -> AsyncGenerator[dict[str, Any]]:
    async with entry.use() as loaded:
        writing = await _writing(loaded, prompt, wanted)
        yield about | {"choices": [_choice(0, "")]}
        async for piece in writing.pieces():
            logprobs = None
            if wanted.alternatives is not None and piece.start < piece.end:
                logprobs = _logprobs(loaded, piece.row, piece.start, piece.end)
            reason = answering.REASONS[piece.finish_reason] if piece.finish_reason else None
            if piece.text or logprobs or reason:
                yield about | {"choices": [_choice(piece.number, piece.text, logprobs, reason)]}
        if body.stream_options and body.stream_options.include_usage:
            yield about | {"choices": [], "usage": answering.usage(writing)}


def _choice(
    number: int, text: str, logprobs: Any = None, reason: str | None = None
) -> dict[str, Any]:
    return {"index": number, "text": text, "logprobs": logprobs, "finish_reason": reason}


def _logprobs(loaded: Loaded, row: Row, start: int, end: int) -> dict[str, Any]:
    """The older form: lists side by side."""

    def text(token: int) -> str:
        return str(loaded.model.tokenizer.decode([token], skip_special_tokens=False))

    assert row.logprobs is not None
    tokens = [text(token) for token in row.tokens[start:end]]
    tops = [{text(token): value for token, value in top} for top in row.tops[start:end]]
    places = [len("".join(tokens[:place])) for place in range(len(tokens))]
    return {
        "tokens": tokens,
        "token_logprobs": row.logprobs[start:end],
        "top_logprobs": tops or None,
        "text_offset": places,
    }
