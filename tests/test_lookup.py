"""Prompt lookup: what is looked up, and texts that stay the same whatever was read ahead."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import satchel
from satchel.cli.main import main
from satchel.runtime.batch import Generation
from satchel.runtime.decoder_model import DecoderModel
from satchel.runtime.decoder_session import FEW, Run
from satchel.runtime.errors import UsageError
from satchel.runtime.lookup import LONGEST, SIZES, Lookup
from tests.generating import PROMPT, opened, readable, some_ids
from tests.loading import load_as
from tests.tiny import VOCAB
from tests.tiny_seq2seq import save_seq2seq
from tests.tiny_speech import RATE, SECONDS, save_speech

pytest_plugins = "tests.chat_bundles"

NEW = 60
OPTIONS: dict[str, dict[str, Any]] = {
    "greedy": {},
    "sampled": {"temperature": 1.3, "seed": 5},
    "top_p": {"top_p": 0.9, "seed": 6},
    "repetition": {"repetition_penalty": 1.3},
    "ngram": {"no_repeat_ngram_size": 2},
    "source_ngram": {"encoder_no_repeat_ngram_size": 2},
    "suppressed": {"suppress_tokens": [3, 60, 77, 18], "begin_suppress_tokens": list(range(200))},
    "bad_words": {"bad_words_ids": [[60], [77, 18], [3, 3], [5]]},
    "forced_end": {"forced_eos_token_id": 9},
}


# What is looked up.


def test_the_longest_sequence_is_found_where_it_was_last() -> None:
    random = np.random.default_rng(0)
    for letters in (2, 3, 9):
        ids = random.integers(0, letters, 200).tolist()
        for known in (0, 1, 2, 50):
            lookup, expected = Lookup(ids[:known]), 0
            for end in range(known + 1, len(ids)):
                goes_on = lookup.alike > 0 and ids[expected] == ids[end - 1]
                lookup.add(ids[end - 1])
                expected = expected + 1 if goes_on else last_place(ids[:end])
                assert (lookup.place if lookup.alike else 0) == expected
                if expected and not goes_on:
                    assert lookup.alike == alike(ids[:end], expected)


def last_place(ids: Sequence[int]) -> int:
    """The place behind the last earlier occurrence of the last 3 ids, else of the last one, or 0."""
    for size in SIZES:
        for place in range(len(ids) - 1, size - 1, -1):
            if ids[place - size : place] == ids[-size:]:
                return place
    return 0


def alike(ids: Sequence[int], place: int) -> int:
    ends = (ids[place - length : place] == ids[-length:] for length in range(1, LONGEST + 1))
    return sum(np.minimum.accumulate([*ends]))


def test_a_draft_goes_on_into_itself_and_grows_with_success() -> None:
    lookup, lengths = Lookup([7, 8, 9]), []
    for token in [7, 8, 9] * 20:
        lookup.add(token)
        draft = lookup.draft(FEW - 1)
        assert draft == ([8, 9, 7] * FEW)[token - 7 :][: len(draft)]
        lengths.append(len(draft))
    assert lengths[:2] == [0, 1] and lengths[-1] == FEW - 1  # one id alike is not enough at first
    assert lookup.draft(4) == [7, 8, 9, 7] and lookup.draft(0) == []
    assert lookup.draft(9, ends=[9]) == [7, 8]


def test_drafts_end_where_they_fail() -> None:
    known = some_ids(300)
    lookup, read = Lookup(known), 0
    for token in known[:100]:  # each followed by something else than before
        lookup.add(token)
        read += len(lookup.draft(FEW - 1))
        lookup.add(VOCAB)
    assert read < 20


# Texts.


@pytest.fixture
def prophet(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[int]]:
    """Makes drafts of an answer: of any length, the half of them wrong somewhere."""

    def foretell(answer: Sequence[int], seed: int = 0) -> list[int]:
        random, drafted = np.random.default_rng(seed), []
        start = Lookup.__init__

        def init(self: Lookup, known: Sequence[int]) -> None:
            start(self, known)
            self.begin = len(known)  # type: ignore[attr-defined]

        def draft(self: Lookup, most: int, ends: Collection[int] = ()) -> list[int]:
            place = len(self.ids) - self.begin  # type: ignore[attr-defined]
            found = list(answer[place:][: int(random.integers(0, most + 1))])
            if found and random.random() < 0.5:
                found[random.integers(len(found))] = int(random.integers(VOCAB))
            drafted.append(len(found))
            return found

        monkeypatch.setattr(Lookup, "__init__", init)
        monkeypatch.setattr(Lookup, "draft", draft)
        return drafted

    return foretell


def same(found: Generation, plain: Generation, apart: float = 1e-4) -> None:
    assert (found.tokens, found.text, found.finish_reason) == (
        plain.tokens,
        plain.text,
        plain.finish_reason,
    )
    np.testing.assert_allclose(found.logprobs, plain.logprobs, rtol=0, atol=apart)


def exactly(model: DecoderModel) -> DecoderModel:
    if not model.manifest.reads_ahead_exactly:
        pytest.skip("int8 weights with a float32 cache round ids that are read together apart")
    return model


@pytest.mark.parametrize("name", OPTIONS)
def test_texts_stay_the_same(model: DecoderModel, prophet: Any, name: str) -> None:
    exactly(model)
    bias = dict.fromkeys((3, 18, 60, 77), 7.0)  # so that some ids recur
    for seed, prompt in enumerate(([3, 18, 60, 77, 5] * 3, some_ids(130), [7])):
        options = {"max_new_tokens": NEW, "logit_bias": bias, **OPTIONS[name]}
        plain = model.generate(prompt, lookup=False, **options)
        assert plain.looked_up == 0
        drafted = prophet(plain.tokens, seed)
        found = model.generate(prompt, lookup=True, **options)
        same(found, plain, 0 if model.decoder.geometry.dtype == "int8" else 1e-4)
        assert 0 < found.looked_up < sum(drafted)
        stream = model.stream(prompt, lookup=True, **options)
        assert "".join(stream) == plain.text and stream.result.tokens == plain.tokens


def test_lookup_alone_saves_steps(model: DecoderModel, monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[Any] = []
    for name in ("read", "step"):
        monkeypatch.setattr(Run, name, counted(getattr(Run, name), runs))
    prompt = some_ids(20) * 2
    bias = dict.fromkeys(prompt[:2], 30.0)
    plain = exactly(model).generate(prompt, max_new_tokens=200, logit_bias=bias, lookup=False)
    assert len(runs) == 199
    runs.clear()
    found = model.generate(prompt, max_new_tokens=200, logit_bias=bias)  # unasked: it is exact
    same(found, plain)
    assert len(runs) == 199 - found.looked_up < 150


def counted(method: Any, runs: list[int]) -> Any:
    def call(self: Run, *arguments: Any) -> Any:
        runs.append(len(arguments[0]))
        return method(self, *arguments)

    return call


def test_lengths_and_ends_inside_a_draft(
    exact: DecoderModel, exact_folder: Path, prophet: Any
) -> None:
    plain = exact.generate(PROMPT, max_new_tokens=40, lookup=False)
    prophet(plain.tokens)
    for limit in range(20):
        found = exact.generate(PROMPT, max_new_tokens=limit, lookup=True)
        assert (found.tokens, found.finish_reason) == (plain.tokens[:limit], "length")
    for place in (0, 1, 7, 20, 39):
        ending = opened(exact_folder, (plain.tokens[place],))
        found = ending.generate(PROMPT, max_new_tokens=40, lookup=True)
        end = plain.tokens.index(plain.tokens[place])
        assert (found.tokens, found.finish_reason) == (plain.tokens[:end], "eos")
        np.testing.assert_allclose(found.logprobs, plain.logprobs[:end], atol=1e-4)


def test_a_text_that_fills_the_context(exact: DecoderModel, prophet: Any) -> None:
    prompt = some_ids(exact.manifest.context - 30)
    plain = exact.generate(prompt, max_new_tokens=None, lookup=False)
    prophet(plain.tokens)
    found = exact.generate(prompt, max_new_tokens=None, lookup=True)
    same(found, plain)
    assert len(found.tokens) == 30 and found.looked_up > 0


def test_stop_strings_inside_a_draft(exact: DecoderModel, prophet: Any) -> None:
    options: dict[str, Any] = {"max_new_tokens": 60, "logit_bias": readable(exact)}
    text = exact.generate(PROMPT, lookup=False, **options)
    for start, length in ((0, 1), (3, 9), (20, 5), (50, 2)):
        stop = text.text[start : start + length]
        plain = exact.generate(PROMPT, stop=stop, lookup=False, **options)
        prophet(text.tokens)
        same(exact.generate(PROMPT, stop=stop, lookup=True, **options), plain)


def test_cancelling_hands_out_nothing_that_was_read_ahead(
    exact: DecoderModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    options: dict[str, Any] = {"max_new_tokens": 40, "logit_bias": readable(exact)}
    plain = exact.generate(PROMPT, lookup=False, **options)

    def draft(self: Lookup, most: int, ends: Collection[int] = ()) -> list[int]:
        return plain.tokens[len(self.ids) - len(PROMPT) :][:most]

    monkeypatch.setattr(Lookup, "draft", draft)
    for after in (1, 2, 5, 20):
        stream = exact.stream(PROMPT, lookup=True, **options)
        for _ in range(after):
            next(stream)
        count = len(stream._batch.rows[0].tokens)
        stream.cancel()
        assert list(stream) == []
        assert stream.result.finish_reason == "cancelled"
        assert stream.result.tokens == plain.tokens[:count]


def test_a_conversation_goes_on_after_a_draft_that_was_cut(
    exact_folder: Path, prophet: Any
) -> None:
    model = opened(exact_folder)
    options: dict[str, Any] = {"max_new_tokens": 30, "logit_bias": readable(model)}
    turns = [{"role": "user", "content": "Hello there"}]
    whole = model.chat(turns, lookup=False, **options)
    for place in (4, 11, 25):
        prophet(whole.tokens, seed=place)
        first = model.chat(turns, lookup=True, stop=whole.text[place : place + 2], **options)
        assert first.finish_reason == "stop"
        more = [*turns, {"role": "assistant", "content": first.text}, *turns]
        second = model.chat(more, lookup=True, **options)
        plain = opened(exact_folder).chat(more, lookup=False, **options)
        assert (second.tokens, second.text) == (plain.tokens, plain.text)


def bundle_of(save: Callable[..., Any], place: Path, *kind: str) -> Path:
    """The float32 bundle of a tiny checkpoint."""
    save(place / "checkpoint", *kind)
    satchel.pack(place / "checkpoint", place / "bundle", profile="fp32")
    return place / "bundle"


@pytest.mark.parametrize("model_type", ["t5", "bart", "marian"])
def test_targets_stay_the_same(model_type: str, prophet: Any, tmp_path: Path) -> None:
    model = load_as(satchel.Seq2seqModel, bundle_of(save_seq2seq, tmp_path, model_type), threads=1)
    for name in ("greedy", "repetition", "source_ngram", "sampled"):
        source = some_ids(50)
        plain = model.generate(source, max_new_tokens=NEW, lookup=False, **OPTIONS[name])
        same(model.generate(source, max_new_tokens=NEW, **OPTIONS[name]), plain)
        drafted = prophet(plain.tokens)
        found = model.generate(source, max_new_tokens=NEW, lookup=True, **OPTIONS[name])
        same(found, plain)
        assert 0 < found.looked_up < sum(drafted)


def test_transcripts_stay_the_same(prophet: Any, tmp_path: Path) -> None:
    model = load_as(satchel.SpeechModel, bundle_of(save_speech, tmp_path), threads=1)
    noise = np.random.default_rng(0).normal(0, 0.1, RATE * SECONDS * 2).astype(np.float32)
    plain = model.transcribe(noise, sample_rate=RATE, max_new_tokens=20)
    drafted = prophet(plain.segments[0].tokens)
    assert model.transcribe(noise, sample_rate=RATE, max_new_tokens=20, lookup=True) == plain
    assert sum(drafted) > 0


def test_a_source_is_looked_up(exact: DecoderModel) -> None:
    """A target that copies its source: ids are expected as the source has them."""
    source = some_ids(80)
    lookup, drafted = Lookup(source), 0
    for token in source[10:60]:
        lookup.add(token)
        drafted = max(drafted, len(lookup.draft(FEW - 1)))
    assert drafted > 8


# Options.


def test_what_lookup_does_not_go_with(exact: DecoderModel) -> None:
    for options, message in (
        ({"lookup": True, "num_beams": 2}, "lookup does not go with num_beams = 2"),
        ({"lookup": 1}, "lookup = .*; expected True or False"),
    ):
        with pytest.raises(UsageError, match=message):
            exact.generate(PROMPT, **options)
    with pytest.raises(UsageError, match="one prompt at a time; got 2"):
        exact.generate([PROMPT, PROMPT], lookup=True)
    several = exact.generate([PROMPT, PROMPT], max_new_tokens=3)  # unasked, they go without
    assert [row.looked_up for row in several] == [0, 0]
    assert exact.generate([PROMPT], max_new_tokens=3, lookup=True)[0].tokens == several[0].tokens
    assert len(exact.generate(PROMPT, max_new_tokens=3, num_beams=2, lookup=False).tokens) == 3


def test_int8_weights_with_a_float32_cache_need_asking(packed: Callable[[str], Path]) -> None:
    model = opened(packed("int8"))
    if model.manifest.reads_ahead_exactly:
        pytest.skip("this bundle has an int8 cache")
    prompt = some_ids(20) * 3
    assert model.generate(prompt, max_new_tokens=100).looked_up == 0


def test_command_line(exact_folder: Path, capfd: Any) -> None:
    command = ["generate", str(exact_folder), "ab" * 20, "--max-new-tokens", "80", "--json"]
    rows = []
    for flag in ("--lookup", "--no-lookup"):
        assert main([*command, flag]) == 0
        rows.append(json.loads(capfd.readouterr().out))
    looked_up = [row.pop("looked_up") for row in rows]
    assert rows[0]["text"] == rows[1]["text"] and rows[0]["tokens"] == rows[1]["tokens"]
    assert looked_up[1] == 0
    assert main([*command[:-1], "--stats", "--lookup"]) == 0
    assert f"80 written, {looked_up[0]} of them looked up, " in capfd.readouterr().err
    assert main([*command, "--lookup", "--num-beams", "2"]) == 2


def test_lines_are_translated_one_at_a_time(
    tmp_path: Path, capfd: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, written = bundle_of(save_seq2seq, tmp_path, "t5"), []
    for flag in ("--lookup", "--no-lookup"):
        lines = io.TextIOWrapper(io.BytesIO(b"one line\n\nand another\n"))
        monkeypatch.setattr(sys, "stdin", lines)
        assert main(["translate", str(folder), "--max-new-tokens", "30", flag]) == 0
        written.append(capfd.readouterr().out)
    assert written[0] == written[1] and written[0].count("\n") == 3
