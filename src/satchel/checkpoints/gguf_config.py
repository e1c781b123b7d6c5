"""GGUF metadata as the config.json of Hugging Face. Reads no weights but the rotary factors.

A key of the metadata that is not understood is refused: ignoring one could change the model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from satchel.checkpoints.gguf_file import Metadata, optional, positive, required
from satchel.runtime.errors import CheckpointError, UnsupportedError, shown

if TYPE_CHECKING:
    import torch

SIZES = {
    "embedding_length": "hidden_size",
    "block_count": "num_hidden_layers",
    "attention.head_count": "num_attention_heads",
    "feed_forward_length": "intermediate_size",
    "context_length": "max_position_embeddings",
    "attention.layer_norm_rms_epsilon": "rms_norm_eps",
}
NAMES = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "output": "lm_head",
    "blk.attn_norm": "model.layers.{}.input_layernorm",
    "blk.attn_q": "model.layers.{}.self_attn.q_proj",
    "blk.attn_k": "model.layers.{}.self_attn.k_proj",
    "blk.attn_v": "model.layers.{}.self_attn.v_proj",
    "blk.attn_q_norm": "model.layers.{}.self_attn.q_norm",
    "blk.attn_k_norm": "model.layers.{}.self_attn.k_norm",
    "blk.attn_output": "model.layers.{}.self_attn.o_proj",
    "blk.ffn_norm": "model.layers.{}.post_attention_layernorm",
    "blk.ffn_gate": "model.layers.{}.mlp.gate_proj",
    "blk.ffn_up": "model.layers.{}.mlp.up_proj",
    "blk.ffn_down": "model.layers.{}.mlp.down_proj",
}
GEMMA_NAMES = NAMES | {
    "blk.post_attention_norm": "model.layers.{}.post_attention_layernorm",
    "blk.ffn_norm": "model.layers.{}.pre_feedforward_layernorm",
    "blk.post_ffw_norm": "model.layers.{}.post_feedforward_layernorm",
}
GPT2_SIZES = {
    "embedding_length": "n_embd",
    "block_count": "n_layer",
    "attention.head_count": "n_head",
    "feed_forward_length": "n_inner",
    "context_length": "n_positions",
    "attention.layer_norm_epsilon": "layer_norm_epsilon",
}
GPT2_NAMES = {
    "token_embd": "transformer.wte",
    "position_embd": "transformer.wpe",
    "output_norm": "transformer.ln_f",
    "output": "lm_head",
    "blk.attn_norm": "transformer.h.{}.ln_1",
    "blk.attn_qkv": "transformer.h.{}.attn.c_attn",
    "blk.attn_output": "transformer.h.{}.attn.c_proj",
    "blk.ffn_norm": "transformer.h.{}.ln_2",
    "blk.ffn_up": "transformer.h.{}.mlp.c_fc",
    "blk.ffn_down": "transformer.h.{}.mlp.c_proj",
}
GELU = "gelu_pytorch_tanh"
SILU = {"hidden_act": "silu", "attention_bias": False}


@dataclass(frozen=True)
class Family:
    """One GGUF architecture: its Hugging Face spelling and what conversion did to its weights."""

    model_type: str
    architecture: str
    constants: Mapping[str, Any]
    names: Mapping[str, str] = field(default_factory=lambda: NAMES)
    sizes: Mapping[str, str] = field(default_factory=lambda: SIZES)
    rotary: bool = True
    permuted: bool = False  # query and key rows interleave the two halves of each head
    norm_offset: float = 0.0  # added to every norm's weight
    transposed: bool = False  # layer weights are [out, in] here and [in, out] there


GEMMA2 = {"hidden_act": GELU, "hidden_activation": GELU, "attention_bias": False}
GEMMA3 = GEMMA2 | {"sliding_window_pattern": 6}
LLAMA = SILU | {"mlp_bias": False}
SMOLLM3 = LLAMA | {"no_rope_layer_interval": 4}
FAMILIES = {
    "llama": Family("llama", "LlamaForCausalLM", LLAMA, permuted=True),
    "qwen2": Family("qwen2", "Qwen2ForCausalLM", {"hidden_act": "silu"}),
    "qwen3": Family("qwen3", "Qwen3ForCausalLM", SILU),
    "smollm3": Family("smollm3", "SmolLM3ForCausalLM", SMOLLM3, permuted=True),
    "gemma2": Family("gemma2", "Gemma2ForCausalLM", GEMMA2, GEMMA_NAMES, norm_offset=1.0),
    "gemma3": Family("gemma3_text", "Gemma3ForCausalLM", GEMMA3, GEMMA_NAMES, norm_offset=1.0),
    "gpt2": Family(
        "gpt2",
        "GPT2LMHeadModel",
        {"activation_function": "gelu_new"},
        GPT2_NAMES,
        GPT2_SIZES,
        rotary=False,
        transposed=True,
    ),
}
# Said elsewhere too (by shapes, by the tensor list), or without effect on the numbers.
UNUSED = {"vocab_size", "tensor_data_layout", "rope.scaling.finetuned"}
ABSENT = {"expert_count", "expert_used_count", "attention.sliding_window"}  # 0 where there is none
ROTARY = {
    "attention.head_count_kv",
    "attention.key_length",
    "attention.value_length",
    "rope.freq_base",
    "rope.dimension_count",
    "rope.scaling.type",
    "rope.scaling.factor",
    "rope.scale_linear",  # the same, in old files
    "rope.scaling.original_context_length",
    "rope.scaling.yarn_beta_fast",
    "rope.scaling.yarn_beta_slow",
}
EXTRAS = {
    "gemma2": {"attention.sliding_window", "attn_logit_softcapping", "final_logit_softcapping"},
    "gemma3": {"attention.sliding_window", "final_logit_softcapping", "rope.freq_base_swa"},
}


def architecture_of(metadata: Metadata) -> str:
    """The key of a file's family, or an error that lists the known ones."""
    if (parts := optional(metadata, "split.count", int)) and parts > 1:
        raise UnsupportedError(f"is one of {parts} parts; merge them into one file first")
    architecture = required(metadata, "general.architecture", str)
    if architecture not in FAMILIES:
        known = ", ".join(FAMILIES)
        raise UnsupportedError(f"has the architecture {shown(architecture)}; known: {known}")
    return architecture


