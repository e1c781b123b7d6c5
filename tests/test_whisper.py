"""Whisper: transformers = our reference model = the exported graphs, and the transcripts are the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import satchel
from satchel import models
from satchel.checkpoints.folder import load_folder
from satchel.export.speech_config import speech_rules
from satchel.measure.benchmark import _run as bench
from satchel.measure.verification import verify
from satchel.models.seq2seq import Context
from satchel.runtime.audio import AudioFormat
from satchel.runtime.manifest import Speech
from satchel.runtime.speech_model import SpeechModel
from satchel.tokenization.tokenizer import bundle_tokenizer
from tests.loading import load_as
from tests.tiny_speech import FIRST_TIME, RATE, RULES, SECONDS, VOCAB, save_speech, some_sound

WINDOW = SECONDS * RATE
CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "own-head": {"tie_word_embeddings": False, "scale_embedding": True},
    "relu": {"activation_function": "relu", "decoder_attention_heads": 2},
    "shallow": {"decoder_layers": 1, "encoder_attention_heads": 4, "encoder_ffn_dim": 64},
}


@pytest.fixture(scope="module", params=CASES)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """(transformers model, our reference model) of one configuration."""
    folder = tmp_path_factory.mktemp(request.param)
    theirs = save_speech(folder, **CASES[request.param])
    return theirs, models.build_seq2seq(load_folder(folder))[0]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, SpeechModel]:
    """The plain model of transformers and its float32 bundle."""
    folder = tmp_path_factory.mktemp("speech")
    theirs = save_speech(folder / "checkpoint")
    satchel.pack(folder / "checkpoint", folder / "bundle", profile="fp32")
    return theirs, load_as(SpeechModel, folder / "bundle")


def features(model: SpeechModel, sound: np.ndarray, silence: int = WINDOW) -> torch.Tensor:
    assert isinstance(model.audio, AudioFormat)
    return torch.from_numpy(model.audio.log_mel(sound, silence))[None]


def close(found: Any, expected: Any) -> None:
    np.testing.assert_allclose(found, expected, atol=1e-3, rtol=5e-5)


def test_reference_model_equals_transformers(case: Any) -> None:
    theirs, ours = case
    heard = torch.randn(2, 16, 100 * SECONDS, generator=torch.Generator().manual_seed(0))
    targets = torch.randint(0, VOCAB, (2, 40), generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        expected = theirs(input_features=heard, decoder_input_ids=targets)
        states = ours.encoder(heard, Context())
        logits = ours(targets, Context(cross=ours.hear(heard)))
    first, second = expected.encoder_last_hidden_state
    assert (first - second).abs().max() > 0.1 and expected.logits.abs().max() > 1
    np.testing.assert_allclose(states, expected.encoder_last_hidden_state, atol=1e-4)
    np.testing.assert_allclose(logits, expected.logits, atol=1e-4)


def test_graphs_equal_transformers(pair: Any) -> None:
    theirs, model = pair
    sounds = [some_sound(1.9, seed) for seed in range(2)]
    target = np.random.default_rng(0).integers(0, VOCAB, 40).tolist()
    decoder = model.decoder.reading(model.encoder([model.audio.log_mel(s) for s in sounds]))
    together = decoder.start(2).prefill([target, target[:7]])
    for row, sound in enumerate(sounds):
        heard = features(model, sound, 0)
        with torch.inference_mode():
            expected = theirs(input_features=heard, decoder_input_ids=torch.tensor([target]))
        alone = model.decoder.reading(model.encoder([heard[0].numpy()]))
        close(alone.logits(target), expected.logits[0])
        close(together[row], expected.logits[0, [-1, 6][row]])


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("task", ["transcribe", "translate"])
def test_text_without_timestamps_equals_transformers(pair: Any, task: str, seed: int) -> None:
    theirs, model = pair
    sound = some_sound(1.8, seed)
    expected = theirs.generate(
        features(model, sound, 0), language="de", task=task, max_new_tokens=32
    )
    found = model.transcribe(sound, sample_rate=RATE, language="DE", task=task, max_new_tokens=32)
    assert [s.tokens for s in found.segments] == [_without_end(expected[0].tolist())]
    assert (found.language, found.duration) == ("de", 1.8)
    assert [(s.start, s.end) for s in found.segments] == [(0, 1.8)]


def _without_end(tokens: list[int]) -> list[int]:
    start = [*RULES["lang_to_id"].values(), *RULES["task_to_id"].values(), FIRST_TIME - 1, 257]
    return [token for token in tokens if token not in (RULES["eos_token_id"], *start)]


@pytest.mark.parametrize("beams", [1, 3])
@pytest.mark.parametrize(("seconds", "seed"), [(1.3, 0), (2.0, 1), (5.0, 2), (9.7, 0), (7.77, 3)])
def test_segments_equal_transformers(pair: Any, seconds: float, seed: int, beams: int) -> None:
    """Short and long sounds: the same windows, times and tokens, until the sound ends. There we stop,
    as OpenAI's program does, whereas transformers also transcribes the silence that fills a window."""
    theirs, model = pair
    sound = some_sound(seconds, seed)
    expected = theirs.generate(
        features(model, sound),
        language="en",
        task="transcribe",
        return_timestamps=True,
        return_segments=True,
        num_beams=beams,
    )["segments"][0]
    found = model.transcribe(
        sound, sample_rate=RATE, language="en", timestamps=True, num_beams=beams
    )
    spoken = [
        one
        for one in expected
        if model.text_of(one["tokens"].tolist()) and float(one["start"]) < seconds - 1e-9
    ]
    assert len(found.segments) == len(spoken) > seconds / SECONDS
    for ours, other in zip(found.segments, spoken, strict=True):
        assert ours.start == pytest.approx(float(other["start"]), abs=0.006)
        assert ours.end == pytest.approx(min(float(other["end"]), seconds), abs=0.006)
        assert ours.tokens == other["tokens"].tolist()[: len(ours.tokens)]
    assert found.segments[-1].end <= seconds
    texts = [segment.text for segment in found.segments]
    assert found.text.replace(" ", "") == "".join(texts).replace(" ", "")


