"""Texts, and images where a bundle reads them, to vectors: what the dense and the sparse class share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from satchel.runtime.encoder_model import STATES
from satchel.runtime.errors import UsageError, shown
from satchel.runtime.fingerprint import fingerprint
from satchel.runtime.manifest import PROMPT_MASK, STATES_CHANGED
from satchel.sentence.arrays import Array
from satchel.sentence.base import BaseModel, watched
from satchel.sentence.similarity import FUNCTIONS, similarity_name

DOCUMENTS = ("document", "passage", "corpus")  # names of their prompt, the first that there is


class VectorModel(BaseModel):
    """A model that makes a vector of a text."""

    truncate_dim: int | None = None
    _similarity = "cosine"

    def encode(self, *arguments: Any, **options: Any) -> Any:
        """Vectors of texts."""
        raise NotImplementedError

    def encode_query(
        self,
        inputs: Any = None,
        prompt_name: str | None = None,
        prompt: str | None = None,
        *rest: Any,
        **options: Any,
    ) -> Any:
        """`encode` behind the prompt "query", where no other is asked for."""
        if prompt is None and prompt_name is None and "query" in self.prompts:
            prompt_name = "query"
        return self.encode(inputs, prompt_name, prompt, *rest, **options)

    def encode_document(
        self,
        inputs: Any = None,
        prompt_name: str | None = None,
        prompt: str | None = None,
        *rest: Any,
        **options: Any,
    ) -> Any:
        """`encode` behind the prompt "document", "passage" or "corpus", where no other is asked for."""
        if prompt is None and prompt_name is None:
            prompt_name = next((name for name in DOCUMENTS if name in self.prompts), None)
        return self.encode(inputs, prompt_name, prompt, *rest, **options)

    @property
    def similarity_fn_name(self) -> str:
        """What vectors are compared by: cosine, dot, euclidean or manhattan."""
        return self._similarity

    @similarity_fn_name.setter
    def similarity_fn_name(self, value: Any) -> None:
        name = self._preparation.settings.similarity if value is None else value
        self._similarity = similarity_name(name)

    def similarity(self, embeddings1: Any, embeddings2: Any) -> Any:
        """[n, m]: how alike the vectors of one are to those of the other."""
        return FUNCTIONS[self._similarity][0](embeddings1, embeddings2)

    def similarity_pairwise(self, embeddings1: Any, embeddings2: Any) -> Any:
        """[n]: how alike the vectors in the same places are."""
        return FUNCTIONS[self._similarity][1](embeddings1, embeddings2)

    def get_embedding_dimension(self) -> int:
        """Numbers of a vector."""
        return min(self._size(), self.truncate_dim or self._size())

    def get_sentence_embedding_dimension(self) -> int:
        """The older name of get_embedding_dimension."""
        return self.get_embedding_dimension()

    @property
    def fingerprint(self) -> str:
        """Which function from texts to vectors this is, as `satchel embed` writes it beside vectors.

        It changes with prompts, max_seq_length and truncate_dim.
        """
        settings = replace(
            self._preparation.settings,
            max_length=self._preparation.limit,
            prompts=dict(self.prompts),
            default_prompt=self.default_prompt_name,
        )
        return fingerprint(self.model.manifest, settings, self.get_embedding_dimension())

    def _vectors(self, items: Sequence[Any], prompt: str, shown_bar: bool | None) -> Array:
        """float32 [n, dim] of texts and images."""
        vectors = np.zeros((len(items), self._size()), np.float32)
        texts = [place for place, item in enumerate(items) if isinstance(item, str)]
        found = self._results([items[place] for place in texts], prompt)
        for index, vector in watched(found, shown_bar):
            vectors[texts[index]] = vector
        images = [place for place, item in enumerate(items) if not isinstance(item, str)]
        if images:
            if self.model.image_format is None:
                raise UsageError(f"expected a text, got {shown(items[images[0]])}")
            vectors[images] = self.model.embed_images([items[place] for place in images])
        return vectors

    def _states(
        self, texts: Sequence[Any], prompt: str, shown_bar: bool | None
    ) -> list[NDArray[np.float32]]:
        """float32 [length, hidden] of each text: the transformer's states of its tokens."""
        if self.model.manifest.extra.get(STATES_CHANGED):
            raise UsageError(
                "output_value 'token_embeddings' is not supported here: modules behind the transformer "
                "change the states of tokens, which the bundle keeps to itself"
            )
        states: list[Any] = [None] * len(texts)
        for index, one in watched(self._results(texts, prompt, STATES), shown_bar):
            states[index] = one
        return states

    def _results(
        self, texts: Sequence[Any], prompt: str, output: str | None = None
    ) -> Iterator[tuple[int, Array]]:
        """(index, output of the graph) of each text behind the prompt, the shortest first."""
        session, prepare = self._session(), self._preparation
        for text in texts:
            if not isinstance(text, str):
                raise UsageError(f"expected a text, got {shown(text)}")
        ids = [prepare.padded(prepare.cut(prompt + text).ids) for text in texts]
        counts = None
        if PROMPT_MASK in session.input_names:
            counts = [prepare.length_of_prompt(prompt)] * len(texts)
        return session.texts(ids, output=output, prompts=counts)
