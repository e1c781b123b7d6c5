"""Tiny random Moonshine checkpoints, written by transformers itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import MoonshineForConditionalGeneration, Wav2Vec2FeatureExtractor

from tests.tiny import byte_tokenizer

START, END, VOCAB = 256, 257, 258
SIZES: dict[str, Any] = {
    "vocab_size": VOCAB,
    "hidden_size": 80,
    "intermediate_size": 96,
    "encoder_num_hidden_layers": 2,
    "decoder_num_hidden_layers": 2,
    "encoder_num_attention_heads": 4,
    "decoder_num_attention_heads": 4,  # of 20 channels, of which 16 turn
    "max_position_embeddings": 96,
    "bos_token_id": START,
    "decoder_start_token_id": START,
    "eos_token_id": END,
    "pad_token_id": END,
}


def save_moonshine(folder: Path, **overrides: Any) -> MoonshineForConditionalGeneration:
    """Write a random checkpoint to `folder`, with its preprocessing and tokenizer; returns the model."""
    torch.manual_seed(0)
    config = transformers.MoonshineConfig(**(SIZES | {"partial_rotary_factor": 0.8} | overrides))
    config._attn_implementation = "eager"
    model = MoonshineForConditionalGeneration._from_config(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            # Large enough that attention is far from uniform and every term shows in the logits.
            parameter += torch.randn_like(parameter) * (0.15 if parameter.ndim > 1 else 0.1)
    model.generation_config.max_length = 96
    model.save_pretrained(folder)
    Wav2Vec2FeatureExtractor(do_normalize=False, return_attention_mask=True).save_pretrained(folder)
    tokenizer = byte_tokenizer()
    tokenizer.add_special_tokens(["<s>", "</s>"])
    tokenizer.save(str(folder / "tokenizer.json"))
    return model
