"""How encoder-only models are packed: a graph per tower, proof by vectors and labels."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer

from satchel import models
from satchel.export import signature
from satchel.export.check import Check, tolerance
from satchel.export.tokenizer import bundle_tokenizer, special_tokens
from satchel.models.checkpoint import Checkpoint
from satchel.models.encoder import EncoderModel
from satchel.packing import Traceable
from satchel.progress import Stage
from satchel.quantize import quality
from satchel.runtime.bundle import Bundle, Labels, Port, TextInput, Tokens
from satchel.runtime.encoder import Encoder
from satchel.runtime.errors import UsageError
from satchel.runtime.session import open_session

Array = NDArray[np.float32]
EXACT_TEXTS, SENTENCES = 8, 1000
MIN_MEAN_COSINE, MIN_COSINE, MIN_AGREEMENT = 0.999, 0.995, 0.995


@dataclass(frozen=True)
class EncoderRecipe:
    """An encoder's towers with what their graphs cannot know."""

    checkpoint: Checkpoint
    model: EncoderModel
    tokenizer: bytes
    rows: list[list[int]]  # the shipped sentences in this model's tokens
    notes: list[str]

    @classmethod
    def of(
        cls,
        checkpoint: Checkpoint,
        context: int | None,
        task: str | None,
        ignored_keys: Collection[str],
        stage: Stage,
    ) -> EncoderRecipe:
        """Build the towers and everything that needs the checkpoint."""
        model = models.build_encoder(checkpoint, task, ignored_keys, stage("loading weights"))
        if context is not None and not 2 < context <= model.context:
            raise UsageError(f"--context {context} is outside 3..{model.context}")
        tokenizer = bundle_tokenizer(checkpoint, model.vocab_size)
        encode = Tokenizer.from_buffer(tokenizer)
        encode.no_truncation()
        encode.no_padding()
        limit = min(model.max_length, context or model.max_length)
        rows = [encode.encode(text).ids[:limit] for text in quality.sentences(SENTENCES)]
        return cls(checkpoint, model, tokenizer, rows, list(model.notes))

    @property
    def graphs(self) -> dict[str, Traceable]:
        return {
            role: Traceable(
                tower,
                signature.encoder_inputs(tower.input_names),
                [Port(name, "float32", axes) for name, axes in tower.outputs.items()],
            )
            for role, tower in self.model.towers.items()
        }

    def facts(self) -> dict[str, Any]:
        model = self.model
        labels = model.labels
        return {
            "family": "encoder",
            "task": model.task,
            "context": model.context,
            "vocab_size": model.vocab_size,
            "tokens": self._tokens(),
            "labels": Labels(labels.names, labels.scores) if labels is not None else None,
            "text": TextInput(
                model.max_length,
                model.lower_case,
                model.normalized,
                model.similarity,
                model.prompts,
                model.default_prompt,
            ),
        }

    def exact_checks(self, bundle: Bundle) -> list[Check]:
        encoder = self._open(bundle)
        rows = sorted(self.rows, key=len)[:: max(1, len(self.rows) // EXACT_TEXTS)]
        checks = []
        for output in encoder.output_names:
            expected = [self._reference(row, output) for row in rows]
            found = _in_order(encoder.texts(rows, output=output), len(rows))
            distance = max(_distance(a, b) for a, b in zip(expected, found, strict=True))
            limit = max(tolerance(array) for array in expected)
            checks.append(Check(f"graph against reference: {output}", distance, limit))
        return checks

    def prove(self, bundle: Bundle, exact: bool, stage: Stage) -> tuple[list[Check], dict[str, Any]]:
        encoder = self._open(bundle)
        together = _in_order(encoder.texts(self.rows), len(self.rows))
        sample = range(0, len(self.rows), max(1, len(self.rows) // 50))
        alone = [_in_order(encoder.texts([self.rows[i]]), 1)[0] for i in sample]
        distance = max(_distance(together[i], a) for i, a in zip(sample, alone, strict=True))
        checks = [Check("among others against alone", distance, 1e-6 * max(1, _largest(alone)))]
        figures: dict[str, Any] = {}
        if not exact:
            expected = [self._reference(row) for row in stage("measuring quality")(self.rows)]
            figures = (
                _cosines(expected, together)
                if encoder.output_names[-1] == "embedding"
                else _agreement(expected, together)
            )
            checks += [
                Check(name, figures[key], limit, at_least=True)
                for name, key, limit in LIMITS
                if key in figures
            ]
        return checks, {"quality": figures, "probe": self._probe(encoder)}

    def _tokens(self) -> Tokens:
        return special_tokens(self.checkpoint, self.tokenizer, self.model.vocab_size)

    def _open(self, bundle: Bundle) -> Encoder:
        graph = bundle.manifest.graphs["encoder"]
        return Encoder(open_session(bundle, "encoder"), graph, self.model.vocab_size)

    def _reference(self, row: Sequence[int], output: str | None = None) -> Array:
        """An output of the reference model for one text."""
        tower = self.model.towers["encoder"]
        inputs = [torch.tensor([list(row)])]
        if len(tower.input_names) > 1:
            inputs.append(torch.zeros_like(inputs[0]))
        with torch.inference_mode():
            results = dict(zip(tower.outputs, tower(*inputs), strict=True))
        result: Array = results[output or list(results)[-1]][0].numpy()
        return result

    def _probe(self, encoder: Encoder) -> dict[str, Any]:
        """A text and the first numbers of its answer, by the reference model and by the bundle."""
        row = self.rows[0]
        expected = self._reference(row).reshape(-1)[:16]
        found = _in_order(encoder.texts([row]), 1)[0].reshape(-1)[:16]
        return {
            "ids": row,
            "reference": [round(float(x), 6) for x in expected],
            "difference": _distance(expected, found),
        }


LIMITS = (
    ("mean cosine with float32", "mean_cosine", MIN_MEAN_COSINE),
    ("least cosine with float32", "min_cosine", MIN_COSINE),
    ("same likeliest label", "agreement", MIN_AGREEMENT),
)


def _in_order(results: Iterable[tuple[int, Array]], count: int) -> list[Array]:
    ordered: list[Any] = [None] * count
    for index, result in results:
        ordered[index] = result
    return ordered


def _cosines(expected: list[Array], found: list[Array]) -> dict[str, float]:
    pairs = zip(expected, found, strict=True)
    cosines = [float(a @ b / np.linalg.norm(a) / np.linalg.norm(b)) for a, b in pairs]
    return {
        "mean_cosine": float(np.mean(cosines)),
        "min_cosine": min(cosines),
        "texts": len(cosines),
    }


def _agreement(expected: list[Array], found: list[Array]) -> dict[str, float]:
    """Share of texts, tokens or places whose likeliest label is the same."""
    same = [
        (a.argmax(-1) == b.argmax(-1)).reshape(-1) for a, b in zip(expected, found, strict=True)
    ]
    return {"agreement": float(np.concatenate(same).mean()), "texts": len(same)}


def _distance(a: Array, b: Array) -> float:
    return float(np.abs(a - b).max())


def _largest(arrays: list[Array]) -> float:
    return max(float(np.abs(array).max()) for array in arrays)
