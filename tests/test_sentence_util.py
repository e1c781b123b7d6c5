"""Functions beside the models: the numbers of sentence_transformers.util and of its quantization."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest
import torch

from satchel.runtime.errors import SatchelError
from satchel.sentence import SimilarityFunction, quantize_embeddings, util
from tests.sentence_models import assert_close

library = pytest.importorskip("sentence_transformers")
theirs = pytest.importorskip("sentence_transformers.util")
quantization = pytest.importorskip("sentence_transformers.util.quantization")

CHANCE = np.random.default_rng(3)
A = CHANCE.standard_normal((7, 12)).astype(np.float32)
B = CHANCE.standard_normal((7, 12)).astype(np.float32)
ZERO = np.zeros((1, 12), np.float32)
ALL = ["cos_sim", "pytorch_cos_sim", "dot_score", "euclidean_sim", "manhattan_sim"]
PAIRWISE = [
    f"pairwise_{name}" for name in ("cos_sim", "dot_score", "euclidean_sim", "manhattan_sim")
]


@pytest.mark.parametrize("name", ALL)
def test_all_with_all(name: str) -> None:
    function, expected = getattr(util, name), getattr(theirs, name)
    for pair in (
        (A, B[:3]),
        (A[0], B),
        (A, ZERO),
        (list(A), B),
        (A.tolist(), B),
        (A.astype(np.float64), B.astype(np.float64)),
    ):
        assert_close(
            np.asarray(function(*pair), np.float32), np.asarray(expected(*pair), np.float32)
        )
        assert isinstance(function(*pair), np.ndarray)
    tensors = torch.from_numpy(A), torch.from_numpy(B)
    for given in (tensors, (tensors[0], B), (list(tensors[0]), B), (tensors[0].half(), tensors[1])):
        assert isinstance(function(*given), torch.Tensor)
        assert_close(
            function(*given),
            function(
                *(np.asarray(one, np.float32) if not isinstance(one, list) else A for one in given)
            ),
            2e-3,
        )
    if "manhattan" not in name:
        sparse = tensors[0].to_sparse(), tensors[1].to_sparse()
        assert_close(function(*sparse), expected(*sparse))


@pytest.mark.parametrize("name", [*PAIRWISE, "pairwise_angle_sim"])
def test_pair_by_pair(name: str) -> None:
    function, expected = getattr(util, name), getattr(theirs, name)
    for pair in ((A, B), (A[:, :11], B[:, :11])):
        assert_close(function(*pair), expected(*pair).numpy())
    assert isinstance(function(torch.from_numpy(A), B), torch.Tensor)


def test_names_of_similarities() -> None:
    for name in SimilarityFunction.possible_values():
        assert_close(
            SimilarityFunction.to_similarity_fn(name)(A, B),
            theirs.SimilarityFunction.to_similarity_fn(name)(A, B).numpy(),
        )
        found = SimilarityFunction.to_similarity_pairwise_fn(SimilarityFunction(name))(A, B)
        assert_close(found, theirs.SimilarityFunction.to_similarity_pairwise_fn(name)(A, B).numpy())
    assert SimilarityFunction("dot") is SimilarityFunction.DOT_PRODUCT
    with pytest.raises(ValueError, match="'maxsim' is not supported"):
        SimilarityFunction.to_similarity_fn("maxsim")


def test_vectors_at_unit_length_and_cut_short() -> None:
    assert_close(
        util.normalize_embeddings(A), theirs.normalize_embeddings(torch.from_numpy(A)).numpy()
    )
    assert_close(util.normalize_embeddings(ZERO), ZERO)
    assert_close(util.truncate_embeddings(A, 5), A[:, :5])
    assert util.truncate_embeddings(A, None) is not None
    with pytest.raises(SatchelError, match="expected vectors of one length"):
        util.cos_sim(["a", "b"], B)


@pytest.mark.parametrize("precision", ["float32", "int8", "uint8", "binary", "ubinary"])
@pytest.mark.parametrize("given", ["itself", "ranges", "others", "column"])
def test_fewer_bits(precision: Any, given: str) -> None:
    options: dict[str, Any] = {
        "itself": {},
        "ranges": {"ranges": np.stack([B.min(0), B.max(0)])},
        "others": {"calibration_embeddings": B},
        "column": {},
    }[given]
    vectors = A.copy()
    if given == "column":
        vectors[:, 3] = 0.25  # of no width at all
    expected = quantization.quantize_embeddings(vectors, precision, **options)
    for one in (vectors, list(vectors), torch.from_numpy(vectors)):
        found = quantize_embeddings(one, precision, **options)
        assert found.dtype == expected.dtype and (found == expected).all()
    empty = quantize_embeddings(vectors[:0], precision)
    assert_close(empty, quantization.quantize_embeddings(vectors[:0], precision))


def test_fewer_bits_that_are_refused(caplog: pytest.LogCaptureFixture) -> None:
    for wrong, words in (
        ((A[:1], "int8"), "from several embeddings, not from one"),
        ((A[0], "uint8"), "from several embeddings, not from one"),
        ((A, "int4"), "precision = 'int4' is not supported"),
        ((A.astype(np.int8), "int8"), "quantized already"),
        ((A[None], "int8"), "expected .n, dim."),
    ):
        with pytest.raises(ValueError, match=words):
            quantize_embeddings(*wrong)
    with caplog.at_level(logging.WARNING, "satchel.sentence"):
        quantize_embeddings(A, "int8")
    assert "from 7 embeddings only" in caplog.text


def same(found: Any, expected: Any) -> None:
    """Lists of hits: places as they are, scores nearly."""
    for one, other in zip(found, expected, strict=True):
        assert [hit["corpus_id"] for hit in one] == [hit["corpus_id"] for hit in other]
        scores = [hit["score"] for hit in one]
        assert scores == pytest.approx([hit["score"] for hit in other], abs=1e-5)


@pytest.mark.parametrize("name", ["cos_sim", "dot_score", "euclidean_sim"])
def test_search(name: str) -> None:
    corpus = CHANCE.standard_normal((40, 12)).astype(np.float32)
    for options in (
        {},
        {"top_k": 3},
        {"top_k": 100},
        {"query_chunk_size": 2, "corpus_chunk_size": 7, "top_k": 9},
    ):
        expected = theirs.semantic_search(
            A, corpus, score_function=getattr(theirs, name), **options
        )
        same(
            util.semantic_search(A, corpus, score_function=getattr(util, name), **options), expected
        )
        tensors = torch.from_numpy(A), torch.from_numpy(corpus)
        same(
            util.semantic_search(*tensors, score_function=getattr(theirs, name), **options),
            expected,
        )
    same(util.semantic_search(A[0], corpus), theirs.semantic_search(A[0], corpus))
    assert util.semantic_search(A, corpus[:0]) == [[]] * len(A)
    assert util.semantic_search(A[:0], corpus) == []


def test_paraphrases() -> None:
    vectors = CHANCE.standard_normal((30, 12)).astype(np.float32)
    tensor = torch.from_numpy(vectors)
    calls: list[dict[str, Any]] = [
        {},
        {"top_k": 2},
        {"max_pairs": 5},
        {"query_chunk_size": 7, "corpus_chunk_size": 4, "top_k": 3},
    ]
    for options in calls:
        expected = theirs.paraphrase_mining_embeddings(tensor, **options)
        found = util.paraphrase_mining_embeddings(vectors, **options)
        assert [pair[1:] for pair in found] == [pair[1:] for pair in expected]
        assert [pair[0] for pair in found] == pytest.approx(
            [pair[0] for pair in expected], abs=1e-5
        )

    class Known:
        def encode(self, sentences: list[str], **options: Any) -> Any:
            assert sentences == ["a"] * 30 and options["batch_size"] == 4
            return tensor if options.get("convert_to_tensor") else vectors

    model: Any = Known()
    assert [pair[1:] for pair in util.paraphrase_mining(model, ["a"] * 30, batch_size=4)] == [
        pair[1:] for pair in theirs.paraphrase_mining(model, ["a"] * 30, batch_size=4)
    ]


def test_every_name_is_the_librarys() -> None:
    assert [name for name in util.__all__ if not hasattr(theirs, name)] == []
    assert all(hasattr(util, name) for name in util.__all__)
