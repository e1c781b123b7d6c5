"""satchel as a worker for encoders: a bundle, by its graph or by `embed`."""

from __future__ import annotations

import warnings

import numpy as np
import ours
from embedding import parser, serve_batches, serve_texts
from numpy.typing import NDArray

import satchel.runtime
import satchel.runtime.encoder_model  # `load` imports it lazily, which would count as loading


class Satchel:
    """A bundle opened as an app opens it, files checked against the manifest."""

    def __init__(self, folder: str, threads: int, kernels: bool) -> None:
        model = satchel.runtime.load(folder, threads=threads, kernels=kernels)
        assert isinstance(model, satchel.EncoderModel)
        self.model = model
        encoders = self.model.graphs
        self.encoder = encoders.get("text") or encoders["encoder"]

    @property
    def versions(self) -> dict[str, str]:
        """What runs, its kernels among them."""
        return ours.versions(self.model)

    def vectors(self, ids: NDArray[np.int64]) -> NDArray[np.float32]:
        """One run of the graph; pooling and normalising are inside."""
        inputs = {name: np.zeros_like(ids) for name in self.encoder.input_names}
        return self.encoder(inputs | {"input_ids": ids})

    def embed(self, texts: list[str]) -> NDArray[np.float32]:
        """All texts in one call."""
        result: NDArray[np.float32] = self.model.embed(texts)
        return result

    def token_counts(self, texts: list[str]) -> list[int]:
        """As `embed` cuts them."""
        preparation = self.model.preparation
        assert preparation is not None
        return [len(row) for text in texts for row in preparation.rows(text)]


if __name__ == "__main__":
    arguments = ours.takes_kernels(parser())
    arguments.add_argument("--library", action="store_true", help="texts to `embed`")
    options = arguments.parse_args()
    warnings.simplefilter("ignore", UserWarning)  # the corpus has texts that are cut
    serve = serve_texts if options.library else serve_batches
    serve(lambda: Satchel(options.model, options.threads, not options.no_kernels), options.inputs)
