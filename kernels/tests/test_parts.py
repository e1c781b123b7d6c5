"""The library's parts that need no ONNX Runtime, checked by a program of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent


@pytest.mark.skipif(sys.platform == "win32", reason="the program uses the threads of POSIX")
def test_memory_and_runs(zig: list[str], tmp_path: Path) -> None:
    source, program = TESTS.parent / "source", tmp_path / "parts"
    flags = ["-std=c++17", "-fno-exceptions", "-fno-rtti", "-O1", "-fsanitize=undefined"]
    flags += ["-Wall", "-Wextra", "-Werror", f"-I{source}", "-c"]
    objects = []
    for file in (TESTS / "parts.cpp", source / "runs.cpp"):
        objects.append(str(tmp_path / f"{file.stem}.o"))
        subprocess.run([*zig, "c++", *flags, str(file), "-o", objects[-1]], check=True)
    checks = ["-fsanitize=undefined", "-nostdlib++"]
    subprocess.run([*zig, "c++", *checks, *objects, "-o", str(program)], check=True)
    done = subprocess.run([program], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
