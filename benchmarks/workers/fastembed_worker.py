"""fastembed as a worker for texts, as its documentation shows: `add_custom_model`, then `embed`."""

from __future__ import annotations

import importlib.metadata
import platform

import numpy as np
from embedding import parser, serve_texts
from fastembed import TextEmbedding
from fastembed.common.model_description import ModelSource, PoolingType
from numpy.typing import NDArray

NAME = "benchmark/model"  # of no place: the folder that is given holds the files
POOLINGS = {"mean": PoolingType.MEAN, "cls": PoolingType.CLS}


class Fastembed:
    """A folder with an ONNX graph of the states, pooled by the library."""

    def __init__(self, options: Options) -> None:
        TextEmbedding.add_custom_model(
            model=NAME,
            pooling=POOLINGS[options.pooling],
            normalization=options.normalize,
            sources=ModelSource(hf=NAME),
            dim=options.size,
            model_file=options.file,
        )
        self.model = TextEmbedding(
            NAME,
            threads=options.threads,
            providers=["CPUExecutionProvider"],
            specific_model_path=options.model,
        )
        self.tokenizer = self.model.model.tokenizer
        # What the folders that the library downloads say in their tokenizer_config.json.
        self.tokenizer.enable_truncation(max_length=options.longest)
        packages = ("fastembed", "onnxruntime")
        self.versions = {name: importlib.metadata.version(name) for name in packages}
        self.versions["python"] = platform.python_version()

    def embed(self, texts: list[str]) -> NDArray[np.float32]:
        """All texts in one call, at the library's own batch size."""
        return np.array(list(self.model.embed(texts)), np.float32)

    def token_counts(self, texts: list[str]) -> list[int]:
        """Without what fills a batch up."""
        encoded = self.tokenizer.encode_batch(texts)
        return [sum(one.attention_mask) for one in encoded]


class Options:
    """What the worker is told."""

    model: str
    file: str
    pooling: str
    normalize: bool
    size: int
    longest: int
    threads: int


if __name__ == "__main__":
    arguments = parser()
    arguments.add_argument("--file", required=True, help="the graph in the folder")
    arguments.add_argument("--pooling", choices=POOLINGS, required=True)
    arguments.add_argument("--normalize", action="store_true")
    arguments.add_argument("--size", type=int, required=True, help="numbers of a vector")
    arguments.add_argument("--longest", type=int, required=True, help="tokens of a text")
    options = arguments.parse_args(namespace=Options())
    inputs = vars(options)["inputs"]
    serve_texts(lambda: Fastembed(options), inputs)
