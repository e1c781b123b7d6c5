"""Beam search of encoder-decoder models: the same targets and scores as transformers."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import satchel
from satchel.runtime.decoder_session import Run
from satchel.runtime.errors import UsageError
from satchel.runtime.generation import TextModel
from tests.beams import Pair
from tests.generating import opened, some_ids
from tests.loading import load_as
from tests.tiny_seq2seq import save_seq2seq

SOURCES = [some_ids(length, seed=length) for length in (7, 2, 31, 1, 12)]
ENDS = (5, 9, 200)


@pytest.fixture(scope="module", params=["t5", "bart", "marian"])
def pair(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    folder = tmp_path_factory.mktemp(request.param)
    return Pair(folder, save_seq2seq(folder, request.param))


@pytest.fixture(scope="module")
def model(pair: Pair) -> TextModel:
    return opened(pair.bundle, ENDS)


@pytest.mark.parametrize("num_beams", [2, 3, 5])
def test_without_an_end(pair: Pair, num_beams: int) -> None:
    pair.assert_equal(SOURCES, num_beams=num_beams, n_best=num_beams)


@pytest.mark.parametrize("early_stopping", [False, True, "never"])
@pytest.mark.parametrize("length_penalty", [1.0, 0.0, 2.5, -1.5])
def test_early_stopping_and_length_penalty(
    pair: Pair, early_stopping: Any, length_penalty: float
) -> None:
    options = {"early_stopping": early_stopping, "length_penalty": length_penalty}
    lengths = set()
    for bias in (0.0, 1.0, 2.0, 3.0, 5.0):
        changes = dict.fromkeys(ENDS, bias)
        found = pair.assert_equal(SOURCES, ENDS, 3, changes, num_beams=4, **options)
        lengths |= {len(row.tokens) for rows in found for row in rows}
    assert len(lengths) > 1


PROCESSED: dict[str, dict[str, Any]] = {
    "ngram": {"no_repeat_ngram_size": 2},
    "source_ngram": {"encoder_no_repeat_ngram_size": 1},
    "repetition": {"repetition_penalty": 1.4},
    "min_new": {"min_new_tokens": 6},
    "min_length": {"min_length": 9},
    "suppressed": {"suppress_tokens": [4, 60, 18, 7, 15]},
    "forced_first": {"forced_bos_token_id": 33},
    "forced_first_suppressed": {"forced_bos_token_id": 33, "begin_suppress_tokens": [4, 7, 60]},
    "suppressed_first": {"begin_suppress_tokens": list(range(200))},
    "forced_end": {"forced_eos_token_id": 9},
    "bad_words": {"bad_words_ids": [[7], [40], [60, 18], [5], [4, 18, 4]]},
    "all": {
        "no_repeat_ngram_size": 3,
        "encoder_no_repeat_ngram_size": 2,
        "min_length": 4,
        "suppress_tokens": [1, 2, 3],
        "forced_bos_token_id": 60,
        "forced_eos_token_id": 9,
        "bad_words_ids": [[40], [41, 42]],
        "length_penalty": 0.6,
        "early_stopping": True,
    },
}


@pytest.mark.parametrize("name", PROCESSED)
def test_processors(pair: Pair, name: str) -> None:
    differ, common = False, [4, 7, 18, 40, 60]
    random = np.random.default_rng(0)
    sources = [random.choice(common, 12).tolist() for _ in range(3)]
    for bias in (0.0, 3.0, 6.0):
        changes = dict.fromkeys(ENDS, bias) | dict.fromkeys(common, 3.0)
        plain = pair.assert_equal(sources, ENDS, 4, changes, num_beams=4)
        found = pair.assert_equal(sources, ENDS, 4, changes, num_beams=4, **PROCESSED[name])
        differ = differ or found != plain
    assert differ  # the option does something


def test_a_source_is_searched_as_if_alone(
    model: TextModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when others end before or after it, and leave the batch with what was read of them."""
    step, batches = Run.step, []

    def counted(self: Run, tokens: Any, active: Any = None) -> Any:
        assert self.decoder.sources is not None
        batches.append((len(tokens), len(self.decoder.sources)))
        return step(self, tokens, active)

    monkeypatch.setattr(Run, "step", counted)
    sizes = set()
    for bias in (0.0, 1.0, 2.0, 3.0):
        changes = dict.fromkeys(ENDS, bias)
        options: dict[str, Any] = {"num_beams": 3, "n_best": 3, "max_new_tokens": 30}
        batches.clear()
        together = model.generate(SOURCES, logit_bias=changes, **options)
        assert all(rows == 3 * sources for rows, sources in batches)
        sizes |= set(batches)
        for source, rows in zip(SOURCES, together, strict=True):
            alone = model.generate(source, logit_bias=changes, **options)
            assert [row.tokens for row in rows] == [row.tokens for row in alone]
            scores = [row.score for row in alone]
            np.testing.assert_allclose([row.score for row in rows], scores, atol=1e-4)
    assert len(sizes) > 1


def test_the_search_of_the_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What generation_config.json recommends is done unasked, as transformers does."""
    folder = tmp_path_factory.mktemp("advice")
    theirs = save_seq2seq(folder, "t5")
    advice = {"num_beams": 3, "max_length": 12, "length_penalty": 0.6, "no_repeat_ngram_size": 2}
    path = folder / "generation_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | advice))
    pair = Pair(folder, theirs)
    model = load_as(satchel.Seq2seqModel, pair.bundle, threads=1)
    found = model.generate(SOURCES)
    expected = pair.assert_equal(SOURCES, num_beams=3, max_new_tokens=11, length_penalty=0.6,
                                 no_repeat_ngram_size=2)  # fmt: skip
    assert found == [rows[0] for rows in expected]
    greedy = model.generate(SOURCES[0], num_beams=1)
    assert greedy.score is None and len(greedy.tokens) == 11
    assert len(model.generate(SOURCES[0], temperature=0.8, seed=1).tokens) == 11
    with pytest.raises(UsageError, match="num_beams = 3: a beam search cannot be streamed"):
        model.stream(SOURCES[0])
    assert "".join(model.stream(SOURCES[0], num_beams=1)) == greedy.text


def test_cancelled_while_the_source_is_read(model: TextModel) -> None:
    cancel = satchel.Cancel()
    cancel.cancel()
    for rows in model.generate(SOURCES, num_beams=2, n_best=2, cancel=cancel):
        assert [(row.tokens, row.finish_reason) for row in rows] == [([], "cancelled")]
