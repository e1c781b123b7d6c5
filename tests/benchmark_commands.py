"""The benchmark commands, run and imported by tests."""

from __future__ import annotations

import importlib
import json
import os
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


def run(script: str, *arguments: Any, kernels: str = "0") -> subprocess.CompletedProcess[str]:
    """A command, by default without our kernels whether or not they are installed."""
    command = [sys.executable, str(FOLDER / script), *map(str, arguments)]
    variables = os.environ | {"SATCHEL_KERNELS": kernels}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=variables)


def compared(script: str, folder: Path, *arguments: Any, kernels: str = "0") -> tuple[str, Any]:
    """What a command that goes well prints, and its JSON."""
    out, markdown = folder / "out.json", folder / "t.md"
    files = ("--home", folder / "home", "--json", out, "--markdown", markdown)
    done = run(script, *arguments, *files, kernels=kernels)
    assert done.returncode == 0, done.stderr
    assert markdown.read_text("utf-8") == done.stdout
    return done.stdout, json.loads(out.read_text("utf-8"))


def refused(script: str, home: Path, reason: str, *arguments: Any, kernels: str = "0") -> None:
    """A command says in one line what is wrong, and makes nothing."""
    done = run(script, *arguments, "--home", home, kernels=kernels)
    assert done.returncode != 0 and "Traceback" not in done.stderr
    assert reason in done.stderr.splitlines()[-1], done.stderr
    assert not home.exists()
