"""OpenVINO as a worker for encoders: a graph that optimum exported, without optimum."""

from __future__ import annotations

import platform
from pathlib import Path

import numpy as np
import openvino
from embedding import model_inputs, peer_parser, pooled, serve_batches
from numpy.typing import NDArray
from tokenizers import Tokenizer


class OpenVino:
    """A request, and the tokenizer that an app would hold beside it."""

    def __init__(
        self, folder: Path, file: str, threads: int, pooling: str, normalize: bool
    ) -> None:
        settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads}
        compiled = openvino.Core().compile_model(folder / file, "CPU", settings)
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.names = [port.any_name for port in compiled.inputs]
        self.request = compiled.create_infer_request()
        self.pooling, self.normalize = pooling, normalize
        self.versions = {"openvino": openvino.__version__, "python": platform.python_version()}

    def vectors(self, ids: NDArray[np.int64]) -> NDArray[np.float32]:
        """One request without copies in or out, then pooling."""
        inputs = model_inputs(self.names, ids)
        outputs = self.request.infer(inputs, share_inputs=True, share_outputs=True)
        return pooled(outputs["last_hidden_state"], self.pooling, self.normalize)


if __name__ == "__main__":
    options = peer_parser().parse_args()
    serve_batches(
        lambda: OpenVino(
            Path(options.model), options.file, options.threads, options.pooling, options.normalize
        ),
        options.inputs,
    )
