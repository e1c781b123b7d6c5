"""Letters of a model of sounds: texts and times of words equal those of transformers' tokenizer."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import transformers

from satchel.checkpoints.checkpoint import Checkpoint
from satchel.checkpoints.file_names import TOKENIZER_FILES
from satchel.runtime.errors import CheckpointError, SatchelError, UnsupportedError
from satchel.runtime.transcript import letters as written
from satchel.runtime.transcript import text_of, words
from satchel.tokenization.letters import letters, remarks, tidies
from tests.tiny_sound import VOCAB, save_letters

SIGNS = [*VOCAB, *"abé.,?!", "'s", "ch"]
LOW = [token for token in SIGNS if token == token.upper() or token.startswith("<")]
CONFIG = "tokenizer_config.json"
Edit = Callable[[Path], None]


def opened(folder: Path, **preprocessor: Any) -> Checkpoint:
    """The tokenizer of a folder, as a checkpoint."""
    files = {name: folder / name for name in TOKENIZER_FILES if (folder / name).exists()}
    path = folder / CONFIG
    config = json.loads(path.read_text()) if path.exists() else {}
    return Checkpoint(
        "tiny", {}, {}, tokenizer_files=files, tokenizer_config=config,
        preprocessor_config=preprocessor,
    )  # fmt: skip


def set_config(folder: Path, **changes: Any) -> None:
    path = folder / CONFIG
    config = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: value for key, value in config.items() if value is not ...}))


def bare(folder: Path) -> None:
    """As files of 2021 are: nothing but letters and a map of special tokens."""
    (folder / CONFIG).unlink()
    texts = {"unk_token": "[UNK]", "pad_token": "[PAD]", "bos_token": "<s>", "eos_token": "</s>"}
    (folder / "special_tokens_map.json").write_text(json.dumps(texts))
    ids = {"[PAD]": 3, "[UNK]": 0, "|": 1, "a": 2, "b": 4, "'": 5}
    (folder / "vocab.json").write_text(json.dumps(ids))


def with_added(folder: Path) -> None:
    bare(folder)
    (folder / "added_tokens.json").write_text(json.dumps({"<s>": 6, "</s>": 7}))


SAVED: dict[str, tuple[list[str], dict[str, Any], Edit | None]] = {
    "usual": (VOCAB, {}, None),
    "signs": (SIGNS, {}, None),
    "lower case": (LOW, {"do_lower_case": True}, None),
    "tidied": (SIGNS, {}, lambda folder: set_config(folder, clean_up_tokenization_spaces=True)),
    "another delimiter": (
        [*SIGNS, "_"], {"word_delimiter_token": "_"}, None
    ),
    "no delimiter": (SIGNS[5:], {"pad_token": "E"}, None),
    "named otherwise": (
        ["[PAD]", "[UNK]", "|", *"ETA"], {"pad_token": "[PAD]", "unk_token": "[UNK]"}, None
    ),
    "from 2021": (VOCAB, {}, bare),
    "added tokens": (VOCAB, {}, with_added),
    "no settings": (VOCAB, {}, lambda folder: (folder / CONFIG).unlink()),
}  # fmt: skip


@pytest.mark.parametrize("name", SAVED)
def test_texts_and_words_equal_transformers(name: str, tmp_path: Path) -> None:
    vocabulary, settings, change = SAVED[name]
    save_letters(tmp_path, vocabulary, **settings)
    if change is not None:
        change(tmp_path)
    theirs = transformers.Wav2Vec2CTCTokenizer.from_pretrained(tmp_path)
    # What it saved itself it reads back as "|" (5.23); older releases take what the file says.
    theirs._word_delimiter_token = settings.get("word_delimiter_token", "|")
    checkpoint, count = opened(tmp_path), len(json.loads((tmp_path / "vocab.json").read_text()))
    for size in (count, count + 3):  # outputs beyond the letters
        labels, random = letters(checkpoint, size), np.random.default_rng(size)
        assert len(labels.names) == size
        for length in (0, 1, 2, 40, 400):
            ids = np.repeat(
                random.integers(0, size, length), random.integers(1, 4, length)
            ).tolist()
            found = written(ids, labels.names)
            text, expected = expected_of(theirs, ids)
            assert text_of(found, tidies(checkpoint)) == text
            spoken = [(word.start, word.end, word.text) for word in words(found, 1.0)]
            assert spoken == expected


def expected_of(tokenizer: Any, ids: list[int]) -> tuple[str, list[tuple[int, int, str]]]:
    """The text of ids and its words with their times, by transformers, which does not lower those."""
    if not ids:
        return "", []
    found = tokenizer.decode(ids, output_word_offsets=True)
    lower = tokenizer.do_lower_case
    return found.text, [
        (one["start_offset"], one["end_offset"], one["word"].lower() if lower else one["word"])
        for one in found.word_offsets
    ]


def without_letters(folder: Path) -> None:
    (folder / "vocab.json").unlink()


def of_languages(folder: Path) -> None:
    (folder / "vocab.json").write_text(json.dumps({"eng": {"a": 0}, "deu": {"a": 0}}))


def ids_as_texts(folder: Path) -> None:
    (folder / "vocab.json").write_text(json.dumps({"<pad>": 0, "a": "1"}))


REFUSED: dict[str, tuple[Edit, str]] = {
    "no letters": (without_letters, "has no vocab.json"),
    "several languages": (of_languages, "several languages .'deu', 'eng'"),
    "ids that are none": (ids_as_texts, "'a' is '1'"),
    "no blank": (lambda folder: set_config(folder, pad_token="[X]"), "no '.X.', which would be"),
    "phonemes": (
        lambda folder: set_config(folder, tokenizer_class="Wav2Vec2PhonemeCTCTokenizer"),
        "Wav2Vec2PhonemeCTCTokenizer",
    ),
    "no spaces": (
        lambda folder: set_config(folder, replace_word_delimiter_char=""),
        "replace_word_delimiter_char",
    ),
    "two cases as one": (lambda folder: set_config(folder, do_lower_case=True), "'a' both stand"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_name_what_is_wrong(name: str, tmp_path: Path) -> None:
    save_letters(tmp_path, [*VOCAB, "a"])
    change, words_of_it = REFUSED[name]
    change(tmp_path)
    with pytest.raises(SatchelError, match=words_of_it) as raised:
        letters(opened(tmp_path), len(VOCAB) + 1)
    assert isinstance(raised.value, CheckpointError | UnsupportedError)


def test_a_language_model_beside_is_told(tmp_path: Path) -> None:
    save_letters(tmp_path, VOCAB)
    assert remarks(opened(tmp_path)) == []
    [note] = remarks(opened(tmp_path, processor_class="Wav2Vec2ProcessorWithLM"))
    assert "language model" in note
