"""How encoder-decoder models are packed: two graphs, a tokenizer, proof by cross keys and logits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import nn

from satchel import models
from satchel.checkpoints.checkpoint import Checkpoint
from satchel.export import check, signature
from satchel.export.check import Check, Reference
from satchel.export.generation_config import target_start
from satchel.export.graph import SourceGraph, TargetGraph
from satchel.measure.fidelity import Sample
from satchel.models.seq2seq import Context, Seq2seq
from satchel.models.seq2seq_config import Seq2seqConfig
from satchel.packing.decoder_recipe import quality_checks
from satchel.packing.recipe import ExportOptions, Traceable, check_length, writing
from satchel.progress import Stage
from satchel.runtime import manifest as contract
from satchel.runtime.bundle import Bundle
from satchel.runtime.decoder_session import DecoderSession
from satchel.runtime.errors import CheckpointError
from satchel.runtime.languages import known_ids
from satchel.runtime.manifest import CacheGeometry, Port
from satchel.runtime.session import open_session
from satchel.runtime.source_graph import SourceEncoder
from satchel.runtime.sources import Sources
from satchel.tokenization.language_tokens import translation
from satchel.tokenization.tokenizer import special_tokens

SOURCES, SOURCE_TOKENS = 16, 48  # of the shipped text, in the checks
TARGET_TOKENS = 48
CALIBRATION_SOURCES = 96  # spread over the texts; more change little
Encoder = Callable[[Sequence[Any]], Sources]  # sources to what the decoder reads


@dataclass(frozen=True)
class Seq2seqRecipe:
    """An encoder-decoder reference model with what its graphs cannot know.

    What a source is, subclasses may say otherwise; here it is a list of ids.
    """

    task: ClassVar[str] = "text-to-text"
    asked: ClassVar[Mapping[str, str]] = {}  # recommendations that are not followed, and why

    checkpoint: Checkpoint
    reference: Seq2seq
    context: int
    start: int
    generation: dict[str, Any]
    tokenizer: bytes
    sources: list[Any]  # what the checks read
    target: list[int]  # the shipped text, as what a target might be
    texts: Sequence[str]  # to calibrate on
    notes: list[str]
    # Sources and the reference's targets of some of them, made when they are first needed.
    calibration: list[tuple[list[int], list[int] | None]] = field(default_factory=list)

    @classmethod
    def of(cls, checkpoint: Checkpoint, options: ExportOptions, stage: Stage) -> Self:
        """Build the reference model and everything that needs the checkpoint."""
        options.only_for(cls.task, "this model")
        given = (options.context, options.ignored_keys, stage("loading weights"))
        reference, positions = models.build_seq2seq(checkpoint, *given, cls.image_size(checkpoint))
        config = reference.config
        notes = list(reference.notes)
        if config.target_positions is None:
            notes.append(
                f"positions set no limit; targets may have {positions}: --context N for more"
            )
        start = target_start(checkpoint, config.vocab_size)
        tokenizer, generation, remarks = writing(checkpoint, config.vocab_size, cls.asked)
        notes += remarks + cls.remarks(checkpoint, tokenizer, options)
        sources = cls.some_sources(checkpoint, config, tokenizer, options)
        encode = _encoding(checkpoint, config, tokenizer)
        target = [start, *encode(options.judged, False)[: TARGET_TOKENS - 1]]
        check_length(target, TARGET_TOKENS)
        return cls(
            checkpoint,
            reference,
            positions,
            start,
            generation,
            tokenizer,
            sources,
            target,
            options.texts,
            notes,
        )

    @staticmethod
    def image_size(checkpoint: Checkpoint) -> tuple[int, int] | None:
        """Height and width of what a model reads that reads images."""
        return None

    @staticmethod
    def remarks(checkpoint: Checkpoint, tokenizer: bytes, options: ExportOptions) -> list[str]:
        """What to say of the texts that the bundle is judged on."""
        return options.remarks(tokenizer)

    @staticmethod
    def some_sources(
        checkpoint: Checkpoint, config: Seq2seqConfig, tokenizer: bytes, options: ExportOptions
    ) -> list[Any]:
        """What the checks read: sentences in this model's tokens, of several lengths."""
        encode = _encoding(checkpoint, config, tokenizer)
        longest = min(SOURCE_TOKENS, config.source_context)
        sources = [encode(text)[:longest] for text in options.sentences(SOURCES)]
        check_length(min(sources, key=len), 2)
        return sorted(sources, key=len, reverse=True)

    @property
    def cache(self) -> CacheGeometry:
        depth, heads = self.reference.config.decoder_depth, self.reference.config.heads
        return CacheGeometry(depth, heads.num_kv_heads, heads.head_dim)

    @property
    def graphs(self) -> dict[str, Traceable]:
        cache = self.cache
        geometry = (cache.layers, cache.kv_heads, cache.head_dim)
        return {
            "encoder": Traceable(
                self.encoder_module,
                self.encoder_inputs,
                signature.source_outputs(*geometry, *self.source_axes),
            ),
            "decoder": Traceable(
                TargetGraph(self.reference),
                signature.decoder_inputs(*geometry, crossing=True),
                signature.decoder_outputs(*geometry, self.reference.config.vocab_size),
            ),
        }

    @property
    def encoder_module(self) -> nn.Module:
        """What becomes the encoder's graph."""
        return SourceGraph(self.reference)

    @property
    def encoder_inputs(self) -> list[Port]:
        """The inputs of the encoder's graph."""
        return signature.source_inputs()

    @property
    def source_axes(self) -> tuple[int | str, int | str]:
        """How many sources are read at once, and how long they are."""
        return "batch", "source"

    def facts(self) -> dict[str, Any]:
        config = self.reference.config
        return {
            "family": self.reference.family,
            "task": self.task,
            "context": self.context,
            "vocab_size": config.vocab_size,
            "tokens": special_tokens(self.checkpoint, self.tokenizer, config.vocab_size),
            "cache": self.cache,
            "translation": translation(self.checkpoint, self.tokenizer, config.vocab_size),
            "seq2seq": contract.Seq2seqUse(self.start, config.source_context),
            "generation": self.generation,
        }

    @property
    def parts(self) -> dict[str, nn.Module]:
        return {"encoder": self.reference, "decoder": self.reference}

    def feed(self, role: str, stage: Stage) -> None:
        if not self.calibration:
            encode = _encoding(self.checkpoint, self.reference.config, self.tokenizer)
            longest = self.reference.config.source_context
            texts = self.texts[:: max(1, len(self.texts) // CALIBRATION_SOURCES)]
            sources = [encode(text)[:longest] for text in texts]
            few = sources[:: max(1, len(sources) // SOURCES)]
            targets = self._written(self.read(few), len(few), stage).tolist()
            self.calibration.extend(zip(sources, repeat(None)))
            self.calibration.extend(zip(few, targets, strict=True))
            # A model that repeats itself shows little of what its targets may hold.
            given = [[self.start, *source][:TARGET_TOKENS] for source in few]
            self.calibration.extend(zip(few, given, strict=True))
        for source, target in stage("calibrating")(self.calibration):
            reading = self.read([source])
            if target is not None:
                self._logits(reading, torch.tensor([target]))

    def answer(self) -> NDArray[np.float32]:
        return self._reference(self.read([self.sources[0]]))(self.target)

    def loss(self, expected: NDArray[np.float32], actual: NDArray[np.float32]) -> float:
        """The mean divergence of logits."""
        return check.mean_kl(expected, actual)

    def exact_checks(self, bundle: Bundle) -> list[Check]:
        encoder, decoder = self._open(bundle)
        source = self.sources[0]
        context, sources = self.read([source]), encoder([source])
        expected = np.stack([tensor.numpy() for pair in context.cross for tensor in pair])
        tensors = np.stack([value.numpy() for value in sources.values.values()])
        distance = float(np.abs(tensors - expected).max())
        reference, reading = self._reference(context), decoder.reading(sources)
        # One query alone is multiplied by another kernel than several: int8 would round it elsewhere.
        shared = check.distance(*check.in_a_batch(reading, reading, self.target))
        limit = check.tolerance(reference(self.target))
        return [
            Check("encoder against reference", distance, check.tolerance(expected)),
            *check.parity(reference, reading, self.target),
            Check("rows of one source against alone", shared, limit),
        ]

    def prove(
        self, bundle: Bundle, exact: bool, stage: Stage
    ) -> tuple[list[Check], dict[str, Any]]:
        encoder, decoder = self._open(bundle)
        checks: list[Check] = []
        figures: dict[str, Any] = {}
        source = self.sources[0]
        reading = decoder.reading(encoder([source]))
        for _ in stage("checking invariance")([None]):
            checks += [self._company(encoder, decoder)]
            together = decoder.reading(encoder([source] * check.BATCH))
            checks += check.invariance(reading, self.target, exact, together)
        if not exact:
            more, figures = quality_checks(self._samples(encoder, decoder, stage))
            checks += more
        probe = check.probe(self._reference(self.read([source])), reading, self.target)
        return checks, {"quality": figures, "probe": self.probed(source) | probe}

    def read(self, sources: Sequence[Any]) -> Context:
        """What the reference model's decoder sees of sources."""
        ids, lengths = _padded(sources)
        with torch.inference_mode():
            return Context(lengths=lengths, cross=self.reference.read(ids, lengths))

    def encoder(self, bundle: Bundle) -> Encoder:
        """The bundle's encoder."""
        return SourceEncoder(open_session(bundle, "encoder"), bundle.manifest)

    def probed(self, source: Any) -> dict[str, Any]:
        """What the manifest says of the source that is read again elsewhere."""
        return {"source": source}

    def _open(self, bundle: Bundle) -> tuple[Encoder, DecoderSession]:
        return self.encoder(bundle), DecoderSession(
            open_session(bundle, "decoder"), bundle.manifest
        )

    def _reference(self, reading: Context) -> Reference:
        """The reference model's logits of a target, for one source."""
        return lambda target: self._logits(reading, torch.tensor([list(target)]))[0].numpy()

    def _logits(
        self, reading: Context, targets: torch.Tensor, rows: torch.Tensor | None = None
    ) -> torch.Tensor:
        """float32 [sources, length, vocab] by the reference model, or [rows, vocab] of some tokens."""
        with torch.inference_mode():
            logits: torch.Tensor = self.reference(targets, reading, rows)
        return logits

    def _company(self, encoder: Encoder, decoder: DecoderSession) -> Check:
        """A source beside a longer one: logits of a target after it, against it alone."""
        first, last = self.sources[0], self.sources[-1]
        together = decoder.reading(encoder([first, last])).start(2)
        alone = decoder.reading(encoder([last])).start()
        both = together.prefill([self.target[:8]] * 2)[1]
        single = alone.append(self.target[:8])[0]
        scale = max(1.0, float(np.abs(single).max()))
        distance = float(np.abs(both - single).max())
        return Check("source among others against alone", distance, 1e-6 * scale)

    def _samples(self, encoder: Encoder, decoder: DecoderSession, stage: Stage) -> Iterable[Sample]:
        """The reference's own greedy targets of its sources, read by both models."""
        reading = self.read(self.sources)
        targets = self._written(reading, len(self.sources), stage)
        expected = self._logits(reading, targets).numpy()
        rows = list(zip(self.sources, targets.tolist(), expected, strict=True))
        for source, target, logits in stage("measuring quality")(rows):
            yield target, logits, decoder.reading(encoder([source])).logits(target)

    def _written(self, reading: Context, count: int, stage: Stage) -> torch.Tensor:
        """The reference's greedy targets int64 [count, TARGET_TOKENS] of as many sources."""
        targets = torch.full((count, 1), self.start)
        for _ in stage("writing targets")(range(min(TARGET_TOKENS, self.context) - 1)):
            last = (torch.arange(count) + 1) * targets.shape[1] - 1
            chosen = self._logits(reading, targets, last).argmax(-1, keepdim=True)
            targets = torch.cat([targets, chosen], 1)
        return targets


def _encoding(
    checkpoint: Checkpoint, config: Seq2seqConfig, tokenizer: bytes
) -> Callable[..., list[int]]:
    """A function from a text, and whether special tokens go around it, to ids that the model has."""
    encoder = Tokenizer.from_buffer(tokenizer)
    told = translation(checkpoint, tokenizer, config.vocab_size)

    def encode(text: str, special: bool = True) -> list[int]:
        ids = encoder.encode(text, add_special_tokens=special).ids
        known = known_ids(ids, told, config.vocab_size)
        if known and max(known) >= config.vocab_size:
            raise CheckpointError(
                f"the tokenizer makes a text of id {max(known)}, beyond the model's "
                f"{config.vocab_size} embeddings, and has no token for what is unknown",
                "TOKENIZER_INVALID",
            )
        return known

    return encode


def _padded(sources: Sequence[Sequence[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids [sources, longest] padded on the right, and lengths int32."""
    rows = [torch.tensor(list(source)) for source in sources]
    lengths = torch.tensor([len(row) for row in rows], dtype=torch.int32)
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True), lengths
