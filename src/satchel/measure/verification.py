"""Check a bundle where it is going to run: without its checkpoint and without torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from satchel.runtime.audio import sample_sounds
from satchel.runtime.errors import BundleError
from satchel.runtime.image import sample_images
from satchel.runtime.manifest import MANIFEST, Manifest

if TYPE_CHECKING:
    from satchel.runtime.decoder_model import DecoderModel
    from satchel.runtime.decoder_session import DecoderSession
    from satchel.runtime.encoder_model import EncoderModel
    from satchel.runtime.seq2seq_model import Seq2seqModel
    from satchel.runtime.speech_model import SpeechModel

# Another processor rounds int8 activations elsewhere: MatMulNBits differs by up to 0.7 %.
SLACK = 0.02


@dataclass(frozen=True)
class Verdict:
    """One check: what was measured, and the most it may be."""

    name: str
    value: float
    limit: float

    @property
    def passed(self) -> bool:
        return bool(self.value <= self.limit)

    def words(self) -> str:
        """The figure beside its limit, for an error."""
        return f"{self.name} {self.value:.3g}, limit {self.limit:.3g}"

    def cells(self) -> tuple[str, str, str, str]:
        """For a table."""
        return (
            self.name,
            f"{self.value:.3g}",
            f"{self.limit:.3g}",
            "ok" if self.passed else "FAILED",
        )


def verify(model: Any) -> list[Verdict]:
    """Repeat the export's parity on this machine.

    Loading the model has checked files and signatures. The probe in the manifest holds an input and
    the reference model's answer to it; the bundle must be as near to that as it was when it was made.
    """
    checks: dict[str, Callable[[Any], list[Verdict]]] = {
        "encoder": _encoder,
        "decoder": _decoder,
        "encoder-decoder": _seq2seq,
    }
    check = checks[model.manifest.family]
    try:
        rows = check(model)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise BundleError(
            f"{MANIFEST} has no probe to check against; export the bundle again"
        ) from error
    return [
        Verdict("files match the manifest", 0, 0),
        Verdict("graph inputs and outputs", 0, 0),
        *rows,
    ]


def _encoder(model: EncoderModel) -> list[Verdict]:
    """The start of each graph's answer, and the same among others as alone."""
    rows = []
    for role, probe in model.manifest.probe.items():
        sample: dict[str, Any]
        encoder, reference = model.encoders[role], np.array(probe["reference"], np.float32)
        if probe["ids"] is not None:
            names, row = encoder.input_names, np.array([probe["ids"]], np.int64)
            sample = {name: row if name == "input_ids" else np.zeros_like(row) for name in names}
            other = {name: value[:, ::-1] for name, value in sample.items()}
        else:
            assert model.image_format is not None
            size = model.image_format.size
            one, two = (model.image_format.pixels(image)[None] for image in sample_images(size, 2))
            sample, other = {"pixel_values": one}, {"pixel_values": two}
        alone = encoder(sample)[0]
        together = encoder({name: np.concatenate([other[name], sample[name]]) for name in sample})[
            1
        ]
        scale = float(np.abs(alone).max())
        distance = np.abs(alone.reshape(-1)[: len(reference)] - reference).max()
        limit = 1.5 * probe["difference"] + SLACK * scale
        rows += [
            Verdict(f"{role} against the reference model", float(distance), limit),
            Verdict(
                f"{role} among others against alone",
                float(np.abs(together - alone).max()),
                1e-5 * max(1.0, scale),
            ),
        ]
    return rows


def _decoder(model: DecoderModel) -> list[Verdict]:
    """Logits after the probe's prompt, the same in one piece, in two, and in a batch."""
    return _logits(model.decoder, _probe(model.manifest))


def _seq2seq(model: Seq2seqModel | SpeechModel) -> list[Verdict]:
    """The same of a target, and of its source among others."""
    probe, encoder = _probe(model.manifest), model.encoder
    ids = probe["ids"]
    source, other = _sources(model, probe)
    alone = model.decoder.reading(encoder([source]))
    whole = alone.logits(ids)[-1]
    run = model.decoder.reading(encoder([other, source])).start(2)
    distance = float(np.abs(run.prefill([ids, ids])[1] - whole).max())
    limit = 1e-4 * max(1.0, float(np.abs(whole).max()))
    return [*_logits(alone, probe), Verdict("a source among others against alone", distance, limit)]


def _sources(model: Any, probe: dict[str, Any]) -> tuple[Any, Any]:
    """The probe's source, and one for company: a longer one where lengths differ."""
    if model.manifest.speech is not None:
        first, second = sample_sounds(model.audio, 2)
        return model.audio.log_mel(first), model.audio.log_mel(second)
    source = probe["source"]
    if not _are_ids(source, model.manifest.vocab_size):
        raise ValueError("source")
    return source, [*source, *source][: model.encoder.context]


def _logits(decoder: DecoderSession, probe: dict[str, Any]) -> list[Verdict]:
    ids = probe["ids"]
    reference = np.array(probe["reference"], np.float32)
    scale = float(np.abs(reference).max())
    whole = decoder.logits(ids)[-1]
    rows = [
        Verdict(
            "logits against the reference model",
            float(np.abs(whole[probe["top"]] - reference).max()),
            1.5 * probe["difference"] + SLACK * scale,
        ),
    ]
    half = len(ids) // 2
    pieces = decoder.start()
    pieces.append(ids[:half])
    batch = decoder.start(2)
    for name, logits in (
        ("in pieces against one prefill", pieces.append(ids[half:])[0]),
        ("in a batch against alone", batch.prefill([ids, ids[:half]])[0]),
    ):
        rows.append(Verdict(name, float(np.abs(logits - whole).max()), 1e-4 * max(1.0, scale)))
    return rows


def _probe(manifest: Manifest) -> dict[str, Any]:
    """The manifest's probe, if it is one."""
    match manifest.probe:
        case {
            "ids": [int(), int(), *_] as ids,
            "top": [int(), *_] as top,
            "reference": [*reference],
            "difference": int() | float(),
        } if (
            _are_ids([*ids, *top], manifest.vocab_size)
            and all(type(value) in (int, float) for value in reference)
            and len(reference) == len(top)
            and len(ids) <= manifest.context
        ):
            return manifest.probe
    raise BundleError(f"{MANIFEST} has no probe to check against; export the bundle again")


def _are_ids(values: Sequence[Any], vocab_size: int) -> bool:
    return bool(values) and all(type(i) is int and 0 <= i < vocab_size for i in values)
