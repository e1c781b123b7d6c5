"""The building blocks that architectures are composed of. Knows no model_type and no file."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.onnx import is_in_onnx_export

from satchel.models import attend, ops
from satchel.models.attend import Cache, Heads


class Linear(nn.Linear):
    """Linear layer whose node in the graph is lowered to the chosen precision."""

    def forward(self, x: Tensor) -> Tensor:
        return ops.linear(x, self.weight, self.bias)


class Embedding(nn.Embedding):
    """Table of rows whose node in the graph is lowered to the chosen precision."""

    def forward(self, ids: Tensor) -> Tensor:
        return ops.embedding(ids, self.weight)


class RMSNorm(nn.Module):
    """Root mean square norm; `add` folds the residual sum into it."""

    def __init__(self, size: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return ops.rms_norm(x, self.weight, self.eps)

    def add(self, x: Tensor, skip: Tensor | None) -> tuple[Tensor, Tensor]:
        """``(norm(x + skip), x + skip)``; without a skip yet, ``(norm(x), x)``."""
        if skip is None:
            return self(x), x
        return ops.skip_rms_norm(x, skip, self.weight, self.eps)


class LayerNorm(RMSNorm):
    """Layer norm with gain and bias; `add` as in RMSNorm."""

    def __init__(self, size: int, eps: float) -> None:
        super().__init__(size, eps)
        self.bias = nn.Parameter(torch.zeros(size))

    def forward(self, x: Tensor) -> Tensor:
        return ops.layer_norm(x, self.weight, self.bias, self.eps)

    def add(self, x: Tensor, skip: Tensor | None) -> tuple[Tensor, Tensor]:
        if skip is None:
            return self(x), x
        return ops.skip_layer_norm(x, skip, self.weight, self.bias, self.eps)


class Rope(nn.Module):
    """Rotary tables shared by the layers that use them: cos and sin, each [positions, rotated / 2]."""

    cos: Tensor
    sin: Tensor

    def __init__(self, tables: tuple[Tensor, Tensor]) -> None:
        super().__init__()
        self.register_buffer("cos", tables[0], persistent=False)
        self.register_buffer("sin", tables[1], persistent=False)

    @property
    def tables(self) -> tuple[Tensor, Tensor]:
        return self.cos, self.sin


class StoredRope(Rope):
    """Rotary tables that are weights, because the checkpoint's own numbers count."""

    def __init__(self, positions: int, half: int) -> None:
        nn.Module.__init__(self)
        self.cos = nn.Parameter(torch.empty(positions, half))
        self.sin = nn.Parameter(torch.empty(positions, half))


class Attention(nn.Module):
    """Causal self-attention with one packed projection for query, key and value.

    What a cache keeps passes through `keep_key` and `keep_value`, [batch, length, kv_heads * head_dim],
    where calibration watches and rounds it; a subclass that norms otherwise overrides `normed`.
    """

    kernel_turns = True  # queries and keys by their positions, as `rope` has it

    def __init__(
        self,
        hidden_size: int,
        heads: Heads,
        rope: Rope | None,
        *,
        bias: bool = False,
        out_bias: bool = False,
        qk_norm_eps: float | None = None,
    ) -> None:
        super().__init__()
        self.heads = heads
        self.rope = rope
        self.qkv_proj = Linear(hidden_size, sum(heads.widths), bias)
        self.o_proj = Linear(heads.widths[0], hidden_size, out_bias)
        self.keep_key, self.keep_value = nn.Identity(), nn.Identity()
        self.norms = qk_norm_eps is not None
        if qk_norm_eps is not None:
            query, key = self.norm_sizes
            self.q_norm, self.k_norm = RMSNorm(query, qk_norm_eps), RMSNorm(key, qk_norm_eps)

    @property
    def norm_sizes(self) -> tuple[int, int]:
        """The widths of the norms of queries and keys."""
        return self.heads.head_dim, self.heads.head_dim

    @property
    def value_rows(self) -> slice:
        """The rows of `qkv_proj` that make values."""
        return slice(sum(self.heads.widths[:2]), None)

    def forward(self, x: Tensor, cache: Cache | None, bias: Tensor | None = None) -> Tensor:
        packed = self.qkv_proj(x)
        query, key, value = packed, None, None
        if self.norms or not is_in_onnx_export():  # else the kernel takes them apart
            query, key, value = packed.split(self.heads.widths, dim=-1)
            if self.norms:
                query, key = self.normed(query, key, cache)
            key, value = self.keep_key(key), self.keep_value(value)
        tables = self.rope.tables if self.rope is not None and self.kernel_turns else None
        return self.o_proj(
            attend.causal_attention(query, key, value, self.heads, tables, cache, bias)
        )

    def normed(self, query: Tensor, key: Tensor, cache: Cache | None) -> tuple[Tensor, Tensor]:
        """Query and key [batch, length, heads * head_dim], each head through its norm."""
        return self._per_head(self.q_norm, query), self._per_head(self.k_norm, key)

    def _per_head(self, norm: RMSNorm, x: Tensor) -> Tensor:
        return norm(x.unflatten(-1, (-1, self.heads.head_dim))).flatten(-2)


