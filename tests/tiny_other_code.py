"""Tiny checkpoints in the layouts of code that is published beside weights, and what each must answer.

Names of tensors and keys are those of these files:

- nomic_bert: nomic-ai/nomic-embed-text-v1 and v1.5
- new: Alibaba-NLP/gte-multilingual-base and gte-base-en-v1.5
- jina_xlm_roberta: jinaai/jina-embeddings-v3
- jina_bert: jinaai/jina-embeddings-v2-base-en
- neobert: chandar-lab/NeoBERT

The first three are computed by classes of transformers 5 under other names; the last two by the functions
here, written from the papers.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor

from tests.tiny import VOCAB
from tests.tiny_encoders import POSITIONS, save_encoder, save_tokenizer

Weights = dict[str, Tensor]
States = Callable[[Tensor, Tensor], Tensor]  # of ids and token types [batch, length]
SIZE, INNER, HEADS, LAYERS = 64, 96, 4, 2
BERT: dict[str, Any] = {
    "attention_probs_dropout_prob": 0.0,
    "classifier_dropout": None,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1,
    "hidden_size": SIZE,
    "initializer_range": 0.02,
    "intermediate_size": INNER,
    "layer_norm_eps": 1e-12,
    "max_position_embeddings": POSITIONS,
    "num_attention_heads": HEADS,
    "num_hidden_layers": LAYERS,
    "pad_token_id": 0,
    "vocab_size": VOCAB,
}
GPT: dict[str, Any] = {  # as nomic_bert's files have it
    "activation_function": "swiglu",
    "attn_pdrop": 0.0,
    "causal": False,
    "dense_seq_output": True,
    "embd_pdrop": 0.0,
    "fused_bias_fc": True,
    "layer_norm_epsilon": 1e-12,
    "max_trained_positions": 2048,
    "mlp_fc1_bias": False,
    "mlp_fc2_bias": False,
    "n_embd": SIZE,
    "n_head": HEADS,
    "n_inner": INNER,
    "n_layer": LAYERS,
    "n_positions": POSITIONS,
    "pad_vocab_size_multiple": 64,
    "parallel_block": False,
    "prenorm": False,
    "qkv_proj_bias": False,
    "rotary_emb_base": 1000,
    "rotary_emb_fraction": 1.0,
    "rotary_emb_interleaved": False,
    "rotary_emb_scale_base": None,
    "rotary_scaling_factor": None,
    "scale_attn_weights": True,
    "summary_type": "cls_index",
    "type_vocab_size": 2,
    "use_flash_attn": True,
    "use_rms_norm": False,
    "use_xentropy": True,
    "vocab_size": VOCAB,
}
TASKS = ["retrieval.query", "retrieval.passage", "separation"]
ADAPTED: dict[str, Any] = {  # as the files of Jina v3 have it
    "emb_pooler": "mean",
    "load_trained_adapters": True,
    "lora_adaptations": TASKS,
    "lora_alpha": 2,
    "lora_dropout_p": 0.0,
    "lora_main_params_trainable": False,
    "lora_rank": 4,
    "matryoshka_dimensions": [16, 32, 64],
    "position_embedding_type": "rotary",
    "rotary_emb_base": 20000.0,
    "task_instructions": {task: f"{task}: " for task in TASKS},
    "truncate_dim": None,
    "type_vocab_size": 1,
    "use_flash_attn": True,
}


def save_other(folder: Path, kind: str) -> States:
    """Write a checkpoint of `kind` to `folder`; returns what its states must be."""
    folder.mkdir(exist_ok=True)
    states, weights, config = MADE[kind](folder)
    code = {"AutoModel": "modeling_x.Model"}
    save_file({name: it.contiguous() for name, it in weights.items()}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"auto_map": code, **config}))
    save_tokenizer(folder, 0, POSITIONS, config.get("type_vocab_size", 0) > 1)
    return states


def native(folder: Path, model_type: str, **overrides: Any) -> tuple[States, Weights, Any]:
    """Transformers' model of a type, its weights, and the model itself."""
    model = save_encoder(folder, model_type, pad_token_id=0, **overrides)

    def states(ids: Tensor, types: Tensor) -> Tensor:
        found: Tensor = model(ids, token_type_ids=types).last_hidden_state
        return found

    return states, dict(model.state_dict()), model


