"""Tiny random folders that sentence-transformers saves, its own model of each, and ours."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.tiny_encoders import save_encoder

library = pytest.importorskip("sentence_transformers")
parts = pytest.importorskip("sentence_transformers.sentence_transformer.modules")
sparse_parts = pytest.importorskip("sentence_transformers.sparse_encoder.modules")

TEXTS = ["The fox runs.", "It is on!", "the cat sees the dog, and to the fox it is a dog", "x"]
LONG = "the fox sees the dog and the cat runs to it " * 30
PROMPTS = {"query": "to the ", "passage": "of a "}
PAIRS = [("the fox", "a dog"), ("to it", "the cat sees it"), ("x", "it runs on")]


def save_dense(folder: Path, **options: Any) -> None:
    save_encoder(folder / "bare", "bert", num_hidden_layers=1)
    first = parts.Transformer(str(folder / "bare"))
    chain = [parts.Pooling(64, "mean"), parts.Normalize()]
    library.SentenceTransformer(modules=[first, *chain], device="cpu", **options).save(
        str(folder / "made")
    )


def save_cross(folder: Path, labels: int = 1, **options: Any) -> None:
    save_encoder(folder / "bare", "bert", "classify", num_hidden_layers=1, num_labels=labels)
    library.CrossEncoder(str(folder / "bare"), device="cpu", **options).save(str(folder / "made"))


def save_sparse(folder: Path, **options: Any) -> None:
    save_encoder(folder / "bare", "bert", "fill-mask", num_hidden_layers=1)
    first = sparse_parts.MLMTransformer(str(folder / "bare"))
    pooling = sparse_parts.SpladePooling("max")
    library.SparseEncoder(modules=[first, pooling], device="cpu", **options).save(
        str(folder / "made")
    )


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., tuple[Any, Any]]:
    """(class, how it is saved, options of either constructor) -> the library's model and ours.

    A folder is saved and packed once for a file of tests."""
    from satchel import sentence

    folders: dict[Any, Path] = {}
    cache = tmp_path_factory.mktemp("cache")
    save = {
        "SentenceTransformer": save_dense,
        "CrossEncoder": save_cross,
        "SparseEncoder": save_sparse,
    }

    def get(kind: str, saved: dict[str, Any] | None = None, **options: Any) -> tuple[Any, Any]:
        key = kind, repr(saved)
        if key not in folders:
            folder = tmp_path_factory.mktemp(kind)
            save[kind](folder, **(saved or {}))
            folders[key] = folder / "made"
        theirs = getattr(library, kind)(str(folders[key]), device="cpu", **options)
        ours = getattr(sentence, kind)(
            folders[key], profile="fp32", cache_folder=cache, threads=1, **options
        )
        return theirs, ours

    return get


def assert_close(found: Any, expected: Any, atol: float = 2e-5) -> None:
    """Numbers and their shape and type, of arrays or tensors, or of lists of them."""
    if isinstance(expected, list):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_close(one, other, atol)
        return
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.shape == expected.shape and found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected, atol=atol * max(1, np.abs(expected).max(initial=0)))
