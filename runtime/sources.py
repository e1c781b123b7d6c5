"""What a decoder knows of the sources it writes for. Knows no graph that read them."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray


class Sources:
    """What a decoder knows of a batch of sources: tensors by the names of its inputs, only read."""

    def __init__(self, values: dict[str, Any], lengths: NDArray[np.int32]) -> None:
        self.values = values
        self.lengths = lengths
        self._lengths = _view(lengths)
        self._kept: dict[str, NDArray[np.float32]] = {}

    @classmethod
    def over(cls, arrays: dict[str, NDArray[np.float32]], lengths: NDArray[np.int32]) -> Self:
        """Sources whose tensors are arrays; none is copied."""
        sources = cls({name: _view(array) for name, array in arrays.items()}, lengths)
        sources._kept = arrays  # the values are views
        return sources

    def __len__(self) -> int:
        return len(self.lengths)

    def only(self, places: NDArray[np.int64]) -> Sources:
        """Some of the sources."""
        arrays = {name: value.numpy()[places] for name, value in self.values.items()}
        return Sources.over(arrays, self.lengths[places])

    def bind(self, binding: Any) -> None:
        """Bind all of it as inputs."""
        for name, value in self.values.items():
            binding.bind_ortvalue_input(name, value)
        binding.bind_ortvalue_input("source_lengths", self._lengths)


def _view(array: NDArray[Any]) -> Any:
    """The array as ONNX Runtime sees it, without a copy: it must live as long."""
    return ort.OrtValue.ortvalue_from_numpy(array)
