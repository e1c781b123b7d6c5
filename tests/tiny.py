"""Tiny random checkpoints of any architecture, written by transformers itself."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

VOCAB = 320
SIZES = {
    "vocab_size": VOCAB,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "bos_token_id": None,
    "eos_token_id": None,
    "pad_token_id": None,
}
IMAGES = {  # what looks at images beside a language model, which is not read here
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "head_dim": 16,
    "image_size": 32,
    "patch_size": 16,
}
INSIDE = {"gemma3": "gemma3_text", "mistral3": "ministral3"}  # model_type -> of its language model
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def byte_tokenizer() -> Tokenizer:
    """One token per byte: any text, no training."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({letter: i for i, letter in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def reader(model_type: str) -> Any:
    """The class of transformers that reads the decoders of a model type."""
    if model_type in INSIDE:
        return transformers.AutoModelForImageTextToText
    return transformers.AutoModelForCausalLM


def configuration(model_type: str, **overrides: Any) -> Any:
    """A tiny configuration; `overrides` are the language model's where it is one part of two."""
    sizes = SIZES | overrides
    if model_type not in INSIDE:
        return transformers.AutoConfig.for_model(model_type, **sizes)
    outer = {key: sizes.pop(key) for key in ("tie_word_embeddings",) if key in sizes}
    if model_type == "gemma3":
        outer["mm_tokens_per_image"] = 4
    text = {"model_type": sizes.pop("inside", INSIDE[model_type])} | sizes
    return transformers.AutoConfig.for_model(
        model_type, text_config=text, vision_config=IMAGES, **outer
    )


def save_checkpoint(
    folder: Path, model_type: str, dtype: torch.dtype = torch.float32, **overrides: Any
) -> transformers.PreTrainedModel:
    """Write a random checkpoint to `folder`; returns the model in float32, as stored."""
    torch.manual_seed(0)
    model = reader(model_type).from_config(configuration(model_type, **overrides)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            # Large enough that attention is far from uniform and every term shows in the logits.
            spread = 0.3 if parameter.ndim > 1 else 0.1
            parameter += torch.randn_like(parameter) * spread
            parameter.copy_(parameter.to(dtype))
    model.to(dtype).save_pretrained(folder)
    byte_tokenizer().save(str(folder / "tokenizer.json"))
    # Read back, because casting a model also rounds its rotary frequencies.
    stored = reader(model_type).from_pretrained(folder, dtype=torch.float32)
    return stored.eval()


def edit_config(folder: Path, **changes: Any) -> None:
    """Change keys of config.json; the value `...` removes one."""
    path = folder / "config.json"
    config = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: value for key, value in config.items() if value is not ...}))


if __name__ == "__main__":  # a checkpoint for trying things by hand
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True)
    save_checkpoint(folder, sys.argv[2] if len(sys.argv) > 2 else "llama")
