"""Tiny random checkpoints of models that read images and write texts, written by transformers itself."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
import transformers

from tests.tiny import VOCAB, byte_tokenizer

START = 257  # beyond the byte tokens
FIELD = "<s_menu>"  # a special token, of the id before
SIDE = 32  # pixels
WIDE = {
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "image_size": SIDE,
    "patch_size": 8,
}
WINDOWS = {
    "embed_dim": 32,
    "depths": [2, 1],
    "num_heads": [2, 4],
    "window_size": 3,
    "mlp_ratio": 2.0,
}
READERS: dict[str, dict[str, Any]] = {
    "vit": WIDE,
    "deit": WIDE,
    "beit": WIDE | {"use_relative_position_bias": True},
    "swin": WINDOWS | {"image_size": SIDE},
    "donut-swin": WINDOWS | {"image_size": [SIDE, 24]},
}
SIZES = {"donut-swin": {"height": SIDE, "width": 24}}  # of images, if they are no squares
WRITER = {
    "vocab_size": VOCAB,
    "d_model": 64,
    "decoder_layers": 2,
    "decoder_attention_heads": 2,
    "decoder_ffn_dim": 80,
    "max_position_embeddings": 100,
    "pad_token_id": 0,
    "bos_token_id": None,
    "eos_token_id": None,
}
WRITERS: dict[str, dict[str, Any]] = {
    "trocr": WRITER,
    "mbart": WRITER | {"encoder_attention_heads": 2, "encoder_layers": 2, "encoder_ffn_dim": 32},
}


def save_image_text(
    folder: Path,
    reader: str = "vit",
    writer: str = "trocr",
    reads: dict[str, Any] | None = None,
    **writes: Any,
) -> transformers.PreTrainedModel:
    """Write a random checkpoint with its preprocessing to `folder`; returns the model as stored. `reads`
    are settings of the encoder, `writes` those of the decoder."""
    torch.manual_seed(0)
    part = transformers.AutoConfig.for_model
    config = transformers.VisionEncoderDecoderConfig.from_encoder_decoder_configs(
        part(reader, **READERS[reader] | (reads or {})),
        part(writer, **WRITERS[writer] | writes),
        decoder_start_token_id=START,
        pad_token_id=0,
        eos_token_id=None,
    )
    model = transformers.VisionEncoderDecoderModel(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += torch.randn_like(parameter) * 0.1
    model.generation_config.forced_eos_token_id = None
    model.save_pretrained(folder)
    tokenizer = byte_tokenizer()
    tokenizer.add_special_tokens([FIELD])
    tokenizer.save(str(folder / "tokenizer.json"))
    size = SIZES.get(reader, {"height": SIDE, "width": SIDE})
    donut = reader == "donut-swin"
    kind = transformers.DonutImageProcessorPil if donut else transformers.ViTImageProcessorPil
    kind(size=size).save_pretrained(folder)
    if not writes.get("use_learned_position_embeddings", True):
        return model  # transformers 5.24 loads no sinusoidal positions
    made = transformers.VisionEncoderDecoderModel
    return made.from_pretrained(folder, dtype=torch.float32).eval()


if __name__ == "__main__":  # a checkpoint for trying things by hand: FOLDER [READER]
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True)
    save_image_text(folder, sys.argv[2] if len(sys.argv) > 2 else "vit")
