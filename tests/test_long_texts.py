"""Texts longer than a model takes: answers and spans from overlapping pieces."""

from __future__ import annotations

import itertools
import time
import warnings
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from satchel.runtime.errors import UsageError
from satchel.runtime.pieces import assembled
from satchel.runtime.spans import best_answers
from tests.tiny_encoders import POSITIONS, wordpiece_tokenizer

pytest_plugins = "tests.encoder_bundles"

NAMES = {"0": "O", "1": "B-CAT", "2": "I-CAT"}
CONTEXT = "Zoë's café: the fox runs to the 狐狸 and it is on the dog."
LONG = "".join(
    f"the fox sees {number} dogs on it, é and runs to {number * 7}. " for number in range(9)
)
Row = tuple[tuple[int, int], Any]  # a token's place and logits


def their_rows(theirs: Any, folder: Any, texts: list[str], overlap: int) -> tuple[list[Row], Any]:
    """Of the last text's tokens, by transformers, where each is farthest from a cut; and the least
    sure first token of the pieces."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    side = "only_first" if len(texts) == 1 else "only_second"
    inputs = tokenizer(
        *texts, truncation=side, stride=overlap, max_length=POSITIONS,
        return_overflowing_tokens=True, return_offsets_mapping=True,
    )  # fmt: skip
    best: dict[tuple[int, int], tuple[int, Any]] = {}
    firsts = []
    for number, (ids, types, offsets) in enumerate(
        zip(inputs["input_ids"], inputs["token_type_ids"], inputs["offset_mapping"], strict=True)
    ):
        with torch.inference_mode():
            out = theirs(torch.tensor([ids]), token_type_ids=torch.tensor([types]))
        logits = out.logits[0] if "logits" in out else torch.stack(list(out.values()), -1)[0]
        firsts.append(logits[0])
        places = [i for i, one in enumerate(inputs.sequence_ids(number)) if one == len(texts) - 1]
        for i in places:
            key, margin = tuple(offsets[i]), min(i - places[0], places[-1] - i)
            begins, ends = number == 0, number == len(inputs["input_ids"]) - 1
            margin = places[-1] - i if begins else i - places[0] if ends else margin
            if key not in best or margin >= best[key][0]:
                best[key] = margin, logits[i]
    rows = [(place, logits) for place, (_, logits) in sorted(best.items())]
    return rows, min(firsts, key=lambda logits: float(logits.sum()))


@pytest.mark.parametrize("context", [CONTEXT, LONG])
def test_answers_equal_brute_force(context: str, made: Any) -> None:
    ours, theirs, folder = made("bert", "answer")
    for question in ("Who runs?", "what is on it", "7", "é"):
        lead = len(transformers.AutoTokenizer.from_pretrained(folder)(question, "").input_ids)
        rows, none = their_rows(theirs, folder, [question, context], (POSITIONS - lead) // 2)
        begin, finish = torch.stack([none, *(one for _, one in rows)]).softmax(0).T.tolist()
        for longest in (1, 3, 30):
            spans = [
                (begin[i + 1] * finish[j + 1], (rows[i][0][0], rows[j][0][1]))
                for i, j in itertools.product(range(len(rows)), repeat=2)
                if i <= j < i + longest
            ]
            spans = sorted([*spans, (begin[0] * finish[0], (0, 0))])[::-1][:6]
            found = ours.answers(question, context, top=6, longest=longest)
            assert [(one.start, one.end) for one in found] == [place for _, place in spans]
            assert [one.score for one in found] == pytest.approx(
                [score for score, _ in spans], rel=1e-3
            )
            assert all(one.text == context[one.start : one.end] for one in found)
            assert found[0].no_answer == pytest.approx(begin[0] * finish[0], rel=1e-3)
            assert ours.answer(question, context, longest=longest) == found[0]


def test_no_answer_is_one_of_the_answers(made: Any) -> None:
    ours = made("bert", "answer")[0]
    assert [one.text for one in ours.answers("who?", "")] == [""]
    assert ours.answer("who?", " \n").score == ours.answer("who?", " \n").no_answer == 1
    found = ours.answers("who?", "the fox", top=100)
    assert {one.text for one in found} == {"", "the", "the fox", "fox"}
    assert len({one.no_answer for one in found}) == 1
    assert sum(one.text == "" and one.score == one.no_answer for one in found) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"top": 0}, "top = 0"),
        ({"top": True}, "top = True"),
        ({"longest": "x"}, "longest = 'x'"),
        ({"longest": 1.5}, "longest = 1.5"),
        ({"question": LONG}, "leave room"),
        ({"question": None}, "expected a text"),
        ({"context": b"x"}, "expected a text"),
    ],
)
def test_questions_that_are_none(arguments: dict[str, Any], message: str, made: Any) -> None:
    with pytest.raises(UsageError, match=message):
        made("bert", "answer")[0].answers(**({"question": "who?", "context": "x"} | arguments))


def test_the_work_for_an_answer_grows_with_its_context(made: Any) -> None:
    prepare = made("bert", "answer")[0].preparation
    few, overlap = prepare.question("who?", LONG)
    many, same = prepare.question("who?", LONG * 50)
    assert overlap == same and len(many) < 60 * len(few)
    assert all(len(piece.ids) <= POSITIONS for piece in many)
    assert many[-1].offsets[-2][1] == len(LONG * 50) - 1  # but the space at the end


def test_a_million_characters_are_joined_and_searched_in_bounded_time() -> None:
    """All but the graph's own time, which is that of the pieces."""
    tokenizer, random = wordpiece_tokenizer(), np.random.default_rng(0)
    context = "the fox runs to it " * 52_700
    tokenizer.enable_truncation(512, stride=128, strategy="only_second")
    whole = tokenizer.encode("who?", context)
    parts = [whole, *whole.overflowing]
    logits = [random.normal(size=(len(part.ids), 2)).astype(np.float32) for part in parts]
    began = time.monotonic()
    offsets, words, joined = assembled(parts, logits, 128)
    assert len(offsets) == len(words) == len(joined) == 5 * 52_700
    assert offsets == sorted(offsets) and len(set(offsets)) == len(offsets)
    found = best_answers(context, offsets, joined, np.zeros(2, np.float32), longest=30, top=5)
    assert len(found) == 5 and context[found[0].start : found[0].end] == found[0].text
    assert time.monotonic() - began < 20