class SelfAttention(nn.Module):
    """Attention in both directions, with one packed projection for query, key and value.

    `head_dim` and `scale` are given where they do not follow from the sizes, `kv_heads` where several
    heads of queries share one of keys and values.
    """

    def __init__(
        self,
        hidden_size: int,
        num_heads: int,
        rope: Rope | None = None,
        *,
        bias: bool = True,
        head_dim: int | None = None,
        kv_heads: int | None = None,
        scale: float | None = None,
    ) -> None:
        super().__init__()
        head_dim = head_dim or hidden_size // num_heads
        self.num_heads = num_heads
        self.kv_heads = kv_heads or num_heads
        self.widths = [num_heads * head_dim, *[self.kv_heads * head_dim] * 2]
        self.scale = head_dim**-0.5 if scale is None else scale
        self.rope = rope
        self.qkv_proj = Linear(hidden_size, sum(self.widths), bias)
        self.o_proj = Linear(num_heads * head_dim, hidden_size, bias)

    def forward(
        self, x: Tensor, bias: Tensor | None = None, lengths: Tensor | None = None
    ) -> Tensor:
        """Attend within x [batch, length, hidden]; `bias` and `lengths` as in `attend.attention`."""
        query, key, value = self.projected(x)
        key, value = self._for_all_heads(key), self._for_all_heads(value)
        attended = attend.attention(query, key, value, self.num_heads, self.scale, bias, lengths)
        return self.o_proj(attended)

    def projected(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Query, key and value of x, [batch, length, its heads * head_dim] each, rotated by places."""
        query, key, value = self.qkv_proj(x).split(self.widths, dim=-1)
        if self.rope is not None:
            query = attend.rotary(query, *self.rope.tables, self.num_heads)
            key = attend.rotary(key, *self.rope.tables, self.kv_heads)
        return query, key, value

    def _for_all_heads(self, x: Tensor) -> Tensor:
        """Keys or values [batch, length, kv_heads * head_dim], each repeated for the heads it serves."""
        sharing = self.num_heads // self.kv_heads
        if sharing == 1:
            return x
        per_head = x.unflatten(-1, (self.kv_heads, 1, -1))
        return per_head.expand(-1, -1, -1, sharing, -1).flatten(-3)


class GatedMLP(nn.Module):
    """``down(act(gate(x)) * up(x))`` with gate and up as one projection (Shazeer, 2020); `out_bias` is
    that of `down`, where it is not as the others are."""

    def __init__(
        self,
        hidden_size: int,
        intermediate_size: int,
        act: str,
        bias: bool,
        out_bias: bool | None = None,
    ) -> None:
        super().__init__()
        self.act = act
        self.gate_up_proj = Linear(hidden_size, 2 * intermediate_size, bias)
        self.down_proj = Linear(
            intermediate_size, hidden_size, bias if out_bias is None else out_bias
        )

    def forward(self, x: Tensor) -> Tensor:
        gate, up = self.gate_up_proj(x).chunk(2, dim=-1)
        return self.down_proj(ops.activation(self.act, gate) * up)


class MLP(nn.Module):
    """``down(act(up(x)))``, as in GPT-2."""

    def __init__(
        self, hidden_size: int, intermediate_size: int, act: str, bias: bool = True
    ) -> None:
        super().__init__()
        self.act = act
        self.up_proj = Linear(hidden_size, intermediate_size, bias)
        self.down_proj = Linear(intermediate_size, hidden_size, bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(ops.activation(self.act, self.up_proj(x)))


class Block(nn.Module):
    """Pre-norm block. The residual stream travels beside the last output, unsummed, so that each sum
    happens inside the next norm."""

    input_layernorm: RMSNorm
    post_attention_layernorm: RMSNorm

    def __init__(self, attention: nn.Module, mlp: nn.Module, norms: Sequence[RMSNorm]) -> None:
        super().__init__()
        self.input_layernorm, self.post_attention_layernorm = norms
        self.self_attn = attention
        self.mlp = mlp

    def forward(
        self, x: Tensor, residual: Tensor | None, cache: Cache | None, bias: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """The last output and the stream beside it; `bias` is added to the scores of attention."""
        hidden, residual = self.input_layernorm.add(x, residual)
        hidden, residual = self.post_attention_layernorm.add(
            self.self_attn(hidden, cache, bias), residual
        )
        return self.mlp(hidden), residual


class ParallelBlock(nn.Module):
    """Attention and MLP both read the block's input, through one norm or each through its own."""

    def __init__(self, attention: nn.Module, mlp: nn.Module, norms: Sequence[RMSNorm]) -> None:
        super().__init__()
        self.input_layernorm = norms[0]
        self.post_attention_layernorm = norms[1] if len(norms) > 1 else None
        self.self_attn = attention
        self.mlp = mlp

    def forward(
        self, x: Tensor, residual: Tensor | None, cache: Cache | None, bias: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """As that of Block."""
        hidden, residual = self.input_layernorm.add(x, residual)
        attended = self.self_attn(hidden, cache, bias)
        if self.post_attention_layernorm is not None:
            hidden = self.post_attention_layernorm(residual)
        return attended + self.mlp(hidden), residual


class PostNormBlock(Block):
    """A block whose norms stand behind its sums, so that no stream travels beside its output."""

    def forward(  # type: ignore[override]
        self, x: Tensor, residual: Tensor | None, cache: Cache | None
    ) -> tuple[Tensor, None]:
        x, _ = self.input_layernorm.add(self.self_attn(x, cache), x)
        x, _ = self.post_attention_layernorm.add(self.mlp(x), x)
        return x, None
