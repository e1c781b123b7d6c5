"""A disk whose n-th call fails: the calls of an export that change something, counted and spoilt."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Callable
from typing import Any

import pytest

from satchel.export import publish


class Died(BaseException):
    """The process is gone: nothing after it happens."""


class Disk:
    """Counts the calls that change a disk; from call `fatal` on it fails, once or for ever."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, fatal: int, error: int | None) -> None:
        self.calls, self.fatal, self.error = 0, fatal, error
        self.happened: list[str] = []
        real_open = io.open

        def opened(path: Any, mode: str = "r", *rest: Any, **options: Any) -> Any:
            file = real_open(path, mode, *rest, **options)
            if "w" in mode and isinstance(path, str | os.PathLike) and ".tmp-" in str(path):
                self.call("open")
                write = file.write

                def counted(data: Any) -> Any:
                    self.call("write")
                    return write(data)

                return Written(file, counted)
            return file

        monkeypatch.setattr(io, "open", opened)
        monkeypatch.setattr("builtins.open", opened)
        for name in ("fsync", "rename", "mkdir"):
            monkeypatch.setattr(os, name, self.failing(name, getattr(os, name)))
        monkeypatch.setattr(publish, "_exchange", self.failing("exchange", publish._exchange))
        if error is None:  # what would tidy up is dead as well
            monkeypatch.setattr(shutil, "rmtree", self.failing("rmtree", shutil.rmtree))

    def failing(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def function(*arguments: Any, **options: Any) -> Any:
            if ".tmp-" in str(arguments[0]) or name == "fsync":
                self.call(name)
            return real(*arguments, **options)

        return function

    def call(self, name: str) -> None:
        self.calls += 1
        self.happened.append(name)
        if self.error is None and self.calls >= self.fatal:
            raise Died
        if self.error is not None and self.calls == self.fatal:
            raise OSError(self.error, os.strerror(self.error), "some file")


class Written:
    """A file whose writes are watched."""

    def __init__(self, file: Any, write: Callable[[Any], Any]) -> None:
        self._file, self.write = file, write

    def __enter__(self) -> Written:
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)