def test_spans_of_a_long_text(made: Any) -> None:
    ours, theirs, folder = made("bert", "tokens", id2label=NAMES)
    rows, _ = their_rows(theirs, folder, [LONG], 10)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = ours.tokens(LONG, window=10)
    assert found and found[-1].end > len(LONG) * 0.9
    labels = {start: NAMES[str(int(logits.argmax()))] for (start, _), logits in rows}
    for one in found:
        assert one.text == LONG[one.start : one.end]
        assert labels[one.start][2:] == one.label
        assert labels.get(one.end) != "I-CAT"
    assert ours.tokens("the fox", window=0) == ours.tokens("the fox")
    with pytest.raises(UsageError, match="from 0 to 93"):
        ours.tokens(LONG, window=POSITIONS)
    with pytest.warns(UserWarning, match="is cut"):
        ours.tokens(LONG)


def test_spans_of_many_texts(made: Any) -> None:
    ours = made("bert", "tokens", id2label=NAMES)[0]
    texts = [CONTEXT, "", "the fox", LONG]
    alone = [ours.tokens(text, window=4) for text in texts]
    for one, many in zip(alone, ours.tokens(texts, window=4), strict=True):
        assert [(a.label, a.start, a.end) for a in one] == [(b.label, b.start, b.end) for b in many]
        assert [a.score for a in one] == pytest.approx([b.score for b in many], abs=1e-5)
    assert ours.tokens([]) == []
    with pytest.raises(UsageError, match="expected a text"):
        ours.tokens(["fine", None])


def test_hidden_states_of_one_text(made: Any) -> None:
    ours = made("bert", "embed")[0]
    states = ours.hidden_states("the fox")
    ids = ours.preparation.encode("the fox").ids
    np.testing.assert_array_equal(ours.hidden_states(np.array(ids)), states)
    for bad in ([[1, 2]], None, 5, ["the", "fox"], [1.5], [2**70]):
        with pytest.raises(UsageError):
            ours.hidden_states(bad)
