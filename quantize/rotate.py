"""Rotate what int8 would round: the same model in another basis, in which no channel stands out.

A residual stream that only RMS norms read may be turned by any orthogonal matrix R, since a norm's
length does not change: what is added to the stream is multiplied with R, and what reads it through a
norm with R's transpose, after the norm's gain has moved into the layers behind it (QuaRot, Ashkboos et
al., 2024). Likewise the values of each attention head, between the two projections around them. Nothing
is computed at run time that was not before. Exact in real arithmetic; computed in float64.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from satchel.models.decoder import Decoder
from satchel.models.layers import Attention, Block, GatedMLP, Linear, RMSNorm

SEED = 20240
LEAST_GAIN = 1e-3  # of the largest: a gain is divided by where table and head are tied


def rotation(size: int) -> Tensor:
    """An orthogonal matrix float64 [size, size] that spreads each channel over all others.

    A Hadamard matrix for the power of two that divides `size`, times a random one for the rest, with
    random signs. Always the same for a size.
    """
    generator = torch.Generator().manual_seed(SEED + size)
    power = size & -size
    hadamard = torch.ones(1, 1, dtype=torch.float64)
    while len(hadamard) < power:
        hadamard = torch.kron(torch.tensor([[1.0, 1.0], [1.0, -1.0]]).double(), hadamard) / 2**0.5
    odd = torch.randn(size // power, size // power, dtype=torch.float64, generator=generator)
    turned = torch.kron(torch.linalg.qr(odd)[0].contiguous(), hadamard)
    signs = torch.randint(0, 2, (size,), generator=generator) * 2 - 1
    return turned * signs[:, None]


def rotate(model: nn.Module) -> list[str]:
    """Turn all of `model` that can be, in place; returns what was."""
    changes = []
    if isinstance(model, Decoder) and rotate_stream(model) is None:
        changes.append("stream")
    attentions = [part for part in model.modules() if isinstance(part, Attention)]
    for attention in attentions:
        rotate_values(attention)
    return changes + ["values"] * bool(attentions)


@torch.no_grad()
def rotate_values(attention: Attention) -> None:
    """Turn the values of each key-value head of `attention`, in place."""
    heads, project = attention.heads, attention.qkv_proj
    turned = rotation(heads.head_dim)
    start = project.out_features - heads.widths[2]
    for weight in (project.weight, project.bias):
        if weight is not None:
            rows = weight.data[start:].unflatten(0, (heads.num_kv_heads, heads.head_dim))
            rows = torch.einsum("hd...,de->he...", rows.double(), turned)
            weight.data[start:] = rows.flatten(0, 1).float()
    columns = attention.o_proj.weight.data.unflatten(1, (heads.num_heads, heads.head_dim))
    attention.o_proj.weight.data = (columns.double() @ turned).flatten(1).float()


@torch.no_grad()
def rotate_stream(model: Decoder) -> str | None:
    """Turn the residual stream of `model`, in place; or a reason why it cannot be turned."""
    reason = obstacle(model)
    if reason is not None:
        return reason
    turned = rotation(model.config.hidden_size)
    for block in _blocks(model):
        attention, mlp = block.self_attn, block.mlp
        assert isinstance(attention, Attention) and isinstance(mlp, GatedMLP)
        _read(block.input_layernorm, attention.qkv_proj, turned)
        _read(block.post_attention_layernorm, mlp.gate_up_proj, turned)
        _write(attention.o_proj, turned)
        _write(mlp.down_proj, turned)
    table, norm = model.model.embed_tokens, model.model.norm
    if model.config.tie_word_embeddings:
        # The head needs the last norm's gain in the table, from where the embedding takes it again.
        gain = norm.weight.data.double()
        model.model.untied = Linear(len(gain), len(gain), bias=False)
        model.model.untied.weight.data = (turned.T @ (turned / gain[:, None])).float()
        _read(norm, table, turned)
    else:
        table.weight.data = (table.weight.data.double() @ turned).float()
        _read(norm, model.lm_head, turned)
    return None


def obstacle(model: Decoder) -> str | None:
    """Why the residual stream of `model` cannot be turned, if it cannot."""
    blocks, norm = _blocks(model), model.model.norm
    if type(model).embed is not Decoder.embed:
        return "its embeddings are changed before they enter the stream"
    if any(type(block) is not Block for block in blocks):
        return "its blocks do more with the stream than to read it through a norm"
    norms = (
        norm,
        *(
            one
            for block in blocks
            for one in (block.input_layernorm, block.post_attention_layernorm)
        ),
    )
    if any(type(one) is not RMSNorm for one in norms):
        return "its norms subtract the mean"
    if any(not isinstance(block.mlp, GatedMLP) for block in blocks):
        return "its MLPs are not gated"
    gain = norm.weight.data.abs()
    if model.config.tie_word_embeddings and gain.min() < LEAST_GAIN * gain.max():
        return "its last norm all but silences a channel of the tied table"
    return None


def _blocks(model: Decoder) -> list[Block]:
    return list(model.model.layers)  # type: ignore[arg-type]


def _read(norm: RMSNorm, layer: nn.Linear | nn.Embedding, turned: Tensor) -> None:
    """A layer behind a norm takes the norm's gain over, and reads a turned stream."""
    weight = layer.weight.data.double() * norm.weight.data.double()
    layer.weight.data = (weight @ turned).float()
    norm.weight.data = torch.ones_like(norm.weight.data)


def _write(layer: nn.Linear, turned: Tensor) -> None:
    """A layer writes to a turned stream."""
    layer.weight.data = (turned.T @ layer.weight.data.double()).float()
    if layer.bias is not None:
        layer.bias.data = (layer.bias.data.double() @ turned).float()
