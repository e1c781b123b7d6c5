"""Where the time of a bundle's graphs goes: by operator and by node, as ONNX Runtime's profiler sees it.

Runs what `satchel bench` times. Profiling slows small nodes by some microseconds each: read the shares
here, and the speeds there.
"""

from __future__ import annotations

import bisect
import json
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import satchel.runtime
from satchel.runtime.bundle import open_bundle
from satchel.runtime.errors import SatchelError
from satchel.runtime.kernels import PROVIDER, Group, taken
from satchel.runtime.session import open_session
from satchel.runtime.workloads import Workload

REPEATS = 5  # of a workload whose calls need to be made ready one by one
SLOWEST = 10  # nodes that are listed
# Operators that multiply by weights, unless both factors are given to them.
LINEAR = frozenset(
    {
        "DynamicQuantizeMatMul",
        "FusedMatMul",
        "Gemm",
        "MatMul",
        "MatMulInteger",
        "MatMulIntegerToFloat",
        "MatMulNBits",
    }
)

Profile = dict[str, dict[str, dict[str, Any]]]  # graph -> workload -> figures


def profile_nodes(folder: str | Path, threads: int | None, kernels: bool = True) -> Profile:
    """Per graph and workload, all times in microseconds per run of the workload.

    A workload has `runs` of the graph, `microseconds`, those outside nodes, its `operators` and its
    `slowest` nodes. `weights_per_second` are bytes where weights have 8 bits.
    """
    bundle = replace(open_bundle(folder), kernels=kernels)
    model = satchel.runtime.load(folder, threads=threads, kernels=kernels)
    with tempfile.TemporaryDirectory(prefix="satchel-profile-") as scratch:
        watch = Watch()
        for role, graph in model.graphs.items():
            session = open_session(bundle, role, threads, Path(scratch) / role)
            graph.session = watch.over(role, session)
        for workload in model.workloads():
            _work(workload, watch)
        return {role: session.profile(watch.times) for role, session in watch.sessions.items()}


def tables(profile: Profile) -> Iterator[tuple[str, list[tuple[str, ...]]]]:
    """(heading, rows) of two tables for each workload, first rows being heads."""
    for role, workloads in profile.items():
        for name, figures in workloads.items():
            runs = f" in {figures['runs']} runs of the graph" if figures["runs"] > 1 else ""
            outside = figures["outside_nodes_microseconds"]
            heading = f"{role}, {name}: {figures['microseconds'] / 1e3:.4g} ms{runs}"
            rows: list[tuple[str, ...]] = [("operator", "nodes", "us", "share", "10^9 weights/s")]
            for row in figures["operators"]:
                rate = row["weights_per_second"]
                speed = f"{rate / 1e9:.3g}" if rate else ""
                rows.append((row["operator"], str(row["nodes"]), *_time(row), speed))
            share = outside / figures["microseconds"]
            rows.append(("(outside nodes)", "", f"{outside:.1f}", f"{share:.1%}", ""))
            yield heading, rows
            listed = [(row["node"], row["operator"], *_time(row)) for row in figures["slowest"]]
            yield "slowest nodes", [("node", "operator", "us", "share"), *listed]


class Watch:
    """The sessions of a model and which workload is running."""

    def __init__(self) -> None:
        self.sessions: dict[str, WatchedSession] = {}
        self.times: Counter[str] = Counter()  # how often each workload was run
        self.workload: str | None = None

    def over(self, role: str, session: Any) -> WatchedSession:
        """A session that notes for which workload it runs."""
        self.sessions[role] = WatchedSession(session, self)
        return self.sessions[role]

    def repeated(self, workload: str, times: int = REPEATS) -> Iterator[None]:
        """Once to warm up, then `times` under the workload's name."""
        yield
        for _ in range(times):
            self.workload = workload
            self.times[workload] += 1
            yield
            self.workload = None


