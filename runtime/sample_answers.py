"""A bundle's answers to its probes beside those it gave when it was made, or gives another way.

A probe holds an input and the reference model's answer, to which every machine must come as near as
the export did.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from satchel.runtime.decoder_session import DecoderSession
from satchel.runtime.encoder_session import EncoderSession
from satchel.runtime.errors import BundleError
from satchel.runtime.manifest import MANIFEST, Manifest

# Another processor rounds int8 activations elsewhere: MatMulNBits differs by up to 0.7 %.
SLACK = 0.02
LACKING = f"{MANIFEST} has no probe to check against; export the bundle again"
Array = NDArray[np.float32]


@dataclass(frozen=True)
class SampleAnswer:
    """What a bundle answered beside what is right, and how far apart they may be."""

    name: str
    actual: Array
    expected: Array
    limit: float


def of_decoder(decoder: DecoderSession, probe: dict[str, Any]) -> Iterator[SampleAnswer]:
    """Logits after the probe's prompt, the same in one piece, in two, and in a batch."""
    ids, reference = probe["ids"], np.array(probe["reference"], np.float32)
    scale = float(np.abs(reference).max())
    whole = decoder.logits(ids)[-1]
    limit = 1.5 * probe["difference"] + SLACK * scale
    yield SampleAnswer("logits against the reference model", whole[probe["top"]], reference, limit)
    half, limit = len(ids) // 2, 1e-4 * max(1.0, scale)
    pieces, batch = decoder.start(), decoder.start(2)
    pieces.append(ids[:half])
    yield SampleAnswer("in pieces against one prefill", pieces.append(ids[half:])[0], whole, limit)
    together = batch.prefill([ids, ids[:half]])[0]
    yield SampleAnswer("in a batch against alone", together, whole, limit)


def of_target(
    decoder: DecoderSession, encoder: Any, sources: tuple[Any, Any], probe: dict[str, Any]
) -> Iterator[SampleAnswer]:
    """The same of a target of the first of two sources, and of that among others."""
    ids, (source, other) = probe["ids"], sources
    alone = decoder.reading(encoder([source]))
    yield from of_decoder(alone, probe)
    whole = alone.logits(ids)[-1]
    run = decoder.reading(encoder([other, source])).start(2)
    limit = 1e-4 * max(1.0, float(np.abs(whole).max()))
    yield SampleAnswer(
        "a source among others against alone", run.prefill([ids, ids])[1], whole, limit
    )


def of_encoder(
    role: str,
    encoder: EncoderSession,
    sample: dict[str, NDArray[Any]],
    other: dict[str, NDArray[Any]] | None,
    probe: dict[str, Any],
) -> Iterator[SampleAnswer]:
    """The start of a graph's answer to a sample and, if there is an `other`, all of it as alone."""
    reference = np.array(probe["reference"], np.float32)
    alone = encoder(sample)[0]
    scale = float(np.abs(alone).max())
    limit = 1.5 * probe["difference"] + SLACK * scale
    start = alone.reshape(-1)[: len(reference)]
    yield SampleAnswer(f"{role} against the reference model", start, reference, limit)
    if other is None:
        return
    together = encoder({name: np.concatenate([other[name], sample[name]]) for name in sample})[1]
    limit = 1e-5 * max(1.0, scale)
    yield SampleAnswer(f"{role} among others against alone", together, alone, limit)


def target_probe(manifest: Manifest) -> dict[str, Any]:
    """The manifest's probe of a decoder. Raises BundleError where it is none."""
    match manifest.probe:
        case {
            "ids": [int(), int(), *_] as ids,
            "top": [int(), *_] as top,
            "reference": [*reference],
            "difference": int() | float(),
        } if (
            are_ids([*ids, *top], manifest.vocab_size)
            and all(type(value) in (int, float) for value in reference)
            and len(reference) == len(top)
            and len(ids) <= manifest.context
        ):
            return manifest.probe
    raise BundleError(LACKING)


def are_ids(values: Sequence[Any], vocab_size: int) -> bool:
    """Whether values are ids, at least one."""
    return bool(values) and all(type(i) is int and 0 <= i < vocab_size for i in values)
