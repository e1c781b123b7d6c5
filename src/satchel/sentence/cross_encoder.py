"""The class of that name in sentence-transformers: pairs of texts to scores."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from satchel.runtime.errors import UsageError, shown
from satchel.runtime.scores import activated
from satchel.sentence.arguments import check_count, check_device, one_given, refuse
from satchel.sentence.arrays import Array, array_of, tensor_of
from satchel.sentence.base import BaseModel, Opening, watched

ACTIVATIONS = ("identity", "sigmoid", "softmax")
Activation = str | Callable[[Any], Any]


class CrossEncoder(BaseModel):
    """A cross-encoder: a bundle, a checkpoint that becomes one once (see `kept`), or a name on the hub.

    `activation_fn` is what logits go through: "identity", "sigmoid" or "softmax", a module of PyTorch, or
    a function of numpy arrays [n, labels]; None is what the bundle says.
    """

    kind = "CrossEncoder"
    owner = "cross-encoder"
    tasks = ("classify",)
    usual_prompts = ()

    def __init__(
        self,
        model_name_or_path: str | Path | None = None,
        *,
        num_labels: int | None = None,
        max_length: int | None = None,
        activation_fn: Activation | None = None,
        keep_in_fp32_modules: Any = None,
        **opening: Unpack[Opening],
    ) -> None:
        refuse(self.kind, {"keep_in_fp32_modules": keep_in_fp32_modules})
        super().__init__(model_name_or_path, **opening)
        labels = self.model.manifest.labels
        assert labels is not None
        self.labels = labels.names
        if num_labels not in (None, self.num_labels):
            raise UsageError(
                f"num_labels = {shown(num_labels)}; the model has {self.num_labels} of them"
            )
        self.activation_fn: Activation = labels.scores if activation_fn is None else activation_fn
        _check_activation(self.activation_fn)
        if max_length is not None:
            self.max_seq_length = max_length

    @property
    def num_labels(self) -> int:
        """Scores of a pair."""
        return len(self.labels)

    @property
    def max_length(self) -> int:
        """The older name of max_seq_length."""
        return self.max_seq_length

    @max_length.setter
    def max_length(self, value: int) -> None:
        self.max_seq_length = value

    def predict(
        self,
        inputs: Any = None,
        prompt_name: str | None = None,
        prompt: str | None = None,
        batch_size: int = 32,
        show_progress_bar: bool | None = None,
        activation_fn: Activation | None = None,
        apply_softmax: bool | None = False,
        convert_to_numpy: bool = True,
        convert_to_tensor: bool = False,
        device: Any = None,
        pool: Any = None,
        chunk_size: Any = None,
        **others: Any,
    ) -> Any:
        """float32 [n] scores of n pairs, or [n, labels] of several labels; of one pair its own.

        `convert_to_tensor`, and a false `convert_to_numpy`, give tensors, which need PyTorch.
        """
        inputs = one_given("predict", inputs, others)
        refuse("predict", {"pool": pool, "chunk_size": chunk_size})
        check_device("predict", device)
        check_count("batch_size", batch_size)
        activation = self.activation_fn if activation_fn is None else activation_fn
        _check_activation(activation)
        single, pairs = _pairs(inputs)
        logits = self._logits(pairs, self._prompt(prompt, prompt_name), show_progress_bar)
        scores = _activated(logits, activation) if len(pairs) else logits
        if self.num_labels == 1 and scores.ndim > 1:
            scores = scores[:, 0]
        if apply_softmax and scores.ndim > 1:
            scores = activated(scores, "softmax")
        if convert_to_tensor:
            made = tensor_of(scores, "convert_to_tensor")
        elif convert_to_numpy:
            made = scores if len(scores) else np.array([])
        else:
            made = list(tensor_of(scores, "convert_to_numpy=False"))
        return made[0] if single else made

    def rank(
        self,
        query: str,
        documents: Sequence[str],
        top_k: int | None = None,
        return_documents: bool = False,
        prompt_name: str | None = None,
        prompt: str | None = None,
        batch_size: int = 32,
        show_progress_bar: bool | None = None,
        activation_fn: Activation | None = None,
        device: Any = None,
        pool: Any = None,
        chunk_size: Any = None,
    ) -> list[dict[str, Any]]:
        """The documents by how well they answer `query`, best first: {"corpus_id", "score"}, and "text"
        where `return_documents` asks for it."""
        if self.num_labels != 1:
            raise UsageError(
                f"rank needs a model with one label; it has {self.num_labels}: use predict"
            )
        if isinstance(documents, str):
            raise UsageError("documents are one text; expected a list of texts")
        texts = list(documents)
        scores = self.predict(
            [(query, text) for text in texts], prompt_name, prompt, batch_size, show_progress_bar,
            activation_fn, device=device, pool=pool, chunk_size=chunk_size,
        ).tolist()  # fmt: skip
        order = sorted(range(len(texts)), key=lambda place: -scores[place])[:top_k]
        found: list[dict[str, Any]] = [
            {"corpus_id": place, "score": scores[place]} for place in order
        ]
        if return_documents:
            for one in found:
                one["text"] = texts[one["corpus_id"]]
        return found

    def _logits(self, pairs: Sequence[Any], prompt: str, shown_bar: bool | None) -> Array:
        """float32 [n, labels]."""
        encodings = [self._encoded(pair, prompt) for pair in pairs]
        told = self._preparation.settings.token_types
        ids = [encoding.ids for encoding in encodings]
        types = [encoding.type_ids for encoding in encodings] if told else None
        found: Iterator[tuple[int, Array]] = self._session().texts(ids, types)
        logits = np.zeros((len(pairs), self.num_labels), np.float32)
        for index, row in watched(found, shown_bar):
            logits[index] = row
        return logits


def _pairs(inputs: Any) -> tuple[bool, list[Any]]:
    """Whether it is one pair (or one text), and all of them as a list."""
    if isinstance(inputs, np.ndarray):
        single, items = inputs.size > 0 and inputs.ndim < 2, inputs.tolist()
        return single, [items] if single else items
    if isinstance(inputs, list | tuple):
        if inputs and not isinstance(inputs[0], list | tuple):
            return True, [inputs]
        return False, list(inputs)
    return (True, [inputs]) if isinstance(inputs, str) else (False, list(inputs))


def _check_activation(activation: Any) -> None:
    if isinstance(activation, str) and activation not in ACTIVATIONS:
        raise UsageError(
            f"activation_fn = {shown(activation)} is not supported; known: {', '.join(ACTIVATIONS)}, a "
            "module of PyTorch, or a function of arrays"
        )
    if not isinstance(activation, str) and not callable(activation):
        raise UsageError(f"activation_fn: expected a function, got {type(activation).__name__}")


def _activated(logits: Array, activation: Activation) -> Array:
    """Logits through what makes scores of them; a module of PyTorch is given a tensor."""
    if isinstance(activation, str):
        return activated(logits, activation)
    modular = any(kind.__module__.startswith("torch.nn") for kind in type(activation).__mro__)
    return array_of(activation(tensor_of(logits, "activation_fn") if modular else logits))
