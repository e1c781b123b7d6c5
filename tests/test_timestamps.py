"""Timestamp tokens: constraints and segments equal those of transformers, whatever a model writes."""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from transformers.generation.logits_process import WhisperTimeStampLogitsProcessor
from transformers.models.whisper.generation_whisper import WhisperGenerationMixin

from satchel.runtime.timestamps import Timestamps

END, FIRST, STEPS = 20, 30, 50
VOCAB = FIRST + STEPS + 1
RANDOM = np.random.default_rng(0)


def texts(count: int) -> list[list[int]]:
    """What a model that keeps to the rules might write, and much that none would."""
    found = [
        [],
        [30],
        [30, 1],
        [30, 30],
        [30, 1, 35],
        [30, 1, 35, 35],
        [30, 1, 35, 35, 2, 3, 40],
        [30, 1, 35, 36, 2, 3],
        [30, 1, 35, 36, 2, 3, 80, 80],
        [1, 2, 3],
        [40, 1, 2],
        [1, 30],
    ]
    for _ in range(count):
        kinds = RANDOM.random(RANDOM.integers(1, 12)) < 0.5
        times = np.sort(RANDOM.integers(FIRST, VOCAB, len(kinds)))
        words = RANDOM.integers(0, END, len(kinds))
        found.append(np.where(kinds, times, words).tolist())
    return found


@pytest.mark.parametrize("latest_start", [None, 10])
def test_constraints_equal_transformers(latest_start: int | None) -> None:
    config = SimpleNamespace(
        no_timestamps_token_id=FIRST - 1,
        eos_token_id=END,
        bos_token_id=END,
        max_initial_timestamp_index=latest_start,
    )
    theirs = WhisperTimeStampLogitsProcessor(config, begin_index=2)
    ours = Timestamps(FIRST, END, latest_start)
    forced = 0
    for tokens in texts(300):
        logits = RANDOM.normal(0, 2, VOCAB).astype(np.float32)
        wanted = theirs(torch.tensor([[7, 8, *tokens]]), torch.tensor(logits)[None])[0].numpy()
        ours(logits, np.array([7, 8, *tokens]), len(tokens))
        np.testing.assert_array_equal(logits, wanted, err_msg=str(tokens))
        forced += bool(np.isinf(logits[:FIRST]).all())
    assert 20 < forced < 280  # both outcomes of the comparison of likelihoods are seen


def their_segments(tokens: list[int], steps: int) -> tuple[list[Any], int]:
    return WhisperGenerationMixin._retrieve_segment(
        seek_sequence=torch.tensor(tokens),
        seek_outputs=[{}],
        time_offset=torch.zeros(1, dtype=torch.float64),
        timestamp_begin=FIRST,
        seek_num_frames=torch.tensor([2 * steps]),
        time_precision=0.02,
        time_precision_features=0.01,
        input_stride=2,
        prev_idx=0,
        idx=0,
        return_token_timestamps=False,
        decoder_input_ids=torch.zeros(1, 2),
    )


def test_segments_equal_transformers() -> None:
    rules, several = Timestamps(FIRST, END), 0
    for tokens in texts(500)[1:]:
        if tokens[0] < FIRST and any(a >= FIRST <= b for a, b in itertools.pairwise(tokens)):
            continue  # begins with no time, which the constraints exclude
        cuts, following = rules.cut(tokens, STEPS)
        wanted, offset = their_segments(tokens, STEPS)
        found = [(cut.start * 0.02, cut.end * 0.02) for cut in cuts]
        times = [(float(one["start"]), float(one["end"])) for one in wanted]
        np.testing.assert_allclose(found, times, atol=1e-9, err_msg=str(tokens))
        assert following == max(1, int(offset) // 2), tokens
        for cut, one in zip(cuts, wanted, strict=True):
            theirs = one["tokens"].tolist()  # theirs may hold the time that opens the next segment
            assert cut.tokens == theirs[: len(cut.tokens)] and len(theirs) - len(cut.tokens) in (
                0,
                1,
            )
        several += len(cuts) > 1
    assert several > 50
