"""A bundle as Chroma's `EmbeddingFunction`. A collection keeps the model's fingerprint."""

from __future__ import annotations

from typing import Any

from chromadb.api.types import Documents, EmbeddingFunction, Embeddings
from chromadb.utils.embedding_functions import register_embedding_function

from satchel.sentence import SentenceTransformer


@register_embedding_function
class SatchelEmbeddingFunction(EmbeddingFunction[Documents]):
    """`model` is what SentenceTransformer opens: a bundle, a checkpoint or a name on the hub."""

    def __init__(self, model: str, fingerprint: str | None = None) -> None:
        self.model = model
        self._opened = SentenceTransformer(model)
        if fingerprint not in (None, self._opened.fingerprint):
            raise ValueError(f"{model} makes other vectors than those that the collection holds")

    def __call__(self, input: Documents) -> Embeddings:
        return list(self._opened.encode_document(list(input)))

    def embed_query(self, input: Documents) -> Embeddings:
        return list(self._opened.encode_query(list(input)))

    @staticmethod
    def name() -> str:
        return "satchel"

    def get_config(self) -> dict[str, Any]:
        return {"model": self.model, "fingerprint": self._opened.fingerprint}

    @staticmethod
    def build_from_config(config: dict[str, Any]) -> SatchelEmbeddingFunction:
        return SatchelEmbeddingFunction(**config)

    def default_space(self) -> str:
        return "cosine"
