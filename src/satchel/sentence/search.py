"""Which vectors are nearest to which, by comparing all with all, a part at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from satchel.runtime.greatest import places_of_greatest
from satchel.sentence.arrays import Array, array_of, rows
from satchel.sentence.similarity import Similarity, cos_sim

Ids = NDArray[np.int64]


def semantic_search(
    query_embeddings: Any,
    corpus_embeddings: Any,
    query_chunk_size: int = 100,
    corpus_chunk_size: int = 500000,
    top_k: int = 10,
    score_function: Similarity = cos_sim,
) -> list[list[dict[str, int | float]]]:
    """For each query the `top_k` of the corpus with the greatest scores, the greatest first."""
    queries, corpus = rows(query_embeddings), array_of(corpus_embeddings)
    found: list[list[dict[str, int | float]]] = []
    for start in range(0, len(queries), query_chunk_size):
        some = queries[start : start + query_chunk_size]
        scores, ids = _nearest(some, corpus, top_k, corpus_chunk_size, score_function)
        for places, values in zip(ids.tolist(), scores.tolist(), strict=True):
            pairs = zip(places, values, strict=True)
            found.append([{"corpus_id": place, "score": value} for place, value in pairs])
    return found


def information_retrieval(*arguments: Any, **options: Any) -> list[list[dict[str, int | float]]]:
    """The older name of semantic_search."""
    return semantic_search(*arguments, **options)


def paraphrase_mining(
    model: Any,
    sentences: list[str],
    show_progress_bar: bool = False,
    batch_size: int = 32,
    query_chunk_size: int = 5000,
    corpus_chunk_size: int = 100000,
    max_pairs: int = 500000,
    top_k: int = 100,
    score_function: Similarity = cos_sim,
    truncate_dim: int | None = None,
    prompt_name: str | None = None,
    prompt: str | None = None,
) -> list[list[float | int]]:
    """Of all pairs of sentences those most alike, as [score, place, place], the likest first."""
    embeddings = model.encode(
        sentences,
        prompt_name=prompt_name,
        prompt=prompt,
        batch_size=batch_size,
        show_progress_bar=show_progress_bar,
        truncate_dim=truncate_dim,
    )
    return paraphrase_mining_embeddings(
        embeddings, query_chunk_size, corpus_chunk_size, max_pairs, top_k, score_function
    )


def paraphrase_mining_embeddings(
    embeddings: Any,
    query_chunk_size: int = 5000,
    corpus_chunk_size: int = 100000,
    max_pairs: int = 500000,
    top_k: int = 100,
    score_function: Similarity = cos_sim,
) -> list[list[float | int]]:
    """The same of vectors: of each its `top_k` nearest, each pair once."""
    vectors = array_of(embeddings)
    pairs: dict[tuple[int, int], float] = {}
    for start in range(0, len(vectors), query_chunk_size):
        some = vectors[start : start + query_chunk_size]
        scores, ids = _nearest(some, vectors, top_k + 1, corpus_chunk_size, score_function)
        rows_found = zip(ids.tolist(), scores.tolist(), strict=True)
        for one, (places, values) in enumerate(rows_found, start):
            others = [pair for pair in zip(places, values, strict=True) if pair[0] != one]
            for other, value in others[:top_k]:
                pairs.setdefault((min(one, other), max(one, other)), value)
    best = sorted(pairs.items(), key=lambda pair: -pair[1])[:max_pairs]
    return [[score, first, second] for (first, second), score in best]


def _nearest(
    queries: Array, corpus: Array, count: int, chunk: int, score: Similarity
) -> tuple[Array, Ids]:
    """Scores and places [queries, count] of the best of the corpus, the best first."""
    best: Array = np.zeros((len(queries), 0), np.float32)
    ids: Ids = np.zeros((len(queries), 0), np.int64)
    for start in range(0, len(corpus), chunk):
        scores = array_of(score(queries, corpus[start : start + chunk]))
        places = np.broadcast_to(np.arange(start, start + scores.shape[1]), scores.shape)
        best, ids = np.hstack([best, scores]), np.hstack([ids, places])
        if best.shape[1] > count:  # the best, in any order
            kept = places_of_greatest(best, count)
            best, ids = (np.take_along_axis(one, kept, axis=1) for one in (best, ids))
    order = np.lexsort((ids, -best), axis=1)
    return np.take_along_axis(best, order, axis=1), np.take_along_axis(ids, order, axis=1)
