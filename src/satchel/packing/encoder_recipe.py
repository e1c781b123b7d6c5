"""How encoder-only models are packed: a graph per tower, proof by vectors and labels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from satchel import models
from satchel.checkpoints.checkpoint import Checkpoint
from satchel.export import signature
from satchel.export.check import Check, tolerance
from satchel.export.image_config import image_format
from satchel.measure import fidelity
from satchel.models.architectures import architecture
from satchel.models.encoder import ReferenceEncoder
from satchel.packing.decoder_recipe import MAX_MEAN_KL, MIN_TOP1
from satchel.packing.encoder_samples import (
    Sample,
    answers_of,
    padding,
    picture_as_input,
    pictures_as_inputs,
    some_of,
    texts_as_inputs,
)
from satchel.packing.multi_vector import multi_vector
from satchel.packing.question_parts import check_separators
from satchel.packing.ranker import as_ranker, text_messages
from satchel.packing.recipe import ExportOptions, Traceable
from satchel.progress import Stage
from satchel.runtime.bundle import Bundle
from satchel.runtime.encoder_session import EncoderSession
from satchel.runtime.image import ImageFormat
from satchel.runtime.manifest import STATES_CHANGED, MultiVector, Port, TextInput, Tokens
from satchel.runtime.session import open_session
from satchel.runtime.task import TASKS
from satchel.runtime.text_messages import TextMessages
from satchel.tokenization.class_tokenizer import cuts_left, tells_pairs_apart
from satchel.tokenization.tokenizer import bundle_tokenizer, padding_id, special_tokens

Array = NDArray[np.float32]
SENTENCES = 1000
MIN_MEAN_COSINE, MIN_COSINE, MIN_AGREEMENT, MIN_CORRELATION = 0.999, 0.995, 0.995, 0.99


@dataclass(frozen=True)
class EncoderRecipe:
    """An encoder's towers with what their graphs cannot know."""

    checkpoint: Checkpoint
    model: ReferenceEncoder
    tokenizer: bytes | None
    image: ImageFormat | None
    # By role: shipped sentences, or images made for the purpose, or the user's; those that calibrate are
    # not measured on.
    samples: dict[str, list[Sample]]
    calibration: dict[str, list[Sample]]
    notes: list[str]
    tokens: MultiVector | None = None  # where every token has a vector
    messages: TextMessages | None = None  # how texts are written, where as messages of a chat

    @classmethod
    def of(cls, checkpoint: Checkpoint, options: ExportOptions, stage: Stage) -> EncoderRecipe:
        """Build the towers and everything that needs the checkpoint."""
        image = image_format(checkpoint) if architecture(checkpoint).reads == "images" else None
        size = _size(image)
        checkpoint, remarks = as_ranker(checkpoint, options.task)
        progress = stage("loading weights")
        given = (options.task, size, options.ignored_keys, progress, options.context)
        model = models.build_encoder(checkpoint, *given)
        messages = text_messages(checkpoint, model)
        if all("pixel_values" in tower.input_names for tower in model.towers.values()):
            options.no_texts("images")
        tokenizer, tokens, samples, calibration = None, None, {}, {}
        notes = [*model.notes, *remarks]
        for role, tower in model.towers.items():
            if "pixel_values" in tower.input_names:
                assert image is not None
                samples[role], calibration[role] = pictures_as_inputs(image, options.images)
            else:
                tokenizer = bundle_tokenizer(checkpoint, model.vocab_size)
                if (pad := padding_id(checkpoint, tokenizer)) is not None:
                    model.facts["pad_token_id"] = pad  # the tokenizer fills up, not the model
                check_separators(model, tokenizer)
                model, tokens = multi_vector(checkpoint, model, tokenizer)
                names = tower.input_names
                sentences, texts = options.sentences(SENTENCES), options.texts
                samples[role] = texts_as_inputs(sentences, tokenizer, model, names, messages)
                calibration[role] = texts_as_inputs(texts, tokenizer, model, names, messages)
                notes += options.remarks(tokenizer)
        return cls(
            checkpoint, model, tokenizer, image, samples, calibration, notes, tokens, messages
        )

    @property
    def graphs(self) -> dict[str, Traceable]:
        size = _size(self.image)
        return {
            role: Traceable(
                tower,
                signature.encoder_inputs(tower.input_names, size),
                [Port(name, "float32", axes) for name, axes in tower.outputs.items()],
            )
            for role, tower in self.model.towers.items()
        }

    def facts(self) -> dict[str, Any]:
        model, labels, sentence = self.model, self.model.labels, self.checkpoint.sentence
        tokens = Tokens()
        if self.tokenizer is not None:
            tokens = special_tokens(self.checkpoint, self.tokenizer, model.vocab_size)
        return {
            "family": "encoder",
            "task": model.task,
            "context": model.context,
            "vocab_size": model.vocab_size,
            "tokens": tokens,
            "labels": labels,
            "multi_vector": self.tokens,
            "text": self._text() if self.tokenizer is not None else None,
            "image": self.image.to_dict() if self.image is not None else None,
            "extra": {STATES_CHANGED: True} if sentence and sentence.changes_states else {},
            "chat": self.messages.to_dict() if self.messages is not None else None,
        }

    @property
    def parts(self) -> dict[str, nn.Module]:
        return dict(self.model.towers)

    def feed(self, role: str, stage: Stage) -> None:
        tower = self.model.towers[role]
        with torch.inference_mode():
            for sample in stage(f"calibrating: {role}")(self.calibration[role]):
                tower(*(torch.from_numpy(sample[name]) for name in tower.input_names))

    def answer(self) -> Array:
        return np.concatenate([answer.reshape(-1) for answer in self._few_answers()])

    def loss(self, expected: Array, actual: Array) -> float:
        """The mean loss of samples: see `fidelity.loss`."""
        ends = np.cumsum([math.prod(shape) for shape in self._few_shapes])
        losses = []
        for end, shape in zip(ends, self._few_shapes, strict=True):
            one = slice(end - math.prod(shape), end)
            pair = expected[one].reshape(shape), actual[one].reshape(shape)
            losses.append(fidelity.loss(*pair, self._scores))
        return float(np.mean(losses))

    def _few_answers(self) -> list[Array]:
        """What the reference model makes of some samples, as rows of labels or of vectors."""
        answers = [
            self._reference(role, sample)
            for role, samples in self.samples.items()
            for sample in some_of(samples)
        ]
        return [answer.T for answer in answers] if self._scored == "ends" else answers

    @cached_property
    def _few_shapes(self) -> list[tuple[int, ...]]:
        return [answer.shape for answer in self._few_answers()]

    @property
    def _scores(self) -> str | None:
        """How the labels of the answer read; None where it is a vector."""
        if any("logits" not in tower.outputs for tower in self.model.towers.values()):
            return None
        labels = self.model.labels
        if labels is None or TASKS[self.model.task].per_token:
            return "softmax"
        return labels.scores

    def exact_checks(self, bundle: Bundle) -> list[Check]:
        checks = []
        for role, samples in self.samples.items():
            encoder, spread = self._open(bundle, role), some_of(samples)
            for output in encoder.output_names:
                expected = [self._reference(role, sample, output) for sample in spread]
                actual = [encoder(sample, output)[0] for sample in spread]
                distance = max(_distance(a, b) for a, b in zip(expected, actual, strict=True))
                limit = max(tolerance(array) for array in expected)
                checks.append(Check(f"{role} against reference: {output}", distance, limit))
        return checks

    def prove(
        self, bundle: Bundle, exact: bool, stage: Stage
    ) -> tuple[list[Check], dict[str, Any]]:
        checks: list[Check] = []
        figures: dict[str, Any] = {}
        probes: dict[str, Any] = {}
        for role in self.samples:
            encoder = self._open(bundle, role)
            progress = stage(f"measuring quality: {role}")
            company, measured = self._measured(role, encoder, exact, progress)
            checks.append(company)
            figures |= {f"{role}.{key}": value for key, value in measured.items()}
            checks += [
                Check(f"{role}: {label}", measured[key], limit, at_least)
                for label, key, limit, at_least in self._limits
                if key in measured
            ]
            probes[role] = self._probe(role, encoder)
        return checks, {"quality": figures, "probe": probes}

    def _measured(
        self, role: str, encoder: EncoderSession, exact: bool, progress: fidelity.Progress
    ) -> tuple[Check, dict[str, float]]:
        """Samples among others against alone, and unless `exact` the figures beside the reference.

        A mask's head gives the whole vocabulary for every token: of labels no more is kept than what
        each place tells.
        """
        samples, vectors = self.samples[role], encoder.output_names[-1] != "logits"
        few = range(0, len(samples), max(1, len(samples) // 50))
        pairs: list[Any] = [None] * len(samples)
        distance, largest = 0.0, 0.0
        for index, answer in progress(answers_of(encoder, samples)):
            if index in few:
                alone = encoder(samples[index])[0]
                distance = max(distance, _distance(answer, alone))
                largest = max(largest, float(np.abs(alone).max()))
            if not exact:
                pair = (self._reference(role, samples[index]), answer)
                if self._scored == "ends":  # the labels are places: of its start, of its end
                    pair = (pair[0].T, pair[1].T)
                whole = vectors or self._single
                pairs[index] = (
                    pair if whole else fidelity.places(*pair, self._scored in SPREAD_LIMITS)
                )
        limit = 1e-6 * max(1.0, largest)
        company = Check(f"{role} among others against alone", distance, limit)
        if exact:
            return company, {}
        if vectors:
            return company, fidelity.cosines(*zip(*pairs, strict=True))
        if self._single:
            return company, fidelity.of_scores(*zip(*pairs, strict=True))
        return company, fidelity.of_places(pairs)

    @property
    def _single(self) -> bool:
        """Whether there is but one label, which is always the likeliest: then its scores count."""
        labels = self.model.labels
        return labels is not None and TASKS[self.model.task].width(len(labels.names), 0) == 1

    @property
    def _scored(self) -> str:
        """What the answer has scores of; "" where it is a vector."""
        return TASKS[self.model.task].scores

    @property
    def _limits(self) -> tuple[Limit, ...]:
        return SPREAD_LIMITS.get(self._scored, LIMITS)

    def _text(self) -> TextInput:
        model = self.model
        return TextInput(
            model.max_length,
            normalized=model.normalized,
            similarity=model.similarity,
            prompts=model.prompts,
            default_prompt=model.default_prompt,
            pad_to_context=padding(model),
            cut_left=cuts_left(self.checkpoint),
            token_types=tells_pairs_apart(self.checkpoint),
        )

    def _open(self, bundle: Bundle, role: str) -> EncoderSession:
        graph = bundle.manifest.graphs[role]
        return EncoderSession(open_session(bundle, role), graph, self.model.vocab_size)

    def _reference(self, role: str, sample: Sample, output: str | None = None) -> Array:
        """An output of the reference model for one sample."""
        tower = self.model.towers[role]
        inputs = [torch.from_numpy(sample[name]) for name in tower.input_names]
        with torch.inference_mode():
            outputs = dict(zip(tower.outputs, tower(*inputs), strict=True))
        array: Array = outputs[output or list(outputs)[-1]][0].numpy()
        return array

    def _probe(self, role: str, encoder: EncoderSession) -> dict[str, Any]:
        """What `satchel verify` repeats: a text's ids (images are made anew from their seed) and
        the first numbers of the answer, by the reference model and by the bundle."""
        sample = self.samples[role][0]
        if "pixel_values" in sample and self.image is not None:
            sample = picture_as_input(self.image, next(self.image.pictures(1)))
        expected = self._reference(role, sample).reshape(-1)[:16]
        actual = encoder(sample)[0].reshape(-1)[:16]
        ids = sample["input_ids"][0].tolist() if "input_ids" in sample else None
        return {
            "ids": ids,
            "reference": [round(float(x), 6) for x in expected],
            "difference": _distance(expected, actual),
        }


Limit = tuple[str, str, float, bool]  # a check's name, its figure, and whether at least that
LIMITS: tuple[Limit, ...] = (
    ("mean cosine with float32", "mean_cosine", MIN_MEAN_COSINE, True),
    ("least cosine with float32", "min_cosine", MIN_COSINE, True),
    ("same likeliest label", "agreement", MIN_AGREEMENT, True),
    ("correlation with float32's scores", "correlation", MIN_CORRELATION, True),
)
# A distribution over many words or places is used whole, as a decoder's is: so its limits are these too.
SPREAD_LIMITS: dict[str, tuple[Limit, ...]] = {
    scored: (
        ("mean KL from float32", "mean_kl", MAX_MEAN_KL, False),
        (f"same likeliest {what}", "agreement", MIN_TOP1, True),
    )
    for scored, what in (
        ("words", "token"),
        ("ends", "place"),
        ("letters", "letter"),
        ("areas", "label"),
        ("objects", "label"),
    )
}


def _size(image: ImageFormat | None) -> tuple[int, int] | None:
    """Height and width of all images, None where they differ."""
    return image.usual[0] if image is not None and image.size is not None else None


def _distance(a: Array, b: Array) -> float:
    return float(np.abs(a - b).max())
