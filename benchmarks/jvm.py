"""Measure a bundle in the Java runtime beside this one; see README.md.

    python benchmarks/jvm.py BUNDLE --native FOLDER

Both run `bench` in turns, on ONNX Runtime's own kernels; FOLDER holds the native library for the JVM.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # inherited by every process started here

from command import count
from interleave import gist
from report import cell, processor, table

LAUNCHER = Path(__file__).parent.parent / "android_demo" / "core" / "satchel-jvm"
Figures = dict[str, list[float]]


def main() -> None:
    """Measure in turns, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--native", type=Path, required=True, help="made by make test-jvm")
    parser.add_argument("--threads", type=count, default=2, help="of both (2)")
    parser.add_argument("--rounds", type=count, default=5, help="runs of either (5)")
    options = parser.parse_args()
    if not (options.native / "libonnxruntime.so").exists():
        parser.error(f"{options.native} holds no libonnxruntime.so: make test-jvm makes it")
    common = ["bench", str(options.bundle), "--threads", str(options.threads)]
    commands = {
        "java": [str(LAUNCHER), *common],
        "python": [sys.executable, "-m", "satchel.cli.main", *common, "--no-kernels"],
    }
    found: dict[str, Figures] = {name: {} for name in commands}
    for number in range(options.rounds):
        for name in commands if number % 2 else reversed(commands):
            answer = measured(commands[name], options.native)
            for figure, values in answer["figures"].items():
                found[name].setdefault(figure, []).append(values["median"])
    rows = [
        [
            figure,
            cell(found["java"][figure]),
            cell(ours),
            f"{ratio(found['java'][figure], ours):.2f}",
        ]
        for figure, ours in found["python"].items()
    ]
    print(
        f"{processor()}, {options.threads} threads, ONNX Runtime {answer['onnxruntime']}.", end=" "
    )
    print("Median (min to max) of the medians; Java's over Python's.\n")
    print(table(["figure", "Java", "Python", "ratio"], rows))


def measured(command: list[str], native: Path) -> dict[str, Any]:
    """What `bench` says in its JSON."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "figures.json"
        done = subprocess.run(
            [*command, "--json", str(path)],
            env=os.environ | {"SATCHEL_ONNXRUNTIME": str(native.resolve())},
            capture_output=True,
            text=True,
        )
        if done.returncode:
            sys.exit(f"{command[0]}: {gist(done.stderr)}")
        answer: dict[str, Any] = json.loads(path.read_text("utf-8"))
        return answer


def ratio(java: list[float], python: list[float]) -> float:
    return statistics.median(java) / statistics.median(python)


if __name__ == "__main__":
    main()