def renamed(weights: Weights, names: dict[str, str], blocks: str, packed: str) -> Weights:
    """`weights` with other names of the parts, and queries, keys and values as one."""
    out: Weights = {}
    for name, tensor in weights.items():
        if ".q_proj." in name:
            parts = [name.replace("q_proj", f"{part}_proj") for part in "qkv"]
            name, tensor = (
                name.replace("self_attn.q_proj", packed),
                torch.cat([weights[part] for part in parts]),
            )
        elif ".k_proj." in name or ".v_proj." in name:
            continue
        for old, new in {**names, "layers.": blocks}.items():
            name = name.replace(old, new)
        out[name] = tensor
    return out


def nomic(folder: Path) -> tuple[States, Weights, dict[str, Any]]:
    states, weights, _ = native(folder, "nomic_bert")
    names = {
        "embeddings.LayerNorm": "emb_ln",
        "self_attn.o_proj": "attn.out_proj",
        "post_attention_layernorm": "norm1",
        "post_mlp_layernorm": "norm2",
        "up_proj": "fc11",
        "gate_proj": "fc12",
        "down_proj": "fc2",
    }
    weights = renamed(weights, names, "encoder.layers.", "attn.Wqkv")
    return states, weights, {"model_type": "nomic_bert", "architectures": ["NomicBertModel"], **GPT}


def gte(folder: Path) -> tuple[States, Weights, dict[str, Any]]:
    states, weights, model = native(folder, "gte")
    width, base, factor = SIZE // HEADS, 500.0, 2.0
    turns = (base * factor) ** -(torch.arange(0, width, 2) / width) / factor ** (2 / width)
    model.rotary_emb.inv_freq.copy_(turns)
    for layer in range(LAYERS):
        place = f"layers.{layer}.mlp."
        rows = [weights.pop(f"{place}{part}_proj.weight") for part in ("up", "gate")]
        weights[f"{place}up_gate_proj.weight"] = torch.cat(rows)
    names = {
        "self_attn.o_proj": "attention.o_proj",
        "post_attention_layernorm": "attn_ln",
        "post_mlp_layernorm": "mlp_ln",
    }
    weights = renamed(weights, names, "encoder.layer.", "attention.qkv_proj")
    weights = {f"new.{name}": tensor for name, tensor in weights.items()}
    config = {
        "model_type": "new",
        "architectures": ["NewModel"],
        "layer_norm_type": "layer_norm",
        "logn_attention_clip1": False,
        "logn_attention_scale": False,
        "pack_qkv": True,
        "position_embedding_type": "rope",
        "rope_scaling": {"factor": factor, "type": "ntk"},
        "rope_theta": base,
        "type_vocab_size": 1,
        "unpad_inputs": False,
        "use_memory_efficient_attention": False,
    }
    return states, weights, BERT | config


