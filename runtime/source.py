"""Read the sources of an encoder-decoder model: ids in, keys and values for its decoder out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from satchel.runtime.bundle import Manifest
from satchel.runtime.decoder import Cancel, checked_ids
from satchel.runtime.errors import LimitError


class Sources:
    """What a decoder knows of a batch of sources: tensors by the names of its inputs, only read."""

    def __init__(self, values: dict[str, Any], lengths: NDArray[np.int32]) -> None:
        self.values = values
        self.lengths = lengths
        self._lengths = ort.OrtValue.ortvalue_from_numpy(lengths)  # a view
        self._kept: dict[str, NDArray[np.float32]] = {}

    def __len__(self) -> int:
        return len(self.lengths)

    def only(self, places: NDArray[np.int64]) -> Sources:
        """Some of the sources."""
        arrays = {name: value.numpy()[places] for name, value in self.values.items()}
        values = {name: ort.OrtValue.ortvalue_from_numpy(array) for name, array in arrays.items()}
        fewer = Sources(values, self.lengths[places])
        fewer._kept = arrays  # the values are views
        return fewer

    def bind(self, binding: Any) -> None:
        """Bind all of it as inputs."""
        for name, value in self.values.items():
            binding.bind_ortvalue_input(name, value)
        binding.bind_ortvalue_input("source_lengths", self._lengths)


class SourceEncoder:
    """A session of the encoder graph of an encoder-decoder model."""

    def __init__(self, session: Any, manifest: Manifest) -> None:
        assert manifest.seq2seq is not None
        self.session = session
        self.vocab_size = manifest.vocab_size
        self.context = manifest.seq2seq.source_context
        self.output_names = [port.name for port in manifest.graphs["encoder"].outputs]

    def __call__(self, rows: Sequence[Sequence[int]], cancel: Cancel | None = None) -> Sources:
        """Read sources of any lengths together; raises LimitError where one is too long."""
        checked = [self.checked(row) for row in rows]
        lengths = np.array([len(row) for row in checked], np.int32)
        ids = np.zeros((len(rows), lengths.max()), np.int64)
        for index, row in enumerate(checked):
            ids[index, : len(row)] = row
        binding, cancel = self.session.io_binding(), cancel or Cancel()
        binding.bind_cpu_input("input_ids", ids)
        binding.bind_cpu_input("source_lengths", lengths)
        for name in self.output_names:
            binding.bind_output(name)  # memory of ONNX Runtime, which the decoder reads in place
        with cancel.watching("running the encoder"):
            self.session.run_with_iobinding(binding, cancel.options)
        values = dict(zip(self.output_names, binding.get_outputs(), strict=True))
        return Sources(values, lengths)

    def checked(self, source: Sequence[int]) -> NDArray[np.int64]:
        """The ids of a source as an array; LimitError where there are too many."""
        if len(source) > self.context:
            raise LimitError(
                f"the source has {len(source)} tokens, the bundle reads up to {self.context}: "
                "shorten it",
                "PROMPT_TOO_LONG",
            )
        return checked_ids(source, self.vocab_size)