class WatchedSession:
    """An InferenceSession whose runs are told apart by workload."""

    def __init__(self, session: Any, watch: Watch) -> None:
        self.session = session
        self.watch = watch
        self.runs: list[str | None] = []  # the workload of each

    def __getattr__(self, name: str) -> Any:
        return getattr(self.session, name)

    def run(self, *arguments: Any) -> Any:
        """As the session's."""
        self.runs.append(self.watch.workload)
        return self.session.run(*arguments)

    def run_with_iobinding(self, *arguments: Any) -> None:
        """As the session's."""
        self.runs.append(self.watch.workload)
        self.session.run_with_iobinding(*arguments)

    def profile(self, times: Counter[str]) -> dict[str, dict[str, Any]]:
        """Figures of each workload that this graph was run for; ends the profiling."""
        runs, nodes = _events(Path(self.session.end_profiling()))
        if len(runs) != len(self.runs):
            raise SatchelError(f"ONNX Runtime profiled {len(runs)} of {len(self.runs)} runs")
        _name_taken(nodes, taken(self.session))
        starts = [run["ts"] for run in runs]
        of_run: dict[int, list[dict[str, Any]]] = defaultdict(list)
        for node in nodes:
            of_run[bisect.bisect_right(starts, node["ts"]) - 1].append(node)
        figures = {}
        for name in dict.fromkeys(name for name in self.runs if name is not None):
            indices = [index for index, other in enumerate(self.runs) if other == name]
            total = sum(runs[index]["dur"] for index in indices) / times[name]
            events = [node for index in indices for node in of_run[index]]
            figures[name] = _figures(events, total, times[name])
            figures[name]["runs"] = len(indices) // times[name]
        return figures


def _work(workload: Workload, watch: Watch) -> None:
    """Run one workload: once to warm up, then under its name."""
    if workload.times > 1:
        call = workload.ready()
        for _ in watch.repeated(workload.name, workload.times - 1):
            call()
        return
    for _ in watch.repeated(workload.name):
        workload.ready()()


def _events(path: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Runs and nodes of a profile, in the order of time."""
    events = json.loads(path.read_text("utf-8"))
    events.sort(key=lambda event: event["ts"])
    runs = [event for event in events if event["name"] == "model_run"]
    nodes = [event for event in events if event["cat"] == "Node" and "op_name" in event["args"]]
    return runs, nodes


def _name_taken(nodes: Sequence[dict[str, Any]], groups: Sequence[Group]) -> None:
    """Nodes of our kernels are profiled as ``satchel_HASH_NUMBER``: what they do in place of that."""
    for node in nodes:
        arguments = node["args"]
        if arguments["provider"].startswith(PROVIDER):
            group = groups[int(arguments["op_name"].rpartition("_")[2])]
            arguments["op_name"] = " + ".join(group.operators)
            node["name"] = group.name


def _figures(nodes: Sequence[dict[str, Any]], total: float, times: int) -> dict[str, Any]:
    """Of the events of `times` runs of a workload, each of `total` microseconds."""
    by_node: dict[str, list[dict[str, Any]]] = defaultdict(list)
    by_operator: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for node in nodes:
        by_node[node["args"]["node_index"]].append(node)
        by_operator[node["args"]["op_name"]].append(node)

    def spent(events: Sequence[dict[str, Any]]) -> dict[str, float]:
        microseconds = sum(event["dur"] for event in events) / times
        return {"microseconds": microseconds, "share": microseconds / total}

    operators: list[dict[str, Any]] = [
        {
            "operator": operator,
            "nodes": len({event["args"]["node_index"] for event in events}),
            **spent(events),
            "weights_per_second": _weights_per_second(events),
        }
        for operator, events in by_operator.items()
    ]
    slowest: list[dict[str, Any]] = [
        {
            "node": events[0]["name"].removesuffix("_kernel_time"),
            "operator": events[0]["args"]["op_name"],
            **spent(events),
        }
        for events in by_node.values()
    ]
    for rows in (operators, slowest):
        rows.sort(key=lambda row: -row["microseconds"])
    return {
        "microseconds": total,
        "outside_nodes_microseconds": total - spent(nodes)["microseconds"],
        "operators": operators,
        "slowest": slowest[:SLOWEST],
    }


def _weights_per_second(events: Sequence[dict[str, Any]]) -> float | None:
    """Weights that linear layers read, by their time; None for other operators."""
    read = [(event["dur"], weights) for event in events if (weights := _weights(event["args"]))]
    seconds = sum(microseconds for microseconds, _ in read) / 1e6
    return sum(weights for _, weights in read) / seconds if seconds else None


def _weights(arguments: dict[str, Any]) -> int:
    """Weights of a linear layer: inputs times outputs; 0 where it multiplies activations."""
    if arguments["op_name"] not in LINEAR:
        return 0
    shapes = [shape for port in arguments["input_type_shape"] for shape in port.values()]
    # Weights that the kernel has packed are listed no more; activations always are.
    if len(shapes) > 1 and arguments["parameter_size"] == "0":
        return 0
    [outputs] = [shape for port in arguments["output_type_shape"] for shape in port.values()]
    return int(shapes[0][-1] * outputs[-1])


def _time(row: dict[str, Any]) -> tuple[str, str]:
    return f"{row['microseconds']:.1f}", f"{row['share']:.1%}"
