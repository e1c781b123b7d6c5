"""Bundles of encoders of sound: text, words, labels and vectors as transformers has them; long sounds."""

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
import torch
import transformers

import satchel
from satchel.checkpoints.folder import load_folder
from satchel.cli.main import main
from satchel.export.audio_config import framed_format
from satchel.measure.conformance import case_file
from satchel.measure.verification import verify
from satchel.runtime.audio import WaveFormat
from satchel.runtime.errors import BundleError, SatchelError, UsageError
from satchel.runtime.task import TaskError
from tests.loading import load_as
from tests.manifests import said
from tests.outcome import refused
from tests.tiny import edit_config
from tests.tiny_sound import LARGE, RATE, STRIDE, VOCAB, save_letters, save_sound
from tests.tiny_speech import some_sound

Made = tuple[Any, Any, Path]  # our bundle, transformers' model, the folder of both
WINDOW, OVERLAP = 60, 15  # frames; a frame hears 8 others on either side
FORM = WaveFormat(RATE, True, STRIDE, 258, WINDOW, OVERLAP, False)
SOUNDS = [some_sound(seconds, seed) for seed, seconds in enumerate((1.7, 0.31, 2.2))]
FAR = "attention.out_proj"  # without which a state depends on its neighbours alone


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Made]:
    """(model type, task, weight of attention, configuration) -> a loaded bundle and its origin."""
    known: dict[Any, Made] = {}

    def get(model_type: str, task: str, attention: float = 1.0, **overrides: Any) -> Made:
        key = (model_type, task, attention, repr(overrides))
        if key not in known:
            folder = tmp_path_factory.mktemp(task)
            theirs = save_sound(folder / "checkpoint", model_type, task, **overrides)
            if attention != 1:
                with torch.no_grad():
                    for name, parameter in theirs.named_parameters():
                        parameter *= attention if FAR in name else 1
                theirs.save_pretrained(folder / "checkpoint")
            satchel.pack(folder / "checkpoint", folder / "bundle", profile="fp32")
            model = load_as(satchel.SoundModel, folder / "bundle")
            known[key] = model, theirs, folder
        return known[key]

    return get


def heard(folder: Path, sound: np.ndarray) -> torch.Tensor:
    extractor = transformers.AutoFeatureExtractor.from_pretrained(folder / "checkpoint")
    values: torch.Tensor = extractor(sound, sampling_rate=RATE, return_tensors="pt").input_values
    return values


