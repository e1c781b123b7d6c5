"""A smaller model drafts for a larger one: whatever it says, the text is what it was."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import satchel
from satchel.cli.main import main
from satchel.runtime import reading_ahead
from satchel.runtime.cancel import Cancel
from satchel.runtime.decoder_model import DecoderModel
from satchel.runtime.decoder_session import Run
from satchel.runtime.draft_model import FIRST_REST, LONGEST_REST, TRIAL, WARM, Pace
from satchel.runtime.errors import UsageError
from satchel.runtime.grammar import Grammar
from tests.generating import CONTEXT, END, PROMPT, opened, readable, some_ids
from tests.outcome import refused
from tests.test_grammar import SCHEMA
from tests.test_lookup import OPTIONS, same
from tests.tiny import VOCAB, save_checkpoint

pytest_plugins = "tests.chat_bundles"

NEW = 60


@pytest.fixture(scope="module")
def smaller(checkpoint: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A smaller llama of the same tokenizer, with a shorter context and more ids."""
    place = tmp_path_factory.mktemp("smaller")
    sizes: dict[str, Any] = {"hidden_size": 32, "num_attention_heads": 2, "num_key_value_heads": 1}
    bounds: dict[str, Any] = {
        "max_position_embeddings": 200,
        "vocab_size": VOCAB + 16,
        "num_hidden_layers": 1,
    }
    save_checkpoint(place / "checkpoint", "llama", **sizes, **bounds)
    shutil.copy(checkpoint[0] / "tokenizer.json", place / "checkpoint")
    satchel.pack(place / "checkpoint", place / "smaller", cache="int8", force=True)
    return place / "smaller"


@pytest.fixture(scope="module", params=["good", "bad"])
def draft(request: Any, packed: Callable[[str], Path], smaller: Path, folder: Path) -> DecoderModel:
    """One that is nearly always right, the same weights in other numbers, and one that never is."""
    other = {"fp32": "int8", "int8": "fp32"}[folder.name]
    return opened(packed(other) if request.param == "good" else smaller)


