"""OpenVINO GenAI as a worker: what optimum exported, by `LLMPipeline`."""

from __future__ import annotations

import platform
import time
from pathlib import Path
from typing import Any

import numpy as np
import openvino
import openvino_genai
from decoding import Ids, parser, serve
from numpy.typing import NDArray

MOST_BATCHED = 8192  # ids of prompts at once: the pipeline's default is not to cut them either


class OpenVino:
    """A pipeline. Its logits are not to be had: those of the model it runs are, from OpenVINO."""

    def __init__(self, folder: str, threads: int, attention: str) -> None:
        self.folder = Path(folder)
        self.properties: dict[str, Any] = {
            "INFERENCE_NUM_THREADS": threads,
            "PERFORMANCE_HINT": "LATENCY",
        }
        how = self.properties | {"ATTENTION_BACKEND": attention}
        if attention == "PA":
            how["scheduler_config"] = _scheduler()
        self.pipeline = openvino_genai.LLMPipeline(folder, "CPU", **how)
        self.versions = {
            "openvino-genai": openvino_genai.__version__,
            "openvino": openvino.__version__,
            "python": platform.python_version(),
        }

    def generate(self, prompts: Ids, steps: int) -> tuple[Ids, list[float]]:
        """The pipeline's own loop, and the times it notes, which are of the same clock."""
        settings = openvino_genai.GenerationConfig(
            max_new_tokens=steps, ignore_eos=True, do_sample=False
        )
        inputs = openvino_genai.TokenizedInputs(
            openvino.Tensor(prompts), openvino.Tensor(np.ones_like(prompts))
        )
        began = time.perf_counter()
        done = self.pipeline.generate(inputs, settings)
        ended = time.perf_counter()
        times = [moment / 1e3 for moment in done.perf_metrics.raw_metrics.m_new_token_times]
        if len(times) != steps or not began < times[0] <= times[-1] < ended:
            raise SystemExit(
                f"error: {len(times)} times noted for {steps} steps, or not within them"
            )
        return np.array(done.tokens), times

    def logits(self, ids: list[int]) -> NDArray[np.float32]:
        """All positions of the stateful model from an empty cache, with the same properties."""
        core = openvino.Core()
        model = core.compile_model(self.folder / "openvino_model.xml", "CPU", self.properties)
        places = np.arange(len(ids))[None]
        given = {
            "input_ids": np.array([ids]),
            "attention_mask": np.ones_like(places),
            "position_ids": places,
            "beam_idx": np.zeros(1, np.int32),
        }
        logits: NDArray[np.float32] = model(given)["logits"][0]
        return logits


def _scheduler() -> Any:
    """Each prompt is computed: what two have in common is not kept."""
    settings = openvino_genai.SchedulerConfig()
    settings.enable_prefix_caching = False
    settings.max_num_batched_tokens = MOST_BATCHED
    return settings


if __name__ == "__main__":
    arguments = parser()
    arguments.add_argument("--attention", choices=("PA", "SDPA"), required=True)
    options = arguments.parse_args()
    serve(lambda: OpenVino(options.model, options.threads, options.attention), options.ids)
