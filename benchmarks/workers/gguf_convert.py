"""A GGUF file as a Hugging Face folder in float32, by transformers: python FILE SOURCE TARGET.

The folder is for readers of several years: what version 5 of transformers writes in a new place
stands in the old one too.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer


def convert(source: Path, target: Path) -> None:
    """Weights, config and tokenizer."""
    place, name = str(source.parent), source.name
    model: Any = AutoModelForCausalLM.from_pretrained(place, gguf_file=name, dtype=torch.float32)
    model.hf_quantizer = None  # the weights are plain by now, and may be saved
    del model.config.quantization_config
    model.save_pretrained(target)
    AutoTokenizer.from_pretrained(place, gguf_file=name).save_pretrained(target)
    _change(target / "config.json", with_old_keys)
    _change(
        target / "tokenizer_config.json",
        lambda said: said | {"tokenizer_class": "PreTrainedTokenizerFast"},
    )


def with_old_keys(config: dict[str, Any]) -> dict[str, Any]:
    """`rope_theta` and `torch_dtype`, whose absence older readers take for a default."""
    old = {"torch_dtype": config["dtype"]}
    if theta := config.get("rope_parameters", {}).get("rope_theta"):
        old["rope_theta"] = theta
    return config | old


def _change(path: Path, change: Any) -> None:
    path.write_text(json.dumps(change(json.loads(path.read_text("utf-8"))), indent=1), "utf-8")


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
