"""The adapters of examples/adapters with the libraries they are for, where those are installed."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from satchel.sentence import SentenceTransformer

EXAMPLES = Path(__file__).parents[1] / "examples/adapters"
GIVEN = os.environ.get(
    "SATCHEL_BUNDLE"
)  # where the exporter is not installed: a bundle that embeds
DOCUMENTS = ["the fox runs", "a dog and a cat", "it is on"]
QUERY = "the fox"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> SentenceTransformer:
    if GIVEN:
        return SentenceTransformer(GIVEN)
    import satchel
    from tests.sentence_models import PROMPTS, save_dense

    folder = tmp_path_factory.mktemp("adapters")
    save_dense(folder, prompts=PROMPTS)
    satchel.pack(folder / "made", folder / "bundle", profile="fp32")
    return SentenceTransformer(folder / "bundle")


def adapter(name: str, package: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    pytest.importorskip(package)
    monkeypatch.syspath_prepend(str(EXAMPLES))
    return importlib.import_module(name)


def assert_documents(found: Any, model: SentenceTransformer) -> None:
    np.testing.assert_allclose(found, model.encode_document(DOCUMENTS), atol=1e-5)


def assert_query(found: Any, model: SentenceTransformer) -> None:
    np.testing.assert_allclose(found, model.encode_query(QUERY), atol=1e-5)


def test_langchain(model: SentenceTransformer, monkeypatch: pytest.MonkeyPatch) -> None:
    module = adapter("for_langchain", "langchain_core", monkeypatch)
    embeddings = module.SatchelEmbeddings(str(model.bundle), threads=1)
    assert_documents(embeddings.embed_documents(DOCUMENTS), model)
    assert_query(embeddings.embed_query(QUERY), model)
    stores = importlib.import_module("langchain_core.vectorstores")
    store = stores.InMemoryVectorStore(embeddings)
    store.add_texts(DOCUMENTS)
    best = model.similarity(model.encode_query(QUERY), model.encode_document(DOCUMENTS)).argmax()
    assert store.similarity_search(QUERY, k=1)[0].page_content == DOCUMENTS[int(best)]


def test_llama_index(model: SentenceTransformer, monkeypatch: pytest.MonkeyPatch) -> None:
    module = adapter("for_llama_index", "llama_index.core", monkeypatch)
    embedding = module.SatchelEmbedding(str(model.bundle), {"threads": 1}, embed_batch_size=2)
    assert_documents(embedding.get_text_embedding_batch(DOCUMENTS), model)
    assert_documents([embedding.get_text_embedding(text) for text in DOCUMENTS], model)
    assert_query(embedding.get_query_embedding(QUERY), model)


def test_haystack(model: SentenceTransformer, monkeypatch: pytest.MonkeyPatch) -> None:
    module = adapter("for_haystack", "haystack", monkeypatch)
    haystack = importlib.import_module("haystack")
    documents = [haystack.Document(content=text) for text in DOCUMENTS]
    pipeline = haystack.Pipeline()
    pipeline.add_component("documents", module.SatchelDocumentEmbedder(str(model.bundle)))
    pipeline.add_component("query", module.SatchelTextEmbedder(str(model.bundle)))
    again = haystack.Pipeline.from_dict(pipeline.to_dict(), allowed_modules=[module.__name__])
    found = again.run({"documents": {"documents": documents}, "query": {"text": QUERY}})
    assert_documents([one.embedding for one in found["documents"]["documents"]], model)
    assert_query(found["query"]["embedding"], model)


def test_chroma(
    model: SentenceTransformer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    module = adapter("for_chroma", "chromadb", monkeypatch)
    chromadb = importlib.import_module("chromadb")
    settings = chromadb.Settings(anonymized_telemetry=False)
    client = chromadb.PersistentClient(str(tmp_path), settings)
    function = module.SatchelEmbeddingFunction(str(model.bundle))
    collection = client.create_collection("texts", embedding_function=function)
    collection.add(ids=["a", "b", "c"], documents=DOCUMENTS)
    again = client.get_collection("texts")  # by its name and what the collection keeps
    assert_documents(again.get(include=["embeddings"])["embeddings"], model)
    best = model.similarity(model.encode_query(QUERY), model.encode_document(DOCUMENTS)).argmax()
    assert again.query(query_texts=[QUERY], n_results=1)["documents"] == [[DOCUMENTS[int(best)]]]
    with pytest.raises(ValueError, match="makes other vectors"):
        module.SatchelEmbeddingFunction(str(model.bundle), fingerprint="0" * 64)
