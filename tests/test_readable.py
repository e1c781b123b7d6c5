"""What a terminal is shown of texts that a model wrote: nothing that it would obey."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from satchel.cli.terminal import readable, readable_json

OBEYED = [
    "\x1b[2J",
    "\x9b31m",
    "\u2028",
    "\u2029",
    "\u202e",
    "\u2066",
    "\ufeff",
    "\U000e0041",
    "\x7f",
]
SHOWN = [
    "caf\u00e9",
    "\u4e16\u754c",
    "\U0001f468\u200d\U0001f469",
    "a\u200cb",
    'quote " and \\ slash',
]


@pytest.mark.parametrize("sign", OBEYED, ids=ascii)
def test_json_holds_no_sign_that_is_obeyed(sign: str) -> None:
    value = {"text": f"a{sign}b", "name" + sign: [sign, 1.5, None]}
    line = readable_json(value)
    assert json.loads(line) == value
    assert sign[0] not in line and "\\u" in line


@pytest.mark.parametrize("text", SHOWN, ids=ascii)
def test_json_shows_other_letters(text: str) -> None:
    assert readable_json(text) == json.dumps(text, ensure_ascii=False)


@pytest.mark.parametrize("sign", OBEYED, ids=ascii)
def test_texts_on_a_terminal(sign: str, monkeypatch: Any) -> None:
    assert readable(f"a{sign}b\n") == f"a{sign}b\n"  # into a pipe
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    shown = readable(f"a{sign}b\n")
    assert sign[0] not in shown and shown.startswith("a\\") and shown.endswith("b\n")
