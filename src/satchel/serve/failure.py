"""Errors as OpenAI's clients expect them: a status and an object with message, type, param and code."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from starlette.responses import Response

from satchel.runtime.errors import LimitError, SatchelError, UnsupportedError, UsageError

BUSY = {"BUSY": 429, "CLOSING": 503, "OUT_OF_MEMORY": 503}
TOO_LONG = {"CONTEXT", "PROMPT_TOO_LONG"}


class Failure(Exception):
    """A request that gets no answer, and why."""

    def __init__(self, status: int, message: str, code: str, param: str | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.param = status, message, code, param

    @classmethod
    def of(cls, error: SatchelError) -> Failure:
        """An error of the runtime: the asker's, where it says so."""
        if error.code in BUSY:
            return cls(BUSY[error.code], str(error), error.code.lower())
        if error.code in TOO_LONG:
            return cls(400, str(error), "context_length_exceeded")
        asked = isinstance(error, UsageError | UnsupportedError | LimitError)
        return cls(400 if asked else 500, str(error), error.code.lower())

    @classmethod
    def of_body(cls, error: Exception) -> Failure:
        """A body that is not JSON, or not the JSON that was expected."""
        message = str(error)
        found = re.search(r" - at `\$\.?(.*?)`$", message)
        param = found.group(1) if found else None
        return cls(400, message, "invalid_body", param or None)

    @property
    def body(self) -> dict[str, Any]:
        """As JSON."""
        kind = "server_error" if self.status >= 500 else "invalid_request_error"
        kind = {401: "authentication_error", 429: "rate_limit_error"}.get(self.status, kind)
        error = {"message": self.message, "type": kind, "param": self.param, "code": self.code}
        return {"error": error}

    def response(self) -> Response:
        """As an answer."""
        headers = {"Retry-After": "1"} if self.status in (429, 503) else {}
        if self.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        return json(self.body, self.status, headers)


def json(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """An answer in JSON."""
    return Response(msgspec.json.encode(body), status, headers, "application/json")