def written(
    theirs: Any, folder: Path, sound: np.ndarray
) -> tuple[str, list[tuple[float, float, str]]]:
    """Text and words of a sound by transformers, in one piece."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder / "checkpoint")
    with torch.inference_mode():
        ids = theirs(heard(folder, sound)).logits[0].argmax(-1)
    found = tokenizer.decode(ids, output_word_offsets=True)
    second = theirs.config.inputs_to_logits_ratio / RATE
    return found.text, [
        (round(w["start_offset"] * second, 2), round(w["end_offset"] * second, 2), w["word"])
        for w in found.word_offsets
    ]


@pytest.mark.parametrize(("model_type", "size"), [("wav2vec2", {}), ("wavlm", LARGE)])
def test_text_and_words_equal_transformers(model_type: str, size: Any, made: Any) -> None:
    ours, theirs, folder = made(model_type, "ctc", **size)
    assert repr(ours).startswith(f"<SoundModel {model_type}, ctc, fp32, ")
    for sound in SOUNDS:
        text, words = written(theirs, folder, sound)
        found = ours.transcribe(sound, sample_rate=RATE)
        assert found.text == text and len(text) > 8
        assert [(s.start, s.end, s.text) for s in found.segments] == words
        assert found.duration == len(sound) / RATE and found.language is None
        with torch.inference_mode():
            states = theirs.base_model(heard(folder, sound)).last_hidden_state[0]
        mine = ours.sound_hidden_states(sound, sample_rate=RATE)
        np.testing.assert_allclose(mine, states, atol=1e-3)
    assert any(len(ours.transcribe(s, sample_rate=RATE).segments) > 1 for s in SOUNDS)


def test_vectors_equal_transformers(made: Any, tmp_path: Path) -> None:
    ours, theirs, folder = made("hubert", "audio-embed")
    with torch.inference_mode():
        expected = [theirs(heard(folder, s)).last_hidden_state[0].mean(0).numpy() for s in SOUNDS]
    found = ours.embed_sounds(SOUNDS, sample_rate=RATE)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert np.ptp(found, axis=0).max() > 0.01
    np.testing.assert_array_equal(ours.embed_sounds(SOUNDS[1], sample_rate=RATE), found[1:2])
    assert ours.embed_sounds([]).shape == (0, 64)
    soundfile.write(tmp_path / "a.wav", SOUNDS[0], RATE, subtype="FLOAT")
    for form in (tmp_path / "a.wav", str(tmp_path / "a.wav"), (tmp_path / "a.wav").read_bytes()):
        np.testing.assert_array_equal(ours.embed_sounds([form]), found[:1])


def test_labels_equal_transformers(made: Any) -> None:
    ours, theirs, folder = made("wavlm", "audio-classify", use_weighted_layer_sum=True)
    for sound, one in zip(SOUNDS, ours.classify_sounds(SOUNDS, sample_rate=RATE), strict=True):
        with torch.inference_mode():
            scores = theirs(heard(folder, sound)).logits[0].softmax(-1).numpy()
        np.testing.assert_allclose(list(one.scores.values()), scores, atol=1e-4)
        assert one.label == f"LABEL_{scores.argmax()}"


def test_windows_meet_at_frames() -> None:
    """Every frame is kept once, with neighbours on either side, and made of the same samples."""
    for frames in (1, 59, 60, 61, 89, 90, 91, 119, 500, 611):
        samples = np.arange(STRIDE * (frames - 1) + FORM.field + 11, dtype=np.float32)
        kept: list[int] = []
        for first, start, end in FORM.windows(frames):
            last = min(first + WINDOW, frames)
            piece = FORM.piece(samples, first, last)
            assert FORM.frames(len(piece)) == last - first and piece[0] == first * STRIDE
            assert start - first >= OVERLAP or start == 0
            assert last - end >= OVERLAP or end == frames
            assert last - first == min(WINDOW, frames)
            kept += range(start, end)
        assert kept == list(range(frames))
        parts = FORM.parts(frames)
        assert [frame for part in parts for frame in range(*part)] == list(range(frames))
        sizes = {end - first for first, end in parts}
        assert len(parts) == -(-frames // WINDOW) and max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("attention", [0.0, 0.001])
def test_a_long_sound_in_windows_gives_the_text_of_one_piece(attention: float, made: Any) -> None:
    """Without attention a frame hears its neighbours alone, and windows give the same numbers; with a
    little of it, the same text."""
    ours, theirs, folder = made("wav2vec2", "ctc", attention, **LARGE)
    model, sound = load_as(satchel.SoundModel, folder / "bundle"), some_sound(7.3, 2)
    whole = model.transcribe(sound, sample_rate=RATE)
    assert whole.text == written(theirs, folder, sound)[0] and len(whole.text) > 40
    model.audio = dataclasses.replace(model.audio, window=WINDOW, overlap=OVERLAP)
    if not attention:
        mine = model.sound_hidden_states(sound, sample_rate=RATE)
        np.testing.assert_allclose(
            mine, ours.sound_hidden_states(sound, sample_rate=RATE), atol=1e-4
        )
    assert model.transcribe(sound, sample_rate=RATE) == whole


def test_long_sounds_have_the_mean_of_their_parts(made: Any) -> None:
    folder = made("hubert", "audio-embed")[2]
    model, sound = load_as(satchel.SoundModel, folder / "bundle"), some_sound(3.1, 1)
    model.audio = form = dataclasses.replace(model.audio, window=WINDOW, overlap=OVERLAP)
    samples = form.heard(sound)
    parts = form.parts(form.frames(len(sound)))
    assert len(parts) == 3
    graph = model.graphs["sound"]
    states = [
        graph({"input_values": form.piece(samples, *part)[None]}, "last_hidden_state")[0]
        for part in parts
    ]
    found = model.embed_sounds(sound, sample_rate=RATE)[0]
    np.testing.assert_allclose(found, np.concatenate(states).mean(0), atol=1e-5)


def test_samples_are_heard_as_by_transformers(tmp_path: Path) -> None:
    quiet = np.zeros(4000, np.float32)
    for normalized in (True, False):
        extractor = transformers.Wav2Vec2FeatureExtractor(do_normalize=normalized)
        form = dataclasses.replace(FORM, normalized=normalized)
        for sound in (*SOUNDS, 30 * SOUNDS[0] + 5, 1e-4 * SOUNDS[0], quiet):
            expected = extractor(sound, sampling_rate=RATE).input_values[0]
            np.testing.assert_allclose(form.heard(sound), expected, rtol=1e-4, atol=1e-4)


def test_other_rates_and_bad_sounds(made: Any) -> None:
    model = made("wav2vec2", "ctc")[0]
    double = np.repeat(some_sound(1), 2)
    assert abs(model.transcribe(double, sample_rate=2 * RATE).duration - 1) < 1e-3
    bad: list[tuple[Callable[[], Any], str]] = [
        (lambda: model.transcribe(double), "needs sample_rate"),
        (lambda: model.transcribe(double[:257], sample_rate=RATE), "has 257 samples .* needs 258"),
        (lambda: model.transcribe(double[:0], sample_rate=RATE), "no samples"),
        (lambda: model.transcribe(double * np.nan, sample_rate=RATE), "not a number"),
        (lambda: model.transcribe(double, sample_rate=0), "samples per second"),
        (lambda: model.sound_hidden_states(None), "NoneType is no sound"),
        (lambda: model.embed_sounds(double), "embed_sounds does not fit .*'ctc'"),
        (lambda: model.transcribe_stream(double), "transcribe or sound_hidden_states"),
    ]
    for call, words in bad:
        with pytest.raises(UsageError, match=words):
            call()
    assert len(model.transcribe(double[:258], sample_rate=RATE).segments) <= 1
    with pytest.raises(TaskError):
        made("hubert", "audio-embed")[0].transcribe(double)


def test_bundles_verify_and_are_described(made: Any, capsys: Any) -> None:
    for model_type, task in (("wav2vec2", "ctc"), ("hubert", "audio-embed")):
        model, _, folder = made(model_type, task)
        rows = verify(model)
        assert len(rows) == 3 and all(row.passed for row in rows)
        assert [item.name for item in model.workloads()] == [f"batch {n}_s" for n in (1, 5, 20)]
        assert main(["inspect", str(folder / "bundle")]) == 0
        assert "16000 samples/s, 320 a frame" in capsys.readouterr().out


@pytest.mark.parametrize(("model_type", "task"), [("wav2vec2", "ctc"), ("hubert", "audio-embed")])
def test_cases_for_other_runtimes(model_type: str, task: str, made: Any) -> None:
    model = made(model_type, task)[0]
    content = json.loads(json.dumps(case_file.make(model)))
    outcome = case_file.check(model, content)
    assert not outcome.failed, outcome.lines
    assert outcome.cases["transcribe"] == (4 if task == "ctc" else 0)


@pytest.fixture(scope="module")
def place(made: Any) -> Path:
    """A folder with a bundle, and sounds."""
    folder: Path = made("wav2vec2", "ctc")[2]
    soundfile.write(folder / "sound.wav", SOUNDS[0], RATE)
    soundfile.write(folder / "short.wav", SOUNDS[0][:100], RATE)
    return folder


def run(capsys: Any, *arguments: object) -> str:
    capsys.readouterr()
    assert main([str(argument) for argument in arguments]) == 0
    output: str = capsys.readouterr().out
    return output


def test_commands(place: Path, made: Any, capsys: Any) -> None:
    expected = made("wav2vec2", "ctc")[0].transcribe(place / "sound.wav")
    command = ("transcribe", place / "bundle", place / "sound.wav")
    assert run(capsys, *command) == expected.text + "\n"
    lines = run(capsys, *command, "--timestamps").splitlines()
    first = expected.segments[0]
    assert lines[0] == f"[00:{first.start:05.2f} - 00:{first.end:05.2f}] {first.text}"
    assert json.loads(run(capsys, *command, "--json")) == dataclasses.asdict(expected)
    other = made("hubert", "audio-embed")[2] / "bundle"
    [vector] = run(capsys, "embed", other, "--audio", place / "sound.wav").splitlines()
    assert len(json.loads(vector)) == 64
    other = made("wavlm", "audio-classify", use_weighted_layer_sum=True)[2] / "bundle"
    assert run(capsys, "classify", other, "--audio", place / "sound.wav").startswith("LABEL_")


COMMANDS: dict[str, tuple[list[str], str, tuple[str, ...]]] = {
    "too short": (["transcribe", "short.wav"], "USAGE", ("100 samples", "258")),
    "a language": (["transcribe", "sound.wav", "--language", "en"], "USAGE", ("--language",)),
    "beams": (["transcribe", "sound.wav", "--num-beams", "2"], "USAGE", ("--num-beams",)),
    "vectors": (["embed", "--audio", "sound.wav"], "WRONG_TASK", ("'ctc'", "satchel transcribe")),
    "a text": (["embed", "hello"], "WRONG_TASK", ("'ctc'", "satchel transcribe")),
    "a prompt": (["embed", "--prompt", "x", "--audio", "sound.wav"], "USAGE", ("--audio",)),
    "both": (["classify", "--image", "a.png", "--audio", "sound.wav"], "USAGE", ("one of them",)),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_what_makes_no_sense_is_one_line(name: str, place: Path, capfd: Any) -> None:
    (verb, *rest), code, words = COMMANDS[name]
    paths = [str(place / one) if one.endswith(".wav") else one for one in rest]
    refused(capfd, [verb, str(place / "bundle"), *paths], code, *words, within=place)


MANIFESTS: dict[str, tuple[tuple[str | int, ...], Any, str]] = {
    "no audio": (("audio",), None, "lacks audio"),
    "no stride": (("audio", "stride"), 0, "stride = 0"),
    "no window": (("audio", "window"), 20, "overlap = 250 leaves nothing"),
    "a flag": (("audio", "normalized"), 1, "normalized = 1"),
    "fewer letters": (("labels", "names"), ["", "a"], "logits"),
    "a batch": (("graphs", "sound", "inputs", 0, "axes", 0), "batch", "input_values"),
    "a task of another": (("task",), "audio-classify", "logits"),
}


@pytest.mark.parametrize("name", MANIFESTS)
def test_a_manifest_that_contradicts_itself(name: str, place: Path, tmp_path: Path) -> None:
    path, value, words = MANIFESTS[name]
    shutil.copytree(place / "bundle", tmp_path / "bundle")
    said(*path, value=value)(tmp_path / "bundle")
    with pytest.raises(BundleError, match=words):
        satchel.load(tmp_path / "bundle")


FOLDERS: dict[str, tuple[Callable[[Path], Any], dict[str, Any], str]] = {
    "no letters": (lambda folder: (folder / "vocab.json").unlink(), {}, "no vocab.json"),
    "no preprocessing": (
        lambda folder: (folder / "preprocessor_config.json").unlink(), {}, "preprocessor_config",
    ),
    "other letters": (lambda folder: save_letters(folder, [*VOCAB[:0:-1], "X", "<pad>"]), {}, "'<pad>'"),
    "texts": (lambda folder: None, {"quality_text": __file__}, "reads sound"),
    "a context": (lambda folder: None, {"context": 100}, "--context"),
    "another task": (lambda folder: None, {"task": "embed"}, "audio-embed, ctc"),
}  # fmt: skip


@pytest.mark.parametrize("name", FOLDERS)
def test_a_checkpoint_that_lacks_something(name: str, place: Path, tmp_path: Path) -> None:
    change, options, words = FOLDERS[name]
    shutil.copytree(place / "checkpoint", tmp_path / "checkpoint")
    change(tmp_path / "checkpoint")
    with pytest.raises(SatchelError, match=words) as raised:
        satchel.pack(tmp_path / "checkpoint", tmp_path / "out", **options)
    assert "\n" not in str(raised.value) and not (tmp_path / "out").exists()


PROCESSORS: list[tuple[dict[str, Any], str]] = [
    ({"feature_extractor_type": "SeamlessM4TFeatureExtractor"}, "SeamlessM4TFeatureExtractor"),
    ({"feature_size": 80}, "feature_size"),
    ({"sampling_rate": "fast"}, "sampling_rate"),
    ({"sampling_rate": 10}, "sampling_rate"),
    ({"do_normalize": 1}, "normalized = 1"),
]


@pytest.mark.parametrize(("changes", "words"), PROCESSORS)
def test_preprocessing_that_is_not_supported(
    changes: dict[str, Any], words: str, place: Path, tmp_path: Path
) -> None:
    shutil.copytree(place / "checkpoint", tmp_path, dirs_exist_ok=True)
    path = tmp_path / "preprocessor_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(SatchelError, match=words):
        framed_format(load_folder(tmp_path), {"stride": STRIDE, "field": 258}, False)


def test_a_checkpoint_of_one_language_of_many(place: Path, tmp_path: Path) -> None:
    """MMS: adapters of attention, one for each language."""
    shutil.copytree(place / "checkpoint", tmp_path / "checkpoint")
    edit_config(tmp_path / "checkpoint", adapter_attn_dim=16)
    with pytest.raises(SatchelError, match="adapter_attn_dim"):
        satchel.pack(tmp_path / "checkpoint", tmp_path / "out")
