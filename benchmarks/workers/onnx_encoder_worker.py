"""ONNX Runtime as a worker for encoders: a graph that optimum exported, without optimum."""

from __future__ import annotations

import platform
from pathlib import Path

import numpy as np
import onnxruntime
from embedding import model_inputs, peer_parser, pooled, serve_batches
from numpy.typing import NDArray
from tokenizers import Tokenizer


class OnnxRuntime:
    """A session, and the tokenizer that an app would hold beside it."""

    def __init__(
        self, folder: Path, file: str, threads: int, pooling: str, normalize: bool
    ) -> None:
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(
            folder / file, settings, providers=["CPUExecutionProvider"]
        )
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.names = [port.name for port in self.session.get_inputs()]
        self.pooling, self.normalize = pooling, normalize
        self.versions = {
            "onnxruntime": onnxruntime.__version__,
            "python": platform.python_version(),
        }

    def vectors(self, ids: NDArray[np.int64]) -> NDArray[np.float32]:
        """One run, then pooling."""
        [states] = self.session.run(["last_hidden_state"], model_inputs(self.names, ids))
        return pooled(states, self.pooling, self.normalize)


if __name__ == "__main__":
    options = peer_parser().parse_args()
    serve_batches(
        lambda: OnnxRuntime(
            Path(options.model), options.file, options.threads, options.pooling, options.normalize
        ),
        options.inputs,
    )
