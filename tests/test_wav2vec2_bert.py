"""Wav2Vec2-BERT: energies of bands as in transformers, its model, its bundles, what is refused."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

import satchel
from satchel import models
from satchel.checkpoints.folder import load_folder
from satchel.cli.main import main
from satchel.export.audio_config import framed_format
from satchel.measure.conformance import case_file
from satchel.measure.verification import verify
from satchel.runtime.errors import BundleError, SatchelError, UsageError
from satchel.runtime.filter_banks import BankFormat
from satchel.tokenization.letters import letters
from tests.loading import load_as
from tests.manifests import said
from tests.tiny import edit_config
from tests.tiny_sound import MELS, RATE, STRIDE, VOCAB, save_sound
from tests.tiny_speech import some_sound

FORM = BankFormat(RATE, MELS, 2, 1, 60, 15, False)
SOUNDS = [some_sound(seconds, seed) for seed, seconds in enumerate((1.7, 0.31, 2.22))]
ADAPTED: dict[str, Any] = {"add_adapter": True, "output_hidden_size": 32, "num_adapter_layers": 2}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "ctc": ("ctc", {}),
    "adapter": ("ctc", ADAPTED | {"use_intermediate_ffn_before_adapter": True}),
    "odd": (
        "ctc",
        {"add_adapter": True, "adapter_stride": 3, "adapter_act": "gelu", "hidden_act": "relu"}
        | {"left_max_position_embeddings": 3, "right_max_position_embeddings": 0},
    ),
    "no places": ("ctc", {"position_embeddings_type": None}),
    "embed": ("audio-embed", {}),
    "classify": ("audio-classify", {}),
    "weighed": ("audio-classify", {"use_weighted_layer_sum": True}),
}
Made = tuple[Path, Any]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Made]:
    """Name of a case -> the folder of its checkpoint, and transformers' model; made once."""
    known: dict[str, Made] = {}

    def get(name: str) -> Made:
        if name not in known:
            folder, (task, overrides) = tmp_path_factory.mktemp("bert"), CASES[name]
            theirs = save_sound(folder / "checkpoint", "wav2vec2-bert", task, **overrides)
            known[name] = folder, theirs
        return known[name]

    return get


@pytest.fixture(scope="module")
def packed(made: Callable[..., Made]) -> Callable[..., tuple[Any, Any, Path]]:
    """Name of a case -> a loaded bundle, transformers' model, the folder of both."""

    def get(name: str) -> tuple[Any, Any, Path]:
        folder, theirs = made(name)
        if not (folder / "bundle").exists():
            satchel.pack(folder / "checkpoint", folder / "bundle", profile="fp32")
        return load_as(satchel.SoundModel, folder / "bundle"), theirs, folder

    return get


def heard(folder: Path, sound: np.ndarray) -> dict[str, torch.Tensor]:
    extractor = transformers.AutoFeatureExtractor.from_pretrained(folder / "checkpoint")
    values: dict[str, torch.Tensor] = extractor(sound, sampling_rate=RATE, return_tensors="pt")
    return values


@pytest.mark.parametrize("mels", [80, MELS])
def test_energies_equal_transformers(mels: int) -> None:
    extractor = transformers.SeamlessM4TFeatureExtractor(feature_size=mels, num_mel_bins=mels)
    form = dataclasses.replace(FORM, mels=mels)
    quiet = np.zeros(3000, np.float32)
    for sound in (*SOUNDS, SOUNDS[0][:740], 1e-4 * SOUNDS[2], 20 * SOUNDS[2], quiet):
        given = extractor(sound, sampling_rate=RATE, return_tensors="np")
        # An odd energy at the end is filled up with one that is masked.
        expected = given["input_features"][0][given["attention_mask"][0] == 1]
        found = form.heard(sound)
        assert len(found) == form.frames(len(sound)) and found.dtype == np.float32
        np.testing.assert_allclose(found, expected, atol=2e-4)


