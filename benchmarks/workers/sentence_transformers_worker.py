"""A peer as a worker for texts, as its documentation shows: SentenceTransformer and `encode`."""

from __future__ import annotations

import importlib.metadata
import platform
from typing import Any

import numpy as np
import torch
from embedding import parser, serve_texts
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer

BATCH = 32
ENGINES = {  # backend -> packages whose versions matter
    "torch": ("torch", "transformers"),
    "onnx": ("optimum-onnx", "onnxruntime", "transformers"),
    "openvino": ("optimum-intel", "openvino", "nncf", "transformers"),
}


class Library:
    """A sentence-transformers folder with one of the library's backends."""

    def __init__(self, folder: str, backend: str, file: str | None, threads: int) -> None:
        torch.set_num_threads(threads)
        settings: dict[str, Any] = {"file_name": file} if file else {}
        settings |= _onnx(threads) if backend == "onnx" else {}
        settings |= _openvino(threads) if backend == "openvino" else {}
        self.model = SentenceTransformer(
            folder, device="cpu", backend=backend, model_kwargs=settings
        )
        packages = ("sentence-transformers", *ENGINES[backend])
        self.versions = {name: importlib.metadata.version(name) for name in packages}
        self.versions["python"] = platform.python_version()

    def embed(self, texts: list[str]) -> NDArray[np.float32]:
        """All texts in one call; the library sorts them by length and pads each batch."""
        result: NDArray[np.float32] = self.model.encode(
            texts, batch_size=BATCH, show_progress_bar=False
        )
        return result

    def token_counts(self, texts: list[str]) -> list[int]:
        """As `encode` cuts them."""
        longest = self.model.max_seq_length
        encoded = self.model.tokenizer(texts, truncation=True, max_length=longest)
        return [len(ids) for ids in encoded["input_ids"]]


def _onnx(threads: int) -> dict[str, Any]:
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = threads
    return {"session_options": settings, "provider": "CPUExecutionProvider"}


def _openvino(threads: int) -> dict[str, Any]:
    hints = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads}
    return {"device": "CPU", "ov_config": hints}


if __name__ == "__main__":
    arguments = parser()
    arguments.add_argument("--backend", choices=ENGINES, required=True)
    arguments.add_argument("--file", help="the graph in the folder")
    options = arguments.parse_args()
    serve_texts(
        lambda: Library(options.model, options.backend, options.file, options.threads),
        options.inputs,
    )
