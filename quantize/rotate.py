"""Rotate what int8 would round: the same model in another basis, in which no channel stands out.

QuaRot (Ashkboos et al., 2024): what writes to a residual stream is multiplied with an orthogonal R,
what reads it through an RMS norm with R's transpose. The values of each attention head likewise. Exact
in real arithmetic; computed in float64.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from satchel.models.layers import Attention, Linear, RMSNorm
from satchel.quantize.streams import Streams, streams

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
    rotated = torch.kron(torch.linalg.qr(odd)[0].contiguous(), hadamard)
    signs = torch.randint(0, 2, (size,), generator=generator) * 2 - 1
    return rotated * signs[:, None]


def rotate(model: nn.Module) -> list[str]:
    """Turn all of `model` that can be, in place; returns what was."""
    changes = []
    residual = _turnable(model)
    if isinstance(residual, Streams):
        rotate_streams(residual)
        changes.append("stream")
    attentions = [part for part in model.modules() if isinstance(part, Attention)]
    for attention in attentions:
        rotate_values(attention)
    return changes + ["values"] * bool(attentions)


def obstacle(model: nn.Module) -> str | None:
    """Why the residual streams of `model` cannot be rotated, if they cannot."""
    residual = _turnable(model)
    return residual if isinstance(residual, str) else None


def _turnable(model: nn.Module) -> Streams | str:
    """The residual streams of `model`, or why they cannot be rotated."""
    residual = streams(model)
    if isinstance(residual, Streams) and residual.tied is not None:
        gain = residual.last.weight.data.abs()
        if gain.min() < LEAST_GAIN * gain.max():
            return "its last norm all but silences a channel of the tied table"
    return residual


@torch.no_grad()
def rotate_values(attention: Attention) -> None:
    """Turn the values of each key-value head of `attention`, in place."""
    heads, project = attention.heads, attention.qkv_proj
    rotated = rotation(heads.head_dim)
    for weight in (project.weight, project.bias):
        if weight is not None:
            rows = weight.data[attention.value_rows].unflatten(
                0, (heads.num_kv_heads, heads.head_dim)
            )
            rows = torch.einsum("hd...,de->he...", rows.double(), rotated)
            weight.data[attention.value_rows] = rows.flatten(0, 1).float()
    columns = attention.o_proj.weight.data.unflatten(1, (heads.num_heads, heads.head_dim))
    attention.o_proj.weight.data = (columns.double() @ rotated).flatten(1).float()


@torch.no_grad()
def rotate_streams(residual: Streams) -> None:
    """Turn residual streams, in place."""
    size = residual.table.embedding_dim
    rotated = rotation(size)
    # RMS norms divide by a length, which a rotation does not change.
    for norm, layers in residual.reads:
        _read(norm, layers, rotated)
    for layer in residual.writes:
        _write(layer, rotated)
    head = residual.head
    if residual.trunk is not None:
        head = residual.trunk.untied = Linear(size, size, bias=False)
        head.weight.data = torch.eye(size)
    if residual.tied is None:
        assert head is not None
        residual.table.weight.data = (residual.table.weight.data.double() @ rotated).float()
        _read(residual.last, [head], rotated)
        return
    # The head needs the last norm's gain in the table, from where the embedding takes it again.
    gain = residual.last.weight.data.double()
    residual.tied.untied = Linear(size, size, bias=False)
    residual.tied.untied.weight.data = (rotated.T @ (rotated / gain[:, None])).float()
    _read(residual.last, [residual.table], rotated)


def _read(norm: RMSNorm, layers: Sequence[nn.Linear | nn.Embedding], rotated: Tensor) -> None:
    """Layers behind a norm take the norm's gain over, and read a rotated stream."""
    for layer in layers:
        weight = layer.weight.data.double() * norm.weight.data.double()
        layer.weight.data = (weight @ rotated).float()
    norm.weight.data = torch.ones_like(norm.weight.data)


def _write(layer: nn.Linear, rotated: Tensor) -> None:
    """A layer writes to a rotated stream."""
    layer.weight.data = (rotated.T @ layer.weight.data.double()).float()
    if layer.bias is not None:
        layer.bias.data = (layer.bias.data.double() @ rotated).float()
