"""Tiny random checkpoints of encoders of sound, written by transformers itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import (
    SeamlessM4TFeatureExtractor,
    Wav2Vec2CTCTokenizer,
    Wav2Vec2FeatureExtractor,
)

RATE = 16_000
LETTERS = "ETAOINSHRDLU'"
VOCAB = ["<pad>", "<s>", "</s>", "<unk>", "|", *LETTERS]
SIZES: dict[str, Any] = {
    "vocab_size": len(VOCAB),
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 96,
    "conv_dim": [32, 32, 48],
    "conv_kernel": [10, 8, 4],
    "conv_stride": [8, 8, 5],
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
    "classifier_proj_size": 24,
    "num_labels": 5,
}
STRIDE = 8 * 8 * 5
HEADS = {"ctc": "ForCTC", "audio-classify": "ForSequenceClassification", "audio-embed": "Model"}
NAMES = {
    "wav2vec2": "Wav2Vec2",
    "hubert": "Hubert",
    "wavlm": "WavLM",
    "wav2vec2-bert": "Wav2Vec2Bert",
}
MELS = 8  # of the one that hears bands of pitch, two rows of which are one
OF_BANDS = {"feature_projection_input_dim": 2 * MELS, "conv_depthwise_kernel_size": 7}
LARGE = {"feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True}


def save_sound(
    folder: Path, model_type: str, task: str = "ctc", normalized: bool = True, **overrides: Any
) -> Any:
    """Write a random checkpoint to `folder`, with its preprocessing and letters; returns the model."""
    torch.manual_seed(0)
    kind = getattr(transformers, f"{NAMES[model_type]}{HEADS[task]}")
    sizes = {key: size for key, size in SIZES.items() if hasattr(kind.config_class, key)}
    sizes |= {"num_labels": 5} | (OF_BANDS if banded(model_type) else {})
    config = kind.config_class(**(sizes | overrides))
    config._attn_implementation = "eager"
    model = kind._from_config(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            # Large enough that attention is far from uniform and every term shows in the answer.
            parameter += torch.randn_like(parameter) * (0.05 if "conv" in name else 0.15)
    model.save_pretrained(folder)
    extractor = Wav2Vec2FeatureExtractor(do_normalize=normalized, return_attention_mask=False)
    if banded(model_type):
        extractor = SeamlessM4TFeatureExtractor(feature_size=MELS, num_mel_bins=MELS)
    extractor.save_pretrained(folder)
    if task == "ctc":
        save_letters(folder, VOCAB)
    return model


def banded(model_type: str) -> bool:
    """Whether it hears energies of bands."""
    return model_type == "wav2vec2-bert"


def save_letters(folder: Path, vocabulary: list[str], **settings: Any) -> Wav2Vec2CTCTokenizer:
    """Write the files of a tokenizer as transformers does; returns it."""
    path = folder / "written.json"
    path.write_text(json.dumps({token: index for index, token in enumerate(vocabulary)}))
    tokenizer = Wav2Vec2CTCTokenizer(str(path), **settings)
    path.unlink()
    tokenizer.save_pretrained(folder)
    return tokenizer
