"""Special tokens and chat templates, in whichever file of the tokenizer they stand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import transformers

from satchel.checkpoints.folder import load_folder
from satchel.tokenization.tokenizer import bundle_tokenizer, special_token_texts, special_tokens
from tests.class_folders import SIZE, save_class, say, write

DEFAULT = "{{ bos_token }}{% for m in messages %}{{ m['content'] }}{% endfor %}"


def test_special_tokens_of_an_older_file(tmp_path: Path) -> None:
    save_class(tmp_path, "GPT2", plain=True, eos_token="<|endoftext|>")
    say(tmp_path, eos_token=None, bos_token=None, unk_token=None)
    checkpoint = load_folder(tmp_path)
    assert special_token_texts(checkpoint) == {}
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    usual = special_token_texts(checkpoint, usual=True)
    assert usual == theirs.special_tokens_map
    write(tmp_path, "special_tokens_map.json", {"eos_token": {"content": "fox"}, "pad_token": "a"})
    checkpoint = load_folder(tmp_path)
    found = special_tokens(checkpoint, bundle_tokenizer(checkpoint, SIZE), SIZE)
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    assert (found.eos, found.pad) == ([theirs.eos_token_id], theirs.pad_token_id)


TEMPLATES: dict[str, tuple[Any, bool]] = {  # the template, and whether it gets files of its own
    "one": (DEFAULT, True),
    "one in tokenizer_config.json": (DEFAULT, False),
    "several": ({"default": DEFAULT, "tool_use": "{{ tools }}"}, True),
    "several in tokenizer_config.json": ({"default": DEFAULT, "rag": "x"}, False),
}


@pytest.mark.parametrize("name", TEMPLATES)
def test_chat_templates_as_saved(name: str, tmp_path: Path) -> None:
    template, files = TEMPLATES[name]
    tokenizer = save_class(tmp_path, "Llama")
    tokenizer.chat_template = template
    tokenizer.save_pretrained(tmp_path, save_jinja_files=files)
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    assert load_folder(tmp_path).chat_template == theirs.get_chat_template()


def test_chat_template_of_an_older_processor(tmp_path: Path) -> None:
    save_class(tmp_path, "Llama")
    assert load_folder(tmp_path).chat_template is None
    write(tmp_path, "chat_template.json", {"chat_template": DEFAULT})
    assert load_folder(tmp_path).chat_template == DEFAULT
    say(tmp_path, chat_template="{{ 1 }}")
    assert load_folder(tmp_path).chat_template == "{{ 1 }}"
