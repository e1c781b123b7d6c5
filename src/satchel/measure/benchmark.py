"""Measure a bundle: load time, speed, memory, size.

What is timed is what the model names as its workloads.
Every repeat is a process of its own, so that load time and peak memory are those of a fresh start.
"""

from __future__ import annotations

import json
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from satchel.runtime.bundle import open_bundle
from satchel.runtime.errors import SatchelError, UsageError
from satchel.runtime.workloads import Workload

UNITS = {
    "seconds": "s",
    "texts_per_second": "texts/s",
    "images_per_second": "images/s",
    "sounds_per_second": "sounds/s",
    "per_second": "tok/s",
    "megabytes": "MB",
}


def measure(
    folder: str | Path, threads: int | None, repeats: int, kernels: bool = True
) -> dict[str, Any]:
    """Figures of `repeats` fresh processes, each figure as median, min and max."""
    if repeats < 1:
        raise UsageError(f"--repeats {repeats}; expected at least 1")
    bundle = open_bundle(folder)
    runs = [_in_process(folder, threads, kernels) for _ in range(repeats)]
    names = [name for name in runs[0] if isinstance(runs[0][name], float)]
    figures = {name: _spread([run[name] for run in runs]) for name in names}
    figures["file_megabytes"] = _spread([bundle.size / 1e6])
    return {
        "bundle": bundle.manifest.source.name,
        "architecture": bundle.manifest.architecture,
        "profile": bundle.manifest.quantization.get("name"),
        "repeats": repeats,
        "threads": runs[0]["threads"],
        "onnxruntime": runs[0]["onnxruntime"],
        "kernels": runs[0]["kernels"],
        "processor": _processor(),
        "figures": figures,
    }


def rows(figures: dict[str, Any]) -> list[tuple[str, ...]]:
    """Cells of a table: figure with unit, median, min, max."""
    table = []
    for name, spread in figures["figures"].items():
        quantity, _, unit = name.partition("_")
        for suffix, short in UNITS.items():
            if name.endswith("_" + suffix):
                quantity, unit = name.removesuffix("_" + suffix).replace("_", " "), short
                break
        cells = [f"{spread[key]:.4g}" for key in ("median", "min", "max")]
        table.append((f"{quantity} ({unit})", *cells))
    return table


def _in_process(folder: str | Path, threads: int | None, kernels: bool) -> dict[str, Any]:
    command = [
        sys.executable,
        "-P",
        "-m",
        "satchel.measure.benchmark",
        str(folder),
        str(threads or 0),
        str(int(kernels)),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise SatchelError(f"the measuring process failed: {last}")
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def _run(folder: str, threads: int | None, kernels: bool = True) -> dict[str, Any]:
    """One repeat, in this process."""
    began = time.perf_counter()
    import onnxruntime

    import satchel.runtime
    from satchel.runtime.kernels import in_words

    model = satchel.runtime.load(folder, threads=threads, kernels=kernels)
    figures: dict[str, Any] = {"load_seconds": time.perf_counter() - began}
    if model.writes:
        model.first_token()
        figures["load_to_first_token_seconds"] = time.perf_counter() - began
    for workload in model.workloads():
        figures |= _timed(workload)
    peak = _peak_megabytes()
    if peak is not None:
        figures["peak_rss_megabytes"] = peak
    session = next(iter(model.graphs.values())).session
    return figures | {
        "threads": session.get_session_options().intra_op_num_threads,
        "onnxruntime": onnxruntime.__version__,
        "kernels": "; ".join(
            dict.fromkeys(in_words(graph.session) for graph in model.graphs.values())
        ),
    }


def _timed(workload: Workload) -> dict[str, float]:
    """A workload's figures: the seconds of a call, and what gets done in one."""
    call, times = workload.ready(), workload.times
    if times > 1:  # the first warms up
        call()
        times -= 1
    start = time.perf_counter()
    for _ in range(times):
        call()
    seconds = (time.perf_counter() - start) / times
    figures = {workload.seconds: seconds, workload.rate: workload.amount / seconds}
    return {name: value for name, value in figures.items() if name is not None}


def _peak_megabytes() -> float | None:
    """Most memory this process has had resident, in 10**6 bytes; None where it cannot be told."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would count the parent before exec
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e6
    try:
        import resource
    except ImportError:
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # bytes on macOS


def _spread(values: list[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    if path.exists():
        for line in path.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


if __name__ == "__main__":
    folder, threads, kernels = sys.argv[1:]
    print(json.dumps(_run(folder, int(threads) or None, kernels == "1")))
