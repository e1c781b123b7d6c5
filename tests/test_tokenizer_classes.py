"""tokenizer_config.json beside tokenizer.json: the bundle reads texts as AutoTokenizer does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.class_folders import KINDS, assert_alike, save_class, say

SWITCHES: dict[str, list[dict[str, Any]]] = {
    "do_lower_case": [{"do_lower_case": True}, {"do_lower_case": False}],
    "strip_accents": [
        {"strip_accents": True, "do_lower_case": False},
        {"strip_accents": False, "do_lower_case": True},
    ],
    "tokenize_chinese_chars": [{"tokenize_chinese_chars": False}],
    "keep_accents": [{"keep_accents": True}, {"keep_accents": False}],
    "add_prefix_space": [{"add_prefix_space": True}, {"add_prefix_space": False}],
    "trim_offsets": [{"trim_offsets": False}],
    "legacy": [{"legacy": True}, {"legacy": False}],
    "nothing": [
        {"add_bos_token": True, "add_eos_token": True, "clean_up_tokenization_spaces": True},
        {"never_split": ["fox"], "do_basic_tokenize": False, "errors": "ignore"},
    ],
    "tokens": [
        {"mask_token": "<tag>", "pad_token": "<ent>"},
        {"extra_special_tokens": ["<ent>", "<tag>"]},
        {"additional_special_tokens": ["<tag>"]},
        {"image_token": "<ent>"},
        {"extra_special_tokens": {"sound_token": "<tag>"}},
        {"added_tokens_decoder": {}, "pad_token": None},
        {"added_tokens_decoder": None},
    ],
}


@pytest.mark.parametrize("switch", SWITCHES)
@pytest.mark.parametrize("name", KINDS)
def test_settings_beside_tokenizer_json(name: str, switch: str, tmp_path: Path) -> None:
    for number, keys in enumerate(SWITCHES[switch]):
        folder = tmp_path / str(number)
        save_class(folder, name)
        say(folder, **keys)
        assert_alike(folder, around=name != "Whisper")


PLAIN = [name for name, (kind, _) in KINDS.items() if kind in ("WordPiece", "bytes", "words")]


@pytest.mark.parametrize("name", PLAIN)
def test_plain_vocabulary_files(name: str, tmp_path: Path) -> None:
    """vocab.txt, or vocab.json and merges.txt, and no tokenizer.json."""
    save_class(tmp_path, name, plain=True)
    assert_alike(tmp_path, around=name != "Whisper")
