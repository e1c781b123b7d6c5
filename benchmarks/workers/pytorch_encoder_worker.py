"""PyTorch as a worker for encoders: the checkpoint in float32, by transformers."""

from __future__ import annotations

import platform

import numpy as np
import torch
import transformers
from embedding import peer_parser, pooled, serve_batches
from numpy.typing import NDArray


class PyTorch:
    """A model and its tokenizer."""

    def __init__(self, folder: str, threads: int, pooling: str, normalize: bool) -> None:
        torch.set_num_threads(threads)
        self.model = transformers.AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        self.pooling, self.normalize = pooling, normalize
        self.versions = {
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "python": platform.python_version(),
        }

    def vectors(self, ids: NDArray[np.int64]) -> NDArray[np.float32]:
        """One forward pass, then pooling."""
        rows = torch.from_numpy(ids)
        with torch.inference_mode():
            states = self.model(input_ids=rows, attention_mask=torch.ones_like(rows))[0]
        return pooled(states.numpy(), self.pooling, self.normalize)


if __name__ == "__main__":
    options = peer_parser().parse_args()
    serve_batches(
        lambda: PyTorch(options.model, options.threads, options.pooling, options.normalize),
        options.inputs,
    )
