"""Texts of a given form: whatever the model prefers, and however it is chosen, the form holds."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from satchel.cli.main import main
from satchel.runtime.decoder_model import DecoderModel
from satchel.runtime.decoder_session import Run
from satchel.runtime.errors import UnsupportedError, UsageError
from satchel.runtime.grammar import Forced, Grammar
from tests.chat_bundles import checkpoint, packed  # noqa: F401
from tests.generating import END, PROMPT, opened
from tests.outcome import refused

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 8},
        "age": {"type": "integer", "minimum": 0, "maximum": 150},
        "kind": {"enum": ["bag", "box"]},
    },
    "required": ["name", "age", "kind"],
    "additionalProperties": False,
}
LARK = 'start: ("ja" | "nein") "!"+\n'
BAD = {
    "the JSON schema is not JSON": lambda: Grammar.json_schema("{"),
    "a JSON schema is an object": lambda: Grammar.json_schema([]),  # type: ignore[arg-type]
    "Invalid type: nope": lambda: Grammar.json_schema({"type": "nope"}),
    'Unimplemented keys: ["not"]': lambda: Grammar.json_schema({"not": {"type": "string"}}),
    "Unsatisfiable schema": lambda: Grammar.json_schema(False),
    "invalid regex": lambda: Grammar.regex("(("),
    'unknown name: "foo"': lambda: Grammar.lark("start: foo"),
    "at most": lambda: Grammar.regex("a" * (1 << 21)),
}


@pytest.fixture(scope="module")
def model(packed: Callable[[str], Path]) -> DecoderModel:  # noqa: F811
    return opened(packed("fp32"), (END,))


@pytest.mark.parametrize(
    "options", [{}, {"temperature": 1.5, "seed": 5}, {"repetition_penalty": 1.2}]
)
def test_the_form_holds_however_an_id_is_chosen(model: DecoderModel, options: Any) -> None:
    for seed in range(3):
        given = options | ({"seed": seed} if "seed" in options else {})
        found = model.generate(
            PROMPT, grammar=Grammar.json_schema(SCHEMA), max_new_tokens=400, **given
        )
        assert found.finish_reason == "eos"
        value = json.loads(found.text)
        assert set(value) == {"name", "age", "kind"} and 0 <= value["age"] <= 150
        number = model.generate(PROMPT, grammar=Grammar.regex("[0-9]{3}-[0-9]{4}"), **given)
        assert re.fullmatch("[0-9]{3}-[0-9]{4}", number.text)
        word = model.generate(PROMPT, grammar=Grammar.lark(LARK), max_new_tokens=20, **given)
        assert re.fullmatch("(ja|nein)!*", word.text)


def test_streams_batches_and_chats_keep_to_it(model: DecoderModel) -> None:
    form = Grammar.regex("(red|green|blue)( (red|green|blue)){2}")
    alone = model.generate(PROMPT, grammar=form)
    assert "".join(model.stream(PROMPT, grammar=form)) == alone.text
    assert [row.text for row in model.generate([PROMPT, PROMPT], grammar=form)] == [alone.text] * 2
    said = model.chat([{"role": "user", "content": "colours"}], grammar=form)
    assert re.fullmatch(form.source, said.text)
    assert len(model.generate(PROMPT, grammar=form, max_new_tokens=2).tokens) == 2


@pytest.mark.parametrize("words", BAD)
def test_what_cannot_be_kept_to_is_refused_by_name(model: DecoderModel, words: str) -> None:
    with pytest.raises(UsageError, match=re.escape(words)) as raised:
        model.generate(PROMPT, grammar=BAD[words]())
    assert raised.value.code in ("GRAMMAR", "USAGE") and len(str(raised.value)) < 600


def test_beams_and_models_without_an_end_are_refused(model: DecoderModel, packed: Any) -> None:  # noqa: F811
    with pytest.raises(UsageError, match="a grammar does not go with num_beams = 2"):
        model.generate(PROMPT, grammar=Grammar.regex("a"), num_beams=2)
    with pytest.raises(UnsupportedError, match="has no token that ends a text"):
        opened(packed("fp32"), ()).generate(PROMPT, grammar=Grammar.regex("a"))


def test_the_command_line_takes_forms(
    packed: Any,  # noqa: F811
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    (tmp_path / "schema.json").write_text(json.dumps(SCHEMA))
    (tmp_path / "words.lark").write_text(LARK)
    run = ["generate", str(packed("fp32")), "hello", "--max-new-tokens", "400"]

    def printed(*options: str) -> str:
        capfd.readouterr()
        assert main([*run, *options]) == 0
        return capfd.readouterr().out

    assert json.loads(printed("--json-schema", str(tmp_path / "schema.json")))["kind"]
    assert re.fullmatch("[0-9]{3}\n", printed("--regex", "[0-9]{3}"))
    assert re.match("(ja|nein)!*", printed("--grammar", str(tmp_path / "words.lark")))
    absent = ["--json-schema", "nowhere.json"]
    refused(capfd, [*run, "--regex", "(("], "GRAMMAR", "invalid regex", within=tmp_path)
    refused(capfd, [*run, *absent], "STORAGE", "'nowhere.json' cannot be read", within=tmp_path)
    refused(capfd, [*run, "--regex", "a", *absent], "USAGE", "not allowed with", within=tmp_path)


def test_without_the_package_it_says_what_to_install(
    packed: Any,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "llguidance", None)
    with pytest.raises(UnsupportedError, match=r"pip install 'satchel\[grammar\]'"):
        opened(packed("fp32"), (END,)).generate(PROMPT, grammar=Grammar.regex("a"))


# What a form forces.


@pytest.mark.parametrize("profile", ["fp32", "int8"])
@pytest.mark.parametrize("options", [{}, {"temperature": 1.2, "seed": 4}])
def test_what_is_forced_takes_no_steps_and_changes_nothing(
    packed: Callable[[str], Path],  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    profile: str,
    options: dict[str, Any],
) -> None:
    model = opened(packed(profile), (END,))
    calls: list[int] = []
    for name in ("read", "step"):
        method = getattr(Run, name)

        def call(self: Run, *arguments: Any, method: Any = method) -> Any:
            calls.append(1)
            return method(self, *arguments)

        monkeypatch.setattr(Run, name, call)
    given: dict[str, Any] = {"grammar": Grammar.json_schema(SCHEMA), "max_new_tokens": 300}
    plain = model.generate(PROMPT, lookup=False, **given, **options)
    steps = len(calls)
    calls.clear()
    found = model.generate(PROMPT, **given, **options)
    assert (found.text, found.tokens, found.finish_reason) == (plain.text, plain.tokens, "eos")
    assert found.logprobs == pytest.approx(plain.logprobs, abs=0 if profile == "int8" else 1e-4)
    assert plain.forced == 0 and found.forced >= 12  # of the names of three properties
    assert len(calls) == steps - found.forced - found.looked_up < steps
    for bound in (1, 4, 9):
        cut = model.generate(PROMPT, **given | {"max_new_tokens": bound}, **options)
        assert cut.tokens == plain.tokens[:bound]
    stream = model.stream(PROMPT, **given, **options)
    assert "".join(stream) == plain.text and stream.result.forced == found.forced


def test_letters_in_other_ids_are_soon_left_alone() -> None:
    class Form:
        def forced(self, new: list[int]) -> list[int]:
            return [7, 8, 9]

    drafter, tried = Forced(Form()), 0  # type: ignore[arg-type]
    for _ in range(100):
        tried += len(drafter.draft(5))
        drafter.add(1)
    assert tried < 60 and drafter.draft(5) == []
    eager = Forced(Form())  # type: ignore[arg-type]
    assert eager.draft(5) == [7, 8, 9] and eager.draft(2) == [7, 8] and eager.draft(0) == []
    assert eager.draft(5, ends=[8]) == [7]
