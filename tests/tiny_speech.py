"""Tiny random Whisper checkpoints, written by transformers itself, and sounds for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from tokenizers import AddedToken
from transformers import WhisperFeatureExtractor, WhisperForConditionalGeneration

from tests.tiny import byte_tokenizer

RATE, SECONDS, MELS = 16_000, 2, 16  # of what the model hears at once
POSITIONS = 50 * SECONDS
END, START = 256, 257
LANGUAGES = {"<|en|>": 258, "<|de|>": 259, "<|yue|>": 260}
TASKS = {"translate": 261, "transcribe": 262}
PREVIOUS, NO_SPEECH, NO_TIMESTAMPS = 263, 264, 265
FIRST_TIME = 266
VOCAB = FIRST_TIME + POSITIONS + 1
SPECIAL = [
    "<|endoftext|>",
    "<|startoftranscript|>",
    *LANGUAGES,
    "<|translate|>",
    "<|transcribe|>",
    "<|startofprev|>",
    "<|nospeech|>",
    "<|notimestamps|>",
]
SIZES: dict[str, Any] = {
    "vocab_size": VOCAB,
    "num_mel_bins": MELS,
    "d_model": 64,
    "encoder_layers": 3,
    "encoder_attention_heads": 2,
    "encoder_ffn_dim": 96,
    "decoder_layers": 2,
    "decoder_attention_heads": 4,
    "decoder_ffn_dim": 80,
    "max_source_positions": POSITIONS,
    "max_target_positions": 96,
    "pad_token_id": END,
    "bos_token_id": END,
    "eos_token_id": END,
    "decoder_start_token_id": START,
    "begin_suppress_tokens": None,
}
RULES: dict[str, Any] = {
    "bos_token_id": END,
    "eos_token_id": END,
    "pad_token_id": END,
    "decoder_start_token_id": START,
    "is_multilingual": True,
    "lang_to_id": LANGUAGES,
    "task_to_id": TASKS,
    "no_timestamps_token_id": NO_TIMESTAMPS,
    "max_initial_timestamp_index": 50,
    "suppress_tokens": [1, 2, 7, START, *TASKS.values(), PREVIOUS, NO_SPEECH],
    "begin_suppress_tokens": [32, END],
    "return_timestamps": False,
    "max_length": 96,
}


def save_speech(
    folder: Path, rules: dict[str, Any] | None = None, **overrides: Any
) -> WhisperForConditionalGeneration:
    """Write a random checkpoint to `folder`, with its tokenizer; returns the model."""
    torch.manual_seed(0)
    config = transformers.WhisperConfig(**(SIZES | overrides))
    config._attn_implementation = "eager"
    model = WhisperForConditionalGeneration._from_config(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "embed_positions" in name and "encoder" in name:
                continue  # sinusoids
            # Large enough that attention is far from uniform and every term shows in the logits.
            parameter += torch.randn_like(parameter) * (0.15 if parameter.ndim > 1 else 0.1)
    wanted = RULES if rules is None else rules
    model.generation_config = transformers.GenerationConfig(**wanted)
    model.save_pretrained(folder)
    WhisperFeatureExtractor(feature_size=MELS, chunk_length=SECONDS).save_pretrained(folder)
    tokenizer = byte_tokenizer()
    tokenizer.add_special_tokens(SPECIAL)
    times = [f"<|{i * 0.02:.2f}|>" for i in range(POSITIONS + 1)]
    tokenizer.add_tokens([AddedToken(time, special=False, normalized=False) for time in times])
    tokenizer.save(str(folder / "tokenizer.json"))
    return model


def some_sound(seconds: float, seed: int = 0) -> np.ndarray:
    """float32 [samples]: tones of changing pitch and loudness under noise."""
    random = np.random.default_rng(seed)
    time = np.arange(int(seconds * RATE)) / RATE
    pitch = 2 * np.pi * (200 + 90 * seed) * time + 30 * np.sin(2 * np.pi * 1.3 * time)
    loudness = np.maximum(0, np.sin(2 * np.pi * 0.7 * time + seed))
    sound = 0.3 * loudness * np.sin(pitch) + random.normal(0, 0.02, len(time))
    return sound.astype(np.float32)
