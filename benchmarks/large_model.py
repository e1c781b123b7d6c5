"""A decoder checkpoint of random weights, shaped as TinyLlama-1.1B is, in bfloat16.

Time and memory do not depend on what weights say, and these need no download. Run as a script:
python FILE NAME FOLDER, with "-tiny" behind a name for one that only shows that all works.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seq2seq_models import write_tokenizer

NAME = "llama-1.1b"
SPREAD = 0.02  # standard deviation of weights, as transformers begins a training with
CONFIG = {
    "model_type": "llama",
    "vocab_size": 32000,
    "hidden_size": 2048,
    "intermediate_size": 5632,
    "num_hidden_layers": 22,
    "num_attention_heads": 32,
    "num_key_value_heads": 4,
    "max_position_embeddings": 2048,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "hidden_act": "silu",
    "tie_word_embeddings": False,
    "pad_token_id": 0,
    "eos_token_id": 2,
}
TINY = {
    "vocab_size": 400,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}


def write(name: str, folder: Path) -> None:
    """The checkpoint and its tokenizer; a file for each layer, so that one at a time is in memory."""
    import torch
    from safetensors.torch import save_file

    config = CONFIG | (TINY if name.endswith("-tiny") else {})
    chance = torch.Generator().manual_seed(0)

    def weight(shape: tuple[int, ...]) -> torch.Tensor:
        if len(shape) == 1:  # a norm's gain
            return torch.ones(shape, dtype=torch.bfloat16)
        return torch.randn(shape, generator=chance).mul_(SPREAD).bfloat16()

    places: dict[str, str] = {}
    for number, shapes in enumerate(shards(config)):
        file = f"model-{number:05}.safetensors"
        tensors = {name: weight(shape) for name, shape in shapes.items()}
        save_file(tensors, folder / file, {"format": "pt"})
        places |= dict.fromkeys(shapes, file)
    index = {"metadata": {}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), "utf-8")
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    write_tokenizer(config, folder)


def shards(config: dict[str, Any]) -> Iterator[dict[str, tuple[int, ...]]]:
    """Names and shapes of the weights of each file: the tables, then a layer at a time."""
    size, inner = config["hidden_size"], config["intermediate_size"]
    keys = size // config["num_attention_heads"] * config["num_key_value_heads"]
    table = (config["vocab_size"], size)
    yield {
        "model.embed_tokens.weight": table,
        "model.norm.weight": (size,),
        "lm_head.weight": table,
    }
    layer = {
        "input_layernorm": (size,),
        "self_attn.q_proj": (size, size),
        "self_attn.k_proj": (keys, size),
        "self_attn.v_proj": (keys, size),
        "self_attn.o_proj": (size, size),
        "post_attention_layernorm": (size,),
        "mlp.gate_proj": (inner, size),
        "mlp.up_proj": (inner, size),
        "mlp.down_proj": (size, inner),
    }
    for number in range(config["num_hidden_layers"]):
        yield {f"model.layers.{number}.{name}.weight": shape for name, shape in layer.items()}


if __name__ == "__main__":
    write(sys.argv[1], Path(sys.argv[2]))
