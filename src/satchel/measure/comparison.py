"""How far the answers of two bundles of one checkpoint lie apart, and what one alone can tell.

Figures have the names they have in the manifest. Runs bundles, and needs no more than they do.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from satchel.measure import fidelity
from satchel.measure.reading import Reading
from satchel.progress import Stage
from satchel.runtime.bundle import TOKENIZER, Bundle
from satchel.runtime.errors import UsageError, shown
from satchel.runtime.manifest import Manifest
from satchel.runtime.scores import activated
from satchel.runtime.task import TASKS

Array = NDArray[np.float32]
Figures = dict[str, float]


def check_related(bundle: Bundle, reference: Bundle) -> None:
    """Raise UsageError, which names all that is different, unless both are of one checkpoint."""
    if bundle.folder.resolve() == reference.folder.resolve():
        raise UsageError(f"--reference {shown(reference.folder)} is the bundle itself")
    own, other = bundle.manifest, reference.manifest
    facts = {
        "family": (own.family, other.family),
        "architecture": (own.architecture, other.architecture),
        "task": (own.task, other.task),
        "vocabulary": (own.vocab_size, other.vocab_size),
        "tokenizer": (_tokenizer(own), _tokenizer(other)),
        "source checkpoint": (own.source.sha256[:12], other.source.sha256[:12]),
    }
    differing = [
        f"{name} {shown(a, 40)} and {shown(b, 40)}" for name, (a, b) in facts.items() if a != b
    ]
    if differing:
        raise UsageError(
            f"{shown(bundle.folder)} and {shown(reference.folder)} do not belong together: "
            f"{'; '.join(differing)}"
        )


def check_same_basis(bundle: Bundle, reference: Bundle) -> None:
    """Raise UsageError unless the layers of both give the same numbers but for rounding."""
    for change in ("rotated", "smoothed"):
        own, other = (bool(one.manifest.quantization.get(change)) for one in (bundle, reference))
        if own != other:
            which = shown((bundle if own else reference).folder)
            raise UsageError(
                f"--layers: only {which} is {change}, which changes what its layers give and not what "
                "it answers; as a reference for its layers, export it again with --keep-fp32 '*'"
            )


def _tokenizer(manifest: Manifest) -> str:
    file = manifest.files.get(TOKENIZER)
    return file.sha256[:12] if file is not None else "none"


def alone(model: Any, reading: Reading, stage: Stage) -> Figures:
    """What a decoder tells without a reference."""
    losses = [
        -model.score(window).logprobs for window in stage("measuring perplexity")(reading.samples)
    ]
    return {"perplexity": fidelity.perplexity(losses), "tokens": sum(map(len, losses))}


def compare(reference: Any, model: Any, reading: Reading, stage: Stage) -> Figures:
    """How `model` answers beside `reference`."""
    answers = _answers(reference, model, reading, stage)
    if reading.role:
        figures = _of_encoder(model, reading.role, answers)
        return {f"{reading.role}.{name}": value for name, value in figures.items()}
    samples = ((_ids(sample), a, b) for sample, a, b in answers)
    measured = fidelity.quality_of(samples)
    figures = dataclasses.asdict(measured)
    tokens = figures.pop("tokens")
    ratio = measured.perplexity / measured.reference_perplexity
    return figures | {"perplexity_ratio": ratio, "tokens": tokens}


def _answers(
    reference: Any, model: Any, reading: Reading, stage: Stage
) -> Iterator[tuple[Any, Array, Array]]:
    """Each sample with what both make of it."""
    for sample in stage(f"measuring {reading.role}".strip())(reading.samples):
        yield sample, reading.answer(reference, sample), reading.answer(model, sample)


def _ids(sample: Any) -> list[int]:
    """The ids that a decoder reads of a sample, which may be a source and a target."""
    ids: list[int] = sample[1] if isinstance(sample, tuple) else sample
    return ids


def _of_encoder(model: Any, role: str, answers: Iterator[tuple[Any, Array, Array]]) -> Figures:
    """Cosines of vectors; agreement and difference of the scores of labels, kept place by place."""
    if model.graphs[role].output_names[-1] != "logits":
        pairs = [(a, b) for _, *both in answers for a, b in zip(*both, strict=True)]
        expected, actual = zip(*pairs, strict=True)
        return fidelity.cosines(expected, actual)
    labels, kind, task = model.manifest.labels, "softmax", TASKS[model.manifest.task]
    if labels is not None and not task.per_token:
        kind = labels.scores
    compared, distances, single = [], [], False
    for _, *pair in answers:
        for a, b in zip(*pair, strict=True):
            if task.scores == "ends":  # the labels are places: where it starts, where it ends
                a, b = a.T, b.T
            compared.append(fidelity.places(a, b, task.scores != "labels"))
            scores = activated(a, kind), activated(b, kind)
            distances.append(fidelity.score_distances(*scores))
            single = a.shape[-1] == 1
    figures = fidelity.of_places(compared)
    if single:
        del figures["agreement"]  # there is but one label
    count = figures.pop("texts")
    difference = float(np.concatenate(distances).mean(dtype=np.float64))
    return figures | {"texts": count, "score_difference": difference}
