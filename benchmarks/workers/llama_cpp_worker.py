"""llama.cpp as a worker: a GGUF file through the C interface, without the binding's own loop."""

from __future__ import annotations

import ctypes
import platform
from typing import Any

import llama_cpp
import numpy as np
from decoding import Ids, StepEngine, parser, serve
from numpy.typing import NDArray

FLASH = {
    "on": llama_cpp.LLAMA_FLASH_ATTN_TYPE_ENABLED,
    "off": llama_cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED,
}
# llama.cpp writes a page to stderr for every model. The callback must outlive all calls.
SILENT = llama_cpp.llama_log_callback(lambda level, text, data: None)


class LlamaCpp(StepEngine):
    """A model and a context of llama.cpp, in which each text is a sequence with a cache of its own."""

    def __init__(self, path: str, threads: int, context: int, texts: int, flash: str) -> None:
        llama_cpp.llama_log_set(SILENT, ctypes.c_void_p(0))
        llama_cpp.llama_backend_init()
        model = llama_cpp.llama_model_load_from_file(
            path.encode(), llama_cpp.llama_model_default_params()
        )
        if not model:
            raise SystemExit(f"error: llama.cpp cannot load {path}")
        settings = llama_cpp.llama_context_default_params()
        settings.n_ctx, settings.n_seq_max = context * texts, texts
        settings.n_threads = settings.n_threads_batch = threads
        settings.flash_attn_type = FLASH[flash]
        self.context = llama_cpp.llama_init_from_model(model, settings)
        if not self.context:
            raise SystemExit(f"error: llama.cpp cannot make a context of {context} positions")
        self.batch: Any = llama_cpp.llama_batch_init(llama_cpp.llama_n_batch(self.context), 0, 1)
        self.memory = llama_cpp.llama_get_memory(self.context)
        self.vocab_size = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(model))
        self.versions = {
            "llama-cpp-python": llama_cpp.__version__,
            "system": llama_cpp.llama_print_system_info().decode().strip(),
            "python": platform.python_version(),
        }

    def prefill(self, prompts: Ids) -> NDArray[np.float32]:
        """All prompts in one batch, logits of their last positions only; buffers stay allocated."""
        llama_cpp.llama_memory_clear(self.memory, False)
        return self._decode(prompts)

    def step(self, tokens: Ids) -> NDArray[np.float32]:
        """A batch of one position of each text."""
        return self._decode(tokens[:, None])

    def positions(self) -> int:
        """Length of the first sequence in the cache."""
        return int(llama_cpp.llama_memory_seq_pos_max(self.memory, 0)) + 1

    def logits(self, ids: list[int]) -> NDArray[np.float32]:
        """All positions of one batch."""
        llama_cpp.llama_memory_clear(self.memory, False)
        return self._decode(np.array([ids]), every=True)

    def _decode(self, ids: Ids, every: bool = False) -> NDArray[np.float32]:
        size, length, past = ids.size, ids.shape[1], self.positions()
        self.batch.n_tokens = size
        wanted = np.ones(ids.shape, np.int8) * every
        wanted[:, -1] = 1
        self._fill("token", ids)
        self._fill("pos", np.broadcast_to(np.arange(past, past + length), ids.shape))
        self._fill("n_seq_id", np.ones(ids.shape))
        self._fill("logits", wanted)
        for place in range(size):
            self.batch.seq_id[place][0] = place // length
        status = llama_cpp.llama_decode(self.context, self.batch)
        if status:
            raise SystemExit(f"error: llama_decode returned {status}")
        logits = llama_cpp.llama_get_logits(self.context)
        return np.ctypeslib.as_array(logits, (int(wanted.sum()), self.vocab_size))

    def _fill(self, field: str, values: NDArray[Any]) -> None:
        np.ctypeslib.as_array(getattr(self.batch, field), (values.size,))[:] = values.ravel()


if __name__ == "__main__":
    arguments = parser()
    arguments.add_argument("--flash-attention", choices=FLASH, required=True)
    options = arguments.parse_args()
    given = (options.model, options.threads, options.context, options.texts)
    serve(lambda: LlamaCpp(*given, options.flash_attention), options.ids)
