"""ExecuTorch as a worker: a program that its exporter made, run by its Python bindings."""

from __future__ import annotations

import platform
from importlib.metadata import version

import numpy as np
import torch
from decoding import Ids, StepEngine, parser, serve
from executorch.extension.llm.custom_ops import custom_ops  # noqa: F401  its attention
from executorch.extension.pybindings import portable_lib
from executorch.kernels import quantized  # noqa: F401  its embeddings
from numpy.typing import NDArray


class ExecuTorch(StepEngine):
    """A program for one text, whose cache is inside and written from the position it is told."""

    def __init__(self, path: str, threads: int) -> None:
        portable_lib._unsafe_reset_threadpool(threads)
        self.program = portable_lib._load_for_executorch(path)
        self.length = 0
        self.versions = {
            "executorch": version("executorch"),
            "torch": torch.__version__,
            "python": platform.python_version(),
        }

    def prefill(self, prompts: Ids) -> NDArray[np.float32]:
        """From position 0 on: what the cache held is written over, or behind the mask."""
        self.length = 0
        return self._run(prompts)

    def step(self, tokens: Ids) -> NDArray[np.float32]:
        """One run of the program."""
        return self._run(tokens[:, None])

    def positions(self) -> int:
        """As counted here: the program does not say."""
        return self.length

    def _run(self, ids: Ids) -> NDArray[np.float32]:
        given = (torch.from_numpy(ids), torch.tensor([self.length]))
        [logits] = self.program.forward(given)
        self.length += ids.shape[1]
        found: NDArray[np.float32] = logits.reshape(len(ids), -1).numpy()
        return found


if __name__ == "__main__":
    options = parser().parse_args()
    serve(lambda: ExecuTorch(options.model, options.threads), options.ids)
