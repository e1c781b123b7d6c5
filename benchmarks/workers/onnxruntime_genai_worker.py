"""onnxruntime-genai as a worker: what its builder made, by its own greedy loop."""

from __future__ import annotations

import json
import platform
import time
from typing import Any

import numpy as np
import onnxruntime
import onnxruntime_genai
from decoding import Ids, parser, serve
from numpy.typing import NDArray

onnxruntime_genai.disable_telemetry_events()


class OnnxRuntimeGenAi:
    """A model, and a generator per number of texts, kept from one prompt to the next."""

    def __init__(self, folder: str, threads: int, context: int) -> None:
        config = onnxruntime_genai.Config(folder)
        session = {"intra_op_num_threads": threads, "inter_op_num_threads": 1}
        config.overlay(json.dumps({"model": {"decoder": {"session_options": session}}}))
        self.model = onnxruntime_genai.Model(config)
        self.context = context
        self.generators: dict[int, Any] = {}
        self.versions = {
            "onnxruntime-genai": onnxruntime_genai.__version__,
            "onnxruntime": onnxruntime.__version__,
            "python": platform.python_version(),
        }

    def generate(self, prompts: Ids, steps: int) -> tuple[Ids, list[float]]:
        """The loop of its examples, its searching included."""
        generator = self._reading(prompts)
        tokens, times = [], []
        for _ in range(steps):
            generator.generate_next_token()
            tokens.append(generator.get_next_tokens().copy())
            times.append(time.perf_counter())
        return np.stack(tokens, 1), times

    def logits(self, ids: list[int]) -> NDArray[np.float32]:
        """One by one: the graph has logits of the last position alone, which is the faster."""
        generator = self._reading(np.array([ids[:1]]))
        rows = [generator.get_logits().reshape(-1).copy()]
        for token in ids[1:]:
            generator.append_tokens(np.array([[token]], np.int32))
            rows.append(generator.get_logits().reshape(-1).copy())
        return np.stack(rows)

    def _reading(self, prompts: Ids) -> Any:
        texts = len(prompts)
        if texts not in self.generators:
            settings = onnxruntime_genai.GeneratorParams(self.model)
            settings.set_search_options(
                max_length=self.context + 1,  # the last id is counted, though never read
                min_length=self.context + 1,  # an end of text is no end
                batch_size=texts,
                do_sample=False,
            )
            self.generators[texts] = onnxruntime_genai.Generator(self.model, settings)
        self.generators[texts].rewind_to(0)
        self.generators[texts].append_tokens(prompts.astype(np.int32))
        return self.generators[texts]


if __name__ == "__main__":
    options = parser().parse_args()
    serve(lambda: OnnxRuntimeGenAi(options.model, options.threads, options.context), options.ids)
