"""llama.cpp as a worker: a GGUF file through the C interface, without the binding's own loop."""

from __future__ import annotations

import ctypes
import json
import platform

import llama_cpp
import numpy as np
from decoding import parser, serve
from numpy.typing import NDArray

BATCH = 512
SEQUENCE = 0
FLASH = {
    "on": llama_cpp.LLAMA_FLASH_ATTN_TYPE_ENABLED,
    "off": llama_cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED,
}


# llama.cpp writes a page to stderr for every model. The callback must outlive all calls.
SILENT = llama_cpp.llama_log_callback(lambda level, text, data: None)


class LlamaCpp:
    """A model and a context of llama.cpp."""

    def __init__(self, path: str, threads: int, context: int, flash: str) -> None:
        llama_cpp.llama_log_set(SILENT, ctypes.c_void_p(0))
        llama_cpp.llama_backend_init()
        model = llama_cpp.llama_model_load_from_file(
            path.encode(), llama_cpp.llama_model_default_params()
        )
        if not model:
            raise SystemExit(f"llama.cpp cannot load {path}")
        settings = llama_cpp.llama_context_default_params()
        settings.n_ctx = context
        settings.n_batch = settings.n_ubatch = BATCH
        settings.n_threads = settings.n_threads_batch = threads
        settings.flash_attn_type = FLASH[flash]
        self.context = llama_cpp.llama_init_from_model(model, settings)
        if not self.context:
            raise SystemExit(f"llama.cpp cannot make a context of {context} positions")
        self.memory = llama_cpp.llama_get_memory(self.context)
        self.vocab_size = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(model))
        self.versions = {
            "llama-cpp-python": llama_cpp.__version__,
            "system": llama_cpp.llama_print_system_info().decode().strip(),
            "python": platform.python_version(),
        }

    def reset(self) -> None:
        """Empty the cache; its buffers stay allocated."""
        llama_cpp.llama_memory_clear(self.memory, False)

    def prefill(self, ids: list[int]) -> NDArray[np.float32]:
        """The prompt in one batch, logits of its last position only."""
        return self._decode((ctypes.c_int32 * len(ids))(*ids))

    def step(self, token: int) -> NDArray[np.float32]:
        """A batch of one."""
        return self._decode((ctypes.c_int32 * 1)(token))

    def positions(self) -> int:
        """Length of the sequence in the cache."""
        return int(llama_cpp.llama_memory_seq_pos_max(self.memory, SEQUENCE)) + 1

    def _decode(self, ids: ctypes.Array[ctypes.c_int32]) -> NDArray[np.float32]:
        status = llama_cpp.llama_decode(self.context, llama_cpp.llama_batch_get_one(ids, len(ids)))
        if status:
            raise SystemExit(f"llama_decode returned {status}")
        logits = llama_cpp.llama_get_logits_ith(self.context, -1)
        return np.ctypeslib.as_array(logits, (self.vocab_size,))


def main() -> None:
    """Serve with one setting of flash attention."""
    arguments = parser()
    arguments.add_argument("--flash-attention", choices=FLASH, required=True)
    options = arguments.parse_args()
    serve(
        lambda: LlamaCpp(options.model, options.threads, options.context, options.flash_attention),
        json.loads(options.ids.read_text()),
    )


if __name__ == "__main__":
    main()