@pytest.mark.parametrize("name", CASES)
def test_reference_model_equals_transformers(name: str, made: Any) -> None:
    folder, theirs = made(name)
    ours = models.build_encoder(load_folder(folder / "checkpoint"))
    for rows in (150, 9, 1):
        random = torch.Generator().manual_seed(rows)
        features = torch.randn((2, rows, 2 * MELS), generator=random)
        with torch.inference_mode():
            states, answer = ours.towers["sound"](features)
            wanted = theirs.base_model(features).last_hidden_state
            expected = wanted.mean(1) if ours.task == "audio-embed" else theirs(features).logits
        assert (expected[0] - expected[1]).abs().max() > 0.02
        np.testing.assert_allclose(states, wanted, atol=1e-4)
        np.testing.assert_allclose(answer, expected, atol=1e-4)
        assert states.shape[1] == -(-rows // ours.facts["shrunk"])


@pytest.mark.parametrize("name", ["ctc", "adapter"])
def test_text_equals_transformers(name: str, packed: Any) -> None:
    ours, theirs, folder = packed(name)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder / "checkpoint")
    stride = STRIDE * (4 if name == "adapter" else 1)
    assert ours.audio.stride == stride
    for sound in SOUNDS:
        sound = sound[: (len(sound) - 240) // STRIDE * STRIDE + 240]  # an even number of energies
        with torch.inference_mode():
            ids = theirs(**heard(folder, sound)).logits[0].argmax(-1)
            states = theirs.base_model(**heard(folder, sound)).last_hidden_state[0]
        expected = tokenizer.decode(ids, output_word_offsets=True)
        found = ours.transcribe(sound, sample_rate=RATE)
        assert found.text == expected.text and len(found.text) > 1
        offsets = [word["start_offset"] * stride / RATE for word in expected.word_offsets]
        assert [word.start for word in found.segments] == [round(place, 2) for place in offsets]
        assert found.duration == len(sound) / RATE
        mine = ours.sound_hidden_states(sound, sample_rate=RATE)
        np.testing.assert_allclose(mine, states, atol=1e-3)


def test_vectors_and_labels_equal_transformers(packed: Any) -> None:
    ours, theirs, folder = packed("embed")
    found = ours.embed_sounds(SOUNDS, sample_rate=RATE)
    for vector, sound in zip(found, SOUNDS, strict=True):
        given = heard(folder, sound)
        with torch.inference_mode():
            states = theirs(**given).last_hidden_state[0][given["attention_mask"][0] == 1]
        np.testing.assert_allclose(vector, states.mean(0), atol=1e-3)
    ours, theirs, folder = packed("weighed")
    for sound, one in zip(SOUNDS, ours.classify_sounds(SOUNDS, sample_rate=RATE), strict=True):
        with torch.inference_mode():
            scores = theirs(**heard(folder, sound)).logits[0].softmax(-1)
        np.testing.assert_allclose(list(one.scores.values()), scores, atol=1e-4)


@pytest.mark.parametrize("name", ["ctc", "adapter"])
def test_a_long_sound_in_windows_gives_the_text_of_one_piece(
    name: str, made: Any, tmp_path: Path
) -> None:
    """Without attention a frame hears those before it alone, and windows give the same numbers."""
    task, overrides = CASES[name]
    theirs = save_sound(tmp_path / "checkpoint", "wav2vec2-bert", task, **overrides)
    with torch.no_grad():
        for key, parameter in theirs.named_parameters():
            parameter *= 0 if "linear_out" in key else 1
    theirs.save_pretrained(tmp_path / "checkpoint")
    satchel.pack(tmp_path / "checkpoint", tmp_path / "bundle", profile="fp32")
    model, sound = load_as(satchel.SoundModel, tmp_path / "bundle"), some_sound(7.3, 2)
    whole = model.transcribe(sound, sample_rate=RATE)
    states = model.sound_hidden_states(sound, sample_rate=RATE)
    assert len(whole.text) > 20 and len(states) == model.audio.frames(len(sound))
    model.audio = dataclasses.replace(model.audio, window=60, overlap=15)
    mine = model.sound_hidden_states(sound, sample_rate=RATE)
    np.testing.assert_allclose(mine, states, atol=1e-4)
    assert model.transcribe(sound, sample_rate=RATE) == whole


def test_bundles_verify_and_are_described(packed: Any, capsys: Any) -> None:
    model, _, folder = packed("ctc")
    assert all(row.passed for row in verify(model))
    assert main(["inspect", str(folder / "bundle")]) == 0
    assert f"{RATE} samples/s, {MELS} mels, 2 times a row, 1 a frame" in capsys.readouterr().out
    content = json.loads(json.dumps(case_file.make(model)))
    outcome = case_file.check(model, content)
    assert not outcome.failed and outcome.cases["transcribe"] == 4
    for length, words in ((559, "559 samples .* needs 560"), (0, "no samples")):
        with pytest.raises(UsageError, match=words):
            model.transcribe(SOUNDS[0][:length], sample_rate=RATE)


MANIFESTS: dict[str, tuple[tuple[str | int, ...], Any, str]] = {
    "other mels": (("audio", "mels"), 9, "input_features"),
    "no number": (("audio", "stacked"), "2", "input_features"),
    "no stack": (("audio", "shrunk"), 0, "shrunk = 0"),
    "a field more": (("audio", "stride"), 320, "audio has"),
    "no window": (("audio", "window"), 20, "overlap = 250 leaves nothing"),
    "a flag": (("audio", "tidied"), 1, "tidied = 1"),
    "a batch": (("graphs", "sound", "inputs", 0, "axes", 0), "batch", "input_features"),
}


@pytest.mark.parametrize("name", MANIFESTS)
def test_a_manifest_that_contradicts_itself(name: str, packed: Any, tmp_path: Path) -> None:
    path, value, words = MANIFESTS[name]
    shutil.copytree(packed("ctc")[2] / "bundle", tmp_path / "bundle")
    said(*path, value=value)(tmp_path / "bundle")
    with pytest.raises(BundleError, match=words):
        satchel.load(tmp_path / "bundle")


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("ctc", {"position_embeddings_type": "rotary"}, "position_embeddings_type 'rotary'"),
    ("ctc", {"position_embeddings_type": "relative"}, "position_embeddings_type 'relative'"),
    ("ctc", {"conv_depthwise_kernel_size": 8}, "is even"),
    ("ctc", {"conv_depthwise_kernel_size": 0}, "outside"),
    ("ctc", {"left_max_position_embeddings": -1}, "outside"),
    ("ctc", {"left_max_position_embeddings": 9}, "misshapen"),
    ("ctc", {"feature_projection_input_dim": 20}, "misshapen"),
    ("ctc", {"num_attention_heads": 7}, "num_attention_heads"),
    ("ctc", {"hidden_act": "mish"}, "mish"),
    ("ctc", {"add_adapter": True}, "missing"),
    ("ctc", {"use_intermediate_ffn_before_adapter": True}, "without add_adapter"),
    ("adapter", {"adapter_kernel_size": 4}, "adapter_kernel_size"),
    ("adapter", {"adapter_stride": 0}, "adapter_kernel_size"),
    ("adapter", {"adapter_act": "selu"}, "selu"),
    ("adapter", {"num_adapter_layers": 0}, "num_adapter_layers"),
    ("adapter", {"output_hidden_size": 33}, "output_hidden_size"),
    ("adapter", {"add_adapter": False}, "without add_adapter"),
]


