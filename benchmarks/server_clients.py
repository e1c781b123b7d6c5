"""Clients of a server with OpenAI's interface: what they ask, and when answers come. Knows no server."""

from __future__ import annotations

import asyncio
import base64
import json
import statistics
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx
import numpy as np
from interleave import WorkerError
from numpy.typing import NDArray

PATIENCE = 300.0  # seconds without a sign from the server
COMPLETIONS, CHAT, EMBEDDINGS = "/v1/completions", "/v1/chat/completions", "/v1/embeddings"
Prompt = Sequence[int]
Result = TypeVar("Result")


@dataclass(frozen=True)
class Answered:
    """When the text of an answer began and when it was whole, in seconds from asking."""

    first: float
    last: float


@dataclass(frozen=True)
class Asking:
    """A server's address, and the fields that all its requests have."""

    address: str
    common: Mapping[str, Any]

    def together(self, prompts: Sequence[Prompt], tokens: int) -> float:
        """Seconds until all prompts, asked at once, have gone on for so many tokens."""

        async def work(client: httpx.AsyncClient) -> float:
            began = time.perf_counter()
            await asyncio.gather(*(self._complete(client, one, tokens) for one in prompts))
            return time.perf_counter() - began

        return run(work)

    def first(self, prompts: Sequence[Prompt]) -> float:
        """Seconds to the first token of prompts that are asked one after another: the median."""
        return run(lambda client: self._first(client, prompts))

    def first_beside(
        self, prompts: Sequence[Prompt], others: Sequence[Prompt], tokens: int
    ) -> float:
        """The same while all others are being written; they are left before they have so many tokens."""

        async def work(client: httpx.AsyncClient) -> float:
            begun = [asyncio.Event() for _ in others]
            tasks = [
                asyncio.create_task(self._complete(client, prompt, tokens, event))
                for prompt, event in zip(others, begun, strict=True)
            ]
            first = asyncio.create_task(self._first_behind(begun, client, prompts))
            done, left = await asyncio.wait([first, *tasks], return_when=asyncio.FIRST_COMPLETED)
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)
            for task in done:
                task.result()  # what failed is raised here
            if first not in done:
                raise WorkerError("one of the others ended before the short prompts had begun")
            return float(first.result())

        return run(work)

    def per_token(self, question: str, tokens: int, form: Mapping[str, Any] | None) -> float:
        """Seconds a token of a chat's answer behind the first, in the form of a JSON schema or free."""
        asked: dict[str, Any] = {"messages": [{"role": "user", "content": question}]}
        if form is not None:
            schema = {"name": "answer", "schema": form}
            asked["response_format"] = {"type": "json_schema", "json_schema": schema}
        answer = run(lambda client: self.streamed(client, CHAT, asked, tokens))
        return (answer.last - answer.first) / (tokens - 1)

    def embedded(self, model: str, texts: Sequence[str]) -> tuple[float, NDArray[np.float32]]:
        """Seconds until the vectors [n, dim] of texts have come, in one request, and they."""
        asked = {"model": model, "input": texts, "encoding_format": "base64"}
        with httpx.Client(timeout=PATIENCE, trust_env=False) as client:
            began = time.perf_counter()
            try:
                response = client.post(self.address + EMBEDDINGS, json=asked)
            except httpx.HTTPError as error:
                raise WorkerError(f"{type(error).__name__}: {error}") from None
            if response.status_code != 200:
                raise WorkerError(response.text[:300])
            packed = (base64.b64decode(one["embedding"]) for one in response.json()["data"])
            vectors = np.array([np.frombuffer(row, "<f4") for row in packed])
            return time.perf_counter() - began, vectors

    async def streamed(
        self,
        client: httpx.AsyncClient,
        path: str,
        asked: Mapping[str, Any],
        tokens: int,
        begun: asyncio.Event | None = None,
    ) -> Answered:
        """One answer of likeliest tokens. Raises WorkerError unless there are as many as asked for."""
        body = {**self.common, **asked, "max_tokens": tokens, "temperature": 0}
        body |= {"stream": True, "stream_options": {"include_usage": True}}
        began, times, written = time.perf_counter(), [], 0
        async for event in events(client, self.address + path, body):
            written = (event.get("usage") or {}).get("completion_tokens", written)
            if any(map(says, event.get("choices", ()))):
                times.append(time.perf_counter() - began)
                if begun is not None:
                    begun.set()
        if written != tokens or not times:
            raise WorkerError(f"an answer of {written} tokens; expected {tokens}")
        return Answered(times[0], times[-1])

    async def _first(self, client: httpx.AsyncClient, prompts: Sequence[Prompt]) -> float:
        return statistics.median(
            [(await self._complete(client, prompt, 1)).first for prompt in prompts]
        )

    async def _first_behind(
        self,
        begun: Sequence[asyncio.Event],
        client: httpx.AsyncClient,
        prompts: Sequence[Prompt],
    ) -> float:
        for event in begun:
            await event.wait()
        return await self._first(client, prompts)

    def _complete(
        self,
        client: httpx.AsyncClient,
        prompt: Prompt,
        tokens: int,
        begun: asyncio.Event | None = None,
    ) -> Coroutine[Any, Any, Answered]:
        return self.streamed(client, COMPLETIONS, {"prompt": list(prompt)}, tokens, begun)


def run(work: Callable[[httpx.AsyncClient], Coroutine[Any, Any, Result]]) -> Result:
    """What some work with a client comes to. Raises WorkerError where the server fails."""

    async def connected() -> Result:
        # A connection for each request: llama.cpp's server closes some that could be used again.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        async with httpx.AsyncClient(timeout=PATIENCE, limits=limits, trust_env=False) as client:
            return await work(client)

    try:
        return asyncio.run(connected())
    except httpx.HTTPError as error:
        raise WorkerError(f"{type(error).__name__}: {error}") from None


async def events(
    client: httpx.AsyncClient, url: str, body: Mapping[str, Any]
) -> AsyncGenerator[dict[str, Any]]:
    """The JSON of each event of an answer. Raises WorkerError for an answer that is an error."""
    async with client.stream("POST", url, json=body) as response:
        if response.status_code != 200:
            raise WorkerError((await response.aread()).decode(errors="replace")[:300])
        async for line in response.aiter_lines():
            if line.startswith("data: ") and line != "data: [DONE]":
                event: dict[str, Any] = json.loads(line.removeprefix("data: "))
                if "error" in event:
                    raise WorkerError(json.dumps(event)[:300])
                yield event


def says(choice: Mapping[str, Any]) -> bool:
    """Whether a choice of an event has text, or ends it: a server may say first that it is there."""
    text = choice.get("text") or choice.get("delta", {}).get("content")
    return bool(text or choice.get("finish_reason"))