def jina_v3(folder: Path) -> tuple[States, Weights, dict[str, Any]]:
    """The states are those with the adapter `TASKS[1]`."""
    states, weights, _ = native(folder, "jina_embeddings_v3", layer_norm_eps=1e-12)
    names = {
        "embeddings.LayerNorm": "emb_ln",
        "self_attn.o_proj": "mixer.out_proj",
        "post_attention_layernorm": "norm1",
        "post_mlp_layernorm": "norm2",
    }
    plain = renamed(weights, names, "encoder.layers.", "mixer.Wqkv")
    weights, rank, count = {}, ADAPTED["lora_rank"], len(TASKS)
    for name, tensor in plain.items():
        stem, _, kind = name.rpartition(".")
        if kind == "bias" or "norm" in stem or stem == "emb_ln":
            weights[f"roberta.{name}"] = tensor
            continue
        rows, columns = tensor.shape
        table = "embeddings" in stem
        first = torch.randn(count, *((rows, rank) if table else (rank, columns))) * 0.3
        last = torch.randn(count, *((rank, columns) if table else (rows, rank))) * 0.3
        change = first[1] @ last[1] if table else last[1] @ first[1]
        place = f"roberta.{stem}.parametrizations.weight"
        weights[f"{place}.original"] = tensor - change * ADAPTED["lora_alpha"] / rank
        weights |= {f"{place}.0.lora_A": first, f"{place}.0.lora_B": last}
    saved_as = {"model_type": "xlm-roberta", "architectures": ["XLMRobertaModel"]}
    return states, weights, BERT | saved_as | ADAPTED


def random(shapes: dict[str, tuple[int, ...]]) -> Weights:
    """Numbers of such a size that every part of a model shows in its states."""
    torch.manual_seed(0)
    return {
        name: torch.randn(shape) * (0.2 if len(shape) > 1 else 0.1)
        + (1.0 if len(shape) == 1 and name.endswith("weight") else 0.0)
        for name, shape in shapes.items()
    }


def layer(weights: Weights, name: str, x: Tensor) -> Tensor:
    return F.linear(x, weights[f"{name}.weight"], weights.get(f"{name}.bias"))


def norm(weights: Weights, name: str, x: Tensor) -> Tensor:
    return F.layer_norm(x, (SIZE,), weights[f"{name}.weight"], weights[f"{name}.bias"], 1e-12)


def attended(query: Tensor, key: Tensor, value: Tensor, bias: Tensor | float) -> Tensor:
    """[batch, length, size] of parts [batch, length, heads, width]."""
    scores = torch.einsum("bihw,bjhw->bhij", query, key) / query.shape[-1] ** 0.5 + bias
    return torch.einsum("bhij,bjhw->bihw", scores.softmax(-1), value).flatten(2)


def jina_v2(folder: Path) -> tuple[States, Weights, dict[str, Any]]:
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (VOCAB, SIZE),
        "embeddings.token_type_embeddings.weight": (2, SIZE),
        **{f"embeddings.LayerNorm.{kind}": (SIZE,) for kind in ("weight", "bias")},
        "pooler.dense.weight": (SIZE, SIZE),
        "pooler.dense.bias": (SIZE,),
    }
    for index in range(LAYERS):
        block = f"encoder.layer.{index}."
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            shapes[f"{block}attention.{part}.weight"] = (SIZE, SIZE)
            shapes[f"{block}attention.{part}.bias"] = (SIZE,)
        for part in ("attention.output.LayerNorm", "mlp.layernorm"):
            shapes |= {f"{block}{part}.{kind}": (SIZE,) for kind in ("weight", "bias")}
        shapes[f"{block}mlp.gated_layers.weight"] = (2 * INNER, SIZE)
        shapes[f"{block}mlp.wo.weight"] = (SIZE, INNER)
        shapes[f"{block}mlp.wo.bias"] = (SIZE,)
    weights = random(shapes)

    def states(ids: Tensor, types: Tensor) -> Tensor:
        words = weights["embeddings.word_embeddings.weight"][ids]
        x = words + weights["embeddings.token_type_embeddings.weight"][types]
        x = norm(weights, "embeddings.LayerNorm", x)
        places = torch.arange(ids.shape[1])
        apart = (places[None] - places[:, None]).abs()
        bias = -torch.tensor([2**-2, 2**-4, 2**-6, 2**-8])[:, None, None] * apart
        for index in range(LAYERS):
            block = f"encoder.layer.{index}."
            names = [f"{block}attention.self.{part}" for part in ("query", "key", "value")]
            query, key, value = (
                layer(weights, name, x).unflatten(-1, (HEADS, -1)) for name in names
            )
            seen = attended(query, key, value, bias)
            seen = layer(weights, f"{block}attention.output.dense", seen)
            x = norm(weights, f"{block}attention.output.LayerNorm", x + seen)
            gate, up = layer(weights, f"{block}mlp.gated_layers", x).chunk(2, -1)
            made = layer(weights, f"{block}mlp.wo", F.gelu(gate) * up)
            x = norm(weights, f"{block}mlp.layernorm", x + made)
        return x

    config = {
        "model_type": "bert",
        "architectures": ["JinaBertForMaskedLM"],
        "emb_pooler": "mean",
        "feed_forward_type": "geglu",
        "position_embedding_type": "alibi",
        "type_vocab_size": 2,
    }
    return states, weights, BERT | config


