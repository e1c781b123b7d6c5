"""satchel as a worker for encoder-decoders: a bundle, by `generate`."""

from __future__ import annotations

from typing import Any

import numpy as np
import ours
from generating import Ids, parser, serve

import satchel.runtime
import satchel.runtime.seq2seq_model  # `load` imports it lazily, which would count as loading


class Satchel:
    """A bundle opened as an app opens it, files checked against the manifest."""

    def __init__(self, folder: str, threads: int, kernels: bool) -> None:
        self.model: Any = satchel.runtime.load(folder, threads=threads, kernels=kernels)

    @property
    def versions(self) -> dict[str, str]:
        """What runs, its kernels among them."""
        return ours.versions(self.model)

    def generate(self, sources: list[Ids], beams: int, steps: int) -> list[Ids]:
        """As an app calls it: the text of each target is made too."""
        found = self.model.generate(
            sources, num_beams=beams, max_new_tokens=steps, min_new_tokens=steps
        )
        return [one.tokens for one in found]

    def log_probs(self, source: Ids, target: Ids) -> list[float]:
        """From the logits of one run."""
        logits = self.model.logits(source, target)[: len(target)].astype(np.float64)
        logits -= logits.max(1, keepdims=True)
        logits -= np.log(np.exp(logits).sum(1, keepdims=True))
        return [float(row[token]) for row, token in zip(logits, target, strict=True)]


if __name__ == "__main__":
    options = ours.takes_kernels(parser()).parse_args()
    serve(lambda: Satchel(options.model, options.threads, not options.no_kernels), options.work)
