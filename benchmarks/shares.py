"""Figures as shares of what the machine could do at best. Measures nothing, knows no engine.

Work is counted in linear layers alone: a run of a graph reads every weight of theirs once and multiplies
each row by all of them. The least time of a run is the longer of the two at the machine's limits, and a
share is the least time of a sample by the time it took. Attention, norms, looking up embeddings and
tokenizers are work that this leaves out, so no engine reaches 1 unless weights stay in a cache.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import report
from interleave import Entrant, spread
from limits import Limits
from report import Figure, Phase

from satchel.measure.node_times import LINEAR
from satchel.runtime.bundle import Bundle

LOOKED_UP = ("Gather", "GatherBlockQuantized")
LEGEND = (
    "Share of the limit: the least time in which the machine could read the weights of the linear layers "
    "and multiply by them, by the time taken."
)


@dataclass(frozen=True)
class Linear:
    """The linear layers of a graph. Its head gives a score per id and runs for fewer rows."""

    weights: int  # without the head's
    head: int
    bytes: int  # that a run reads, scales and biases too
    tables: int = 0  # weights of tables that are looked up and are no head's


def of_bundle(bundle: Bundle) -> dict[str, Any]:
    """What an Entrant made of a bundle says of its work: `layers` by graph, and `arithmetic`."""
    manifest = bundle.manifest
    seen: set[Any] = set()  # graphs may share a table, and tables may be a head's
    layers = {
        role: of_graph(bundle.path(graph.file), manifest.vocab_size, seen)
        for role, graph in reversed(manifest.graphs.items())  # heads are in the last
    }
    exact = manifest.quantization.get("name") == "fp32"
    return {"layers": layers, "arithmetic": "fp32" if exact else "int8"}


def of_graph(file: Path, vocab: int = 0, seen: set[Any] | None = None) -> Linear:
    """The layers of an ONNX file. A head is told by its `vocab` outputs; `seen` as in `_counted`."""
    import onnx

    graph = onnx.load(str(file), load_external_data=False).graph
    return _counted(graph, vocab, set() if seen is None else seen)


def shares(
    limits: Limits, entrants: Sequence[Entrant], figures: Sequence[Figure]
) -> dict[str, dict[str, float]]:
    """By entrant and title of a figure, median time. What is not known is left out."""
    reference = next((entrant.layers for entrant in entrants if entrant.layers), {})
    return {
        entrant.name: {
            figure.title: least_seconds(limits, entrant, reference, figure.work)
            / spread(entrant.samples[figure.name])["median"]
            for figure in figures
            if figure.work and entrant.samples.get(figure.name)
            if all(phase.graph in reference for phase in figure.work)
        }
        for entrant in entrants
    }


def least_seconds(
    limits: Limits, entrant: Entrant, reference: dict[str, Linear], work: Sequence[Phase]
) -> float:
    """Of one sample, at the machine's limits; peers multiply as `reference`, a bundle's layers, does."""
    seconds = 0.0
    for phase in work:
        layers = reference[phase.graph]
        operations = 2 * (layers.weights * phase.rows + layers.head * phase.heads)
        reading = _bytes(entrant, reference, phase.graph) / limits.bandwidth
        multiplying = operations / limits.operations(entrant.arithmetic)
        seconds += phase.runs * max(reading, multiplying)
    return seconds


def tables(limits: Limits, entrants: Sequence[Entrant], figures: Sequence[Figure]) -> str:
    """The limits, and a Markdown table of shares; a row for each entrant."""
    found = shares(limits, entrants, figures)
    titles = list(dict.fromkeys(title for by_figure in found.values() for title in by_figure))
    rows = ([name, *(_cell(by.get(title)) for title in titles)] for name, by in found.items())
    table = report.table(["share", *titles], rows)
    return f"{LEGEND} {limits.described()}\n\n{table}"


def result(
    limits: Limits, entrants: Sequence[Entrant], figures: Sequence[Figure]
) -> dict[str, Any]:
    """Both, for a JSON file."""
    return {"limits": asdict(limits), "shares": shares(limits, entrants, figures)}


def _bytes(entrant: Entrant, reference: dict[str, Linear], graph: str) -> float:
    """What a run reads. A peer's file is taken to spend as much on every weight of the model."""
    if entrant.layers:
        return float(entrant.layers[graph].bytes)
    here = reference[graph]
    everything = sum(one.weights + one.head + one.tables for one in reference.values())
    return entrant.size * (here.weights + here.head) / everything


def _counted(graph: Any, vocab: int, seen: set[Any]) -> Linear:
    """The layers of an ONNX graph; adds to `seen` where the values of its constants lie."""
    constants = {tensor.name: tensor for tensor in graph.initializer}
    body, head, read, tables = 0, 0, 0, 0
    for node in graph.node:
        if node.op_type not in LINEAR or node.input[1] not in constants:
            continue
        inputs, outputs = _sizes(node, constants[node.input[1]])
        if outputs == vocab:
            head += inputs * outputs
        else:
            body += inputs * outputs
        given = [constants[name] for name in node.input[1:] if name in constants]
        read += sum(map(_nbytes, given))
        seen |= {_place(tensor) for tensor in given}
    for node in graph.node:
        table = constants.get(node.input[0]) if node.op_type in LOOKED_UP else None
        if table is not None and _place(table) not in seen:
            tables += 8 * _nbytes(table) // _attributes(node).get("bits", 8 * _itemsize(table))
            seen.add(_place(table))
    return Linear(body, head, read, tables)


def _sizes(node: Any, weights: Any) -> tuple[int, int]:
    """Inputs and outputs of a linear layer."""
    values = _attributes(node)
    if node.op_type == "MatMulNBits":  # its weights may be padded, or packed
        return values["K"], values["N"]
    rows, columns = (1, *weights.dims)[-2:]
    return (columns, rows) if values.get("transB") else (rows, columns)


def _attributes(node: Any) -> dict[str, int]:
    return {attribute.name: attribute.i for attribute in node.attribute}


def _nbytes(tensor: Any) -> int:
    return math.prod(tensor.dims) * _itemsize(tensor)


def _itemsize(tensor: Any) -> int:
    import onnx

    size: int = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
    return size


def _place(tensor: Any) -> Any:
    """Where its values lie: tensors of different names and shapes may share them."""
    where = {entry.key: entry.value for entry in tensor.external_data}
    return (where["location"], where.get("offset")) if where else tensor.name


def _cell(share: float | None) -> str:
    return "-" if share is None else f"{share:.0%}"
