"""Read the sources of an encoder-decoder model: ids in, keys and values for its decoder out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from satchel.runtime.cancel import Cancel
from satchel.runtime.errors import LimitError
from satchel.runtime.ids import graph_ids
from satchel.runtime.manifest import Manifest
from satchel.runtime.sources import Sources


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
        inputs = {"input_ids": ids, "source_lengths": lengths}
        return Sources(_read(self.session, inputs, self.output_names, cancel), lengths)

    def checked(self, source: Sequence[int]) -> NDArray[np.int64]:
        """The ids of a source as an array; LimitError where there are too many."""
        if len(source) > self.context:
            raise LimitError(
                f"the source has {len(source)} tokens, the bundle reads up to {self.context}: "
                "shorten it",
                "PROMPT_TOO_LONG",
            )
        return graph_ids(source, self.vocab_size)


class SensedEncoder:
    """A session of the encoder graph of a model that hears or sees."""

    def __init__(self, session: Any, manifest: Manifest) -> None:
        assert manifest.seq2seq is not None
        self.session = session
        [self.input_name] = (port.name for port in manifest.graphs["encoder"].inputs)
        self.output_names = [port.name for port in manifest.graphs["encoder"].outputs]

    def __call__(
        self, sensed: Sequence[NDArray[np.float32]], cancel: Cancel | None = None
    ) -> Sources:
        """Read one after the other, each float32: windows [mels, frames] of as many frames as the graph
        has, or [samples]; or images [3, height, width]."""
        read = [
            _read(self.session, {self.input_name: one[None]}, self.output_names, cancel)
            for one in sensed
        ]
        lengths = np.array([values[self.output_names[0]].shape()[2] for values in read], np.int32)
        if len(read) == 1:
            return Sources(read[0], lengths)
        arrays = {
            name: _together([one[name].numpy() for one in read]) for name in self.output_names
        }
        return Sources.over(arrays, lengths)


def _together(arrays: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Keys or values [1, heads, length, head_dim] of several, with zeros behind the shorter."""
    longest = max(array.shape[2] for array in arrays)
    ends = [((0, 0), (0, 0), (0, longest - array.shape[2]), (0, 0)) for array in arrays]
    return np.concatenate([np.pad(array, end) for array, end in zip(arrays, ends, strict=True)])


def _read(
    session: Any, inputs: dict[str, NDArray[Any]], outputs: list[str], cancel: Cancel | None
) -> dict[str, Any]:
    """Run an encoder; its outputs stay in memory of ONNX Runtime, which the decoder reads in place."""
    binding, cancel = session.io_binding(), cancel or Cancel()
    contiguous = {name: np.ascontiguousarray(array) for name, array in inputs.items()}
    for name, array in contiguous.items():
        binding.bind_cpu_input(name, array)
    for name in outputs:
        binding.bind_output(name)
    with cancel.watching("running the encoder"):
        session.run_with_iobinding(binding, cancel.options)
    return dict(zip(outputs, binding.get_outputs(), strict=True))
