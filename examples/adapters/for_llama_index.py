"""A bundle as LlamaIndex's `BaseEmbedding`."""

from __future__ import annotations

from typing import Any

from llama_index.core.base.embeddings.base import BaseEmbedding
from pydantic import PrivateAttr

from satchel.sentence import SentenceTransformer


class SatchelEmbedding(BaseEmbedding):
    """`model_name` is what SentenceTransformer opens: a bundle, a checkpoint or a name on the hub."""

    _model: SentenceTransformer = PrivateAttr()

    def __init__(
        self, model_name: str, options: dict[str, Any] | None = None, **settings: Any
    ) -> None:
        super().__init__(model_name=model_name, **settings)
        self._model = SentenceTransformer(model_name, **(options or {}))

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._model.encode_query(query).tolist()

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_query_embedding(query)

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._model.encode_document(text).tolist()

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return self._model.encode_document(texts).tolist()
