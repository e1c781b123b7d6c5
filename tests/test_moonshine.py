"""Moonshine: transformers = our reference model = the exported graphs, and the texts are the same."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import satchel
from satchel import models
from satchel.checkpoints.folder import load_folder
from satchel.cli.main import main
from satchel.measure.benchmark import _run as bench
from satchel.measure.conformance import case_file
from satchel.measure.verification import verify
from satchel.models.seq2seq import Context
from satchel.runtime.audio import WaveFormat
from satchel.runtime.errors import BundleError, SatchelError, UsageError
from satchel.runtime.speech_model import SpeechModel
from tests.loading import load_as
from tests.manifests import said
from tests.outcome import refused
from tests.tiny import edit_config
from tests.tiny_moonshine import END, START, VOCAB, save_moonshine
from tests.tiny_speech import RATE, some_sound

FORM = WaveFormat(RATE, False, 384, 895, 50, 0, False)
SOUNDS = [some_sound(seconds, seed) for seed, seconds in enumerate((1.7, 0.31, 2.22))]
CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "own-head": {"tie_word_embeddings": False},
    "wide": {"head_dim": 32, "partial_rotary_factor": 0.5, "pad_head_dim_to_multiple_of": 8},
    "other": {
        "hidden_size": 64,
        "partial_rotary_factor": 1.0,
        "decoder_num_hidden_layers": 3,
        "encoder_hidden_act": "relu",
        "decoder_hidden_act": "gelu",
    },
}
Pair = tuple[Any, SpeechModel, Path]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """The plain model of transformers, its float32 bundle, the folder of both."""
    folder = tmp_path_factory.mktemp("moonshine")
    theirs = save_moonshine(folder / "checkpoint")
    satchel.pack(folder / "checkpoint", folder / "bundle", profile="fp32")
    return theirs, load_as(SpeechModel, folder / "bundle"), folder


def written(theirs: Any, sound: np.ndarray, count: int, **options: Any) -> list[int]:
    """Ids by transformers' generate, without the first and the last."""
    heard = torch.from_numpy(sound)[None]
    [ids] = theirs.generate(heard, max_new_tokens=count, **options).tolist()
    return [token for token in ids[1:] if token != END]


@pytest.mark.parametrize("name", CASES)
def test_reference_model_equals_transformers(name: str, tmp_path: Path) -> None:
    theirs = save_moonshine(tmp_path, **CASES[name])
    ours: Any = models.build_seq2seq(load_folder(tmp_path))[0]
    random = torch.Generator().manual_seed(0)
    targets = torch.randint(0, VOCAB, (2, 40), generator=random)
    for length in (16_007, 895):
        heard = 0.2 * torch.randn((2, length), generator=random)
        with torch.inference_mode():
            expected = theirs(input_values=heard, decoder_input_ids=targets)
            states = ours.encoder(heard, Context())
            logits = ours(targets, Context(cross=ours.hear(heard)))
        first, second = expected.encoder_last_hidden_state
        assert (first - second).abs().max() > 0.1 and expected.logits.abs().max() > 1
        np.testing.assert_allclose(states, expected.encoder_last_hidden_state, atol=1e-4)
        np.testing.assert_allclose(logits, expected.logits, atol=1e-4)
        assert states.shape[1] == FORM.frames(length)


def test_graphs_equal_transformers(pair: Pair) -> None:
    """Alone, and sounds of several lengths together."""
    theirs, model, _ = pair
    target = np.random.default_rng(0).integers(0, VOCAB, 40).tolist()
    together = model.decoder.reading(model.encoder(SOUNDS)).start(3)
    rows = together.prefill([target, target[:7], target])
    for row, sound in enumerate(SOUNDS):
        with torch.inference_mode():
            given = torch.from_numpy(sound)[None]
            expected = theirs(given, decoder_input_ids=torch.tensor([target])).logits[0].numpy()
        alone = model.decoder.reading(model.encoder([sound])).logits(target)
        np.testing.assert_allclose(alone, expected, atol=1e-3, rtol=5e-5)
        last = expected[6 if row == 1 else -1]
        np.testing.assert_allclose(rows[row], last, atol=1e-3, rtol=5e-5)


@pytest.mark.parametrize("beams", [1, 3])
def test_text_equals_transformers(pair: Pair, beams: int) -> None:
    """With as many tokens as the sound's length allows, or as are asked for."""
    theirs, model, _ = pair
    for sound in SOUNDS:
        for asked in (None, 20):
            most = asked or math.ceil(6.5 * len(sound) / RATE)
            found = model.transcribe(sound, sample_rate=RATE, max_new_tokens=asked, num_beams=beams)
            expected = written(theirs, sound, most, num_beams=beams)
            tokens = [token for segment in found.segments for token in segment.tokens]
            assert tokens == expected and (found.language, len(found.segments)) == (None, 1)
            assert found.duration == found.segments[0].end == round(len(sound) / RATE, 2)
    assert model.tokenizer.decode([START, END]) == ""


