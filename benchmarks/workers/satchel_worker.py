"""satchel as a worker: a bundle, one text at a time."""

from __future__ import annotations

import json
import platform

import numpy as np
import onnxruntime
from decoding import parser, serve
from numpy.typing import NDArray

import satchel.runtime
import satchel.runtime.model  # `load` imports it lazily, which would count as loading

ACTIVE = np.ones(1, np.bool_)


class Satchel:
    """A bundle opened as an app opens it, files checked against the manifest."""

    def __init__(self, folder: str, threads: int) -> None:
        self.decoder = satchel.runtime.load(folder, threads=threads).decoder
        self.versions = {
            "satchel": satchel.__version__,
            "onnxruntime": onnxruntime.__version__,
            "python": platform.python_version(),
        }

    def reset(self) -> None:
        """A new text; its cache is allocated by the first prompt, inside the timing."""
        self.run = self.decoder.start()

    def prefill(self, ids: list[int]) -> NDArray[np.float32]:
        """The prompt in one run of the graph."""
        logits: NDArray[np.float32] = self.run.append(ids)[0]
        return logits

    def step(self, token: int) -> NDArray[np.float32]:
        """One run of the graph."""
        logits: NDArray[np.float32] = self.run.step(np.array([token]), ACTIVE)[0]
        return logits

    def positions(self) -> int:
        """Length of the cache in use."""
        return int(self.run.lengths[0])


if __name__ == "__main__":
    options = parser().parse_args()
    serve(lambda: Satchel(options.model, options.threads), json.loads(options.ids.read_text()))
