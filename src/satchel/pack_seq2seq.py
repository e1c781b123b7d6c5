"""How encoder-decoder models are packed: two graphs, a tokenizer, proof by cross keys and logits."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer

from satchel import models
from satchel.export import check, signature
from satchel.export.check import Check
from satchel.export.generation import search_defaults, target_start
from satchel.export.graph import SourceGraph, TargetGraph
from satchel.export.languages import translation
from satchel.export.tokenizer import bundle_tokenizer, generation_defaults, special_tokens
from satchel.models.checkpoint import Checkpoint
from satchel.models.seq2seq import Context, Seq2seq
from satchel.pack_decoder import quality_checks
from satchel.progress import Stage
from satchel.quantize import quality
from satchel.quantize.calibrate import Ranges, watched
from satchel.quantize.quality import Sample
from satchel.recipe import Traceable
from satchel.runtime import bundle as contract
from satchel.runtime.bundle import Bundle, CacheGeometry
from satchel.runtime.decoder import Decoder
from satchel.runtime.errors import UnsupportedError, UsageError, shown
from satchel.runtime.session import open_session
from satchel.runtime.source import SourceEncoder, Sources

TASK = "text-to-text"
SOURCES, SOURCE_TOKENS = 16, 48  # of the shipped text, in the checks
TARGET_TOKENS = 48
Ids = Sequence[int]


@dataclass(frozen=True)
class Seq2seqRecipe:
    """An encoder-decoder reference model with what its graphs cannot know."""

    checkpoint: Checkpoint
    reference: Seq2seq
    context: int
    start: int
    generation: dict[str, Any]
    tokenizer: bytes
    sources: list[list[int]]  # shipped sentences in this model's tokens, of several lengths
    target: list[int]  # the shipped text, as what a target might be
    notes: list[str]

    @classmethod
    def of(
        cls,
        checkpoint: Checkpoint,
        context: int | None,
        task: str | None,
        ignored_keys: Collection[str],
        stage: Stage,
    ) -> Seq2seqRecipe:
        """Build the reference model and everything that needs the checkpoint."""
        if task not in (None, TASK):
            raise UsageError(
                f"--task {shown(task)} does not fit an encoder-decoder model; use {TASK}"
            )
        reference, positions = models.build_seq2seq(
            checkpoint, context, ignored_keys, stage("loading weights")
        )
        config, notes = reference.config, []
        if config.target_positions is None:
            notes.append(
                f"positions set no limit; targets may have {positions}: --context N for more"
            )
        start = target_start(checkpoint, config.vocab_size)
        generation = generation_defaults(checkpoint) | search_defaults(
            checkpoint, config.vocab_size
        )
        tokenizer = bundle_tokenizer(checkpoint, config.vocab_size)
        encoder = Tokenizer.from_buffer(tokenizer)
        texts = quality.sentences(SOURCES)
        longest = min(SOURCE_TOKENS, config.source_context)
        sources = [list(encoder.encode(text).ids)[:longest] for text in texts]
        target = [start, *encoder.encode(quality.shipped_text()).ids[: TARGET_TOKENS - 1]]
        if len(target) < TARGET_TOKENS or min(map(len, sources)) < 2:
            raise UnsupportedError("the tokenizer makes almost no tokens of an English text")
        return cls(
            checkpoint, reference, positions, start, generation, tokenizer, sources, target, notes
        )

    @property
    def cache(self) -> CacheGeometry:
        config = self.reference.config
        return CacheGeometry(config.decoder_depth, config.heads.num_heads, config.heads.head_dim)

    @property
    def graphs(self) -> dict[str, Traceable]:
        cache = self.cache
        geometry = (cache.layers, cache.kv_heads, cache.head_dim)
        return {
            "encoder": Traceable(
                SourceGraph(self.reference),
                signature.source_inputs(),
                signature.source_outputs(*geometry),
            ),
            "decoder": Traceable(
                TargetGraph(self.reference),
                signature.decoder_inputs(*geometry, crossing=True),
                signature.decoder_outputs(*geometry, self.reference.config.vocab_size),
            ),
        }

    def facts(self) -> dict[str, Any]:
        config = self.reference.config
        return {
            "family": self.reference.family,
            "task": TASK,
            "context": self.context,
            "vocab_size": config.vocab_size,
            "tokens": special_tokens(self.checkpoint, self.tokenizer, config.vocab_size),
            "cache": self.cache,
            "translation": translation(self.checkpoint, self.tokenizer, config.vocab_size),
            "seq2seq": contract.Seq2seq(self.start, config.source_context),
            "generation": self.generation,
        }

    def ranges(self, role: str, stage: Stage) -> Ranges:
        encode, module = Tokenizer.from_buffer(self.tokenizer), self.graphs[role].module
        with watched(module) as ranges, torch.inference_mode():
            for text in stage(f"calibrating: {role}")(quality.calibration()):
                module(*_padded([encode.encode(text).ids[: self.reference.config.source_context]]))
        return ranges

    def exact_checks(self, bundle: Bundle) -> list[Check]:
        encoder, decoder = _open(bundle)
        source = max(self.sources, key=len)
        found, expected = _tensors(encoder([source])), self._read([source]).numpy()
        distance = float(np.abs(found - expected).max())
        reading = decoder.reading(encoder([source]))
        # One query alone is multiplied by another kernel than several: int8 would round it elsewhere.
        shared = check.batch_distance(reading, reading, self.target)
        limit = check.tolerance(self._logits(source, self.target))
        return [
            Check("encoder against reference", distance, check.tolerance(expected)),
            *check.parity(lambda ids: self._logits(source, ids), reading, self.target),
            Check("rows of one source against alone", shared, limit),
        ]

    def prove(
        self, bundle: Bundle, exact: bool, stage: Stage
    ) -> tuple[list[Check], dict[str, Any]]:
        encoder, decoder = _open(bundle)
        checks: list[Check] = []
        figures: dict[str, Any] = {}
        source = max(self.sources, key=len)
        reading = decoder.reading(encoder([source]))
        for _ in stage("checking invariance")([None]):
            checks += [self._padding(encoder, decoder)]
            together = decoder.reading(encoder([source] * check.BATCH))
            checks += check.invariance(reading, self.target, exact, together)
        if not exact:
            more, figures = quality_checks(self._samples(encoder, decoder, stage))
            checks += more
        probe = check.probe(lambda ids: self._logits(source, ids), reading, self.target)
        return checks, {"quality": figures, "probe": {"source": source, **probe}}

    def _read(self, sources: Sequence[Ids]) -> torch.Tensor:
        """The reference model's [layers * 2, sources, heads, longest source, head_dim]."""
        with torch.inference_mode():
            pairs = self._context(sources).cross
        return torch.stack([tensor for pair in pairs for tensor in pair])

    def _logits(self, source: Ids, target: Ids) -> NDArray[np.float32]:
        """float32 [length, vocab] by the reference model."""
        with torch.inference_mode():
            found = self.reference(torch.tensor([list(target)]), self._context([source]))
        result: NDArray[np.float32] = found[0].numpy()
        return result

    def _context(self, sources: Sequence[Ids]) -> Context:
        """What the reference model makes of sources."""
        ids, lengths = _padded(sources)
        return Context(lengths=lengths, cross=self.reference.read(ids, lengths))

    def _padding(self, encoder: SourceEncoder, decoder: Decoder) -> Check:
        """A short source beside a longer one: logits of a target after it, against it alone."""
        short, long = min(self.sources, key=len), max(self.sources, key=len)
        together = decoder.reading(encoder([long, short])).start(2)
        alone = decoder.reading(encoder([short])).start()
        both = together.prefill([self.target[:8]] * 2)[1]
        one = alone.append(self.target[:8])[0]
        scale = max(1.0, float(np.abs(one).max()))
        distance = float(np.abs(both - one).max())
        return Check("padded source against alone", distance, 1e-6 * scale)

    def _samples(self, encoder: SourceEncoder, decoder: Decoder, stage: Stage) -> Iterable[Sample]:
        """The reference's own greedy targets of the shipped sentences, read by both models."""
        count = len(self.sources)
        targets = torch.full((count, 1), self.start)
        with torch.inference_mode():
            context = self._context(self.sources)
            for _ in stage("writing targets")(range(TARGET_TOKENS - 1)):
                last = (torch.arange(count) + 1) * targets.shape[1] - 1
                chosen = self.reference(targets, context, last).argmax(-1, keepdim=True)
                targets = torch.cat([targets, chosen], 1)
            expected = self.reference(targets, context).numpy()
        rows = list(zip(self.sources, targets.tolist(), expected, strict=True))
        for source, target, logits in stage("measuring quality")(rows):
            yield target, logits, decoder.reading(encoder([source])).logits(target)


def _open(bundle: Bundle) -> tuple[SourceEncoder, Decoder]:
    manifest = bundle.manifest
    encoder = SourceEncoder(open_session(bundle, "encoder"), manifest)
    return encoder, Decoder(open_session(bundle, "decoder"), manifest)


def _padded(sources: Sequence[Ids]) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids [sources, longest] padded on the right, and lengths int32."""
    rows = [torch.tensor(list(source)) for source in sources]
    lengths = torch.tensor([len(row) for row in rows], dtype=torch.int32)
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True), lengths


def _tensors(sources: Sources) -> NDArray[np.float32]:
    """What a graph says of its sources, in the order of its outputs."""
    return np.stack([value.numpy() for value in sources.values.values()])
