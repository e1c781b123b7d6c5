"""A Whisper as transformers 5 saves it, processor_config.json alone, writes what it writes there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from satchel.checkpoints.checkpoint import Checkpoint
from satchel.checkpoints.folder import load_folder
from satchel.export.speech_config import speech_remarks, speech_rules
from tests.saved.compare import edit, export, their_model
from tests.saved.rows import ROWS
from tests.saved.save_with import LANGUAGES, TIMES, save
from tests.tiny_speech import RATE, VOCAB, save_speech, some_sound

pytest_plugins = "tests.saved.fixtures"

STEPS = 12
ASKED = {"return_timestamps": True, "language": "<|fr|>", "task": "translate", "stop_strings": "x"}
NOTED = {"no_speech_threshold": 0.6, "logprob_threshold": None, "condition_on_prev_tokens": True}


@pytest.mark.slow
def test_a_whole_folder(vocabularies: Path, tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint"
    save(ROWS["whisper"], vocabularies, folder)
    assert not (folder / "preprocessor_config.json").exists()
    edit(folder, "generation_config.json", lambda rules: rules | ASKED)
    ours = export(folder, tmp_path / "bundle")
    edit(folder, "generation_config.json", lambda rules: rules | {"stop_strings": None})
    theirs = their_model("AutoModelForSpeechSeq2Seq", folder)
    processor = transformers.AutoProcessor.from_pretrained(folder)
    sound = some_sound(2, 1)  # a whole window: behind its end transformers goes on
    heard = processor(sound, sampling_rate=RATE, return_tensors="pt")["input_features"]

    def same(their: dict[str, Any], our: dict[str, Any]) -> None:
        options = {"max_new_tokens": STEPS} | their
        with torch.inference_mode():
            found = theirs.generate(heard, return_segments=True, **options)
        ours_too = ours.transcribe(sound, sample_rate=RATE, **{"max_new_tokens": STEPS} | our)
        # What follows is read with other silence behind the sound: see docs/speech.md.
        segment, expected = ours_too.segments[0], found["segments"][0][0]
        text = processor.decode(expected["tokens"], skip_special_tokens=True).strip()
        assert segment.text == text and text
        assert abs(segment.start - expected["start"]) < 0.01

    same({}, {})
    first = ours.speech.no_timestamps + 1
    times = list(range(first, first + TIMES))  # a random model writes them where none are wanted
    for code, task in zip(LANGUAGES, ("transcribe", "translate", "transcribe"), strict=True):
        asked = {"language": code, "task": task, "suppress_tokens": times}
        same({"return_timestamps": False} | asked, {"timestamps": False} | asked)


def test_what_is_asked_for_and_not_done_is_told(tmp_path: Path) -> None:
    save_speech(tmp_path)
    edit(tmp_path, "generation_config.json", lambda rules: rules | NOTED)
    notes = speech_remarks(load_folder(tmp_path))
    assert len(notes) == 2
    assert "no_speech_threshold = 0.6 is not followed" in notes[0]
    assert "condition_on_prev_tokens = True is not followed" in notes[1]


def _with_timestamps(value: bool | None) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda rules: rules | {"return_timestamps": value}


def test_timestamps_by_default(tmp_path: Path) -> None:
    save_speech(tmp_path)
    tokenizer = (tmp_path / "tokenizer.json").read_bytes()
    for value in (True, False, None):
        edit(tmp_path, "generation_config.json", _with_timestamps(value))
        checkpoint: Checkpoint = load_folder(tmp_path)
        assert speech_rules(checkpoint, tokenizer, VOCAB, 100).timestamps is bool(value)