@pytest.fixture(autouse=True)
def timeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing takes time, so that nothing is too slow."""
    monkeypatch.setattr(reading_ahead, "clock", lambda: 0.0)


def apart(model: DecoderModel) -> float:
    """How far log-probabilities may be from those of single steps."""
    return 0 if model.decoder.geometry.dtype == "int8" else 1e-4


@pytest.mark.parametrize("name", OPTIONS)
def test_texts_stay_the_same(model: DecoderModel, draft: DecoderModel, name: str) -> None:
    bias = dict.fromkeys((3, 18, 60, 77), 7.0)  # so that some ids recur
    right = tried = 0
    for prompt in ([3, 18, 60, 77, 5] * 3, some_ids(130), [7]):
        options = {"max_new_tokens": NEW, "logit_bias": bias, **OPTIONS[name]}
        plain = model.generate(prompt, lookup=False, **options)
        found = model.generate(prompt, draft=draft, lookup=False, **options)
        same(found, plain, apart(model))
        assert found.looked_up == 0 and found.drafted <= found.draft_tried
        right, tried = right + found.drafted, tried + found.draft_tried
        both = model.generate(prompt, draft=draft, lookup=True, **options)
        same(both, plain, apart(model))
        stream = model.stream(prompt, draft=draft, **options)
        assert "".join(stream) == plain.text and stream.result.tokens == plain.tokens
    if draft.decoder.context == model.decoder.context:
        least = (
            0.3 if "seed" in OPTIONS[name] else 0.6
        )  # drawn by the same numbers, from like chances
        assert right > least * tried > least * NEW / 2


def test_steps_are_saved(
    model: DecoderModel, packed: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Any] = []
    for name in ("read", "step"):
        monkeypatch.setattr(Run, name, counted(getattr(Run, name), model, read))
    draft = opened(packed("fp32"))
    found = model.generate(PROMPT, max_new_tokens=NEW, draft=draft, lookup=False)
    assert len(read) == NEW - 1 - found.drafted < NEW / 2
    assert found.draft_tried >= found.drafted > NEW / 2


def counted(method: Any, model: DecoderModel, calls: list[int]) -> Any:
    def call(self: Run, *arguments: Any) -> Any:
        if self.decoder is model.decoder:
            calls.append(1)
        return method(self, *arguments)

    return call


def test_ends_and_bounds_inside_a_draft(
    model: DecoderModel, draft: DecoderModel, folder: Path
) -> None:
    plain = model.generate(PROMPT, max_new_tokens=40, lookup=False)
    for limit in (0, 1, 2, 9, 17):
        found = model.generate(PROMPT, max_new_tokens=limit, draft=draft)
        assert (found.tokens, found.finish_reason) == (plain.tokens[:limit], "length")
    for place in (0, 7, 39):
        ending = opened(folder, (plain.tokens[place],))
        found = ending.generate(PROMPT, max_new_tokens=40, draft=draft)
        end = plain.tokens.index(plain.tokens[place])
        assert (found.tokens, found.finish_reason) == (plain.tokens[:end], "eos")


def test_stop_strings_inside_a_draft(model: DecoderModel, draft: DecoderModel) -> None:
    options: dict[str, Any] = {"max_new_tokens": 60, "logit_bias": readable(model)}
    text = model.generate(PROMPT, lookup=False, **options).text
    for start, length in ((0, 1), (3, 9), (50, 2)):
        stop = text[start : start + length]
        plain = model.generate(PROMPT, stop=stop, lookup=False, **options)
        same(model.generate(PROMPT, stop=stop, draft=draft, **options), plain, apart(model))


def test_texts_of_a_form_stay_the_same(folder: Path, draft: DecoderModel) -> None:
    model = opened(folder, (END,))
    for options in ({}, {"temperature": 1.2, "seed": 4}):
        form = Grammar.json_schema(SCHEMA)
        given: dict[str, Any] = {"max_new_tokens": 300, "grammar": form, **options}
        plain = model.generate(PROMPT, lookup=False, **given)
        found = model.generate(PROMPT, lookup=False, draft=draft, **given)
        same(found, plain, apart(model))
        assert found.finish_reason == "eos" and json.loads(found.text)["kind"]
        assert found.drafted > 0


def test_a_text_that_outgrows_its_draft(model: DecoderModel, draft: DecoderModel) -> None:
    for length in (180, 199, 210, CONTEXT - 40):
        prompt = some_ids(length)
        plain = model.generate(prompt, max_new_tokens=40, lookup=False)
        same(model.generate(prompt, max_new_tokens=40, draft=draft), plain, apart(model))


def test_ids_that_the_draft_lacks_end_its_drafts(smaller: Path, packed: Any) -> None:
    model, draft = opened(smaller), opened(packed("fp32"))
    assert model.manifest.vocab_size > draft.manifest.vocab_size
    more = {VOCAB + 3: 1e3}
    for options in ({"logit_bias": more, "no_repeat_ngram_size": 1}, {"max_new_tokens": 20}):
        for prompt in (PROMPT, [*PROMPT, VOCAB + 1]):
            given: dict[str, Any] = {"max_new_tokens": 30, **options}
            plain = model.generate(prompt, lookup=False, **given)
            same(model.generate(prompt, draft=draft, lookup=False, **given), plain, 0)


def test_conversations_and_kept_texts(model: DecoderModel, draft: DecoderModel) -> None:
    turns, options = [{"role": "user", "content": "Hello there"}], {"logit_bias": readable(model)}
    kept = model.keep()
    for said in ("And now?", "Then?", ""):
        given: dict[str, Any] = {"max_new_tokens": 25, **options}
        plain = model.chat(turns, lookup=False, **given)
        found = model.chat(turns, draft=draft, **given)
        assert (found.tokens, found.text) == (plain.tokens, plain.text)
        again = model.chat(turns, draft=draft, kept=kept, **given)
        assert again.tokens == plain.tokens
        assert kept.ids == [*model.encode_chat(turns), *plain.tokens][:-1]
        turns += [
            {"role": "assistant", "content": plain.text},
            {"role": "user", "content": said},
        ]


def test_a_model_may_draft_for_itself_and_two_for_each_other(
    model: DecoderModel, draft: DecoderModel
) -> None:
    alone = [one.generate(PROMPT, max_new_tokens=40, lookup=False).tokens for one in (model, draft)]
    drafts = [draft, model] if draft.manifest.vocab_size == model.manifest.vocab_size else [draft]
    for own in ([model], drafts):
        streams = [
            one.stream(PROMPT, max_new_tokens=40, draft=other)
            for one, other in zip((model, draft), own, strict=False)
        ]
        while any([next(stream, None) is not None for stream in streams]):
            pass
        assert [stream.result.tokens for stream in streams] == alone[: len(streams)]


def test_cancelling_ends_both(model: DecoderModel, draft: DecoderModel) -> None:
    options: dict[str, Any] = {"max_new_tokens": 40, "logit_bias": readable(model)}
    plain = model.generate(PROMPT, lookup=False, **options)
    for after in (1, 2, 20):
        cancel = Cancel()
        stream = model.stream(PROMPT, draft=draft, **options)
        for _ in range(after):
            next(stream)
        stream.cancel()
        list(stream)
        assert stream.result.finish_reason == "cancelled"
        assert stream.result.tokens == plain.tokens[:after]
        cancel.cancel()
        found = model.generate(PROMPT, draft=draft, cancel=cancel)
        assert (found.tokens, found.finish_reason) == ([], "cancelled")
    same(model.generate(PROMPT, draft=draft, **options), plain, apart(model))


# Whether it pays.


def test_drafts_rest_where_they_lose_time() -> None:
    pace = Pace()
    assert pace.rest == WARM
    for _ in range(WARM):
        pace.step(1.0)
    for _ in range(3 * TRIAL):
        pace.round(seconds=2.0, gained=3)
    pace.rest = 0
    for rest in (FIRST_REST, 2 * FIRST_REST, 4 * FIRST_REST):  # and ever longer
        for _ in range(100):
            pace.round(seconds=2.0, gained=1)
            if pace.rest:
                break
        assert pace.rest == rest
        pace.rest = 0
    for _ in range(TRIAL):
        pace.round(seconds=0.9, gained=1)
    assert pace.rest == 0 and pace.pause == FIRST_REST < LONGEST_REST
    pace.step(100.0)  # once: somebody stopped the process
    assert pace.plain == 1.0


@pytest.mark.parametrize(("slow", "tries"), [(False, True), (True, False)])
def test_a_slow_draft_model_is_left_alone(
    exact: DecoderModel,
    packed: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
    slow: bool,
    tries: bool,
) -> None:
    """By a clock on which each run of the draft takes ten steps, or a tenth of one."""
    seconds = {"now": 0.0}
    draft = opened(packed("int8"))
    for name in ("read", "step", "append"):
        method = getattr(Run, name)

        def call(self: Run, *arguments: Any, method: Any = method, **named: Any) -> Any:
            mine = self.decoder is draft.decoder
            seconds["now"] += (10.0 if slow else 0.1) if mine else 1.0
            return method(self, *arguments, **named)

        monkeypatch.setattr(Run, name, call)
    monkeypatch.setattr(reading_ahead, "clock", lambda: seconds["now"])
    plain = exact.generate(PROMPT, max_new_tokens=200, lookup=False)
    seconds["now"] = 0.0
    found = exact.generate(PROMPT, max_new_tokens=200, lookup=False, draft=draft)
    same(found, plain)
    assert (found.draft_tried > 100) == tries
    if slow:
        assert seconds["now"] < 200 + 2 * TRIAL * 12 * 10


# What it does not go with.


def test_what_drafts_do_not_go_with(
    exact: DecoderModel, smaller: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft = opened(smaller)
    for given, words in (
        ({"num_beams": 2}, "a draft does not go with num_beams = 2"),
        ({"draft": str(smaller)}, "expected a decoder, as satchel.load gives"),
    ):
        with pytest.raises(UsageError, match=words):
            exact.generate(PROMPT, **{"draft": draft, **given})
    with pytest.raises(UsageError, match="a draft is for one prompt at a time; got 2"):
        exact.generate([PROMPT, PROMPT], draft=draft)
    assert exact.generate([PROMPT], draft=draft, max_new_tokens=2)[0].tokens
    monkeypatch.setattr(type(exact.manifest), "reads_ahead_exactly", False)
    with pytest.raises(UsageError, match="a draft would change texts of 'fp32'"):
        exact.generate(PROMPT, draft=draft)


def test_models_of_other_kinds_are_refused(exact: DecoderModel, exact_folder: Path) -> None:
    words = opened(exact_folder)
    words.manifest = dataclasses.replace(words.manifest, task="text-to-text")
    with pytest.raises(UsageError, match="expected a decoder"):
        exact.generate(PROMPT, draft=words)
    with pytest.raises(UsageError, match="does not fit a bundle made for 'text-to-text'"):
        words.generate("a", draft=exact)


def test_other_tokenizers_are_refused_by_name(
    exact: DecoderModel, exact_folder: Path, smaller: Path, tmp_path: Path, capfd: Any
) -> None:
    copy = Path(shutil.copytree(smaller.parent / "checkpoint", tmp_path / "checkpoint"))
    content = json.loads((copy / "tokenizer.json").read_text())
    content["post_processor"] = None  # another file, the same ids
    (copy / "tokenizer.json").write_text(json.dumps(content, indent=3))
    satchel.pack(copy, tmp_path / "alike", cache="int8", force=True)
    alike = opened(tmp_path / "alike")
    files = [one.manifest.files["tokenizer.json"].sha256 for one in (exact, alike)]
    assert exact.generate(PROMPT, max_new_tokens=3, draft=alike).tokens
    assert files[0] == files[1] or files[1] in exact._same_ids
    vocabulary = content["model"]["vocab"]
    vocabulary["a"], vocabulary["b"] = vocabulary["b"], vocabulary["a"]
    (copy / "tokenizer.json").write_text(json.dumps(content))
    satchel.pack(copy, tmp_path / "other", cache="int8", force=True)
    words = r"the draft 'other' has another tokenizer than 'fp32': '[ab]' is '?\d+'? there, '?\d+'? here"
    with pytest.raises(UsageError, match=words):
        exact.generate(PROMPT, draft=opened(tmp_path / "other"))
    command = ["generate", exact_folder, "a", "--draft", tmp_path / "other"]
    refused(capfd, command, "USAGE", "the draft 'other' has another tokenizer", within=tmp_path)


def test_a_draft_of_windows_is_refused(
    exact: DecoderModel, checkpoint: Any, tmp_path: Path
) -> None:
    save_checkpoint(tmp_path / "in", "mistral", sliding_window=40, num_hidden_layers=1)
    shutil.copy(checkpoint[0] / "tokenizer.json", tmp_path / "in")
    satchel.pack(tmp_path / "in", tmp_path / "windowed", cache="int8-window", force=True)
    with pytest.raises(UsageError, match="the draft 'windowed' keeps windows alone"):
        exact.generate(PROMPT, draft=opened(tmp_path / "windowed"))


# The command line.


def test_command_line(exact_folder: Path, smaller: Path, packed: Any, capfd: Any) -> None:
    command = ["generate", str(exact_folder), "ab", "--max-new-tokens", "40", "--no-lookup"]
    command += ["--min-new-tokens", "40"]
    texts = []
    for draft in ([], ["--draft", str(smaller)], ["--draft", str(packed("int8")), "--stats"]):
        assert main([*command, *draft]) == 0
        output, errors = capfd.readouterr()
        texts.append(output)
    assert texts[0] == texts[1] == texts[2]
    assert "40 written, 0 of them looked up, " in errors and " drafts right, " in errors
    assert main([*command, "--draft", str(packed("int8")), "--json"]) == 0
    row = json.loads(capfd.readouterr().out)
    assert row["draft_tried"] >= row["drafted"] > 0
    assert main([*command, "--draft", str(smaller), "--num-beams", "2"]) == 2
