"""Vectors of a text's tokens, and how well a passage's answer a query's (ColBERT: Khattab and Zaharia,
2020). Knows no graph.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from satchel.runtime.encoder_session import EncoderSession
from satchel.runtime.encoder_texts import Preparation
from satchel.runtime.errors import UsageError, shown
from satchel.runtime.items import listed
from satchel.runtime.manifest import MultiVector
from satchel.runtime.task_model import TaskModel, for_its_task

Array = NDArray[np.float32]
QUERY, DOCUMENT = "query", "document"
NOTHING = -1e9  # the score of a passage of which no token counts


def best_matches(query: Array, passage: Array, mean: bool = False) -> float:
    """Over a query's vectors [tokens, dim] the sum, or mean, of the largest product with a passage's."""
    if not len(passage):
        return NOTHING
    largest = (query @ passage.T).max(1)
    return float(largest.mean() if mean else largest.sum())


class TokenVectors(TaskModel):
    """The methods of models that give a vector of every token."""

    def _text(self) -> Preparation:
        raise NotImplementedError

    def _text_encoder(self) -> EncoderSession:
        raise NotImplementedError

    @overload
    def token_vectors(self, texts: str, *, kind: str = ..., prompt: str | None = ...) -> Array: ...

    @overload
    def token_vectors(
        self, texts: list[str], *, kind: str = ..., prompt: str | None = ...
    ) -> list[Array]: ...

    @for_its_task
    def token_vectors(self, texts: Any, *, kind: str = DOCUMENT, prompt: str | None = None) -> Any:
        """float32 [tokens, dim] of a text's tokens that count, or a list of that for each text.

        `kind` says whether they are a "query" or a "document"; without a `prompt` by name, theirs goes
        before them.
        """
        if kind not in (QUERY, DOCUMENT):
            raise UsageError(f"kind = {shown(kind)}; expected {QUERY} or {DOCUMENT}")
        single = isinstance(texts, str)
        rows = [self._row(text, kind, prompt) for text in listed("texts", texts)]
        told = self._told()
        skipped = told.skipped if kind in told.skipped_in else []
        found: list[Any] = [None] * len(rows)
        for index, vectors in self._text_encoder().texts(rows):
            found[index] = vectors[~np.isin(rows[index], skipped)]
        return found[0] if single else found

    def matched(
        self, query: str, passages: Sequence[str], prompt: str | None = None
    ) -> list[float]:
        """How well each passage answers the query."""
        [asked] = self.token_vectors([query], kind=QUERY, prompt=prompt)
        answers = self.token_vectors(list(passages))
        return [best_matches(asked, answer, self._told().mean) for answer in answers]

    def _told(self) -> MultiVector:
        assert self.manifest.multi_vector is not None
        return self.manifest.multi_vector

    def _row(self, text: str, kind: str, prompt: str | None) -> list[int]:
        told, prepare = self._told(), self._text()
        behind = prepare.behind(kind if prompt is None else prompt, text)
        limit = told.query_length if kind == QUERY else told.document_length
        ids = prepare.row(behind, limit)
        if kind == QUERY and told.expand_with is not None:
            ids += [told.expand_with] * (told.expand_to - len(ids))
        return ids
