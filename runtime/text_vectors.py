"""The methods of models that give a vector of a text: whole, shortened, sparse. Knows no graph."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from satchel.runtime.encoder_session import EncoderSession
from satchel.runtime.encoder_texts import Preparation
from satchel.runtime.errors import UsageError
from satchel.runtime.items import check_count, listed
from satchel.runtime.manifest import PROMPT_MASK
from satchel.runtime.scores import Sparse
from satchel.runtime.task_model import TaskModel, for_its_task

Array = NDArray[np.float32]


class TextVectors(TaskModel):
    """The methods of models that give a vector of every text."""

    def _text(self) -> Preparation:
        raise NotImplementedError

    def _text_encoder(self) -> EncoderSession:
        raise NotImplementedError

    @for_its_task
    def embed(
        self,
        texts: str | Sequence[str],
        *,
        prompt: str | None = None,
        window: int | None = None,
        dims: int | None = None,
    ) -> Array:
        """float32 [n, dim] of n texts, at unit length where the checkpoint says so.

        `prompt` names one of the bundle's prompts. A long text is cut with a warning; with `window`,
        pieces that overlap by so many tokens are averaged by length. Of models whose vectors are meant to
        be shortened, `dims` keeps so many first numbers, brought to unit length again.
        """
        texts = listed("texts", texts)
        return self.vectors_of(
            [self._text().rows(text, prompt, window) for text in texts], prompt, dims
        )

    def vectors_of(
        self,
        texts: Sequence[Sequence[list[int]]],
        prompt: str | None = None,
        dims: int | None = None,
    ) -> Array:
        """The vectors of `embed` of texts that are rows of ids, as `Preparation.rows` gives them."""
        vectors = np.zeros((len(texts), self._text_encoder().answer_size), np.float32)
        joined = set()
        for owner, share, vector in self._vectors(texts, prompt):
            vectors[owner] += vector * np.float32(share)
            joined |= {owner} if share < 1 else set()
        if self._text().settings.normalized:
            for owner in joined:
                vectors[owner] /= np.linalg.norm(vectors[owner])
        return vectors if dims is None else self._shortened(vectors, dims)

    def _shortened(self, vectors: Array, dims: int) -> Array:
        """The first numbers of vectors (Kusupati et al., 2022)."""
        check_count("dims", dims)
        if dims > vectors.shape[1]:
            raise UsageError(f"dims = {dims}; the bundle's vectors have {vectors.shape[1]} numbers")
        short = np.ascontiguousarray(vectors[:, :dims])
        if self._text().settings.normalized:
            short /= np.maximum(np.linalg.norm(short, axis=1, keepdims=True), np.float32(1e-12))
        return short

    @for_its_task
    def embed_sparse(
        self, texts: str | Sequence[str], *, prompt: str | None = None
    ) -> list[Sparse]:
        """The vectors of `embed` by what is not 0 in them: of SPLADE, words of the vocabulary and their
        weights."""
        texts = listed("texts", texts)
        found: list[Any] = [None] * len(texts)
        rows = [self._text().rows(text, prompt) for text in texts]
        for owner, _, vector in self._vectors(rows, prompt):
            found[owner] = Sparse.of(vector)
        return found

    def _vectors(
        self, texts: Sequence[Sequence[list[int]]], prompt: str | None
    ) -> Iterator[tuple[int, float, Array]]:
        """(text, its share of that, vector) of all rows of `texts`."""
        prepare, encoder, prompts = self._text(), self._text_encoder(), None
        pieces = [[prepare.padded(ids) for ids in parts] for parts in texts]
        rows = [(owner, ids) for owner, parts in enumerate(pieces) for ids in parts]
        lengths = [sum(map(len, parts)) for parts in pieces]
        if PROMPT_MASK in encoder.input_names:  # it stands before the first piece of each text
            length = prepare.prompt_length(prompt)
            prompts = [
                length if place == 0 else 0 for parts in pieces for place in range(len(parts))
            ]
        for index, vector in encoder.texts([ids for _, ids in rows], prompts=prompts):
            owner, ids = rows[index]
            yield owner, len(ids) / lengths[owner], vector
