"""docs/checkpoints.md says of every key that the installed tokenizer classes know what it does."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path

import transformers
from transformers.tokenization_utils_base import PreTrainedTokenizerBase
from transformers.tokenization_utils_tokenizers import TokenizersBackend

from satchel.tokenization.class_tokenizer import LAYOUTS
from tests.class_folders import KINDS, save_class

PAGE = Path(__file__).parent.parent / "docs/checkpoints.md"
READ = r'kwargs\.(?:pop|get|setdefault)\("([a-z]\w+)"|"([a-z]\w+)" (?:not )?in (?:init_)?kwargs'


def classified() -> dict[str, str]:
    """Every key or file of the section's tables, and what is said of it."""
    section = PAGE.read_text("utf-8").split("## Tokenizer files\n")[1].split("\n## ")[0]
    rows = [row.split(" | ", 1) for row in section.splitlines() if row.startswith("| `")]
    return {name: said for names, said in rows for name in re.findall(r"`([^`]+)`", names)}


def parameters(kind: type) -> set[str]:
    found = set()
    for base in kind.__mro__[: kind.__mro__.index(TokenizersBackend)]:
        made = base.__dict__.get("__init__")
        found |= set(inspect.signature(made).parameters) if made is not None else set()
    return {name for name in found if not name.startswith("_")} - {"self", "args", "kwargs"}


def test_every_key_is_classified(tmp_path: Path) -> None:
    keys = set()
    for function in (
        PreTrainedTokenizerBase.__init__,
        PreTrainedTokenizerBase._from_pretrained.__func__,
        TokenizersBackend.__init__,
    ):
        for found in re.findall(READ, inspect.getsource(function)):
            keys |= set(found) - {""}
    for name in KINDS:
        keys |= parameters(getattr(transformers, f"{name}Tokenizer"))
        save_class(tmp_path / name, name)
        keys |= set(json.loads((tmp_path / name / "tokenizer_config.json").read_text("utf-8")))
    said = classified()
    assert not keys - said.keys()
    verdicts = ("honoured", "nothing", "refused")
    assert not [name for name, words in said.items() if not words.startswith(verdicts)]


def test_settings_of_a_class_are_those_of_the_table() -> None:
    said = classified()
    for name, layout in LAYOUTS.items():
        for key in layout.settings:
            assert said[key].startswith("honoured") and name in said[key], (name, key)
