"""Batches whose rows end at different times: who leaves the run, and that nobody notices."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from satchel.runtime.decoder_session import Run
from satchel.runtime.errors import SatchelError
from satchel.runtime.generation import TextModel
from tests.beams import Pair
from tests.generating import opened, some_ids
from tests.tiny import VOCAB, save_checkpoint
from tests.tiny_seq2seq import save_seq2seq

PROMPTS = [some_ids(length, seed=length) for length in (7, 2, 19, 1, 12, 30, 3)]
ENDS = (5, 9, 200)
OPTIONS: dict[str, dict[str, Any]] = {
    "greedy": {},
    "sampled": {"temperature": 1.5, "seed": 3},
    "processed": {"repetition_penalty": 1.3, "no_repeat_ngram_size": 2, "min_new_tokens": 4},
}


@pytest.fixture(scope="module", params=["llama", "t5"])
def model(request: Any, tmp_path_factory: pytest.TempPathFactory) -> TextModel:
    folder = tmp_path_factory.mktemp(request.param)
    save = save_seq2seq if request.param == "t5" else save_checkpoint
    return opened(Pair(folder, save(folder, request.param)).bundle, ENDS)


@pytest.mark.parametrize("name", OPTIONS)
def test_a_row_is_what_it_is_alone(model: TextModel, name: str) -> None:
    counts = set()
    for bias in (0.0, 2.0, 3.0, 5.0):
        options: dict[str, Any] = {
            "max_new_tokens": 40,
            "logit_bias": dict.fromkeys(ENDS, bias),
            **OPTIONS[name],
        }
        together = model.generate(PROMPTS, **options)
        for prompt, row in zip(PROMPTS, together, strict=True):
            alone = model.generate(prompt, **options)
            assert (row.tokens, row.finish_reason) == (alone.tokens, alone.finish_reason)
            assert row.text == alone.text and row.logprobs == pytest.approx(
                alone.logprobs, abs=1e-4
            )
            assert len(row.logprobs) == len(row.tokens)
            counts.add(len(row.tokens))
    assert len(counts) > 1


def test_rows_that_end_leave_the_run(model: TextModel, monkeypatch: pytest.MonkeyPatch) -> None:
    step, batches = Run.step, []

    def counted(self: Run, tokens: Any, active: Any = None) -> Any:
        batches.append((len(tokens), int(active.sum())))
        return step(self, tokens, active)

    monkeypatch.setattr(Run, "step", counted)
    bias = dict.fromkeys(ENDS, 3.0)
    options: dict[str, Any] = {
        "max_new_tokens": 40,
        "logit_bias": bias,
        "temperature": 1.0,
        "seed": 3,
    }
    rows = model.generate(PROMPTS, **options)
    assert sum(active for _, active in batches) == sum(min(len(r.tokens), 39) for r in rows)
    sizes = [size for size, _ in batches]
    assert sizes[-1] < len(PROMPTS) and sorted(sizes, reverse=True) == sizes
    assert all(active > 0.75 * size or active == size for size, active in batches)


def test_a_text_is_that_of_its_stream(model: TextModel) -> None:
    for bias in (0.0, 3.0):
        options: dict[str, Any] = {"max_new_tokens": 40, "logit_bias": dict.fromkeys(ENDS, bias)}
        for prompt in PROMPTS:
            stream = model.stream(prompt, **options)
            text = "".join(stream)
            assert stream.result.text == text == model.generate(prompt, **options).text


def test_memory_that_others_used_changes_nothing(model: TextModel) -> None:
    """Neither one after another, nor at once, nor after an error."""
    expected = [model.generate(prompt, max_new_tokens=12) for prompt in PROMPTS]
    beams = model.generate(PROMPTS, num_beams=3, max_new_tokens=12)
    found: list[Any] = []

    def work() -> None:
        for _ in range(5):
            alone = [model.generate(prompt, max_new_tokens=12) for prompt in PROMPTS]
            found.append((alone, model.generate(PROMPTS, num_beams=3, max_new_tokens=12)))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with pytest.raises(SatchelError, match="not finite"):
        model.generate(PROMPTS, logit_bias=dict.fromkeys(range(VOCAB), float("-inf")))
    work()
    assert found == [(expected, beams)] * 20
