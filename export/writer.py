"""Write a graph as ``name.onnx`` beside ``name.onnx.data``. Knows no operator.

ONNX Runtime maps external data and uses it in place. An array that several initializers share is
stored once: they point at the same bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir

INLINE_BYTES = 1024  # smaller tensors stay in the .onnx file
PAGE = 4096


def write_graph(
    model: ir.Model,
    path: Path,
    progress: Callable[[Iterable[Any]], Iterable[Any]] = iter,
) -> dict[str, str]:
    """Write `model` to `path` and its weights to ``path.data``; returns file name to sha256.

    Initializers of `model` refer to the written file afterwards.
    """
    data_path = path.with_name(path.name + ".data")
    places: dict[tuple[int, int], tuple[int, int]] = {}
    written = []  # kept alive, so that no address is used twice
    digest = hashlib.sha256()
    position = 0
    with data_path.open("wb") as file:
        for value in progress(list(model.graph.initializers.values())):
            tensor = value.const_value
            assert tensor is not None
            if tensor.nbytes < INLINE_BYTES:
                continue
            array = np.ascontiguousarray(tensor.numpy())
            identity = (array.__array_interface__["data"][0], array.nbytes)
            written.append(array)
            if identity not in places:
                padding = b"\0" * (-position % PAGE)
                for chunk in (padding, array.reshape(-1).view(np.uint8).data):
                    file.write(chunk)
                    digest.update(chunk)
                position += len(padding)
                places[identity] = (position, array.nbytes)
                position += array.nbytes
            value.const_value = _external(value, array, data_path, *places[identity])
    ir.save(model, path)
    graph_digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if not places:
        data_path.unlink()
        return {path.name: graph_digest}
    return {path.name: graph_digest, data_path.name: digest.hexdigest()}


def _external(
    value: ir.Value, array: np.ndarray[Any, Any], data_path: Path, offset: int, length: int
) -> ir.ExternalTensor:
    return ir.ExternalTensor(
        data_path.name,
        offset,
        length,
        ir.DataType.from_numpy(array.dtype),
        shape=ir.Shape(array.shape),
        name=str(value.name),
        base_dir=data_path.parent,
    )