def neo(folder: Path) -> tuple[States, Weights, dict[str, Any]]:
    inner = 64  # two thirds of 96
    shapes: dict[str, tuple[int, ...]] = {
        "model.encoder.weight": (VOCAB, SIZE),
        "model.layer_norm.weight": (SIZE,),
        "decoder.weight": (VOCAB, SIZE),
        "decoder.bias": (VOCAB,),
    }
    for index in range(LAYERS):
        block = f"model.transformer_encoder.{index}."
        shapes |= {f"{block}{part}_norm.weight": (SIZE,) for part in ("attention", "ffn")}
        shapes[f"{block}qkv.weight"] = (3 * SIZE, SIZE)
        shapes[f"{block}wo.weight"] = (SIZE, SIZE)
        shapes[f"{block}ffn.w12.weight"] = (2 * inner, SIZE)
        shapes[f"{block}ffn.w3.weight"] = (SIZE, inner)
    weights = random(shapes)

    def scaled(name: str, x: Tensor) -> Tensor:
        size = (x.pow(2).mean(-1, keepdim=True) + 1e-5).sqrt()
        return x / size * weights[f"{name}.weight"]

    def turned(x: Tensor) -> Tensor:
        """Pairs of neighbouring channels as complex numbers."""
        width = x.shape[-1]
        speeds = 10000.0 ** -(torch.arange(0, width, 2) / width)
        angles = torch.arange(x.shape[1])[:, None, None] * speeds
        pairs = torch.view_as_complex(x.unflatten(-1, (-1, 2)).contiguous())
        return torch.view_as_real(pairs * torch.polar(torch.ones_like(angles), angles)).flatten(-2)

    def states(ids: Tensor, types: Tensor) -> Tensor:
        x = weights["model.encoder.weight"][ids]
        for index in range(LAYERS):
            block = f"model.transformer_encoder.{index}."
            packed = layer(weights, f"{block}qkv", scaled(f"{block}attention_norm", x))
            query, key, value = packed.unflatten(-1, (HEADS, 3, -1)).unbind(-2)
            x = x + layer(weights, f"{block}wo", attended(turned(query), turned(key), value, 0.0))
            both = layer(weights, f"{block}ffn.w12", scaled(f"{block}ffn_norm", x))
            gate, up = both.chunk(2, -1)
            x = x + layer(weights, f"{block}ffn.w3", F.silu(gate) * up)
        return scaled("model.layer_norm", x)

    config = {
        "model_type": "neobert",
        "architectures": ["NeoBERTLMHead"],
        "classifier_init_range": 0.02,
        "decoder_init_range": 0.02,
        "dim_head": SIZE // HEADS,
        "embedding_init_range": 0.02,
        "hidden_size": SIZE,
        "intermediate_size": INNER,
        "max_length": POSITIONS,
        "norm_eps": 1e-5,
        "num_attention_heads": HEADS,
        "num_hidden_layers": LAYERS,
        "pad_token_id": 0,
        "vocab_size": VOCAB,
    }
    return states, weights, config


MADE: dict[str, Callable[[Path], tuple[States, Weights, dict[str, Any]]]] = {
    "nomic_bert": nomic,
    "new": gte,
    "jina_xlm_roberta": jina_v3,
    "jina_bert": jina_v2,
    "neobert": neo,
}
