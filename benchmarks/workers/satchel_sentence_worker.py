"""satchel as a worker for texts, in sentence-transformers' way: SentenceTransformer and `encode`."""

from __future__ import annotations

import numpy as np
import ours
from embedding import parser, serve_texts
from numpy.typing import NDArray

from satchel.sentence import SentenceTransformer


class Sentence:
    """A bundle opened by its folder."""

    def __init__(self, folder: str, threads: int, kernels: bool) -> None:
        self.model = SentenceTransformer(folder, threads=threads, kernels=kernels)

    @property
    def versions(self) -> dict[str, str]:
        """What runs, its kernels among them."""
        return ours.versions(self.model.model)

    def embed(self, texts: list[str]) -> NDArray[np.float32]:
        """All texts in one call."""
        result: NDArray[np.float32] = self.model.encode(texts)
        return result

    def token_counts(self, texts: list[str]) -> list[int]:
        """As `encode` cuts them."""
        return [self.model.tokenize([text])["input_ids"].shape[1] for text in texts]


if __name__ == "__main__":
    options = ours.takes_kernels(parser()).parse_args()
    serve_texts(
        lambda: Sentence(options.model, options.threads, not options.no_kernels), options.inputs
    )
