"""optimum-onnx as a worker for decoders: what optimum exported and quantised, by `ORTModel`."""

from __future__ import annotations

import platform
from importlib.metadata import version
from typing import Any

import numpy as np
import onnxruntime
import torch
from decoding import Ids, StepEngine, parser, serve
from numpy.typing import NDArray
from optimum.onnxruntime import ORTModelForCausalLM


class OptimumOnnx(StepEngine):
    """`ORTModelForCausalLM` with its default cache, which grows by copying."""

    def __init__(self, folder: str, threads: int) -> None:
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = threads
        self.model: Any = ORTModelForCausalLM.from_pretrained(
            folder, file_name="model_quantized.onnx", session_options=settings
        )
        self.versions = {
            "optimum-onnx": version("optimum-onnx"),
            "onnxruntime": onnxruntime.__version__,
            "python": platform.python_version(),
        }

    def prefill(self, prompts: Ids) -> NDArray[np.float32]:
        """An empty cache; the graph gives logits of all positions."""
        self.past: Any = None
        self.length = 0
        return self._run(prompts)[:, -1]

    def step(self, tokens: Ids) -> NDArray[np.float32]:
        """One run of the graph."""
        return self._run(tokens[:, None])[:, -1]

    def positions(self) -> int:
        """Length of the first layer's keys, [texts, heads, length, size]."""
        return int(self.past[0][0].shape[2])

    def logits(self, ids: list[int]) -> NDArray[np.float32]:
        """All positions of one run."""
        self.past, self.length = None, 0
        return self._run(np.array([ids]))[0]

    def _run(self, ids: Ids) -> NDArray[np.float32]:
        self.length += ids.shape[1]
        with torch.inference_mode():
            done = self.model(
                input_ids=torch.from_numpy(ids),
                attention_mask=torch.ones(len(ids), self.length, dtype=torch.int64),
                past_key_values=self.past,
                use_cache=True,
            )
        self.past = done.past_key_values
        logits: NDArray[np.float32] = done.logits.numpy()
        return logits


if __name__ == "__main__":
    options = parser().parse_args()
    serve(lambda: OptimumOnnx(options.model, options.threads), options.ids)
