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
    "decoder_start_token_id": START,
    "pad_token_id": 0,
    "bos_token_id": None,
    "eos_token_id": None,
}
WIDTHS = {"vocab_size": VOCAB, "d_model": 64}
T5 = WIDTHS | {"d_kv": 16, "d_ff": 96, "num_layers": 2, "num_decoder_layers": 2, "num_heads": 4}
BART = WIDTHS | {
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 96,
    "decoder_ffn_dim": 80,
    "max_position_embeddings": 200,
    "forced_eos_token_id": None,
}
BERT = {
    "vocab_size": VOCAB,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 200,
    "bos_token_id": None,
    "eos_token_id": None,
}


GEMMA = {  # a text of 150 tokens is longer than its windows
    "vocab_size": VOCAB,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "query_pre_attn_scalar": 16,
    "sliding_window": 12,
    "max_position_embeddings": 200,
    "attn_logit_softcapping": 3.0,
    "final_logit_softcapping": 20.0,
    "bos_token_id": None,
    "eos_token_id": None,
}


def pair(model_type: str, writer: str | None = None, **overrides: Any) -> dict[str, Any]:
    """Settings of an encoder-decoder model of two encoders; `overrides` are the decoder's."""
    crossing = {"is_decoder": True, "add_cross_attention": True}
    return {
        "encoder": BERT | {"model_type": model_type, "num_hidden_layers": 2},
        "decoder": BERT | crossing | {"model_type": writer or model_type} | overrides,
    }


SIZES: dict[str, dict[str, Any]] = {
    "t5": T5,
    "mt5": T5,
    "umt5": T5,
    "longt5": T5 | {"local_radius": 9},
    "bart": BART,
    "led": BART
    | {
        "max_encoder_position_embeddings": 400,
        "max_decoder_position_embeddings": 200,
        "attention_window": [8, 24],
    },
    "mbart": BART,
    "marian": BART,
    "pegasus": BART,
    "m2m_100": BART | {"pad_token_id": 1},
    "blenderbot": BART | {"encoder_no_repeat_ngram_size": 0},
    "blenderbot-small": BART,
    "encoder-decoder": pair("bert"),
    "t5gemma": {"encoder": GEMMA, "decoder": GEMMA | {"num_hidden_layers": 3}},
}


def save_seq2seq(
    folder: Path,
    model_type: str,
    own_head: bool = False,
    logits_bias: bool = False,
    **overrides: Any,
) -> transformers.PreTrainedModel:
    """Write a random checkpoint to `folder`; returns the model as stored.

    `own_head` gives it a head that is not the table of words, `logits_bias` a bias that is not 0.
    """
    torch.manual_seed(0)
    settings = COMMON | SIZES.get(model_type, {}) | overrides
    config = transformers.AutoConfig.for_model(model_type, **settings)
    model = transformers.AutoModelForSeq2SeqLM.from_config(config).eval()
    if own_head:
        model.set_output_embeddings(torch.nn.Linear(64, VOCAB, bias=False))
    with torch.no_grad():
        for parameter in model.parameters():
            # Large enough that attention is far from uniform and every term shows in the logits.
            parameter += torch.randn_like(parameter) * 0.1
        if logits_bias:
            model.final_logits_bias.normal_()
    model.save_pretrained(folder)
    byte_tokenizer().save(str(folder / "tokenizer.json"))
    kind = transformers.AutoModelForSeq2SeqLM
    return kind.from_pretrained(folder, dtype=torch.float32).eval()


if __name__ == "__main__":  # a checkpoint for trying things by hand: FOLDER [MODEL_TYPE]
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True)
    save_seq2seq(folder, sys.argv[2] if len(sys.argv) > 2 else "t5")
