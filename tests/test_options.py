"""Options are declared once: command line, checks and documentation follow from that."""

from __future__ import annotations

import argparse
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

import satchel
from satchel.cli.generation_options import add_options, chosen
from satchel.cli.main import _parser
from satchel.runtime.errors import UsageError
from satchel.runtime.options import ABOUT, EVERY, Options
from tests import option_table

pytest_plugins = "tests.places"
VERBS = {
    "generate": "generate",
    "chat": "chat",
    "translate": "translate",
    "transcribe": "transcribe",
    "read": "read_images",
}
# An option as a person types it, and what it then is.
TYPED: dict[str, tuple[str, Any]] = {
    "temperature": ("0.5", 0.5),
    "top_k": ("3", 3),
    "early_stopping": ("never", "never"),
    "logit_bias": ('{"12": -5, "3": 0.5}', {12: -5, 3: 0.5}),
    "sequence_bias": ("[[[1, 2], 0.5]]", [[[1, 2], 0.5]]),
    "bad_words_ids": ("[[5, 6]]", [[5, 6]]),
    "forced_bos_token_id": ("7", 7),
    "suppress_tokens": ("[1, 2]", [1, 2]),
    "exponential_decay_length_penalty": ("[5, 1.5]", [5, 1.5]),
}


def parsed(method: str, *arguments: str) -> dict[str, Any]:
    parser = argparse.ArgumentParser()
    add_options(parser, method)
    return chosen(parser.parse_args(list(arguments)), method)


def test_every_option_is_declared() -> None:
    assert [entry.name for entry in fields(Options)] == list(ABOUT)
    for about in ABOUT.values():
        assert about.help and about.rule.expected and set(about.methods) <= set(EVERY)


def test_a_neutral_value_is_a_valid_one() -> None:
    for name, about in ABOUT.items():
        if about.neutral is not None:
            assert about.rule.valid(about.neutral), name
            assert getattr(Options.from_options({name: about.neutral}, {}), name) is None


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_has_the_options_of_its_method(verb: str) -> None:
    commands = next(a for a in _parser()._actions if isinstance(a, argparse._SubParsersAction))
    flags = set(commands.choices[verb]._option_string_actions)
    taken = {name for name, about in ABOUT.items() if VERBS[verb] in about.methods}
    for name in ABOUT:
        assert ("--" + name.replace("_", "-") in flags) == (name in taken), name


@pytest.mark.parametrize("name", TYPED)
def test_what_is_typed_is_read(name: str) -> None:
    typed, value = TYPED[name]
    found = parsed("generate", "--" + name.replace("_", "-"), typed)
    assert found == {name: value}
    assert ABOUT[name].rule.valid(found[name])


def test_switches_are_on_off_or_unsaid() -> None:
    found = [parsed("generate", *said) for said in ([], ["--lookup"], ["--no-lookup"])]
    assert found == [{}, {"lookup": True}, {"lookup": False}]


def test_what_is_no_json_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parsed("generate", "--logit-bias", "{12: 5")
    assert "is not JSON" in capsys.readouterr().err


def test_an_option_of_the_command_line_reaches_the_text(original: Path, capfd: Any) -> None:
    from satchel.cli.main import main

    bundle = str(original / "bundle")
    model = satchel.load(bundle)
    assert isinstance(model, satchel.DecoderModel)
    first = model.generate("hello", max_new_tokens=1).tokens[0]
    command = ["generate", bundle, "hello", "--max-new-tokens", "1", "--json"]
    assert main([*command, "--suppress-tokens", f"[{first}]"]) == 0
    assert f'"tokens": [{first}]' not in capfd.readouterr().out
    assert main([*command, "--logit-bias", f'{{"{first}": "much"}}']) == 2
    assert "logit_bias" in capfd.readouterr().err


def test_methods_refuse_what_they_do_not_take() -> None:
    from satchel.runtime.speech_model import UNFIT

    assert [name for name, about in ABOUT.items() if "transcribe" not in about.methods] == UNFIT
    with pytest.raises(UsageError, match="unknown option 'bean'"):
        Options.from_options({"bean": 1}, {})


def test_the_table_in_the_documents() -> None:
    text = option_table.PAGE.read_text("utf-8")
    assert option_table.page(text) == text, "python -m tests.option_table writes it anew"
