"""Change the scores of a text's next id, as the options ask. Knows no graph and no choosing.

Scores are logits, or in a beam search log-probabilities. The processors' order and meaning are those
of transformers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from satchel.runtime.errors import UsageError
from satchel.runtime.options import Options

Scores = NDArray[np.float32]
Ids = NDArray[np.int64]
# Called with the scores of every id [vocab], which it changes in place, the text so far [length], and how
# many ids of the text are new.
Processor = Callable[[Scores, Ids, int], None]
Checked = Callable[[str, Iterable[int] | int], Ids]  # the name of an option, and its ids


def ahead_of(process: Processor) -> Processor:
    """One that changes scores alike, and may be shown ids that the text will not have."""
    copied: Processor = process.ahead() if hasattr(process, "ahead") else process
    return copied


@dataclass(frozen=True)
class Bias:
    """Adds to the scores of some ids, and of ids that would end one of some sequences."""

    ids: Ids
    values: Scores
    sequences: Sequence[tuple[Sequence[int], float]] = ()

    def __call__(self, scores: Scores, text: Ids, new: int) -> None:
        if not self.sequences:
            scores[self.ids] += self.values
            return
        whole = np.zeros_like(scores)  # added up first, which rounds as transformers does
        whole[self.ids] = self.values
        for (*before, last), value in self.sequences:
            if text[-len(before) :].tolist() == before:
                whole[last] += np.float32(value)
        scores += whole


@dataclass(frozen=True)
class RepetitionPenalty:
    """Divides positive and multiplies negative scores of ids that occurred, or that `source` holds,
    once per id.

    Keskar et al., 2019.
    """

    penalty: float
    source: Ids | None = None

    def __call__(self, scores: Scores, text: Ids, new: int) -> None:
        seen = np.unique(text if self.source is None else self.source)
        before = scores[seen]
        scores[seen] = np.where(before < 0, before * self.penalty, before / self.penalty)


@dataclass(frozen=True)
class NoRepeatNgram:
    """Rules out ids that would end a sequence of `size` ids which occurs in the text, or in `source`."""

    size: int
    source: Ids | None = None

    def __call__(self, scores: Scores, text: Ids, new: int) -> None:
        before = self.size - 1
        searched = text if self.source is None else self.source
        ends = len(searched) - before  # the places at which a sequence may end
        if ends < 1 or len(text) < before:
            return
        matches = np.ones(ends, bool)
        for place in range(before):
            matches &= searched[place : place + ends] == text[len(text) - before + place]
        scores[searched[before:][matches]] = -np.inf


@dataclass(frozen=True)
class BadWords:
    """Rules out ids that would end one of some sequences."""

    words: Sequence[Sequence[int]]

    def __call__(self, scores: Scores, text: Ids, new: int) -> None:
        for *before, last in self.words:
            if not before or text[-len(before) :].tolist() == before:
                scores[last] = -np.inf


@dataclass(frozen=True)
class Suppress:
    """Rules out ids while the number of new ones is from `first` to `last`."""

    ids: Ids
    first: float = 0
    last: float = np.inf

    def __call__(self, scores: Scores, text: Ids, new: int) -> None:
        if self.first <= new <= self.last:
            scores[self.ids] = -np.inf


@dataclass(frozen=True)
class Force:
    """Rules out all ids but some, which get 0, when the number of new ones is `at`."""

    ids: Ids
    at: int

    def __call__(self, scores: Scores, text: Ids, new: int) -> None:
        if new == self.at:
            scores[:] = -np.inf
            scores[self.ids] = 0


@dataclass(frozen=True)
class Decay:
    """Raises the scores of `ends` by a part of their size that grows with each id beyond `start`."""

    ends: Ids
    start: int
    factor: float

    def __call__(self, scores: Scores, text: Ids, new: int) -> None:
        if new > self.start:
            ends = self.ends[np.isfinite(scores[self.ends])]
            scores[ends] += np.abs(scores[ends]) * np.float32(self.factor ** (new - self.start) - 1)


def renormalize(scores: Scores, text: Ids, new: int) -> None:
    """Makes log-probabilities of scores, which only a beam search tells from what they were."""
    best = scores.max()
    if np.isfinite(best):
        scores -= best + np.log(np.exp(scores - best).sum())


# These do to scores what they do to scores that are all higher by one number: in a beam search, the
# logits serve.
RELATIVE = (Bias, NoRepeatNgram, BadWords, Suppress)


def processors(
    options: Options,
    vocab_size: int,
    eos: Sequence[int],
    *,
    start: int,
    limit: int,
    source: Sequence[int],
) -> list[Processor]:
    """The processors of one text, in their order.

    The decoder begins with `start` ids and may add `limit`; `source` is what an encoder reads, or the
    prompt. Raises UsageError for unknown ids, and for a forced first id behind others.
    """

    ids = partial(_ids, vocab_size)
    read = np.asarray(source, np.int64)
    chosen: list[Processor] = []
    if options.logit_bias or options.sequence_bias:
        chosen.append(_bias(options, ids))
    if options.encoder_repetition_penalty is not None and len(read):
        chosen.append(RepetitionPenalty(1 / options.encoder_repetition_penalty, read))
    if options.repetition_penalty is not None:
        chosen.append(RepetitionPenalty(options.repetition_penalty))
    if options.no_repeat_ngram_size is not None:
        chosen.append(NoRepeatNgram(options.no_repeat_ngram_size))
    if options.encoder_no_repeat_ngram_size is not None:
        chosen.append(NoRepeatNgram(options.encoder_no_repeat_ngram_size, read))
    if options.bad_words_ids is not None:
        words = [ids("bad_words_ids", word).tolist() for word in options.bad_words_ids]
        chosen.append(BadWords([word for word in words if word not in [[end] for end in eos]]))
    chosen += _ends(options, ids, eos, start, limit)
    if options.suppress_tokens is not None:
        chosen.append(Suppress(ids("suppress_tokens", options.suppress_tokens)))
    if options.begin_suppress_tokens is not None:
        place = 1 if start == 1 and options.forced_bos_token_id is not None else 0
        begin = ids("begin_suppress_tokens", options.begin_suppress_tokens)
        chosen.append(Suppress(begin, first=place, last=place))
    if options.renormalize_logits:
        chosen.append(renormalize)
    return chosen


def _ends(
    options: Options, ids: Checked, eos: Sequence[int], start: int, limit: int
) -> list[Processor]:
    """What says how a text begins and ends, and how long it is at least."""
    chosen: list[Processor] = []
    least = max((options.min_length or 0) - start, options.min_new_tokens or 0)
    if least > 0 and eos:
        chosen.append(Suppress(np.array(eos, np.int64), last=least - 1))
    if (first := options.forced_bos_token_id) is not None:
        if start != 1:
            raise UsageError(
                f"forced_bos_token_id is for the id after the first; the prompt has {start} tokens"
            )
        chosen.append(Force(ids("forced_bos_token_id", first), at=0))
    if (last := options.forced_eos_token_id) is not None:
        chosen.append(Force(ids("forced_eos_token_id", last), at=limit - 1))
    if options.exponential_decay_length_penalty is not None and eos:
        chosen.append(Decay(np.array(eos, np.int64), *options.exponential_decay_length_penalty))
    return chosen


def _ids(vocab_size: int, name: str, values: Iterable[int] | int) -> Ids:
    """The ids of an option. Raises UsageError for one that the model does not have."""
    listed = list(values) if isinstance(values, Iterable) else [values]
    outside = [token for token in listed if not token < vocab_size]
    if outside:
        raise UsageError(f"{name}: id {outside[0]} is outside 0..{vocab_size - 1}", "TOKEN_ID")
    return np.array(listed, np.int64)


def _bias(options: Options, ids: Checked) -> Bias:
    """What `logit_bias` and `sequence_bias` add; of a sequence that is named twice, the last counts."""
    alone = {int(token): value for token, value in (options.logit_bias or {}).items()}
    ids("logit_bias", list(alone))
    pairs = [(ids("sequence_bias", word).tolist(), v) for word, v in options.sequence_bias or ()]
    named = {tuple(word): value for word, value in pairs}
    for word, value in named.items():
        if len(word) == 1:
            alone[word[0]] = alone.get(word[0], 0.0) + value
    longer = [(word, value) for word, value in named.items() if len(word) > 1]
    return Bias(np.array(list(alone), np.int64), np.array(list(alone.values()), np.float32), longer)
