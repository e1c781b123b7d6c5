"""A Llama folder to ExecuTorch for XNNPACK, by its exporter: python FILE SOURCE TARGET CONTEXT.

Weights are int8 with a scale per output channel, activations int8 with a scale per id ("8da8w"), as
are the embeddings; attention is ExecuTorch's own operator, which keeps the cache.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch
from executorch.examples.models.llama.export_llama_lib import export_llama
from executorch.extension.llm.export.config.llm_config import LlmConfig, ModelType
from safetensors.torch import load_file

NAMES = {  # of Hugging Face, and of the exporter
    "self_attn.q_proj": "attention.wq",
    "self_attn.k_proj": "attention.wk",
    "self_attn.v_proj": "attention.wv",
    "self_attn.o_proj": "attention.wo",
    "mlp.gate_proj": "feed_forward.w1",
    "mlp.down_proj": "feed_forward.w2",
    "mlp.up_proj": "feed_forward.w3",
    "input_layernorm": "attention_norm",
    "post_attention_layernorm": "ffn_norm",
    "embed_tokens": "tok_embeddings",
    "model.": "",
}
PREFILL = 520  # ids read at once: room for a prompt of 512


def convert(source: Path, target: Path, context: int) -> None:
    """Write model.pte, and beside it what the exporter reads."""
    config = json.loads((source / "config.json").read_text("utf-8"))
    torch.save(renamed(load_file(source / "model.safetensors")), target / "checkpoint.pth")
    (target / "params.json").write_text(json.dumps(parameters(config)), "utf-8")
    export_llama(settings(target, context))
    (target / "checkpoint.pth").unlink()


def renamed(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The weights under the exporter's names, the head among them."""
    result = {}
    for name, weight in weights.items():
        for theirs, its in NAMES.items():
            name = name.replace(theirs, its)
        result["output.weight" if name == "lm_head.weight" else name] = weight
    result.setdefault("output.weight", result["tok_embeddings.weight"])
    return result


def parameters(config: dict[str, Any]) -> dict[str, Any]:
    """config.json as the exporter has it."""
    return {
        "dim": config["hidden_size"],
        "hidden_dim": config["intermediate_size"],
        "n_layers": config["num_hidden_layers"],
        "n_heads": config["num_attention_heads"],
        "n_kv_heads": config["num_key_value_heads"],
        "head_dim": config["head_dim"],
        "vocab_size": config["vocab_size"],
        "norm_eps": config["rms_norm_eps"],
        "rope_theta": config["rope_theta"],
        "use_scaled_rope": False,
        "use_hf_rope": True,
    }


def settings(folder: Path, context: int) -> LlmConfig:
    """What its documentation recommends for XNNPACK."""
    result = LlmConfig()
    result.base.model_class = ModelType.smollm2
    result.base.checkpoint = str(folder / "checkpoint.pth")
    result.base.params = str(folder / "params.json")
    result.export.max_seq_length, result.export.max_context_length = PREFILL, context
    result.export.output_name = str(folder / "model.pte")
    result.model.use_kv_cache = result.model.use_sdpa_with_kv_cache = True
    result.quantization.qmode = "8da8w"
    result.quantization.group_size = 0  # a scale per output channel
    result.quantization.embedding_quantize = "8,0"
    result.backend.xnnpack.enabled = result.backend.xnnpack.extended_ops = True
    return result


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