def test_a_long_sound_is_cut_where_it_is_quiet(pair: Pair) -> None:
    theirs, _, folder = pair
    model = load_as(SpeechModel, folder / "bundle")
    assert isinstance(model.audio, WaveFormat) and model.audio.window_samples == 1249 * 384 + 895
    model.audio = form = dataclasses.replace(model.audio, window=50)
    sound = some_sound(4.6, 2)
    cuts = form.cuts(sound)
    assert len(cuts) > 4 and np.diff(cuts).max() <= form.window_samples
    found = model.transcribe(sound, sample_rate=RATE)
    tokens = []
    for start, end in itertools.pairwise(cuts):
        most = math.ceil(6.5 * (end - start) / RATE)
        tokens.append(written(theirs, sound[start:end], most))
    assert [segment.tokens for segment in found.segments] == tokens
    assert [segment.start for segment in found.segments] == [
        round(at / RATE, 2) for at in cuts[:-1]
    ]
    assert found.text == model.text_of([token for part in tokens for token in part])
    stream = model.transcribe_stream(sound, sample_rate=RATE)
    assert [next(stream), *stream] == found.segments and stream.result == found


def test_cuts_are_in_pauses() -> None:
    form = dataclasses.replace(FORM, window=200)
    most, pause = form.window_samples, RATE // 4
    sound = some_sound(13) + np.float32(0.1)
    silent = [4 * RATE, 8 * RATE + 99, 12 * RATE]
    for at in silent:
        sound[at : at + pause] = 0
    cuts = form.cuts(sound)
    assert cuts[0] == 0 and cuts[-1] == 13 * RATE
    assert [any(at <= cut <= at + pause for at in silent) for cut in cuts[1:-1]] == [True] * 3
    for length in range(most - 3, most + 1200, 97):
        steps = [b - a for a, b in itertools.pairwise(form.cuts(sound[:length]))]
        assert form.field <= min(steps) and max(steps) <= most and sum(steps) == length
    assert form.cuts(sound[:most]) == [0, most]


def test_silence_and_what_is_too_short(pair: Pair) -> None:
    _, model, _ = pair
    nothing = model.transcribe(np.zeros(40 * RATE, np.float32), sample_rate=RATE)
    assert (nothing.text, nothing.segments) == ("", [])
    with pytest.raises(UsageError, match=r"894 samples .* needs 895"):
        model.transcribe(SOUNDS[0][:894], sample_rate=RATE)
    assert model.transcribe(SOUNDS[0][:895], sample_rate=RATE).duration == 895 / RATE
    cancel = satchel.Cancel()
    cancel.cancel()
    with pytest.raises(SatchelError, match="cancelled"):
        model.transcribe(SOUNDS[0], sample_rate=RATE, cancel=cancel)


OPTIONS: list[tuple[dict[str, Any], str]] = [
    ({"timestamps": True}, "timestamps"),
    ({"language": "en"}, "one language"),
    ({"task": "translate"}, "only transcribes"),
    ({"max_new_tokens": 0}, "max_new_tokens"),
]


@pytest.mark.parametrize(("options", "words"), OPTIONS)
def test_what_it_cannot_do_is_refused_by_name(
    options: dict[str, Any], words: str, pair: Pair, capfd: Any, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=words):
        pair[1].transcribe(SOUNDS[0], sample_rate=RATE, **options)
    with pytest.raises(UsageError, match="one language"):
        pair[1].detect_language(SOUNDS[0], sample_rate=RATE)
    if options == {"timestamps": True}:
        soundfile = pytest.importorskip("soundfile")
        soundfile.write(tmp_path / "a.wav", SOUNDS[0], RATE)
        command = ["transcribe", str(pair[2] / "bundle"), str(tmp_path / "a.wav")]
        refused(capfd, [*command, "--timestamps"], "USAGE", "timestamps", within=tmp_path)
        assert main(command) == 0


def test_bundles_verify_and_repeat_their_cases(pair: Pair, tmp_path: Path, capsys: Any) -> None:
    _, model, folder = pair
    assert all(row.passed for row in verify(model))
    assert main(["inspect", str(folder / "bundle")]) == 0
    assert f"{RATE} samples/s, 384 a frame, up to 1250 frames" in capsys.readouterr().out
    model = load_as(SpeechModel, folder / "bundle")
    assert isinstance(model.audio, WaveFormat)
    model.audio = dataclasses.replace(model.audio, window=60)  # else its cases are minutes long
    outcome = case_file.check(model, json.loads(json.dumps(case_file.make(model))))
    assert not outcome.failed and outcome.cases["transcribe"] > 5, outcome.lines
    assert not outcome.cases["features"]


