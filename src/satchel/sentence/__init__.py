"""Stands in for sentence-transformers, without PyTorch: the same names, arguments and results.

from satchel.sentence import SentenceTransformer, CrossEncoder, SparseEncoder, util
"""

from __future__ import annotations

from satchel.sentence import util
from satchel.sentence.cross_encoder import CrossEncoder
from satchel.sentence.quantization import quantize_embeddings
from satchel.sentence.sentence_transformer import SentenceTransformer
from satchel.sentence.similarity import SimilarityFunction
from satchel.sentence.sparse_encoder import SparseEncoder

__all__ = [
    "CrossEncoder",
    "SentenceTransformer",
    "SimilarityFunction",
    "SparseEncoder",
    "quantize_embeddings",
    "util",
]
