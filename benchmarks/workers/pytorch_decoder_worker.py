"""PyTorch as a worker for decoders: a Hugging Face folder in float32, by transformers."""

from __future__ import annotations

import platform
from typing import Any

import numpy as np
import torch
import transformers
from decoding import Ids, StepEngine, parser, serve
from numpy.typing import NDArray


class PyTorch(StepEngine):
    """`AutoModelForCausalLM` with its default attention (scaled dot product) and cache."""

    def __init__(self, folder: str, threads: int) -> None:
        torch.set_num_threads(threads)
        self.model: Any = transformers.AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32
        ).eval()
        self.cache: Any = None
        self.versions = {
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "python": platform.python_version(),
        }

    def prefill(self, prompts: Ids) -> NDArray[np.float32]:
        """An empty cache, and logits of the last position alone."""
        self.cache = None
        return self._run(prompts)

    def step(self, tokens: Ids) -> NDArray[np.float32]:
        """One forward pass."""
        return self._run(tokens[:, None])

    def positions(self) -> int:
        """Length of the cache."""
        return int(self.cache.get_seq_length())

    def logits(self, ids: list[int]) -> NDArray[np.float32]:
        """All positions of one forward pass."""
        with torch.inference_mode():
            logits: NDArray[np.float32] = self.model(torch.tensor([ids])).logits[0].numpy()
        return logits

    def _run(self, ids: Ids) -> NDArray[np.float32]:
        with torch.inference_mode():
            done = self.model(
                torch.from_numpy(ids), past_key_values=self.cache, use_cache=True, logits_to_keep=1
            )
        self.cache = done.past_key_values
        logits: NDArray[np.float32] = done.logits[:, -1].numpy()
        return logits


if __name__ == "__main__":
    options = parser().parse_args()
    serve(lambda: PyTorch(options.model, options.threads), options.ids)