@pytest.mark.parametrize("seed", range(4))
def test_language_is_heard_as_by_transformers(pair: Any, seed: int) -> None:
    theirs, model = pair
    sound = some_sound(1.7, seed)
    [wanted] = theirs.detect_language(features(model, sound, 0)).tolist()
    chances = model.detect_language(sound, sample_rate=RATE)
    assert model.speech.languages[next(iter(chances))] == wanted
    assert sum(chances.values()) == pytest.approx(1) and len(chances) == 3
    for asked in (None, "auto"):
        found = model.transcribe(sound, sample_rate=RATE, language=asked, max_new_tokens=2)
        assert found.language == next(iter(chances))


def test_segments_come_one_by_one(pair: Any) -> None:
    _, model = pair
    sound = some_sound(7, 1)
    stream = model.transcribe_stream(sound, sample_rate=RATE, language="en")
    first = next(stream)
    assert stream.result.segments == [first] and stream.result.duration == 7
    assert [first, *stream] == stream.result.segments
    assert stream.result == model.transcribe(sound, sample_rate=RATE, language="en")


def test_silence_is_skipped(pair: Any) -> None:
    _, model = pair
    nothing = model.transcribe(np.zeros(5 * WINDOW, np.float32), sample_rate=RATE)
    assert (nothing.text, nothing.segments, nothing.language) == ("", [], None)
    later = np.concatenate([np.zeros(2 * WINDOW, np.float32), some_sound(1.5)])
    found = model.transcribe(later, sample_rate=RATE, language="en")
    assert found.segments and all(s.start >= 2 * SECONDS for s in found.segments)


def test_a_cancelled_transcription_raises(pair: Any) -> None:
    _, model = pair
    cancel = satchel.Cancel()
    stream = model.transcribe_stream(some_sound(9), sample_rate=RATE, cancel=cancel)
    next(stream)
    cancel.cancel()
    with pytest.raises(satchel.SatchelError, match="cancelled"):
        list(stream)


def test_int8_bundle_is_verified_and_heard(tmp_path: Path) -> None:
    save_speech(tmp_path / "checkpoint")
    packed = satchel.pack(tmp_path / "checkpoint", tmp_path / "bundle")
    assert packed.manifest.verified and packed.manifest.quantization["name"] == "int8"
    model = load_as(SpeechModel, tmp_path / "bundle")
    assert all(row.passed for row in verify(model))
    assert model.transcribe(some_sound(5), sample_rate=RATE).segments
    figures = bench(str(tmp_path / "bundle"), 1)
    assert {"features_seconds", "window_seconds", "decode_per_second"} <= figures.keys()


OLDER = {  # generation_config.json before it had keys for languages and tasks
    "eos_token_id": 256,
    "decoder_start_token_id": 257,
    "is_multilingual": True,
    "forced_decoder_ids": [[1, 259], [2, 261], [3, 265]],
}
ENGLISH = {key: RULES[key] for key in ("eos_token_id", "decoder_start_token_id")} | {
    "is_multilingual": False,
    "no_timestamps_token_id": FIRST_TIME - 1,
}


def test_older_files_say_it_by_their_tokens(tmp_path: Path) -> None:
    save_speech(tmp_path, OLDER)
    checkpoint = load_folder(tmp_path)
    rules = speech_rules(checkpoint, bundle_tokenizer(checkpoint, VOCAB), VOCAB, 50 * SECONDS)
    assert rules == Speech(
        {"en": 258, "de": 259, "yue": 260},
        {"transcribe": 262, "translate": 261},
        "de",
        "translate",
        265,
    )


def test_a_model_of_one_language(tmp_path: Path) -> None:
    theirs = save_speech(tmp_path / "checkpoint", ENGLISH)
    satchel.pack(tmp_path / "checkpoint", tmp_path / "bundle", profile="fp32")
    model = load_as(SpeechModel, tmp_path / "bundle")
    sound = some_sound(1.8)
    expected = theirs.generate(features(model, sound, 0), max_new_tokens=16)
    found = model.transcribe(sound, sample_rate=RATE, max_new_tokens=16)
    assert [s.tokens for s in found.segments] == [_without_end(expected[0].tolist())]
    assert found.language is None
    for options in ({"language": "en"}, {"task": "transcribe"}):
        with pytest.raises(satchel.SatchelError, match="this model"):
            model.transcribe(sound, sample_rate=RATE, **options)
    with pytest.raises(satchel.SatchelError, match="one language"):
        model.detect_language(sound, sample_rate=RATE)