def test_int8_bundle_is_verified_and_heard(pair: Pair, tmp_path: Path) -> None:
    packed = satchel.pack(pair[2] / "checkpoint", tmp_path / "bundle")
    assert packed.manifest.verified and packed.manifest.quantization["name"] == "int8"
    assert any("6.5 tokens for a second" in note for note in packed.notes)
    model = load_as(SpeechModel, tmp_path / "bundle")
    assert all(row.passed for row in verify(model))
    assert model.transcribe(SOUNDS[0], sample_rate=RATE).segments
    figures = bench(str(tmp_path / "bundle"), 1)
    assert {"features_seconds", "window_seconds", "decode_per_second"} <= figures.keys()


def test_frequencies_in_older_files_change_nothing(pair: Pair, tmp_path: Path) -> None:
    shutil.copytree(pair[2] / "checkpoint", tmp_path, dirs_exist_ok=True)
    tensors = load_file(tmp_path / "model.safetensors")
    more = {f"model.{side}.rotary_emb.inv_freq": torch.ones(8) for side in ("encoder", "decoder")}
    more["proj_out.weight"] = tensors["model.decoder.embed_tokens.weight"].clone()
    save_file(tensors | more, tmp_path / "model.safetensors")
    reference, _ = models.build_seq2seq(load_folder(tmp_path))
    assert reference.tied


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"encoder_num_attention_heads": 8}, "encoder_num_attention_heads = 8"),
    ({"decoder_num_key_value_heads": 2}, "decoder_num_key_value_heads = 2"),
    ({"attention_bias": True}, "attention_bias"),
    ({"decoder_num_attention_heads": 3}, "does not divide"),
    ({"rope_parameters": {"rope_type": "linear", "factor": 2.0}}, "rope type 'linear'"),
    (
        {"rope_parameters": {"rope_type": "default", "partial_rotary_factor": 0.4}},
        "8 of 20 channels",
    ),
    ({"encoder_hidden_act": "mish"}, "mish"),
    ({"decoder_hidden_act": "mish"}, "mish"),
    ({"is_encoder_decoder": False}, "is_encoder_decoder"),
    ({"encoder_num_hidden_layers": 3}, "missing"),
    ({"intermediate_size": 90}, "misshapen"),
    ({"head_dim": 20, "hidden_size": 64}, "misshapen"),
]


@pytest.mark.parametrize(("changes", "words"), REFUSED)
def test_refusals_name_what_is_wrong(
    changes: dict[str, Any], words: str, pair: Pair, tmp_path: Path
) -> None:
    shutil.copytree(pair[2] / "checkpoint", tmp_path, dirs_exist_ok=True)
    edit_config(tmp_path, **changes)
    with pytest.raises(SatchelError, match=words) as raised:
        models.build_seq2seq(load_folder(tmp_path))
    assert "\n" not in str(raised.value)


FOLDERS: list[tuple[dict[str, Any] | None, str]] = [
    (None, "preprocessor_config"),
    ({"feature_extractor_type": "WhisperFeatureExtractor"}, "WhisperFeatureExtractor"),
    ({"feature_size": 80}, "feature_size"),
    ({"sampling_rate": 10}, "sampling_rate"),
]


@pytest.mark.parametrize(("changes", "words"), FOLDERS)
def test_preprocessing_that_is_not_supported(
    changes: dict[str, Any] | None, words: str, pair: Pair, tmp_path: Path
) -> None:
    shutil.copytree(pair[2] / "checkpoint", tmp_path / "checkpoint")
    path = tmp_path / "checkpoint/preprocessor_config.json"
    if changes is None:
        path.unlink()
    else:
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(SatchelError, match=words):
        satchel.pack(tmp_path / "checkpoint", tmp_path / "out")
    assert not (tmp_path / "out").exists()


MANIFESTS: dict[str, tuple[tuple[str | int, ...], Any, str]] = {
    "a window too long": (("audio", "window"), 1251, "window = 1251 of 1250"),
    "no stride": (("audio", "stride"), 0, "stride = 0"),
    "a spectrogram": (("graphs", "encoder", "inputs", 0, "axes"), [1, 80, 3000], "encoder reads"),
    "no tokens": (("speech", "tokens_per_second"), 0, "tokens_per_second"),
    "many tokens": (("speech", "tokens_per_second"), "6", "tokens_per_second"),
    "timestamps": (("speech", "timestamps"), True, "timestamps"),
}


@pytest.mark.parametrize("name", MANIFESTS)
def test_a_manifest_that_contradicts_itself(name: str, pair: Pair, tmp_path: Path) -> None:
    path, value, words = MANIFESTS[name]
    shutil.copytree(pair[2] / "bundle", tmp_path / "bundle")
    said(*path, value=value)(tmp_path / "bundle")
    with pytest.raises(BundleError, match=words):
        satchel.load(tmp_path / "bundle")
