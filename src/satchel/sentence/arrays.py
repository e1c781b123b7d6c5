"""Vectors as numpy arrays, whatever a caller holds; tensors of PyTorch where they are asked for.

PyTorch is imported only then: who hands in tensors has imported it already.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any, ParamSpec

import numpy as np
from numpy.typing import NDArray

from satchel.runtime.errors import UsageError

Array = NDArray[Any]
P = ParamSpec("P")
LEAST = 1e-12  # that a vector is divided by


def is_tensor(value: Any) -> bool:
    """Whether it is a tensor of PyTorch."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def array_of(values: Any) -> Array:
    """Vectors as floats: of an array, a tensor (sparse ones too), or a list of numbers or of either."""
    if is_tensor(values):
        return _of_tensor(values)
    if isinstance(values, list | tuple) and any(map(is_tensor, values)):
        values = [_of_tensor(value) for value in values]
    array = np.asarray(values)
    if array.dtype == object or array.dtype.kind not in "fiub":
        raise UsageError(f"expected vectors of one length, got {type(values).__name__}")
    return array if array.dtype in (np.float32, np.float64) else array.astype(np.float32)


def tensor_of(array: Array, wanted: str) -> Any:
    """A tensor of PyTorch; `wanted` is the argument that asks for it."""
    try:
        import torch
    except ImportError as error:
        raise UsageError(
            f"{wanted} needs PyTorch, which is not installed; numpy arrays need nothing"
        ) from error
    return torch.from_numpy(np.ascontiguousarray(array))


def in_kind(function: Callable[P, Array]) -> Callable[P, Any]:
    """A function of vectors that gives a tensor where it is given one."""

    @functools.wraps(function)
    def wrapped(*arguments: P.args, **options: P.kwargs) -> Any:
        given = [*arguments, *options.values()]
        tensors = any(
            is_tensor(one) or (isinstance(one, list | tuple) and any(map(is_tensor, one)))
            for one in given
        )
        result = function(*arguments, **options)
        return tensor_of(result, "a tensor") if tensors else result

    return wrapped


def rows(vectors: Any) -> Array:
    """[n, dim]; one vector is a row of its own."""
    array = array_of(vectors)
    return array[None] if array.ndim == 1 else array


def unit(vectors: Array) -> Array:
    """Vectors [..., dim] at unit length; one of zeros stays."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    scaled: Array = vectors / np.maximum(lengths, LEAST)
    return scaled


def _of_tensor(tensor: Any) -> Array:
    whole = tensor.detach().cpu()
    whole = whole.to_dense() if whole.is_sparse else whole
    array: Array = (
        whole.float() if whole.is_floating_point() and whole.itemsize < 4 else whole
    ).numpy()
    return array
