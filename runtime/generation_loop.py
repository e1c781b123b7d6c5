"""The generation loop: a generator of ids over a batch. Knows no text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import repeat

import numpy as np

from satchel.runtime.cancel import Cancelled
from satchel.runtime.decoder_session import Logits, Run
from satchel.runtime.reading_ahead import ReadingAhead
from satchel.runtime.row import Row
from satchel.runtime.sample import highest, likeliest, log_probabilities

CROWD = 0.75  # the part of a run's rows that may go on when the others leave it


def generate(run: Run, rows: Sequence[Row], eos: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield (row, id) as ids are chosen, until every row has a `finish_reason`.

    A single row continues what `run` already holds of its prompt. Rows that end leave the run, once
    it is worth moving the others.
    """
    ends = frozenset(eos)
    for row in rows:
        if row.limit < 1:
            row.finish_reason = "length"
    batch = list(rows)  # the rows of the run
    going = [place for place, row in enumerate(batch) if row.finish_reason is None]
    if not going:
        return
    numbers = list(range(len(rows)))  # the caller's, of those
    ahead: ReadingAhead | None = None
    try:
        if len(rows) == 1:
            logits = run.append(run.reuse(rows[0].prompt))
        else:
            logits = run.prefill([row.prompt for row in rows])
        if len(rows) == 1 and rows[0].drafters:
            ahead = ReadingAhead(run, rows[0], ends)
        step = ahead.step if ahead else run.step
        while True:
            tokens = np.zeros(len(batch), np.int64)
            seen = logits if len(going) == len(batch) else logits[going]
            tokens[going] = choose([batch[place] for place in going], seen, ends)
            for place in going:
                row = batch[place]
                if row.finish_reason is None:
                    yield numbers[place], int(tokens[place])
                if row.finish_reason is None and len(row.tokens) >= row.limit:
                    row.finish_reason = "length"
            going = [place for place in going if batch[place].finish_reason is None]
            if not going:
                return
            if len(going) <= CROWD * len(batch):
                run.reorder(np.array(going), np.zeros(len(going), np.int64))
                batch, numbers = [batch[place] for place in going], [numbers[p] for p in going]
                tokens, going = tokens[going], list(range(len(going)))
            active = np.zeros(len(batch), np.bool_)
            active[going] = True
            logits = step(tokens, active)
    except Cancelled:
        pass
    finally:
        if ahead is not None:
            ahead.close()
        for row in rows:
            row.finish_reason = row.finish_reason or "cancelled"


def choose(rows: Sequence[Row], logits: Logits, ends: frozenset[int]) -> list[int]:
    """Choose and record the next id of each row; an end-of-text id finishes it instead.

    `logits` [rows, vocab] may be changed.
    """
    collected = any(row.logprobs is not None for row in rows)
    processed = any(row.sampler.processors for row in rows)
    before = logits.copy() if collected and processed else logits
    if processed:
        for row, scores in zip(rows, logits, strict=True):
            for process in row.sampler.processors:
                process(scores, row.text(), len(row.tokens))
    best = highest(logits)
    tokens = [row.sampler(*each) for row, *each in zip(rows, logits, best, strict=True)]
    logprobs = log_probabilities(before, tokens) if collected else repeat(0.0)
    for place, (row, token, logprob) in enumerate(zip(rows, tokens, logprobs, strict=False)):
        if token in ends:
            row.finish_reason = "eos"
            continue
        row.tokens.append(token)
        if row.logprobs is not None:
            row.logprobs.append(logprob)
        if row.top:
            row.tops.append(likeliest(before[place], row.top))
    return tokens
