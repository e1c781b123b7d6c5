"""Tiny random checkpoints of encoder-decoder architectures, written by transformers itself."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
import transformers

from tests.tiny import VOCAB, byte_tokenizer

START = 257  # beyond the byte tokens
COMMON = {
    "vocab_size": VOCAB,
    "d_model": 64,
    "decoder_start_token_id": START,
    "pad_token_id": 0,
    "bos_token_id": None,
    "eos_token_id": None,
}
T5 = {"d_kv": 16, "d_ff": 96, "num_layers": 3, "num_decoder_layers": 2, "num_heads": 4}
SIZES: dict[str, dict[str, Any]] = {"t5": T5, "mt5": T5}


def save_seq2seq(
    folder: Path, model_type: str, own_head: bool = False, **overrides: Any
) -> transformers.PreTrainedModel:
    """Write a random checkpoint to `folder`; returns the model as stored.

    `own_head` gives it a head that is not the table of words.
    """
    torch.manual_seed(0)
    settings = COMMON | SIZES[model_type] | overrides
    config = transformers.AutoConfig.for_model(model_type, **settings)
    model = transformers.AutoModelForSeq2SeqLM.from_config(config).eval()
    if own_head:
        model.lm_head.weight = torch.nn.Parameter(torch.zeros(VOCAB, 64))
    with torch.no_grad():
        for parameter in model.parameters():
            # Large enough that attention is far from uniform and every term shows in the logits.
            parameter += torch.randn_like(parameter) * 0.1
    model.save_pretrained(folder)
    byte_tokenizer().save(str(folder / "tokenizer.json"))
    kind = transformers.AutoModelForSeq2SeqLM
    return kind.from_pretrained(folder, dtype=torch.float32).eval()


if __name__ == "__main__":  # a checkpoint for trying things by hand: FOLDER [MODEL_TYPE]
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True)
    save_seq2seq(folder, *(sys.argv[2:] or ["t5"]))
