"""satchel as a worker: a bundle, any number of texts at a time."""

from __future__ import annotations

import numpy as np
import ours
from decoding import Ids, StepEngine, parser, serve
from numpy.typing import NDArray

import satchel.runtime
import satchel.runtime.decoder_model  # `load` imports it lazily, which would count as loading


class Satchel(StepEngine):
    """A bundle opened as an app opens it, files checked against the manifest."""

    def __init__(self, folder: str, threads: int, kernels: bool) -> None:
        model = satchel.runtime.load(folder, threads=threads, kernels=kernels)
        assert isinstance(model, satchel.DecoderModel)
        self.model, self.decoder = model, model.decoder

    @property
    def versions(self) -> dict[str, str]:
        """What runs, its kernels among them."""
        return ours.versions(self.model)

    def prefill(self, prompts: Ids) -> NDArray[np.float32]:
        """The prompts in one run of the graph, or one in pieces; the cache is allocated here."""
        self.run = self.decoder.start(len(prompts))
        logits: NDArray[np.float32] = self.run.prefill(prompts.tolist())
        return logits

    def step(self, tokens: Ids) -> NDArray[np.float32]:
        """One run of the graph."""
        logits: NDArray[np.float32] = self.run.step(tokens)
        return logits

    def positions(self) -> int:
        """Length of the cache in use."""
        return int(self.run.lengths.max())

    def logits(self, ids: list[int]) -> NDArray[np.float32]:
        """All positions, with the graph's choice of rows."""
        logits: NDArray[np.float32] = self.decoder.logits(ids)
        return logits


if __name__ == "__main__":
    options = ours.takes_kernels(parser()).parse_args()
    serve(lambda: Satchel(options.model, options.threads, not options.no_kernels), options.ids)
