"""How decoder-only models are packed: one graph, a tokenizer, a chat format, proof by logits."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import nn

from satchel import models
from satchel.checkpoints.checkpoint import Checkpoint
from satchel.export import check, signature
from satchel.export.check import Check
from satchel.export.graph import DecoderGraph
from satchel.measure import fidelity
from satchel.measure.fidelity import Sample
from satchel.models.decoder import Decoder
from satchel.packing.recipe import ExportOptions, Traceable, check_length, writing
from satchel.progress import Stage
from satchel.runtime.bundle import Bundle
from satchel.runtime.chat_format import ChatFormat, encode_chat
from satchel.runtime.decoder_session import DecoderSession
from satchel.runtime.manifest import CacheGeometry
from satchel.runtime.session import open_session
from satchel.tokenization.chat_template import compile_template
from satchel.tokenization.tokenizer import special_token_texts, special_tokens
from satchel.tokenization.tool_template import find_tools

TASK = "generate"
DEFAULT_CONTEXT = 32768  # longer rotary tables are only made when asked for
CHECK_TOKENS, ANSWER_TOKENS = 48, 192
CONVERSATIONS, TURNS = 4, 5
# How many texts and special tokens are read as the first of a text, and its length.
BEGINNINGS, SPECIAL_TOKENS, BEHIND = 48, 64, 24
CALIBRATION_WINDOWS = 8  # spread over the text; more change little
# Recommendations that are not done unasked: beams, which cannot be streamed; lengths of the whole
# context, which mean nothing for one prompt; and the first id behind a prompt of one id.
ASKED = {
    "num_beams": "ask for it when generating",
    "max_length": "it counts the prompt; ask for it when generating",
    "forced_bos_token_id": "it is for encoder-decoder models",
}
MAX_MEAN_KL, MIN_TOP1, MAX_PERPLEXITY_RATIO = 0.05, 0.85, 1.03


@dataclass(frozen=True)
class DecoderRecipe:
    """A decoder's reference model with what its graph cannot know."""

    checkpoint: Checkpoint
    reference: Decoder
    context: int
    tokenizer: bytes
    probe_ids: list[int]  # the shipped text in this model's tokens
    calibration: Sequence[str]
    judged: str  # the text that quality is measured on
    chat: dict[str, Any] | None
    generation: dict[str, Any]
    notes: list[str]

    @classmethod
    def of(cls, checkpoint: Checkpoint, options: ExportOptions, stage: Stage) -> DecoderRecipe:
        """Build the reference model and everything that needs the checkpoint."""
        options.only_for(TASK, "a decoder-only model")
        given = (options.context, DEFAULT_CONTEXT, options.ignored_keys)
        reference, positions = models.build(checkpoint, *given, stage("loading weights"))
        notes = list(reference.notes)
        limit = reference.config.max_position_embeddings
        if options.context is None and positions < limit:
            notes.append(f"context is {positions} of the model's {limit}; --context N for more")
        notes.extend(_on_factors(reference.config.short_positions, positions))
        tokenizer, generation, remarks = writing(checkpoint, reference.config.vocab_size, ASKED)
        notes += options.remarks(tokenizer)
        ids = Tokenizer.from_buffer(tokenizer).encode(options.judged).ids
        check_length(ids, CHECK_TOKENS + 1)
        chat = None
        if checkpoint.chat_template is not None:
            texts = special_token_texts(checkpoint, usual=True)
            compiled, reason = compile_template(checkpoint.chat_template, texts)
            form, in_content = find_tools(checkpoint.chat_template, texts)
            if form is not None:
                compiled = replace(
                    compiled,
                    template=checkpoint.chat_template,
                    special_tokens=texts,
                    tools=form,
                    calls_in_content=in_content,
                )
            chat = compiled.to_dict()
            if reason:
                notes.append(f"the chat template stays Jinja, for Python only: {reason}")
        read = (list(ids), options.texts, options.judged)
        return cls(
            checkpoint, reference, positions, tokenizer, *read, chat, generation, notes + remarks
        )

    @property
    def cache(self) -> CacheGeometry:
        config = self.reference.config
        return CacheGeometry(config.num_hidden_layers, config.kv_heads, config.head_size)

    @property
    def graphs(self) -> dict[str, Traceable]:
        cache = self.cache
        geometry = (cache.layers, cache.kv_heads, cache.head_dim)
        inputs = signature.decoder_inputs(*geometry)
        outputs = signature.decoder_outputs(*geometry, self.reference.config.vocab_size)
        return {"decoder": Traceable(DecoderGraph(self.reference), inputs, outputs)}

    def facts(self) -> dict[str, Any]:
        vocab_size = self.reference.config.vocab_size
        return {
            "family": "decoder",
            "task": TASK,
            "context": self.context,
            "vocab_size": vocab_size,
            "tokens": special_tokens(self.checkpoint, self.tokenizer, vocab_size),
            "cache": self.cache,
            "generation": self.generation,
            "chat": self.chat,
        }

    @property
    def parts(self) -> dict[str, nn.Module]:
        return {"decoder": self.reference}

    def feed(self, role: str, stage: Stage) -> None:
        for ids in stage("calibrating")(self._calibration_ids()):
            self.logits(ids, last=True)

    def _calibration_ids(self) -> list[list[int]]:
        """Windows of the text, conversations, and texts behind each special token.

        Attention keeps much at the first position, whose key has a length of its own for each kind of
        token: an int8 cache must have met them.
        """
        tokenizer = self._encoder
        ids = tokenizer.encode("\n".join(self.calibration), add_special_tokens=False).ids
        before = fidelity.beginning(tokenizer)
        size = max(1, min(fidelity.WINDOW, self.context) - len(before))
        starts = range(0, len(ids), max(size, len(ids) // CALIBRATION_WINDOWS))
        windows = [
            [*before, *ids[start : start + size]] for start in list(starts)[:CALIBRATION_WINDOWS]
        ]
        added = tokenizer.get_added_tokens_decoder()
        special = [token for token, entry in added.items() if entry.special][:SPECIAL_TOKENS]
        windows += [[token, *ids[: BEHIND - 1]] for token in special]
        some = self.calibration[:: max(1, len(self.calibration) // BEGINNINGS)]
        windows += [list(tokenizer.encode(text).ids)[:BEHIND] for text in some]
        return windows + self._conversations(self.calibration)

    def _conversations(self, texts: Sequence[str]) -> list[list[int]]:
        """Texts as turns of conversations, in the format of the checkpoint, if it has one."""
        if self.chat is None:
            return []
        roles, conversations = ("user", "assistant"), []
        for number in range(CONVERSATIONS):
            turns = texts[number :: max(1, len(texts) // TURNS)][:TURNS]
            messages = [
                {"role": roles[place % 2], "content": turn} for place, turn in enumerate(turns)
            ]
            ids = encode_chat(self._encoder, ChatFormat.from_dict(self.chat), messages, True)
            conversations.append(ids[: self.context])
        return conversations

    def answer(self) -> NDArray[np.float32]:
        """Logits of the shipped text and of a conversation."""
        texts = [self.probe_ids, *self._conversation]
        return np.concatenate(
            [self.logits(ids[: min(ANSWER_TOKENS, self.context)]) for ids in texts]
        )

    @cached_property
    def _conversation(self) -> list[list[int]]:
        """The ids of one conversation, of shipped sentences; empty without a chat format."""
        return self._conversations(fidelity.sentences())[-1:]

    @cached_property
    def _encoder(self) -> Tokenizer:
        return Tokenizer.from_buffer(self.tokenizer)

    def loss(self, expected: NDArray[np.float32], actual: NDArray[np.float32]) -> float:
        """The mean divergence of logits."""
        return check.mean_kl(expected, actual)

    def logits(self, ids: Sequence[int], last: bool = False) -> NDArray[np.float32]:
        """float32 [length, vocab] by the reference model, or [1, vocab] of the last position."""
        rows = torch.tensor([len(ids) - 1]) if last else None
        with torch.inference_mode():
            logits = self.reference(torch.tensor([list(ids)]), logit_rows=rows)
        array: NDArray[np.float32] = (logits if last else logits[0]).numpy()
        return array

    def exact_checks(self, bundle: Bundle) -> list[Check]:
        return check.parity(self.logits, _open(bundle), self.probe_ids[:CHECK_TOKENS])

    def prove(
        self, bundle: Bundle, exact: bool, stage: Stage
    ) -> tuple[list[Check], dict[str, Any]]:
        decoder, checks = _open(bundle), []
        figures: dict[str, Any] = {}
        for _ in stage("checking invariance")([None]):
            checks += check.invariance(decoder, self.probe_ids[:CHECK_TOKENS], exact)
        if bundle.manifest.cache is not None and bundle.manifest.cache.windows:
            checks += check.behind_windows(self.logits, decoder, self.probe_ids, MAX_MEAN_KL)
        if not exact:
            windows = fidelity.text_windows(self._encoder, self.judged, self.context)
            more, figures = quality_checks(
                (window, self.logits(window), decoder.logits(window))
                for window in stage("measuring quality")(windows)
            )
            checks += more + self._in_conversation(decoder)
        probe = check.probe(self.logits, decoder, self.probe_ids)
        return checks, {"quality": figures, "probe": probe}

    def _in_conversation(self, decoder: DecoderSession) -> list[Check]:
        """Divergence where a conversation's special tokens stand, which no text has."""
        return [
            Check(
                "mean KL in a conversation",
                check.mean_kl(self.logits(ids), decoder.logits(ids)),
                MAX_MEAN_KL,
            )
            for ids in self._conversation
        ]


def _on_factors(short: int | None, context: int) -> list[str]:
    """What to know of a model with other rotary factors for texts of more than `short` tokens."""
    if short is None:
        return []
    if context <= short:
        return [f"longrope: the short factors; --context beyond {short} takes the long ones"]
    return [
        f"longrope: the long factors for every text; for those of up to {short} tokens "
        f"transformers takes the short ones, as a bundle of --context {short} does"
    ]


def _open(bundle: Bundle) -> DecoderSession:
    return DecoderSession(open_session(bundle, "decoder"), bundle.manifest)


def quality_checks(samples: Iterable[Sample]) -> tuple[list[Check], dict[str, Any]]:
    """How a quantised decoder answers beside float32: checks with limits, and all figures."""
    measured = fidelity.quality_of(samples)
    ratio = measured.perplexity / measured.reference_perplexity
    checks = [
        Check("mean KL from float32", measured.mean_kl, MAX_MEAN_KL),
        Check("same likeliest token", measured.top1, MIN_TOP1, at_least=True),
        Check("perplexity over float32", ratio, MAX_PERPLEXITY_RATIO),
    ]
    return checks, dataclasses.asdict(measured)
