"""A bundle as Haystack's embedders of queries and of documents."""

from __future__ import annotations

from dataclasses import replace

from haystack import Document, component

from satchel.sentence import SentenceTransformer


@component
class SatchelTextEmbedder:
    """`model` is what SentenceTransformer opens: a bundle, a checkpoint or a name on the hub."""

    def __init__(self, model: str) -> None:
        self.model = model
        self._opened = SentenceTransformer(model)

    @component.output_types(embedding=list[float])
    def run(self, text: str) -> dict:
        return {"embedding": self._opened.encode_query(text).tolist()}


@component
class SatchelDocumentEmbedder:
    """The same for documents, whose contents are embedded."""

    def __init__(self, model: str) -> None:
        self.model = model
        self._opened = SentenceTransformer(model)

    @component.output_types(documents=list[Document])
    def run(self, documents: list[Document]) -> dict:
        vectors = self._opened.encode_document([one.content or "" for one in documents])
        pairs = zip(documents, vectors, strict=True)
        return {"documents": [replace(one, embedding=vector.tolist()) for one, vector in pairs]}
