"""The server: which address answers what, who may ask, and how much. Needs starlette."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from satchel.runtime.errors import SatchelError
from satchel.serve import whole_answers
from satchel.serve.chat_completions import chat
from satchel.serve.failure import Failure, json
from satchel.serve.metrics import Metrics
from satchel.serve.openapi import document
from satchel.serve.response_wire import ResponseRequest
from satchel.serve.responses import respond
from satchel.serve.shelf import Entry, Shelf
from satchel.serve.text_completions import complete
from satchel.serve.wire import (
    ChatRequest,
    CompletionRequest,
    EmbeddingRequest,
    RerankRequest,
    TranslateRequest,
)

LOG = logging.getLogger("satchel.serve")
LARGEST = 64 << 20  # bytes of a body
LOOPBACK = ("127.0.0.1", "localhost", "::1")
OPEN = {"/health", "/", "/page.css", "/page.js"}  # without a key
POLICY = (  # of the page: nothing from elsewhere
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)

Endpoint = Callable[[Request, Entry, Any], Awaitable[Response]]
ENDPOINTS: dict[str, tuple[Endpoint, type[Any]]] = {
    "/v1/chat/completions": (chat, ChatRequest),
    "/v1/responses": (respond, ResponseRequest),
    "/v1/completions": (complete, CompletionRequest),
    "/v1/embeddings": (whole_answers.embed, EmbeddingRequest),
    "/v1/rerank": (whole_answers.rerank, RerankRequest),
    "/rerank": (whole_answers.rerank, RerankRequest),
    "/v1/translate": (whole_answers.translate, TranslateRequest),
}
SOUNDS = {"/v1/audio/transcriptions": "transcribe", "/v1/audio/translations": "translate"}


@dataclass(frozen=True)
class Access:
    """Who may ask: who knows a key, where there are any, and names the host by one of its names."""

    keys: tuple[str, ...] = ()
    hosts: tuple[str, ...] | None = LOOPBACK

    def check(self, request: Request) -> None:
        """Raise Failure unless the request may be answered. Keys are compared in constant time."""
        # A page on the web can point a name of its own at this machine.
        if self.hosts is not None and request.url.hostname not in self.hosts:
            raise Failure(421, f"this server is not {request.url.hostname}", "host")
        if not self.keys or request.url.path in OPEN:
            return
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        fits = [hmac.compare_digest(given.encode(), key.encode()) for key in self.keys]
        if scheme.lower() != "bearer" or not any(fits):
            raise Failure(401, "a key is needed: Authorization: Bearer KEY", "invalid_api_key")


@dataclass
class Server:
    """All of it: bundles, access and what is counted."""

    shelf: Shelf
    access: Access = field(default_factory=Access)
    metrics: Metrics = field(default_factory=Metrics)

    def app(self) -> Starlette:
        """As an ASGI application."""
        routes = [
            Route(path, self._posted(path, run, kind), methods=["POST"])
            for path, (run, kind) in ENDPOINTS.items()
        ]
        routes += [
            Route(path, self._heard(path, task), methods=["POST"]) for path, task in SOUNDS.items()
        ]
        routes += [
            Route("/v1/models", self._guarded(self._models)),
            Route("/v1/models/{name}", self._guarded(self._model)),
            Route("/health", self._guarded(self._health)),
            Route("/metrics", self._guarded(self._measured)),
            Route("/openapi.json", self._guarded(self._openapi)),
            Route("/", self._page("index.html", "text/html")),
            Route("/page.css", self._page("page.css", "text/css")),
            Route("/page.js", self._page("page.js", "text/javascript")),
        ]
        handlers: Mapping[Any, Any] = {HTTPException: _http}
        return Starlette(routes=routes, exception_handlers=handlers, lifespan=self._life)

    @contextlib.asynccontextmanager
    async def _life(self, app: Starlette) -> AsyncIterator[None]:
        sweeping = asyncio.create_task(self.shelf.sweep())
        yield
        sweeping.cancel()
        await self.shelf.close()

    def _guarded(self, run: Callable[[Request], Awaitable[Response]]) -> Any:
        """An endpoint whose errors are answers."""

        async def endpoint(request: Request) -> Response:
            try:
                self.access.check(request)
                return await run(request)
            except Failure as failure:
                return failure.response()
            except SatchelError as error:
                return Failure.of(error).response()
            except HTTPException as error:  # of a form that is none
                return Failure(error.status_code, error.detail, "invalid_body").response()
            except ClientDisconnect:  # before its request was whole
                return Failure(499, "the client left", "gone").response()
            except Exception:
                LOG.exception("%s failed", request.url.path)
                return Failure(500, "the server failed; its log says how", "internal").response()

        return endpoint

    def _posted(self, path: str, run: Endpoint, kind: type[Any]) -> Any:
        async def answer(request: Request) -> Response:
            with self.metrics.request(path) as seen:
                data = await _body(request)
                try:
                    body = msgspec.convert(DECODER.decode(data), kind)
                except (msgspec.ValidationError, msgspec.DecodeError, RecursionError) as error:
                    raise Failure.of_body(error) from None
                return seen(await run(request, self._entry(body.model), body))

        return self._guarded(answer)

    def _heard(self, path: str, task: str) -> Any:
        async def answer(request: Request) -> Response:
            with self.metrics.request(path) as seen:
                if int(request.headers.get("content-length") or 0) > LARGEST:
                    raise _too_large()
                async with request.form(max_files=1, max_fields=16) as form:
                    entry = self._entry(str(form.get("model", "")))
                    return seen(await whole_answers.transcribe(request, entry, dict(form), task))

        return self._guarded(answer)

    def _entry(self, name: str) -> Entry:
        if name not in self.shelf.entries:
            known = ", ".join(self.shelf.entries)
            raise Failure(
                404,
                f"the model {name[:200]!r} is not here; there are: {known}",
                "model_not_found",
                "model",
            )
        return self.shelf.entries[name]

    async def _models(self, request: Request) -> Response:
        return json(
            {"object": "list", "data": [_described(e) for e in self.shelf.entries.values()]}
        )

    async def _model(self, request: Request) -> Response:
        return json(_described(self._entry(request.path_params["name"])))

    async def _health(self, request: Request) -> Response:
        return json({"status": "ok"})

    async def _measured(self, request: Request) -> Response:
        return PlainTextResponse(self.metrics.text(self.shelf))

    async def _openapi(self, request: Request) -> Response:
        return json(document(ENDPOINTS, SOUNDS, self.shelf.entries))

    def _page(self, name: str, kind: str) -> Any:
        text = files("satchel.serve").joinpath("page", name).read_text("utf-8")

        async def page(request: Request) -> Response:
            return Response(text, headers={"Content-Security-Policy": POLICY}, media_type=kind)

        return page


def _described(entry: Entry) -> dict[str, Any]:
    """A bundle in the list of models: OpenAI's fields, and what a person wants to know."""
    manifest = entry.manifest
    return {
        "id": entry.name,
        "object": "model",
        "created": 0,
        "owned_by": "satchel",
        "task": manifest.task,
        "architecture": manifest.architecture,
        "context": manifest.context,
        "licence": manifest.source.licence,
        "open": entry.loaded is not None,
    }


def _number(text: str) -> float | int:
    """A number that has a point: 10.0 is whole, as in JSON Schema."""
    value = float(text)
    return int(value) if value.is_integer() and abs(value) <= 2**53 else value


DECODER = msgspec.json.Decoder(float_hook=_number)


async def _body(request: Request) -> bytes:
    """The body, unless it is too large."""
    data = bytearray()
    async for part in request.stream():
        data += part
        if len(data) > LARGEST:
            raise _too_large()
    return bytes(data)


def _too_large() -> Failure:
    return Failure(413, f"the body is too large: at most {LARGEST >> 20} MB", "too_large")


async def _http(request: Request, error: Exception) -> Response:
    """No such address, or not by this method."""
    assert isinstance(error, HTTPException)
    message = f"{request.method} {request.url.path}: {error.detail}"
    return Failure(error.status_code, message, "not_found").response()
