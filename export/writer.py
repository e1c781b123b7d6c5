"""Write a graph as ``name.onnx`` beside ``name.onnx.data``. Knows no operator.

ONNX Runtime maps external data and uses it in place. Arrays of equal content are stored once: all
initializers point at the same bytes, also from another graph of the bundle.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir

INLINE_BYTES = 1024  # smaller tensors stay in the .onnx file
PAGE = 4096


@dataclass(frozen=True)
class Place:
    """Where an array lies: a data file, and the bytes in it."""

    file: Path
    offset: int
    length: int


Stored = dict[bytes, Place]  # sha256 of an array's bytes -> where they are


def write_graph(
    model: ir.Model,
    path: Path,
    stored: Stored,
    progress: Callable[[Iterable[Any]], Iterable[Any]] = iter,
) -> dict[str, str]:
    """Write `model` to `path` and its weights to ``path.data``; returns file name to sha256.

    `stored` is what graphs beside this one have written; what is new is added. Initializers of
    `model` refer to the written files afterwards.
    """
    data_path = path.with_name(path.name + ".data")
    digest = hashlib.sha256()
    position = 0
    with data_path.open("wb") as file:
        for value in progress(list(model.graph.initializers.values())):
            tensor = value.const_value
            assert tensor is not None
            if tensor.nbytes < INLINE_BYTES:
                continue
            array = np.ascontiguousarray(tensor.numpy())
            content = array.reshape(-1).view(np.uint8).data
            identity = hashlib.sha256(content).digest()
            if identity not in stored:
                padding = b"\0" * (-position % PAGE)
                for chunk in (padding, content):
                    file.write(chunk)
                    digest.update(chunk)
                position += len(padding)
                stored[identity] = Place(data_path, position, array.nbytes)
                position += array.nbytes
            value.const_value = _external(value, array, stored[identity])
    ir.save(model, path)
    graph_digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if not position:
        data_path.unlink()
        return {path.name: graph_digest}
    return {path.name: graph_digest, data_path.name: digest.hexdigest()}


def _external(value: ir.Value, array: np.ndarray[Any, Any], place: Place) -> ir.ExternalTensor:
    return ir.ExternalTensor(
        place.file.name,
        place.offset,
        place.length,
        ir.DataType.from_numpy(array.dtype),
        shape=ir.Shape(array.shape),
        name=str(value.name),
        base_dir=place.file.parent,
    )
