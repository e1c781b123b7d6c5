"""Speech bundles in bad hands: sounds, options, files and manifests that make no sense; the command."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import satchel
from satchel.cli.main import main
from satchel.runtime import sealed
from satchel.runtime.bundle import open_bundle
from satchel.runtime.errors import BundleError, SatchelError, UsageError
from tests.loading import load_as
from tests.manifests import said
from tests.outcome import refused
from tests.tiny import edit_config
from tests.tiny_speech import RATE, VOCAB, save_speech, some_sound

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a checkpoint, its bundle, and sounds of three seconds."""
    folder = tmp_path_factory.mktemp("speech")
    save_speech(folder / "checkpoint")
    satchel.pack(folder / "checkpoint", folder / "bundle", profile="fp32")
    soundfile.write(folder / "sound.wav", some_sound(3.3), RATE)
    stereo = np.repeat(some_sound(3.3)[::2, None], 2, 1)
    soundfile.write(folder / "stereo.flac", stereo, RATE // 2)
    soundfile.write(folder / "silence.wav", np.zeros(RATE), RATE)
    return folder


def run(capsys: Capture, *arguments: object) -> tuple[str, str]:
    capsys.readouterr()
    assert main([str(argument) for argument in arguments]) == 0
    output, errors = capsys.readouterr()
    return output, errors


def test_the_command_prints_a_transcript(place: Path, capsys: Capture) -> None:
    expected = load_as(satchel.SpeechModel, place / "bundle").transcribe(
        place / "sound.wav", language="en"
    )
    sound = (place / "bundle", place / "sound.wav", "--language", "en")
    assert run(capsys, "transcribe", *sound) == (expected.text + "\n", "")
    lines = run(capsys, "transcribe", *sound, "--timestamps")[0].splitlines()
    first = expected.segments[0]
    assert lines[0] == f"[00:{first.start:05.2f} - 00:{first.end:05.2f}] {first.text}"
    assert len(lines) == len(expected.segments) > 1
    found = json.loads(run(capsys, "transcribe", *sound, "--json", "--task", "transcribe")[0])
    assert found == json.loads(json.dumps(dataclasses.asdict(expected)))
    assert found["language"] == "en" and found["duration"] == pytest.approx(3.3)


def test_other_files_and_options(place: Path, capsys: Capture) -> None:
    output, _ = run(
        capsys,
        "transcribe",
        place / "bundle",
        place / "stereo.flac",
        "--task",
        "translate",
        "--json",
    )
    assert json.loads(output)["language"] in ("en", "de", "yue")
    assert run(capsys, "transcribe", place / "bundle", place / "silence.wav") == (
        "\n",
        "note: nothing is said\n",
    )


def test_inspect_verify_and_bench_know_sound(place: Path, capsys: Capture) -> None:
    page, _ = run(capsys, "inspect", place / "bundle")
    assert "windows of 2 s, 16000 samples/s, 16 mels" in page and "en de yue" in page
    table, _ = run(capsys, "verify", place / "bundle")
    assert "a source among others against alone" in table and "FAILED" not in table
    table, _ = run(capsys, "bench", place / "bundle", "--repeats", 1)
    assert "window (s)" in table and "features (s)" in table


REFUSED: dict[str, tuple[list[str], str, tuple[str, ...]]] = {
    "no file": (["missing.wav"], "USAGE", ("missing.wav", "not a file")),
    "no sound": (["bundle/manifest.json"], "USAGE", ("damaged",)),
    "unknown language": (["sound.wav", "--language", "xx"], "USAGE", ("'xx'", "auto, de, en, yue")),
    "unknown task": (["sound.wav", "--task", "sing"], "USAGE", ("'sing'", "translate")),
    "no beams": (["sound.wav", "--num-beams", "0"], "USAGE", ("num_beams",)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_makes_no_sense_is_one_line(name: str, place: Path, capfd: Any) -> None:
    (sound, *options), code, words = REFUSED[name]
    refused(
        capfd, ["transcribe", place / "bundle", place / sound, *options], code, *words, within=place
    )


def test_commands_for_other_bundles_are_refused(place: Path, capfd: Any) -> None:
    for verb, argument in (("generate", "hello"), ("embed", "hello"), ("chat", None)):
        arguments = [verb, place / "bundle", *([argument] if argument else [])]
        line = refused(capfd, arguments, "WRONG_TASK", "'transcribe'", within=place)
        assert "use satchel transcribe" in line


def test_arrays_and_options_that_make_no_sense(place: Path) -> None:
    model: Any = load_as(satchel.SpeechModel, place / "bundle")
    sound = some_sound(1)
    bad: list[tuple[Callable[[], Any], str]] = [
        (lambda: model.transcribe(sound), "sample_rate"),
        (lambda: model.transcribe(sound[:0], sample_rate=RATE), "no samples"),
        (lambda: model.transcribe(sound * np.nan, sample_rate=RATE), "not a number"),
        (lambda: model.transcribe(sound, sample_rate=RATE, max_new_tokens=0), "max_new_tokens"),
        (lambda: model.transcribe(sound, sample_rate=RATE, tempreture=1), "tempreture"),
        (lambda: model.transcribe(sound, sample_rate=RATE, temperature=-1), "temperature"),
        (lambda: model.transcribe(sound, sample_rate=RATE, n_best=2, num_beams=2), "n_best"),
        (lambda: model.detect_language(None), "NoneType"),
        (lambda: model.generate("hello"), "does not fit"),
    ]
    for call, words in bad:
        with pytest.raises(UsageError, match=words):
            call()


def test_a_model_without_timestamps_says_so(tmp_path: Path) -> None:
    """Long sounds are then cut into windows of equal length."""
    save_speech(tmp_path / "checkpoint", vocab_size=VOCAB - 1)
    tokenizer = json.loads((tmp_path / "checkpoint/tokenizer.json").read_text())
    tokenizer["added_tokens"].pop()
    (tmp_path / "checkpoint/tokenizer.json").write_text(json.dumps(tokenizer))
    satchel.pack(tmp_path / "checkpoint", tmp_path / "bundle", profile="fp32")
    model = load_as(satchel.SpeechModel, tmp_path / "bundle")
    with pytest.raises(UsageError, match="no timestamps"):
        model.transcribe(some_sound(1), sample_rate=RATE, timestamps=True)
    found = model.transcribe(some_sound(5), sample_rate=RATE, language="en")
    assert [(s.start, s.end) for s in found.segments] == [(0, 2), (2, 4), (4, 5)]


CHECKPOINTS: dict[str, tuple[str, dict[str, Any], str]] = {
    "other mels": ("preprocessor_config", {"feature_size": 80}, "80"),
    "longer windows": ("preprocessor_config", {"chunk_length": 30}, "3000"),
    "other extractor": (
        "preprocessor_config",
        {"feature_extractor_type": "Speech2Text"},
        "Speech2",
    ),
    "heads": ("config", {"encoder_attention_heads": 5}, "encoder_attention_heads"),
    "positions": ("config", {"max_source_positions": 120}, "positions"),
    "words": ("config", {"vocab_size": 999}, "words"),
    "unknown key": ("config", {"use_weighted_layer_sum": True}, "use_weighted_layer_sum"),
    "languages": ("generation_config", {"lang_to_id": {"<|en|>": 9999}}, "9999"),
    "a language": ("generation_config", {"lang_to_id": ["en"]}, "lang_to_id"),
    "tasks": ("generation_config", {"task_to_id": {"transcribe": True}}, "True"),
    "a task": ("generation_config", {"task": "sing"}, "sing"),
    "timestamps": ("generation_config", {"no_timestamps_token_id": -1}, "no_timestamps"),
    "latest start": ("generation_config", {"max_initial_timestamp_index": "x"}, "max_initial"),
    "suppressed": ("generation_config", {"suppress_tokens": [9999]}, "suppress_tokens"),
    "forced": ("generation_config", {"forced_decoder_ids": [7]}, "forced_decoder_ids"),
}


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_broken_checkpoints_are_refused(name: str, place: Path, tmp_path: Path) -> None:
    file, changes, word = CHECKPOINTS[name]
    shutil.copytree(place / "checkpoint", tmp_path / "checkpoint")
    path = tmp_path / "checkpoint" / f"{file}.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(SatchelError, match=word) as raised:
        satchel.pack(tmp_path / "checkpoint", tmp_path / "out")
    assert "\n" not in str(raised.value) and raised.value.exit_status in (3, 5)
    assert not (tmp_path / "out").exists()


def test_a_checkpoint_without_preprocessing_is_refused(place: Path, tmp_path: Path) -> None:
    shutil.copytree(place / "checkpoint", tmp_path / "checkpoint")
    (tmp_path / "checkpoint/preprocessor_config.json").unlink()
    with pytest.raises(SatchelError, match="has no preprocessor_config"):
        satchel.pack(tmp_path / "checkpoint", tmp_path / "out")


def test_a_classifier_of_sounds_is_refused(place: Path, tmp_path: Path) -> None:
    shutil.copytree(place / "checkpoint", tmp_path / "checkpoint")
    edit_config(tmp_path / "checkpoint", use_weighted_layer_sum=True)
    with pytest.raises(SatchelError, match="use_weighted_layer_sum"):
        satchel.pack(tmp_path / "checkpoint", tmp_path / "out")


MANIFESTS: dict[str, tuple[str, Any, str]] = {
    "language beyond": ("languages", {"en": 9999}, "9999"),
    "negative task": ("tasks", {"transcribe": -1}, "-1"),
    "no tasks": ("tasks", {}, "task"),
    "unknown task": ("task", "sing", "sing"),
    "unknown language": ("language", "xx", "xx"),
    "late timestamps": ("no_timestamps", VOCAB - 1, "outside"),
    "wrong type": ("no_timestamps", "265", "no_timestamps"),
}


@pytest.mark.parametrize("name", MANIFESTS)
def test_broken_manifests_are_refused(name: str, place: Path) -> None:
    field, value, word = MANIFESTS[name]
    manifest = open_bundle(place / "bundle").manifest
    assert manifest.speech is not None
    speech = dataclasses.replace(manifest.speech, **{field: value})
    with pytest.raises(BundleError, match=word):
        sealed.read(sealed.written(dataclasses.replace(manifest, speech=speech)))


@pytest.mark.parametrize("audio", [None, {}, {"seconds": 2}, "other"])
def test_a_manifest_must_say_what_sound_is(audio: Any, place: Path, tmp_path: Path) -> None:
    shutil.copytree(place / "bundle", tmp_path / "bundle")
    whole = open_bundle(tmp_path / "bundle").manifest.audio
    assert whole is not None
    said("audio", value=whole | {"seconds": 3} if audio == "other" else audio)(tmp_path / "bundle")
    with pytest.raises(BundleError, match="audio"):
        satchel.load(tmp_path / "bundle")
