"""Texts that join and leave a batch, begin where others began, and branch: each as it is alone."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from satchel.runtime.continuous import ContinuousBatch
from satchel.runtime.decoder_model import DecoderModel
from satchel.runtime.prefixes import BLOCK, PrefixCache
from satchel.runtime.row import Row
from satchel.runtime.text import TextStream
from satchel.serve.scheduler import Job, Scheduler, Written
from tests.chat_bundles import checkpoint, packed  # noqa: F401
from tests.generating import opened, some_ids

INTERLEAVINGS = 64
ENDS = (5, 9)
OPTIONS: list[dict[str, Any]] = [
    {},
    {"temperature": 1.4, "seed": 7},
    {"repetition_penalty": 1.3, "no_repeat_ngram_size": 2},
    {"logit_bias": {5: 4.0, 9: 3.0}},
]


@pytest.fixture(scope="module")
def model(packed: Callable[[str], Path]) -> DecoderModel:  # noqa: F811
    return opened(packed("int8"), ENDS)


def row_of(model: DecoderModel, ids: list[int], limit: int, options: dict[str, Any]) -> Row:
    row = model.row(ids, model.streamable(options, limit))
    row.logprobs, row.top = [], 2
    return row


def test_64_interleavings_give_what_each_text_gives_alone(model: DecoderModel) -> None:
    for seed in range(INTERLEAVINGS):
        chance = random.Random(seed)
        asked = [
            (some_ids(chance.randint(1, 50), seed=place), chance.randint(1, 12), OPTIONS[place % 4])
            for place in range(8)
        ]
        batch = ContinuousBatch(model.decoder, model.manifest.tokens.eos)
        rows = [row_of(model, *each) for each in asked]
        waiting, given_up = list(rows), chance.choice(rows)
        while waiting or batch.rows:
            while waiting and len(batch.rows) < 5 and chance.random() < 0.6:
                row = waiting.pop(0)
                run = model.decoder.start()
                batch.join(row, run, run.append(row.prompt))
            batch.choose()
            if given_up in batch.rows and chance.random() < 0.2:
                given_up.finish_reason = given_up.finish_reason or "cancelled"
            batch.step()
        for row, (ids, limit, options) in zip(rows, asked, strict=True):
            alone = model.generate(ids, max_new_tokens=limit, **options)
            count = len(row.tokens)
            assert row.tokens == alone.tokens[:count] and row.logprobs == alone.logprobs[:count]
            assert row.finish_reason in (alone.finish_reason, "cancelled")
            assert [top[0][0] for top in row.tops] == row.tokens or options


def test_an_error_of_one_text_leaves_the_others(model: DecoderModel) -> None:
    rows = [row_of(model, some_ids(4, seed=place), 6, {}) for place in range(3)]

    def nothing(scores: Any, text: Any, new: int) -> None:
        if new == 2:
            scores[:] = -np.inf

    rows[1].sampler.processors.append(nothing)
    batch = ContinuousBatch(model.decoder, ())
    for row in rows:
        run = model.decoder.start()
        batch.join(row, run, run.append(row.prompt))
    while batch.rows:
        batch.choose()
        batch.step()
    assert [row.finish_reason for row in rows] == ["length", "error", "length"]
    assert rows[1].error is not None and "the options leave no id" in str(rows[1].error)
    assert [len(row.tokens) for row in rows] == [6, 2, 6]


def test_a_fork_goes_on_as_the_text_and_leaves_it_alone(model: DecoderModel) -> None:
    ids = some_ids(60, seed=1)
    whole = model.decoder.start().append(ids).copy()
    for cut in (1, 31, 32, 59):
        run = model.decoder.start()
        run.append(ids[:cut])
        forks = [run.fork() for _ in range(2)]
        assert np.array_equal(forks[0].append(ids[cut:]), whole)
        elsewhere = some_ids(9, seed=2)
        there = model.decoder.start().append(ids[:cut] + elsewhere)
        assert np.array_equal(forks[1].append(elsewhere), there)
        assert np.array_equal(run.append(ids[cut:]), whole)
        assert forks[0].ids == ids


def test_what_texts_share_is_read_once_and_bounded(model: DecoderModel) -> None:
    first = some_ids(3 * BLOCK + 5, seed=1)
    second = first[: 2 * BLOCK] + some_ids(20, seed=2)
    prefixes = PrefixCache(model.decoder, 1 << 30)
    run = prefixes.start(first)
    assert run.ids == []
    run.append(first)
    prefixes.keep(run.ids, run.cache)
    for ids, known in ((first, 3), (second, 2), (first[: 3 * BLOCK], 2), (first[: BLOCK - 1], 0)):
        begun = prefixes.start(ids)
        assert begun.ids == ids[: known * BLOCK]
        left = ids[len(begun.ids) :]
        assert np.array_equal(begun.append(left), model.decoder.start().append(ids))
    each = prefixes.size // 3
    small = PrefixCache(model.decoder, 2 * each)
    for seed in range(5):
        ids = some_ids(3 * BLOCK, seed=seed)
        run = small.start(ids)
        run.append(ids[len(run.ids) :])
        small.keep(run.ids, run.cache)
        assert small.size <= 2 * each
    assert small.start(ids).ids == ids[: 2 * BLOCK]  # the last, as much of it as there is room for


def test_who_leaves_the_queue_is_not_read_for(
    model: DecoderModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheduler = Scheduler(model, 2, 8, 1 << 20)
    looked_up: list[list[int]] = []
    begin = scheduler.prefixes.start

    def start(ids: Any) -> Any:
        looked_up.append(list(ids))
        return begin(ids)

    monkeypatch.setattr(scheduler.prefixes, "start", start)
    told: list[str] = []
    jobs = []
    for seed in range(3):
        ids = some_ids(6, seed=seed)
        row = model.row(ids, model.streamable({}, 4))
        heard = lambda number, text, new, name=str(seed), row=row: (  # noqa: E731
            told.append(f"{name} {row.finish_reason}") if row.finish_reason else None
        )
        jobs.append(Job(ids, [Written(row, TextStream(model.tokenizer))], heard))
    jobs[1].cancel()
    for job in jobs:
        scheduler.submit(job)
    scheduler.close()
    assert looked_up == [list(jobs[0].prompt), list(jobs[2].prompt)]
    assert sorted(told)[1] == "1 cancelled" and len(told) == 3
