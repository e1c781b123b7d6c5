"""An adapter for a decoder whose layers were kept open for one, and its file. Knows no text.

A layer's factors A and B, in groups of 16 columns, are inputs of the graph that may be left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from satchel.runtime.errors import StorageError, UsageError, shown
from satchel.runtime.kept_file import Origin
from satchel.runtime.manifest import OPEN_LAYERS, Manifest
from satchel.runtime.sealed_file import Kind

CODE = "ADAPTER"
KIND = Kind("adapter", 1, CODE, "make it again with satchel adapter")
Factors = Mapping[str, NDArray[np.float32]]  # by input: [groups, 1, rows, columns]


@dataclass(frozen=True)
class Adapter:
    """Factors by the names of a graph's inputs; `digest` is that of their file."""

    factors: dict[str, Any]  # OrtValues
    digest: str

    @classmethod
    def load(cls, path: Path, session: Any, manifest: Manifest) -> Adapter:
        """The adapter of a file for a session of the bundle with that manifest.

        Raises StorageError for a file that is damaged or of another bundle, UsageError where the bundle
        takes no adapters.
        """
        check_open(manifest)
        about, data, digest = KIND.read(path)
        made_for, here = Origin(**about["origin"]), Origin.of(manifest)
        if made_for.bundle != here.bundle:
            raise StorageError(
                f"{shown(path)} was made for another bundle: {made_for}; this one is {here}", CODE
            )
        known = {node.name for node in session.get_overridable_initializers()}
        if not known.issuperset(about["factors"]):
            raise StorageError(f"{shown(path)} does not fit: {KIND.again}", CODE)
        values, begin = {}, 0
        for name, shape in about["factors"].items():
            size = 4 * int(np.prod(shape))
            array = np.frombuffer(data[begin : begin + size].tobytes(), "<f4").reshape(shape)
            values[name] = ort.OrtValue.ortvalue_from_numpy(array)
            begin += size
        return cls(values, digest)

    def bind(self, binding: Any) -> None:
        """Give the factors to a run."""
        for name, value in self.factors.items():
            binding.bind_ortvalue_input(name, value)


def origin_of(path: Path) -> Origin:
    """The bundle that an adapter was made for; StorageError for a file that is none."""
    return Origin(**KIND.read(path)[0]["origin"])


def check_open(manifest: Manifest) -> None:
    """UsageError unless the bundle takes adapters."""
    if not manifest.quantization.get(OPEN_LAYERS):
        raise UsageError(
            "the bundle takes no adapters: export it with --adapters, or --merge-lora FOLDER for one"
        )


def write(path: Path, name: str, manifest: Manifest, factors: Factors) -> None:
    """Write an adapter of a bundle; StorageError where that cannot be done."""
    about = {
        "name": name,
        "origin": vars(Origin.of(manifest)),
        "factors": {name: list(array.shape) for name, array in factors.items()},
    }
    KIND.write(path, about, factors.values())
