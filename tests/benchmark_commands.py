"""The benchmark commands, run and imported by tests."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).resolve().parent.parent / "benchmarks"
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="benchmarks run on Linux alone")


@pytest.fixture(scope="module")
def bench() -> Iterator[Any]:
    """Modules of the folder by name, as its commands and its workers import them."""
    places = [str(FOLDER), str(FOLDER / "workers")]
    sys.path[:0] = places
    before = set(sys.modules)
    yield importlib.import_module
    del sys.path[: len(places)]
    for name in set(sys.modules) - before:
        if str(FOLDER) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def run(script: str, *arguments: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(FOLDER / script), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)