@pytest.mark.parametrize(("name", "changes", "words"), REFUSED)
def test_refusals_name_what_is_wrong(
    name: str, changes: dict[str, Any], words: str, made: Any, tmp_path: Path
) -> None:
    shutil.copytree(made(name)[0] / "checkpoint", tmp_path, dirs_exist_ok=True)
    edit_config(tmp_path, **changes)
    with pytest.raises(SatchelError, match=words) as raised:
        models.build_encoder(load_folder(tmp_path))
    assert "\n" not in str(raised.value)


PROCESSORS: list[tuple[dict[str, Any], str]] = [
    ({"feature_extractor_type": "Wav2Vec2FeatureExtractor"}, "known: SeamlessM4TFeatureExtractor"),
    ({"num_mel_bins": 80}, "rows of 160 numbers, whereas .* reads 16"),
    ({"stride": 1}, "rows of 8 numbers"),
    ({"stride": "two"}, "stacked = 'two'"),
    ({"num_mel_bins": 2.5}, "mels = 2.5"),
    ({"sampling_rate": "fast"}, "sampling_rate"),
    ({"sampling_rate": 10}, "sampling_rate"),
]


@pytest.mark.parametrize(("changes", "words"), PROCESSORS)
def test_preprocessing_that_is_not_supported(
    changes: dict[str, Any], words: str, made: Any, tmp_path: Path
) -> None:
    shutil.copytree(made("ctc")[0] / "checkpoint", tmp_path, dirs_exist_ok=True)
    path = tmp_path / "preprocessor_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(SatchelError, match=words):
        framed_format(load_folder(tmp_path), {"width": 2 * MELS, "shrunk": 1}, False)


def test_preprocessing_is_a_part_of_a_processor(made: Any, tmp_path: Path) -> None:
    """As transformers 5 saves both together."""
    shutil.copytree(made("ctc")[0] / "checkpoint", tmp_path, dirs_exist_ok=True)
    whole = transformers.Wav2Vec2BertProcessor.from_pretrained(tmp_path)
    names = ("preprocessor_config.json", "tokenizer_config.json", "vocab.json")
    for name in names:
        (tmp_path / name).unlink()
    whole.save_pretrained(tmp_path)
    assert (tmp_path / "processor_config.json").exists()
    checkpoint = load_folder(tmp_path)
    found = framed_format(checkpoint, {"width": 2 * MELS, "shrunk": 1}, False)
    assert found == dataclasses.replace(FORM, window=1500, overlap=250)
    assert letters(checkpoint, len(VOCAB)).names[5:] == VOCAB[5:]
