"""What a checkpoint recommends of a generation: every key that transformers knows is accounted for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from transformers.generation import logits_process as theirs_of

from satchel.checkpoints.checkpoint import Checkpoint
from satchel.export.generation_config import recommended
from satchel.runtime.errors import CheckpointError, UnsupportedError
from satchel.runtime.manifest import Speech
from satchel.runtime.options import ABOUT, Options
from satchel.runtime.processors import processors
from satchel.runtime.spoken import CODES, NAMES, code_of, near

DOCS = Path(__file__).resolve().parent.parent / "docs" / "checkpoints.md"
VOCAB = 40
TOKENS = {"eos_token_id", "bos_token_id", "pad_token_id", "decoder_start_token_id"}
VALUES: dict[str, Any] = {  # a value of each key that does something
    "max_new_tokens": 9, "max_length": 30, "min_length": 3, "min_new_tokens": 2, "do_sample": True,
    "temperature": 0.5, "top_p": 0.4, "min_p": 0.1, "top_h": 0.5, "typical_p": 0.6, "top_k": 7,
    "epsilon_cutoff": 0.1, "eta_cutoff": 0.2, "num_beams": 3, "length_penalty": 2.0,
    "early_stopping": True, "repetition_penalty": 1.5, "encoder_repetition_penalty": 1.5,
    "no_repeat_ngram_size": 2, "encoder_no_repeat_ngram_size": 2, "bad_words_ids": [[1, 2]],
    "sequence_bias": [[[3], 1.0], [[3, 4], -2.0]], "suppress_tokens": [1], "begin_suppress_tokens": [2],
    "forced_eos_token_id": 1, "forced_bos_token_id": 2, "renormalize_logits": True,
    "exponential_decay_length_penalty": [5, 1.1], "stop_strings": ["end", "\n"],
    "guidance_scale": 1.5, "watermarking_config": {"bias": 2.0}, "num_beam_groups": 2,
    "constraints": [1], "force_words_ids": [[1]], "penalty_alpha": 0.6, "dola_layers": "low",
    "token_healing": True, "num_return_sequences": 2, "max_time": 3.0, "is_assistant": True,
}  # fmt: skip


def advice(**config: Any) -> tuple[dict[str, Any], list[str]]:
    return recommended(Checkpoint("x", {}, {}, generation_config=config), VOCAB)


def table() -> dict[str, str]:
    """Key to what satchel does, of the section on generation_config.json."""
    section = DOCS.read_text("utf-8").split("## generation_config.json")[1].split("\n## ")[0]
    rows = [line.split("|")[1:3] for line in section.splitlines() if line.startswith("| `")]
    return {key.strip(): what for keys, what in rows for key in keys.replace("`", "").split(",")}


def test_every_key_of_transformers_does_what_the_table_says() -> None:
    told = table()
    fields = {name for name in vars(transformers.GenerationConfig()) if not name.startswith("_")}
    assert fields <= told.keys(), sorted(fields - told.keys())
    for name in fields - TOKENS:
        sampled = {"do_sample": True} if "when sampling" in told[name] else {}
        value = VALUES.get(name, True)
        if "refused" in told[name]:
            with pytest.raises(UnsupportedError, match=name):
                advice(**{name: value})
            continue
        before, _ = advice(**sampled)
        options, notes = advice(**sampled, **{name: value})
        assert set(options) <= ABOUT.keys() | {"max_new_tokens", "stop_strings"}
        assert ("honoured" in told[name]) == (options != before), name
        assert told[name].strip().startswith("noted") == any(name in note for note in notes), name
        assert advice(**{name: None})[0] == {}


@pytest.mark.parametrize(
    ("config", "options"),
    [
        ({"do_sample": True}, {"temperature": 1.0, "top_k": 50}),
        (
            {"do_sample": True, "top_k": None, "top_p": 0.9},
            {"temperature": 1.0, "top_k": 50, "top_p": 0.9},
        ),
        ({"do_sample": True, "top_k": 0, "temperature": 0.7}, {"temperature": 0.7}),
        ({"do_sample": True, "top_p": 0}, {"temperature": 1.0, "top_k": 1}),
        ({"do_sample": True, "temperature": 0.0, "top_p": 0.5}, {}),
        ({"do_sample": True, "typical_p": 1.0, "epsilon_cutoff": 2.0, "top_k": 0}, {"temperature": 1.0}),
        ({"temperature": 0.3, "top_p": 0.9, "typical_p": 0.0}, {}),
        ({"min_length": 9, "min_new_tokens": 2}, {"min_new_tokens": 2}),
        ({"exponential_decay_length_penalty": [4, 1.0], "suppress_tokens": []}, {}),
        ({"stop_strings": "end"}, {"stop_strings": "end"}),
        ({"guidance_scale": 1, "num_beam_groups": 1, "penalty_alpha": 0.0, "made_up": 3}, {}),
    ],
    ids=str,
)  # fmt: skip
def test_recommendations(config: dict[str, Any], options: dict[str, Any]) -> None:
    assert advice(**config)[0] == options


@pytest.mark.parametrize(
    "config",
    [
        {"do_sample": True, "typical_p": 0.0},
        {"do_sample": True, "top_h": 1.5},
        {"do_sample": True, "top_k": -1},
        {"do_sample": True, "min_p": 1.5},
        {"sequence_bias": {"(5,)": 2.0}},
        {"sequence_bias": [[[VOCAB], 1.0]]},
        {"exponential_decay_length_penalty": [3]},
        {"stop_strings": [""]},
        {"stop_strings": ["a"] * 17},
        {"renormalize_logits": "yes"},
    ],
    ids=str,
)
def test_values_that_an_option_cannot_have(config: dict[str, Any]) -> None:
    with pytest.raises(CheckpointError, match=f"generation_config.json: {list(config)[-1]} = "):
        advice(**config)


def test_without_a_file_config_json_is_read() -> None:
    config = {
        "do_sample": True,
        "top_k": 5,
        "force_bos_token_to_be_generated": True,
        "bos_token_id": 3,
    }
    options, _ = recommended(Checkpoint("x", config, {}), VOCAB)
    assert options == {"temperature": 1.0, "top_k": 5, "forced_bos_token_id": 3}
    options, _ = recommended(Checkpoint("x", config, {}, generation_config={"top_k": 4}), VOCAB)
    assert options == {}
    # A file that says nothing is a file.
    assert recommended(Checkpoint("x", config, {}, generation_config={}), VOCAB)[0] == {}


def test_beams_leave_sampling_and_stop_strings_with_a_note() -> None:
    _, notes = advice(num_beams=3, do_sample=True, stop_strings=["x"])
    assert len(notes) == 2 and all("not followed while there are beams" in note for note in notes)


BIASES = [[[3], 1.5], [[7, 3], -2.25], [[1, 7, 3], 4.0], [[9], 0.1], [[7, 9], 0.2]]
PAIRS: dict[str, tuple[dict[str, Any], Any]] = {
    "sequence_bias": (
        {"sequence_bias": BIASES},
        lambda source: theirs_of.SequenceBiasLogitsProcessor([[a, b] for a, b in BIASES]),
    ),
    "encoder_repetition_penalty": (
        {"encoder_repetition_penalty": 1.7},
        lambda source: theirs_of.EncoderRepetitionPenaltyLogitsProcessor(1.7, source),
    ),
    "exponential_decay_length_penalty": (
        {"exponential_decay_length_penalty": (2, 1.3)},
        lambda source: theirs_of.ExponentialDecayLengthPenalty((2, 1.3), [5, 9], 3),
    ),
    "renormalize_logits": (
        {"renormalize_logits": True},
        lambda source: theirs_of.LogitNormalization(),
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_processors_equal_those_of_transformers(name: str) -> None:
    options, theirs = PAIRS[name]
    random = np.random.default_rng(0)
    for length in range(3, 12):
        text = random.choice([1, 3, 7, 9], length)
        source = random.integers(0, VOCAB, 6)
        scores = random.normal(0, 4, VOCAB).astype(np.float32)
        scores[random.integers(0, VOCAB, 5)] = -np.inf
        ids = torch.tensor(text)[None]
        expected = theirs(torch.tensor(source)[None])(ids, torch.tensor(scores)[None])[0].numpy()
        (ours,) = processors(
            Options.from_options(options, {}),
            VOCAB,
            (5, 9),
            start=3,
            limit=99,
            source=source.tolist(),
        )
        found = scores.copy()
        ours(found, text, length - 3)
        np.testing.assert_allclose(found, expected, rtol=2e-6, atol=1e-6)


def test_languages_are_those_of_whisper() -> None:
    module = transformers.models.whisper.tokenization_whisper
    assert {code: names[0] for code, names in NAMES.items()} == module.LANGUAGES
    assert CODES == module.TO_LANGUAGE_CODE


@pytest.mark.parametrize("asked", ["german", "German", " GERMAN ", "de", "DE", "<|de|>"])
def test_a_language_by_its_name(asked: str) -> None:
    assert code_of(asked, ["en", "de", "es"]) == "de"
    assert code_of("castilian", ["es"]) == "es" and code_of("Mandarin", ["zh"]) == "zh"
    assert code_of("french", ["en", "de"]) is None
    assert "german" in near("Germann", ["en", "de"]) and "known: de, en" in near("xx", ["en", "de"])


@pytest.mark.parametrize("language", ["german", "German", "de", "<|de|>", "klingon", 7])
def test_a_checkpoint_names_its_language(language: Any, tmp_path: Path) -> None:
    from satchel.checkpoints.folder import load_folder
    from satchel.export.speech_config import speech_rules
    from tests.tiny_speech import POSITIONS, RULES, VOCAB, save_speech

    save_speech(tmp_path, RULES)
    (tmp_path / "generation_config.json").write_text(json.dumps(RULES | {"language": language}))
    tokenizer = (tmp_path / "tokenizer.json").read_bytes()

    def rules() -> Speech:
        return speech_rules(load_folder(tmp_path), tokenizer, VOCAB, POSITIONS)

    if language in ("klingon", 7):
        with pytest.raises(CheckpointError, match=r"language = .* is unknown; "):
            rules()
    else:
        assert rules().language == "de"