def make_config(
    metadata: Metadata, shapes: Mapping[str, tuple[int, ...]], factors: torch.Tensor | None
) -> dict[str, Any]:
    """What config.json would say.

    `shapes` are those of the GGUF tensors; `factors`, one of them, divides rotary frequencies.
    """
    architecture = architecture_of(metadata)
    family = FAMILIES[architecture]
    own = own_metadata(metadata, architecture)
    config: dict[str, Any] = {"model_type": family.model_type}
    config |= {"architectures": [family.architecture], **family.constants}
    for key, name in family.sizes.items():
        config[name] = positive(own, key, float if key.endswith("epsilon") else int)
    if family.rotary:
        config |= attention(own, config)
        config["rope_scaling"] = rope_scaling(own, config, factors)
    if architecture in EXTRAS:
        config |= gemma(own, config)
    config["vocab_size"] = shapes.get("token_embd.weight", (0,))[0]
    config["tie_word_embeddings"] = "output.weight" not in shapes
    biases = {"attention_bias": "blk.0.attn_q.bias", "mlp_bias": "blk.0.ffn_up.bias"}
    return config | {key: name in shapes for key, name in biases.items() if key in config}


def own_metadata(metadata: Metadata, architecture: str) -> dict[str, Any]:
    """The architecture's part of the metadata, with short keys, all of them understood."""
    prefix, family = architecture + ".", FAMILIES[architecture]
    own = {key.removeprefix(prefix): v for key, v in metadata.items() if key.startswith(prefix)}
    known = UNUSED | family.sizes.keys() | EXTRAS.get(architecture, set())
    known |= ROTARY if family.rotary else set()
    for key, value in own.items():
        if key not in known and not (key in ABSENT and value == 0):
            setting = f"{prefix}{key} = {shown(value, 40)}"
            raise UnsupportedError(f"has the metadata {setting}, which is not understood")
    return own


