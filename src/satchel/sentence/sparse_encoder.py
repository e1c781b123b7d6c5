"""The class of that name in sentence-transformers: texts to weights of the words of a vocabulary."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Unpack

import numpy as np

from satchel.runtime.errors import UsageError
from satchel.runtime.greatest import places_of_greatest
from satchel.sentence.arguments import check_count, check_device, one_given, refuse
from satchel.sentence.arrays import Array, array_of, in_kind, rows, tensor_of
from satchel.sentence.base import Opening, listed
from satchel.sentence.vectors_of import VectorModel


class SparseEncoder(VectorModel):
    """A sparse encoder (SPLADE): a bundle, a checkpoint that becomes one once, or a name on the hub.

    Vectors are numpy arrays with a place for each word; tensors of PyTorch where they are asked for.
    """

    kind = "SparseEncoder"
    owner = "sparse-encoder"
    tasks = ("embed",)

    def __init__(
        self,
        model_name_or_path: str | Path | None = None,
        *,
        similarity_fn_name: Any = None,
        max_active_dims: int | None = None,
        **opening: Unpack[Opening],
    ) -> None:
        super().__init__(model_name_or_path, **opening)
        if self._size() != self.model.manifest.vocab_size:
            raise UsageError(f"{self.bundle} makes dense vectors: open it as SentenceTransformer")
        self.similarity_fn_name = similarity_fn_name
        if max_active_dims is not None:
            check_count("max_active_dims", max_active_dims)
        self.max_active_dims = max_active_dims

    def encode(
        self,
        inputs: Any = None,
        prompt_name: str | None = None,
        prompt: str | None = None,
        batch_size: int = 32,
        show_progress_bar: bool | None = None,
        convert_to_tensor: bool | None = None,
        convert_to_sparse_tensor: bool | None = None,
        save_to_cpu: bool = True,
        device: Any = None,
        max_active_dims: int | None = None,
        pool: Any = None,
        chunk_size: Any = None,
        **others: Any,
    ) -> Any:
        """float32 [n, vocabulary] of n texts, [vocabulary] of one: a numpy array.

        `convert_to_sparse_tensor` or `convert_to_tensor` gives a tensor, sparse unless the first is
        false; with the second false, a list of them.
        """
        inputs = one_given("encode", inputs, others)
        refuse("encode", {"pool": pool, "chunk_size": chunk_size})
        check_device("encode", device)
        check_count("batch_size", batch_size)
        most = self.max_active_dims if max_active_dims is None else max_active_dims
        if most is not None:
            check_count("max_active_dims", most)
        single, items = listed(inputs)
        vectors = self._vectors(items, self._prompt(prompt, prompt_name), show_progress_bar)
        vectors = _greatest(vectors, most)
        if not convert_to_tensor and not convert_to_sparse_tensor:
            made: Any = vectors if convert_to_tensor is None else list(vectors)
        else:
            made = tensor_of(vectors, "convert_to_tensor")
            made = made.to_sparse() if convert_to_sparse_tensor in (None, True) else made
            made = list(made) if convert_to_tensor is False else made
        return made[0] if single else made

    def decode(self, embeddings: Any, top_k: int | None = None) -> Any:
        """(word, weight) of a vector's words, the heaviest first; a list of such of several vectors."""
        if top_k is not None:
            check_count("top_k", top_k)
        vectors = rows(embeddings)
        words = []
        for vector in vectors:
            places = np.flatnonzero(vector)
            places = places[np.argsort(-vector[places], kind="stable")][:top_k]
            pairs = zip(places.tolist(), vector[places].tolist(), strict=True)
            words.append([(self.tokenizer.id_to_token(place), weight) for place, weight in pairs])
        return words[0] if array_of(embeddings).ndim == 1 else words

    @staticmethod
    def sparsity(embeddings: Any) -> dict[str, float]:
        """Words with a weight, on average, and the share of those without."""
        vectors = rows(embeddings)
        if not vectors.size:
            return {"active_dims": 0.0, "sparsity_ratio": 1.0}
        active = float(np.count_nonzero(vectors, axis=1).mean())
        return {"active_dims": active, "sparsity_ratio": 1.0 - active / vectors.shape[1]}

    @staticmethod
    def intersection(embeddings_1: Any, embeddings_2: Any) -> Any:
        """The products of the weights that one vector shares with another, or with each of several."""
        first = array_of(embeddings_1)
        if first.ndim != 1:
            raise UsageError(f"embeddings_1 has the shape {list(first.shape)}; expected one vector")
        return _shared(embeddings_1, embeddings_2)


@in_kind
def _shared(first: Any, second: Any) -> Array:
    return np.maximum(array_of(first) * array_of(second), 0)


def _greatest(vectors: Array, count: int | None) -> Array:
    """Vectors with all but their `count` greatest numbers set to zero."""
    if count is None:
        return vectors
    places = places_of_greatest(np.abs(vectors), count)
    kept = np.zeros_like(vectors)
    np.put_along_axis(kept, places, np.take_along_axis(vectors, places, axis=1), axis=1)
    return kept
