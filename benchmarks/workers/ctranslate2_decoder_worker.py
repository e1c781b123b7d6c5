"""CTranslate2 as a worker for decoders: what its converter made, by `generate_batch`."""

from __future__ import annotations

import json
import platform
import time
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np
from decoding import Ids, parser, serve
from numpy.typing import NDArray


class CTranslate2:
    """A Generator of one worker. It reads prompts as tokens, whose names are looked up here."""

    def __init__(self, folder: str, threads: int, compute_type: str) -> None:
        self.generator = ctranslate2.Generator(
            folder,
            device="cpu",
            compute_type=compute_type,
            inter_threads=1,
            intra_threads=threads,
        )
        self.tokens = json.loads((Path(folder) / "vocabulary.json").read_text("utf-8"))
        self.versions = {
            "ctranslate2": ctranslate2.__version__,
            "compute type": self.generator.compute_type,
            "python": platform.python_version(),
        }

    def generate(self, prompts: Ids, steps: int) -> tuple[Ids, list[float]]:
        """Its own loop; a prompt is read at once but for its last id, which the first step reads."""
        times = [0.0] * steps

        def note(result: Any) -> bool:
            times[result.step] = time.perf_counter()
            return False

        results = self.generator.generate_batch(
            [[self.tokens[index] for index in prompt] for prompt in prompts],
            include_prompt_in_result=False,
            min_length=steps,
            max_length=steps,
            callback=note,
        )
        return np.array([result.sequences_ids[0] for result in results]), times

    def logits(self, ids: list[int]) -> NDArray[np.float32]:
        """All positions of one forward pass."""
        return np.array(self.generator.forward_batch([ids]))[0]


if __name__ == "__main__":
    arguments = parser()
    arguments.add_argument("--compute-type", required=True)
    options = arguments.parse_args()
    serve(lambda: CTranslate2(options.model, options.threads, options.compute_type), options.ids)
