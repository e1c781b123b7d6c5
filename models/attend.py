"""Attention as ONNX Runtime's fused kernels compute it: over a cache, all, or sources; and rotation.

Eagerly each computes with PyTorch, as the oracle of the checks; exported it writes one node.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.onnx import is_in_onnx_export
from torch.onnx.ops import symbolic, symbolic_multi_out

from satchel.models.ops import OPSET, Attributes, soft_capped

LOWEST = torch.finfo(torch.float32).min  # finite: scores of minus infinity alone have no softmax


@dataclass
class Cache:
    """What a decoder's attention needs besides activations: lengths, and keys and values per layer.

    Padding is on the right.
    """

    seqlens_k: Tensor  # int32 [batch]: each row's length after this call, minus one
    total: Tensor  # int32 [1]: the longest of those lengths
    # Per layer (key, value), each [batch, kv_heads, capacity, head_dim]; empty where nothing is kept.
    past: list[tuple[Tensor, Tensor]]
    present: list[tuple[Tensor, Tensor]] = field(default_factory=list)  # what attention made of it

    def positions(self, length: int) -> Tensor:
        """int64 [batch, length]: the position of each new token, for learned position tables."""
        # A first prompt padded on the right has seqlens_k + 1 - length <= 0: it starts at 0.
        start = torch.clamp(self.seqlens_k.to(torch.int64) + 1 - length, min=0)
        return start[:, None] + torch.arange(length)

    def all_positions(self) -> Tensor:
        """int64 [total]: the positions of all tokens of the longest row, for relative positions."""
        total = self.total.item()
        torch._check(total >= 1)
        return torch.arange(total)


@dataclass(frozen=True)
class Heads:
    """The geometry of one attention layer, in the words of GroupQueryAttention."""

    num_heads: int
    num_kv_heads: int
    head_dim: int
    scale: float
    softcap: float = 0.0
    window: int | None = None  # tokens a query sees, itself included

    @property
    def widths(self) -> tuple[int, int, int]:
        """Columns of query, key and value in a packed projection."""
        return (self.num_heads * self.head_dim,) + (self.num_kv_heads * self.head_dim,) * 2


def causal_attention(
    query: Tensor,
    key: Tensor | None,
    value: Tensor | None,
    heads: Heads,
    rope: tuple[Tensor, Tensor] | None,  # cos and sin, each [positions, rotated / 2]
    cache: Cache | None,
    bias: Tensor | None = None,  # [1 or batch, heads, length, total], added to the scores
) -> Tensor:
    """Masked self-attention with rotary or relative positions over a shared-buffer cache.

    Takes and returns [batch, length, heads * head_dim]; `query` may have all three in its columns, with
    `key` and `value` None. Exported it is one GroupQueryAttention; eagerly it needs no cache.
    """
    if not is_in_onnx_export():
        if key is None or value is None:
            query, key, value = query.split(heads.widths, dim=-1)
        return _eager_attention(query, key, value, heads, rope, bias)
    assert cache is not None
    past_key, past_value = cache.past[len(cache.present)] if cache.past else (None, None)
    kept: Sequence[Any] = (query.shape[0], heads.num_kv_heads, query.shape[1], heads.head_dim)
    if past_key is not None:
        kept = past_key.shape
    cos, sin = rope or (None, None)
    attributes: Attributes = {
        "num_heads": heads.num_heads,
        "kv_num_heads": heads.num_kv_heads,
        "scale": heads.scale,
        "do_rotary": int(rope is not None),
    }
    if heads.softcap:
        attributes["softcap"] = heads.softcap
    if heads.window is not None:
        attributes["local_window_size"] = heads.window
    inputs = [query, key, value, past_key, past_value, cache.seqlens_k, cache.total, cos, sin]
    if bias is not None:
        inputs += [None, bias]  # position ids follow from the lengths
    output, present_key, present_value = symbolic_multi_out(
        "com.microsoft::GroupQueryAttention",
        inputs,
        attributes,
        dtypes=(query.dtype, query.dtype, query.dtype),
        shapes=((*query.shape[:-1], heads.widths[0]), kept, kept),
        version=1,
    )
    cache.present.append((present_key, present_value))
    return output


def _eager_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    heads: Heads,
    rope: tuple[Tensor, Tensor] | None,
    bias: Tensor | None,
) -> Tensor:
    batch, length, _ = query.shape
    query, key, value = (
        x.view(batch, length, -1, heads.head_dim).transpose(1, 2) for x in (query, key, value)
    )  # [batch, heads, length, head_dim]
    if rope is not None:
        query, key = rotate(query, *rope), rotate(key, *rope)
    groups = heads.num_heads // heads.num_kv_heads
    key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
    scores = query @ key.mT * heads.scale  # [batch, heads, length, length]
    scores = soft_capped(scores, heads.softcap)
    if bias is not None:
        scores = scores + bias
    distance = torch.arange(length)[:, None] - torch.arange(length)
    visible = distance >= 0
    if heads.window is not None:
        visible &= distance < heads.window
    weights = scores.masked_fill(~visible, float("-inf")).softmax(-1)
    return (weights @ value).transpose(1, 2).reshape(batch, length, -1)


def attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    num_heads: int,
    scale: float,
    bias: Tensor | None = None,  # [1, 1 or heads, length, length], added to the scores; -inf hides
    lengths: Tensor | None = None,  # int32 [batch]: how many keys of a row are no padding
) -> Tensor:
    """Attention over everything, or over what `bias` and `lengths` leave.

    `query` and the result are [batch, length, heads * head_dim]; `key` and `value` too, of another
    length perhaps, or [batch, heads, length, head_dim]. Exported it is one MultiHeadAttention.
    """
    if is_in_onnx_export():
        # The kernel also reads keys and values [batch, heads, length, head_dim] as they are.
        inputs = [query, key, value, None, lengths, bias]
        while inputs[-1] is None:
            inputs.pop()
        return symbolic(
            "com.microsoft::MultiHeadAttention",
            inputs,
            {"num_heads": num_heads, "scale": scale},
            dtype=query.dtype,
            shape=query.shape,
            version=1,
        )
    query, key, value = (
        x if x.ndim == 4 else x.unflatten(-1, (num_heads, -1)).transpose(1, 2)
        for x in (query, key, value)
    )  # [batch, heads, length, head_dim]
    if lengths is not None:
        beyond = torch.arange(key.shape[2]) >= lengths[:, None, None, None]
        bias = torch.zeros(()) if bias is None else bias
        bias = torch.where(beyond, float("-inf"), bias)
    attended = F.scaled_dot_product_attention(query, key, value, bias, scale=scale)
    return attended.transpose(1, 2).flatten(-2)


def capped_attention(
    query: Tensor, key: Tensor, value: Tensor, heads: Heads, lengths: Tensor | None
) -> Tensor:
    """Attention in both directions as `heads` has it, for what no fused kernel does: scores that are
    bounded by a tanh, keys and values that several heads share, windows.

    `query` and the result are [batch, length, heads * head_dim], `key` and `value` [batch, kv_heads,
    keys, head_dim]; a window reaches as far to either side. `lengths`, int32 [batch], is how many keys of
    a row are no padding, None where all are.
    """
    sharing = heads.num_heads // heads.num_kv_heads
    per_head = query.unflatten(-1, (heads.num_kv_heads, sharing, -1)).permute(0, 2, 3, 1, 4)
    scores = per_head @ key[:, :, None].mT * heads.scale  # [batch, kv_heads, sharing, length, keys]
    scores = soft_capped(scores, heads.softcap)
    places = torch.arange(key.shape[2])
    if heads.window is not None:
        apart = (places - torch.arange(query.shape[1])[:, None]).abs()
        scores = scores.masked_fill(apart > heads.window, LOWEST)
    if lengths is not None:
        scores = scores.masked_fill(places >= lengths[:, None, None, None, None], LOWEST)
    attended = scores.softmax(-1) @ value[:, :, None]
    return attended.permute(0, 3, 1, 2, 4).flatten(-3)


@dataclass(frozen=True)
class Folding:
    """How an exported graph brings rows of one source together, and apart again: two shapes."""

    together: Tensor  # int64 [3]: sources, all queries of a source, heads * head_dim
    apart: Tensor  # int64 [3]: rows, length, heads * head_dim

    @classmethod
    def of(cls, input_ids: Tensor, lengths: Tensor | None, width: int) -> Folding | None:
        """For targets [rows, length] and the lengths [sources] of their sources; None eagerly.

        Written as nodes, because the tracer would ask that the rows are a multiple of the sources.
        """
        if not is_in_onnx_export():
            return None
        assert lengths is not None
        sources, rows = (
            symbolic("::Shape", (x,), dtype=torch.int64, shape=(x.ndim,), version=OPSET)
            for x in (lengths, input_ids)
        )
        last = torch.tensor([width])
        return cls(torch.cat([sources, torch.tensor([-1]), last]), torch.cat([rows, last]))


def cross_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    heads: Heads,
    lengths: Tensor | None,  # int32 [sources]; None where all are whole
    folding: Folding | None,
) -> Tensor:
    """Attention of targets over their sources, whose keys and values are never copied.

    `query` is [rows, length, heads * head_dim], `key` and `value` [sources, kv_heads, source, head_dim].
    The rows of one source follow one another, equally many for each.
    """
    sources, plain = key.shape[0], not heads.softcap and heads.num_kv_heads == heads.num_heads

    def attended_by(folded: Tensor) -> Tensor:
        if plain:
            return attention(folded, key, value, heads.num_heads, heads.scale, lengths=lengths)
        return capped_attention(folded, key, value, heads, lengths)

    # Attention over a source knows no positions: its rows are read as one long row of queries.
    if folding is None:
        folded = query.reshape(sources, -1, query.shape[-1])
        return attended_by(folded).reshape(query.shape)
    per_source = query.shape[0] * query.shape[1] // sources
    folded = _reshape(query, folding.together, (sources, per_source, query.shape[-1]))
    return _reshape(attended_by(folded), folding.apart, query.shape)


def _reshape(x: Tensor, to: Tensor, shape: Sequence[Any]) -> Tensor:
    return symbolic("::Reshape", (x, to), dtype=x.dtype, shape=shape, version=OPSET)


def rotary(
    x: Tensor, cos: Tensor, sin: Tensor, num_heads: int, positions: Tensor | None = None
) -> Tensor:
    """Rotary embedding of x [batch, length, heads * head_dim], from position 0 or, in a graph, at int64
    `positions` [batch, length]."""
    if is_in_onnx_export():
        if positions is None:
            positions = torch.zeros(1, dtype=torch.int64)
        attributes: Attributes = {"num_heads": num_heads, "interleaved": 0}
        if 2 * cos.shape[1] * num_heads < x.shape[-1]:  # a part of each head
            attributes["rotary_embedding_dim"] = 2 * cos.shape[1]
        return symbolic(
            "com.microsoft::RotaryEmbedding",
            (x, positions, cos, sin),
            attributes,
            dtype=x.dtype,
            shape=x.shape,
            version=1,
        )
    heads = x.unflatten(-1, (num_heads, -1)).transpose(1, 2)
    return rotate(heads, cos, sin).transpose(1, 2).flatten(-2)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary embedding (Su et al., 2021) of x [batch, heads, length, head_dim] from position 0.

    The first ``2 * cos.shape[1]`` channels turn, in the half-split order; the others pass.
    """
    half = cos.shape[1]
    cos, sin = cos[: x.shape[2]], sin[: x.shape[2]]
    first, second, rest = x[..., :half], x[..., half : 2 * half], x[..., 2 * half :]
    return torch.cat((first * cos - second * sin, second * cos + first * sin, rest), -1)
