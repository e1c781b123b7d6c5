"""The server's OpenAPI document, from the structures that requests are read with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from satchel.version import __version__

ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "code": {"type": "string"},
            },
        }
    },
}
STATUSES = {
    "400": "the request makes no sense, or asks for what the bundle cannot do",
    "401": "a key is needed",
    "404": "no such model",
    "413": "too large",
    "429": "too many wait",
    "500": "the bundle failed",
    "503": "closing, or out of memory",
}
SOUND_FORM: dict[str, Any] = {
    "type": "object",
    "required": ["file", "model"],
    "properties": {
        "file": {"type": "string", "contentMediaType": "application/octet-stream"},
        "language": {"type": "string"},
        "response_format": {"enum": ["json", "text", "srt", "vtt", "verbose_json"]},
        "temperature": {"type": "number"},
        "timestamp_granularities[]": {"enum": ["segment"]},
        "stream": {"enum": ["false"]},
    },
    "additionalProperties": False,
}


def document(
    endpoints: Mapping[str, tuple[Any, type[Any]]], sounds: Iterable[str], models: Iterable[str]
) -> dict[str, Any]:
    """The whole document of a server of `models`."""
    named = {"type": "string", "enum": list(models)}
    template = "#/components/schemas/{name}"
    kinds = {kind for _, kind in endpoints.values()}
    _, schemas = msgspec.json.schema_components(
        sorted(kinds, key=lambda kind: kind.__name__), ref_template=template
    )
    for kind in kinds:
        schemas[kind.__name__]["properties"]["model"] = named
    form = SOUND_FORM | {"properties": SOUND_FORM["properties"] | {"model": named}}
    paths: dict[str, Any] = {}
    for path, (run, kind) in endpoints.items():
        body = {"application/json": {"schema": {"$ref": template.format(name=kind.__name__)}}}
        paths[path] = {"post": _operation(run.__doc__, body)}
    for path in sounds:
        paths[path] = {
            "post": _operation(
                "What is said in a sound.", {"multipart/form-data": {"schema": form}}
            )
        }
    for path, about in (
        ("/v1/models", "The bundles."),
        ("/health", "Whether the server answers."),
        ("/metrics", "What it counted, for Prometheus."),
    ):
        paths[path] = {"get": _operation(about)}
    name = {"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}
    paths["/v1/models/{name}"] = {"get": _operation("One bundle.") | {"parameters": [name]}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "satchel", "version": __version__},
        "paths": paths,
        "components": {
            "schemas": schemas | {"Error": ERROR},
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"key": []}],
    }


def _operation(about: str | None, body: dict[str, Any] | None = None) -> dict[str, Any]:
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    answers: dict[str, Any] = {"200": {"description": "the answer"}}
    answers |= {
        status: {"description": what, "content": error} for status, what in STATUSES.items()
    }
    operation: dict[str, Any] = {"summary": about or "", "responses": answers}
    if body is not None:
        operation["requestBody"] = {"required": True, "content": body}
    return operation
