"""The default number of threads: big physical cores, as Linux describes them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from satchel.runtime.cores import big_cores


def described(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    return folder


def capacities(*values: int) -> dict[str, str]:
    return {f"system/cpu/cpu{cpu}/cpu_capacity": str(value) for cpu, value in enumerate(values)}


def siblings(*pairs: str) -> dict[str, str]:
    return {
        f"system/cpu/cpu{cpu}/topology/thread_siblings_list": pair for cpu, pair in enumerate(pairs)
    }


CASES = {
    "nothing is told": ({}, 8),
    "a phone: one prime, three big, four little": (
        capacities(1024, 850, 850, 850, 300, 300, 300, 300),
        4,
    ),
    "all alike": (capacities(*[1024] * 8), 8),
    "two threads a core": (siblings("0,4", "1,5", "2,6", "3,7", "0,4", "1,5", "2,6", "3,7"), 4),
    "a hybrid: two cores of two threads, four little": (
        {"cpu_core/cpus": "0-3"} | siblings("0-1", "0-1", "2-3", "2-3", "4", "5", "6", "7"),
        2,
    ),
    "a list of nonsense": ({"cpu_core/cpus": "0-x"}, 8),
    "one capacity is missing": (capacities(1024, 300), 8),
}


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="Linux only")
@pytest.mark.parametrize("name", CASES)
def test_big_cores(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files, expected = CASES[name]
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)))
    assert big_cores(described(tmp_path, files)) == expected
