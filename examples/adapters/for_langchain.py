"""A bundle as LangChain's `Embeddings`."""

from __future__ import annotations

from langchain_core.embeddings import Embeddings

from satchel.sentence import SentenceTransformer


class SatchelEmbeddings(Embeddings):
    """`model` is what SentenceTransformer opens: a bundle, a checkpoint or a name on the hub."""

    def __init__(self, model: str, **options) -> None:
        self.model = SentenceTransformer(model, **options)

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return self.model.encode_document(texts).tolist()

    def embed_query(self, text: str) -> list[float]:
        return self.model.encode_query(text).tolist()