def attention(own: Metadata, config: Mapping[str, Any]) -> dict[str, Any]:
    """Heads and rotary base; refuses what the reference models do not compute."""
    heads = config["num_attention_heads"]
    head_dim = optional(own, "attention.key_length", int) or config["hidden_size"] // heads
    if head_dim < 2 or head_dim % 2:
        raise CheckpointError(f"has heads of {head_dim}, which cannot rotate")
    for key in ("attention.value_length", "rope.dimension_count"):
        if (own.get(key) or head_dim) != head_dim:
            raise UnsupportedError(f"has {key} {own[key]}, but heads of {head_dim}")
    return {
        "num_key_value_heads": optional(own, "attention.head_count_kv", int) or heads,
        "head_dim": head_dim,
        "rope_theta": optional(own, "rope.freq_base", float) or 10000.0,  # llama.cpp's default
    }


def gemma(own: Metadata, config: Mapping[str, Any]) -> dict[str, Any]:
    """What Gemma has beyond the common decoder: windows, caps, and its own scale of the scores."""
    third = config["model_type"] == "gemma3_text"
    # No key says it: only the 27B models do not scale the scores by the size of a head.
    largest = config["num_hidden_layers"] == (62 if third else 46)
    spread = config["hidden_size"] // config["num_attention_heads"]
    attention = {
        "query_pre_attn_scalar": spread if largest else config["head_dim"],
        "sliding_window": positive(own, "attention.sliding_window", int),
    }
    if third:
        return attention | {
            "attn_logit_softcapping": None,
            "final_logit_softcapping": optional(own, "final_logit_softcapping", float),
            "rope_local_base_freq": optional(own, "rope.freq_base_swa", float) or 10000.0,
        }
    caps = ("attn_logit_softcapping", "final_logit_softcapping")
    return attention | {name: positive(own, name, float) for name in caps}


def rope_scaling(
    own: Metadata, config: Mapping[str, Any], factors: torch.Tensor | None
) -> dict[str, Any] | None:
    """The `rope_scaling` of config.json, or None for plain rotary positions."""
    kind = optional(own, "rope.scaling.type", str) or "linear"
    if kind not in ("none", "linear", "yarn"):
        raise UnsupportedError(f"has rope scaling {shown(kind)}; known: none, linear, yarn, llama3")
    old, new = "rope.scale_linear", "rope.scaling.factor"
    factor = optional(own, new if own.get(new) else old, float) or 1.0  # 0 says: not scaled
    if kind == "none" or factor == 1.0:
        return None if factors is None else llama3_scaling(factors, config)
    if factors is not None:
        raise UnsupportedError(f"has both rope scaling {kind!r} and frequency factors")
    if kind == "linear":
        return {"rope_type": "linear", "factor": factor}
    return yarn_scaling(own, factor)


def yarn_scaling(own: Metadata, factor: float) -> dict[str, Any]:
    """YaRN's constants under their names in config.json."""
    options = {
        "beta_fast": optional(own, "rope.scaling.yarn_beta_fast", float),
        "beta_slow": optional(own, "rope.scaling.yarn_beta_slow", float),
    }
    context = positive(own, "rope.scaling.original_context_length", int)
    return {
        "rope_type": "yarn",
        "factor": factor,
        "original_max_position_embeddings": context,
        **{name: value for name, value in options.items() if value is not None},
    }


def llama3_scaling(factors: torch.Tensor, config: Mapping[str, Any]) -> dict[str, Any]:
    """Llama 3's constants, found again from the factors they gave; other factors are refused."""
    import torch

    head_dim, theta = config["head_dim"], config["rope_theta"]
    if factors.shape != (head_dim // 2,):
        raise CheckpointError(f"has {tuple(factors.shape)} rope_freqs for heads of {head_dim}")
    factor, low, high, context = round(float(factors[-1]), 6), 1.0, 4.0, 8192
    wavelength = 2 * torch.pi * theta ** (torch.arange(0, head_dim, 2).double() / head_dim)
    smooth = ((context / wavelength - low) / (high - low)).clamp(0, 1)
    expected = 1 / ((1 - smooth) / factor + smooth)
    if not torch.allclose(factors.double(), expected, rtol=1e-4):
        raise UnsupportedError("has frequency factors in rope_freqs that are not those of Llama 3")
    return {
        "rope_type": "llama3",
        "factor": factor,
        "low_freq_factor": low,
        "high_freq_factor": high,
        "original_max_position_embeddings": context,
    }
