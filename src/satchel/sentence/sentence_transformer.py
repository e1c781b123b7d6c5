"""The class of that name in sentence-transformers: texts to dense vectors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from satchel.runtime.errors import UsageError, shown
from satchel.sentence.arguments import check_count, check_device, one_given, refuse
from satchel.sentence.arrays import Array, tensor_of, unit
from satchel.sentence.base import Opening, listed
from satchel.sentence.quantization import check_precision, quantize_embeddings
from satchel.sentence.vectors_of import VectorModel

OUTPUTS = ("sentence_embedding", "token_embeddings")


class SentenceTransformer(VectorModel):
    """A text encoder: a bundle, a checkpoint that becomes one once (see `kept`), or a name on the hub.

    `profile` is the export's, `threads` and `kernels` are those of `satchel.load`. Arguments of
    sentence-transformers that are not supported are refused by name.
    """

    kind = "SentenceTransformer"
    owner = "sentence-transformers"
    tasks = ("embed", "text-image-embed")

    def __init__(
        self,
        model_name_or_path: str | Path | None = None,
        *,
        similarity_fn_name: Any = None,
        truncate_dim: int | None = None,
        **opening: Unpack[Opening],
    ) -> None:
        super().__init__(model_name_or_path, **opening)
        if self.model.manifest.text is not None and self._is_sparse():
            raise UsageError(f"{self.bundle} makes sparse vectors: open it as SparseEncoder")
        self.similarity_fn_name = similarity_fn_name
        self.truncate_dim = self._kept(truncate_dim)

    def encode(
        self,
        inputs: Any = None,
        prompt_name: str | None = None,
        prompt: str | None = None,
        batch_size: int = 32,
        show_progress_bar: bool | None = None,
        output_value: str | None = "sentence_embedding",
        precision: str = "float32",
        convert_to_numpy: bool = True,
        convert_to_tensor: bool = False,
        device: Any = None,
        normalize_embeddings: bool = False,
        truncate_dim: int | None = None,
        pool: Any = None,
        chunk_size: Any = None,
        **others: Any,
    ) -> Any:
        """float32 [n, dim] of n texts, [dim] of one. With "token_embeddings" [length, hidden] of each.

        `convert_to_tensor`, and a false `convert_to_numpy`, give tensors, which need PyTorch. The runtime
        chooses its batches itself: a text gives the same in each of them, whatever `batch_size` says.
        """
        inputs = one_given("encode", inputs, others)
        refuse("encode", {"pool": pool, "chunk_size": chunk_size})
        check_device("encode", device)
        check_count("batch_size", batch_size)
        check_precision(precision)
        if output_value not in OUTPUTS:
            raise UsageError(
                f"output_value = {shown(output_value)} is not supported; known: {', '.join(OUTPUTS)}"
            )
        single, items = listed(inputs)
        before = self._prompt(prompt, prompt_name)
        if output_value == OUTPUTS[1]:
            states = self._states(items, before, show_progress_bar)
            if convert_to_tensor:
                states = [tensor_of(one, "convert_to_tensor") for one in states]
            return states[0] if single else states
        kept = self._kept(truncate_dim)
        vectors = self._vectors(items, before, show_progress_bar)
        vectors = vectors[:, : kept if kept is not None else self.truncate_dim]
        if normalize_embeddings:
            vectors = unit(vectors)
        if precision != "float32" and len(vectors):
            vectors = quantize_embeddings(vectors, precision)
        return _converted(
            np.ascontiguousarray(vectors), single, convert_to_numpy, convert_to_tensor
        )

    @contextmanager
    def truncate_embeddings(self, truncate_dim: int | None) -> Iterator[None]:
        """Within it, vectors have so many numbers (None: all)."""
        before = self.truncate_dim
        self.truncate_dim = self._kept(truncate_dim)
        try:
            yield
        finally:
            self.truncate_dim = before

    truncate_sentence_embeddings = truncate_embeddings

    def _kept(self, count: int | None) -> int | None:
        """How many numbers of a vector to keep; more than there are is refused: a bundle may have fewer
        than its checkpoint."""
        if count is None:
            return None
        check_count("truncate_dim", count)
        if count > self._size():
            raise UsageError(
                f"truncate_dim = {count}; the bundle's vectors have {self._size()} numbers"
            )
        return int(count)

    def _is_sparse(self) -> bool:
        return self._size() == self.model.manifest.vocab_size


def _converted(vectors: Array, single: bool, numpy: bool, tensor: bool) -> Any:
    """Vectors as an array, as a tensor, or as a list of tensors; of one input alone its vector."""
    if tensor:
        made = tensor_of(vectors, "convert_to_tensor")
    elif numpy:
        made = vectors if len(vectors) else np.array([])
    else:
        made = list(tensor_of(vectors, "convert_to_numpy=False"))
    return made[0] if single else made
