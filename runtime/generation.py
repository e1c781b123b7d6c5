"""What every model that writes has: prompts in, generated text out, whole or piece by piece."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property
from types import EllipsisType
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from satchel.runtime.batch import Batch, Generation, Stream
from satchel.runtime.beam import Hypothesis, Search, beam_search
from satchel.runtime.bundle import TOKENIZER, Bundle
from satchel.runtime.cancel import Cancel, Cancelled
from satchel.runtime.decoder_session import Run
from satchel.runtime.draft_match import check_draft
from satchel.runtime.draft_model import DraftModel, beside
from satchel.runtime.drafter import Drafter
from satchel.runtime.errors import LimitError, UsageError
from satchel.runtime.grammar import Forced, Grammar, GrammarReader, KeptForm
from satchel.runtime.ids import caller_ids
from satchel.runtime.kept_text import KeptText, check_kept
from satchel.runtime.lookup import Lookup
from satchel.runtime.options import Options
from satchel.runtime.processors import Processor, processors
from satchel.runtime.row import Row
from satchel.runtime.sample import Sampler
from satchel.runtime.task_model import TaskModel
from satchel.runtime.text import decoded, load_tokenizer, tokenizing

Ids = Sequence[int] | NDArray[np.integer[Any]]
Prompt = str | Ids
MAX_NEW_TOKENS = 512  # where neither the caller nor the bundle says
MAX_STOP_STRINGS, MAX_STOP_LENGTH = 16, 256


@dataclass(frozen=True)
class Asked:
    """How texts are to be written: what `asked` has checked."""

    options: Options
    max_new_tokens: int | EllipsisType | None
    stop: list[str]
    grammar: Grammar | None
    kept: KeptText | None
    draft: TextModel | None
    shown: Mapping[int, str] = field(default_factory=dict)  # special tokens that are text


class TextModel(TaskModel):
    """A loaded bundle that writes text. Subclasses say what a prompt is to their decoder."""

    def __init__(self, bundle: Bundle) -> None:
        super().__init__(bundle)
        self.tokenizer: Tokenizer = load_tokenizer(bundle.path(TOKENIZER))
        self.prompt_limit = self.manifest.context  # tokens
        self._same_ids: set[str] = set()  # sha256 of other tokenizers that have them

    def encode(self, text: str) -> list[int]:
        """Ids of a text, with the special tokens the checkpoint's tokenizer adds."""
        with tokenizing(text, self.prompt_limit):
            return list(self.tokenizer.encode(text).ids)

    def decode(self, ids: Sequence[int]) -> str:
        """Text of ids, without special tokens."""
        return self.text(caller_ids(ids, self.manifest.vocab_size))

    def text(self, tokens: list[int]) -> str:
        """Text of ids that the model has chosen."""
        return decoded(self.tokenizer, tokens)

    def stream(
        self,
        prompt: Prompt,
        *,
        max_new_tokens: int | EllipsisType | None = ...,
        stop: str | Sequence[str] | None = None,
        grammar: Grammar | None = None,
        kept: KeptText | None = None,
        draft: TextModel | None = None,
        **options: Any,
    ) -> Stream:
        """Generate after `prompt`, a text or ids, piece by piece.

        `max_new_tokens` None means until the context is full, `stop` () no text to end at; `grammar` is
        the form that the text has; what `kept` holds of the prompt is not read again; `draft` is a
        smaller model of the same tokenizer, for the same text in less time; `options` are the fields
        of Options. Defaults are the bundle's, or 512 new tokens.
        """
        asked = self.streamable(options, max_new_tokens, stop, grammar, kept, draft)
        return Stream(self._batch([prompt], asked, logprobs=False))

    @overload
    def generate(self, prompt: str | Ids, *, n_best: None = None, **options: Any) -> Generation: ...

    @overload
    def generate(
        self, prompt: list[str] | Sequence[Ids], *, n_best: None = None, **options: Any
    ) -> list[Generation]: ...

    @overload
    def generate(self, prompt: str | Ids, *, n_best: int, **options: Any) -> list[Generation]: ...

    @overload
    def generate(
        self, prompt: list[str] | Sequence[Ids], *, n_best: int, **options: Any
    ) -> list[list[Generation]]: ...

    def generate(
        self,
        prompt: Any,
        *,
        max_new_tokens: int | EllipsisType | None = ...,
        stop: str | Sequence[str] | None = None,
        grammar: Grammar | None = None,
        kept: KeptText | None = None,
        draft: TextModel | None = None,
        cancel: Cancel | None = None,
        **options: Any,
    ) -> Any:
        """Generate after a prompt, a text or ids, or after each of a list of prompts in one batch.

        Each Generation is what its prompt gives alone; with `n_best` a list, best first. Options as for
        `stream`, and those of beams.
        """
        many = _is_many(prompt)
        prompts: Sequence[Any] = prompt if many else [prompt]
        asked = self._asked(options, max_new_tokens, stop, grammar, kept, draft)
        if asked.options.num_beams > 1:
            if stop:
                raise UsageError(f"stop does not go with num_beams = {asked.options.num_beams}")
            by_prompt = self._search(prompts, asked, cancel or Cancel())
        else:
            batch = self._batch(prompts, asked, True, cancel)
            batch.run()
            by_prompt = [[row] for row in batch.results()]
        listed = asked.options.n_best is not None
        generations = [rows if listed else rows[0] for rows in by_prompt]
        return generations if many else generations[0]

    def prompt_ids(self, prompt: Prompt) -> list[int]:
        """The ids of a prompt, a text or ids. Raises UsageError where it is empty."""
        if isinstance(prompt, str):
            ids = self.encode(prompt) if prompt else []
        else:
            ids = caller_ids(prompt, self.manifest.vocab_size)
        if not ids:
            raise UsageError("the prompt is empty", "EMPTY_PROMPT")
        return ids

    def row(self, prompt: list[int], asked: Asked) -> Row:
        """A text that is to go on from the ids of a prompt."""
        before, changes, limit = self._beginning(prompt, asked)
        return Row(before, Sampler(asked.options, changes), limit, len(prompt))

    def _batch(
        self,
        prompts: Sequence[Any],
        asked: Asked,
        logprobs: bool,
        cancel: Cancel | None = None,
        lease: AbstractContextManager[Run] | None = None,
    ) -> Batch:
        read = [self.prompt_ids(prompt) for prompt in prompts]
        rows = [self.row(ids, asked) for ids in read]
        for row in rows:
            row.logprobs = [] if logprobs else None
        cancel = cancel or Cancel()
        lease = lease or self._lease(read, cancel)
        for name, one in (("a kept text", asked.kept), ("a draft", asked.draft)):
            if one is not None and len(read) > 1:
                raise UsageError(f"{name} is for one prompt at a time; got {len(read)}")
        if asked.kept is not None:
            lease = asked.kept.lease(cancel)
        rows[0].drafters = self._drafters(asked.options, rows[0], read)
        if asked.draft is not None:
            drafter = DraftModel(read[0], rows[0].sampler, self.manifest.vocab_size)
            rows[0].drafters.append(drafter)
            lease = beside(lease, drafter, asked.draft.conversation(cancel))
        return Batch(
            self.tokenizer, self.manifest.tokens.eos, rows, asked.stop, cancel, lease, asked.shown
        )

    def _drafters(self, options: Options, row: Row, read: Sequence[list[int]]) -> list[Drafter]:
        """For a single text, where they were asked for or surely change nothing."""
        if options.lookup and len(read) > 1:
            raise UsageError(f"lookup is for one prompt at a time; got {len(read)}")
        wanted = self.manifest.reads_ahead_exactly if options.lookup is None else options.lookup
        if not wanted or len(read) > 1:
            return []
        forms = [one for one in row.sampler.processors if isinstance(one, KeptForm)]
        return [*map(Forced, forms), Lookup(read[0])]

    def _search(
        self, prompts: Sequence[Any], asked: Asked, cancel: Cancel
    ) -> list[list[Generation]]:
        """What beams find for each prompt, the best first."""
        options = asked.options
        if options.num_beams > self.manifest.vocab_size:
            raise UsageError(
                f"num_beams = {options.num_beams}; the vocabulary has {self.manifest.vocab_size} ids"
            )
        read = [self.prompt_ids(prompt) for prompt in prompts]
        searches = [Search(*self._beginning(ids, asked)) for ids in read]
        try:
            with self._lease(read, cancel) as run:
                beam_search(run, searches, options, self.manifest.tokens.eos)
        except Cancelled:  # before the first token: `beam_search` minds the rest
            for search in searches:
                search.found = [Hypothesis([], 0.0, "cancelled")]
        best = options.n_best or 1
        return [
            [self._found(one, len(ids)) for one in search.found[:best]]
            for ids, search in zip(read, searches, strict=True)
        ]

    def _found(self, one: Hypothesis, prompt_tokens: int) -> Generation:
        text = self.text(one.tokens)
        return Generation(text, one.tokens, one.finish_reason, [], prompt_tokens, one.score)

    def _asked(
        self,
        options: Mapping[str, Any],
        max_new_tokens: int | EllipsisType | None,
        stop: str | Sequence[str] | None,
        grammar: Grammar | None,
        kept: KeptText | None,
        draft: TextModel | None,
    ) -> Asked:
        checked = Options.from_options(options, self.manifest.generation)
        if isinstance(max_new_tokens, int | np.integer):
            if max_new_tokens < 0:
                raise UsageError(f"max_new_tokens = {max_new_tokens}; expected 0 or more")
            if options.get("max_length") is not None:
                raise UsageError("max_length and max_new_tokens say the same: give one")
            least = options.get("min_new_tokens") or 0
            if least > max_new_tokens:
                raise UsageError(
                    f"min_new_tokens = {least} is above max_new_tokens = {max_new_tokens}"
                )
        for name, one in (("a grammar", grammar), ("a kept text", kept), ("a draft", draft)):
            if one is not None and checked.num_beams > 1:
                raise UsageError(f"{name} does not go with num_beams = {checked.num_beams}")
        if kept is not None:
            check_kept(kept, self)
        if draft is not None:
            check_draft(self, draft, self._same_ids)
        given = self.manifest.generation.get("stop_strings", ()) if stop is None else stop
        return Asked(checked, max_new_tokens, _stop_strings(given), grammar, kept, draft)

    def streamable(
        self,
        options: Mapping[str, Any],
        max_new_tokens: int | EllipsisType | None = ...,
        stop: str | Sequence[str] | None = None,
        grammar: Grammar | None = None,
        kept: KeptText | None = None,
        draft: TextModel | None = None,
    ) -> Asked:
        """What was asked for, checked; UsageError where it makes no sense of a text that is streamed."""
        asked = self._asked(options, max_new_tokens, stop, grammar, kept, draft)
        if asked.options.num_beams > 1 or asked.options.n_best is not None:
            raise UsageError(
                f"num_beams = {asked.options.num_beams}: a beam search cannot be streamed; use "
                "generate, or num_beams = 1 without n_best"
            )
        return asked

    def _beginning(self, prompt: list[int], asked: Asked) -> tuple[list[int], list[Processor], int]:
        """What the decoder begins with for a prompt, its processors, and how many ids it may add."""
        before = self._before(prompt)
        limit = self._limit(len(before), asked.max_new_tokens, asked.options)
        changes = processors(
            asked.options,
            self.manifest.vocab_size,
            self.manifest.tokens.eos,
            start=len(before),
            limit=limit,
            source=prompt,
        )
        if asked.grammar is not None:
            changes.append(self._grammars.processor(asked.grammar))
        return before, changes, limit

    @cached_property
    def _grammars(self) -> GrammarReader:
        tokens, size = self.manifest.tokens, self.manifest.vocab_size
        return GrammarReader(self.tokenizer, size, tokens.eos)

    def conversation(self, cancel: Cancel) -> AbstractContextManager[Run]:
        """A decoder's run that holds what was read last, or a new one while another thread uses that."""
        raise NotImplementedError

    def _before(self, prompt: list[int]) -> list[int]:
        """The ids that the decoder's text begins with, for the ids of a prompt."""
        raise NotImplementedError

    def _lease(self, prompts: list[list[int]], cancel: Cancel) -> AbstractContextManager[Run]:
        """A run for the ids of these prompts, begun when the context is entered."""
        raise NotImplementedError

    def _limit(
        self, prompt_tokens: int, max_new_tokens: int | EllipsisType | None, options: Options
    ) -> int:
        room = self.manifest.context - prompt_tokens
        if room < 1:
            raise LimitError(
                f"the prompt has {prompt_tokens} tokens, the bundle's context is "
                f"{self.manifest.context}: shorten it",
                "PROMPT_TOO_LONG",
            )
        if max_new_tokens is ... and options.max_length is not None:
            max_new_tokens = options.max_length - prompt_tokens
            if max_new_tokens < 1:
                raise UsageError(
                    f"max_length = {options.max_length}; the prompt has {prompt_tokens} tokens"
                )
        if max_new_tokens is ...:
            max_new_tokens = self.manifest.generation.get("max_new_tokens", MAX_NEW_TOKENS)
        if max_new_tokens is None:
            return room
        if isinstance(max_new_tokens, bool) or not isinstance(max_new_tokens, int | np.integer):
            raise UsageError(f"max_new_tokens = {max_new_tokens!r}; expected a whole number")
        return int(min(room, max_new_tokens))


def _is_many(prompt: Any) -> bool:
    """Whether `prompt` is a list of prompts rather than one."""
    if isinstance(prompt, str) or not isinstance(prompt, Sequence | np.ndarray):
        return False
    return len(prompt) > 0 and isinstance(prompt[0], str | Sequence | np.ndarray)


def _stop_strings(stop: str | Sequence[str]) -> list[str]:
    strings = [stop] if isinstance(stop, str) else list(stop)
    for text in strings:
        if not isinstance(text, str) or not 0 < len(text) <= MAX_STOP_LENGTH:
            raise UsageError(f"stop string {text!r}; expected 1 to {MAX_STOP_LENGTH} characters")
    if len(strings) > MAX_STOP_STRINGS:
        raise UsageError(f"{len(strings)} stop strings; at most {MAX_STOP_STRINGS}")
    return strings
