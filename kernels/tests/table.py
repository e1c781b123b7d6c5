"""The kernels' table of functions (source/table.h) for ctypes, and its use with arrays of numpy.

Every array has just the size that the kernels are promised, so that checks of memory see a step past it.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from ctypes import c_bool, c_char_p, c_float, c_int, c_int64, c_void_p
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

# Of all kinds of processor, lowest first.
LEVELS = ("scalar", "avx2", "avxvnni", "avx512vnni", "dotprod", "i8mm")


class Weights(ctypes.Structure):
    _fields_ = (
        *(("n", c_int64), ("k", c_int64), ("padded", c_int64)),
        *(("block", c_int64), ("blocks", c_int64), ("bits", c_int)),
        *(("panel", c_int64), ("panels", c_int64)),
        *(("data", c_void_p), ("scales", c_void_p), ("zeros", c_void_p)),
        *(("offsets", c_void_p), ("bias", c_void_p)),
    )


class Rows(ctypes.Structure):
    _fields_ = (
        *(("values", c_void_p), ("scales", c_void_p), ("sums", c_void_p)),
        *(("padded", c_int64), ("block", c_int64), ("blocks", c_int64)),
    )


class Attention(ctypes.Structure):
    _fields_ = (
        *(("heads", c_int64), ("kv_heads", c_int64), ("head", c_int64)),
        *(("scale", c_float), ("softcap", c_float), ("window", c_int64)),
        *(("causal", c_bool), ("int8", c_bool)),
        *(("query", c_void_p), ("query_batch", c_int64), ("query_row", c_int64)),
        *(("keys", c_void_p), ("values", c_void_p)),
        *(("keys_batch", c_int64), ("keys_head", c_int64), ("keys_row", c_int64)),
        ("base", c_void_p),
        *(("key_scales", c_void_p), ("value_scales", c_void_p)),
        *(("bias", c_void_p), ("bias_batch", c_int64), ("bias_head", c_int64)),
        *(("bias_row", c_int64), ("sinks", c_void_p)),
        *(("out", c_void_p), ("out_batch", c_int64), ("out_row", c_int64)),
    )


def function(result: Any, *taken: Any) -> Any:
    return ctypes.CFUNCTYPE(result, *taken)


class Kernels(ctypes.Structure):
    """The functions of one level. Each takes addresses: see `address`."""

    _fields_ = (
        *(("level", c_char_p), ("panel", c_int64), ("any_weights", c_bool)),
        ("pack", function(None, *[c_void_p] * 4)),
        (
            "pack_channels",
            function(None, c_void_p, c_void_p, c_void_p, c_int64, c_float, c_int),
        ),
        ("round_blocks", function(None, c_void_p, c_int64, c_void_p, c_int64)),
        ("round_row", function(None, c_void_p, c_int64, c_float, c_int, c_void_p, c_int64)),
        ("multiply", function(None, c_void_p, c_void_p, c_int64, c_void_p, c_int64, c_int64)),
        ("attend", function(None, c_void_p, *[c_int64] * 6, c_void_p)),
        ("attention_scratch", function(c_int64, c_void_p, c_int64, c_int64)),
        ("rotate", function(None, *[c_void_p] * 3, c_int64, c_int64, c_bool, c_void_p)),
        ("round_cache", function(None, c_void_p, c_void_p, c_int64, c_void_p)),
        ("rms_norm", function(None, *[c_void_p] * 3, c_float, c_int64, c_void_p, c_void_p)),
        ("layer_norm", function(None, *[c_void_p] * 4, c_float, c_int64, c_void_p, c_void_p)),
        ("swiglu", function(None, c_void_p, c_void_p, c_float, c_int64, c_void_p)),
        ("gelu", function(None, c_void_p, c_bool, c_int64, c_void_p)),
        ("times", function(None, c_void_p, c_void_p, c_int64, c_void_p)),
        ("top", function(c_float, c_void_p, c_bool, c_int64)),
    )

    def name(self) -> str:
        return bytes(self.level).decode()


STRUCTS = (Weights, Rows, Attention, Kernels)


def levels_of(library: Path) -> list[Kernels]:
    """The table of every level that runs on this processor, lowest level first."""
    find = ctypes.CDLL(str(library)).satchel_kernels
    find.restype = ctypes.POINTER(Kernels)
    tables = [find(level.encode()) for level in LEVELS]
    return [table.contents for table in tables if table]


def address(of: Array | ctypes.Structure | None) -> int | None:
    """Where an array or a struct lies; None, which C reads as a null pointer, for None."""
    if of is None:
        return None
    if isinstance(of, ctypes.Structure):
        return ctypes.addressof(of)
    assert of.flags.c_contiguous
    return int(of.ctypes.data)


def scratch_of(count: int, fill: int) -> Array:
    """So many bytes from a cache line on: the kernels are given no others as scratch."""
    memory = np.full(count + 63, fill, np.uint8)
    start = -memory.ctypes.data % 64
    return memory[start : start + count]


def up(n: int, of: int) -> int:
    """The next multiple of `of`."""
    return -(-n // of) * of


class Matrix:
    """Weights packed for one level."""

    def __init__(
        self,
        kernels: Kernels,
        n: int,
        k: int,
        *,
        bits: int,
        block: int,
        bias: Array | None,
        channels: bool = False,
        zeros: bool = False,
    ) -> None:
        padded = up(k, block)
        blocks = padded // block
        panels = -(-n // kernels.panel)
        columns = panels * kernels.panel
        self.kernels = kernels
        self.data = np.empty(columns * padded * bits // 8, np.uint8)
        self.scales = np.empty(columns * blocks, np.float32)
        self.zeros = np.empty(columns * blocks, np.uint8) if zeros else None
        self.offsets = np.empty(columns, np.int32) if channels else None
        self.bias = bias
        self.struct = Weights(
            *(n, k, padded, block, blocks, bits, kernels.panel, panels),
            *(address(self.data), address(self.scales), address(self.zeros)),
            *(address(self.offsets), address(bias)),
        )


def pack(
    kernels: Kernels,
    weights: Array,
    scales: Array,
    *,
    k: int,
    bits: int,
    block: int,
    zeros: Array | None = None,
    bias: Array | None = None,
) -> Matrix:
    """Weights with a scale for each block: [n, k] bytes, or [n, padded / 2] of 4 bits.

    `zeros`: what stands for 0, packed alike; 128 or 8 without.
    """
    has_zeros = zeros is not None
    matrix = Matrix(kernels, len(weights), k, bits=bits, block=block, bias=bias, zeros=has_zeros)
    kernels.pack(address(matrix.struct), address(weights), address(scales), address(zeros))
    return matrix


def pack_channels(
    kernels: Kernels,
    weights: Array,
    scales: Array,
    *,
    scale: float,
    offset: int,
    bias: Array | None = None,
) -> Matrix:
    """Signed weights [k, n] with a scale for each column, or one. `offset`: 128 less the rows' zero."""
    k, n = weights.shape
    matrix = Matrix(kernels, n, k, bits=8, block=up(k, 16), bias=bias, channels=True)
    kernels.pack_channels(
        address(matrix.struct), address(weights), address(scales), scales.size, scale, offset
    )
    return matrix


class Rounded:
    """Rows rounded for a matrix."""

    def __init__(self, matrix: Matrix, count: int, *, scales: bool = True) -> None:
        struct = matrix.struct
        self.values = np.empty((count, struct.padded), np.int8)
        self.scales = np.empty((count, struct.blocks), np.float32) if scales else None
        self.sums = np.empty((count, struct.blocks), np.int32)
        self.struct = Rows(
            *(address(self.values), address(self.scales), address(self.sums)),
            *(struct.padded, struct.block, struct.blocks),
        )


def round_blocks(matrix: Matrix, x: Array) -> Rounded:
    """Rows with a scale for each block."""
    rows = Rounded(matrix, len(x))
    for i, row in enumerate(x):
        matrix.kernels.round_blocks(address(row), row.size, address(rows.struct), i)
    return rows


def round_rows(
    matrix: Matrix, x: Array, zero: int, scale: float | None = None, scales: Array | None = None
) -> Rounded:
    """Rows with one scale, which the matrix has in its own, or with a scale each."""
    rows = Rounded(matrix, len(x), scales=scales is not None)
    if scales is not None and rows.scales is not None:
        rows.scales[:, 0] = scales
    for i, row in enumerate(x):
        of_row = scale if scales is None else scales[i]
        matrix.kernels.round_row(address(row), row.size, of_row, zero, address(rows.struct), i)
    return rows


def multiply(matrix: Matrix, rows: Rounded, panels: Sequence[int] | None = None) -> Array:
    """The product, panel by panel in the order given, or all at once; NaN where nothing was written."""
    struct = matrix.struct
    count = len(rows.values)
    y = np.full((count, struct.n), np.nan, np.float32)
    parts = [(0, struct.panels)] if panels is None else [(panel, panel + 1) for panel in panels]
    for first, last in parts:
        matrix.kernels.multiply(
            address(struct), address(rows.struct), count, address(y), first, last
        )
    return y


def attend(
    kernels: Kernels,
    query: Array,
    keys: Array,
    values: Array,
    *,
    past: Sequence[int],
    scale: float,
    lengths: Sequence[int] | None = None,
    causal: bool = True,
    window: int = 0,
    softcap: float = 0.0,
    key_scales: Array | None = None,
    value_scales: Array | None = None,
    bias: Array | None = None,
    sinks: Array | None = None,
    at_once: int = 24,
    fill: int = 255,
) -> Array:
    """Attention of queries [batch, positions, heads, head] to a cache [batch, kv_heads, capacity, head].

    `past` and `lengths` (by default all up to the last query) are of each text, `bias` is [batch, heads,
    positions, keys]. So many query rows of a group are answered `at_once`; `fill` is in their scratch.
    """
    batch, positions, heads, head = query.shape
    kv_heads, capacity = keys.shape[1:3]
    out = np.full_like(query, np.nan)
    struct = Attention(
        *(heads, kv_heads, head, scale, softcap, window, causal, keys.dtype == np.int8),
        *(address(query), positions * heads * head, heads * head),
        *(address(keys), address(values)),
        *(kv_heads * capacity * head, capacity * head, head),
        None,  # the cache begins with the first position
        *(address(key_scales), address(value_scales), address(bias)),
        *((0, 0, 0) if bias is None else [stride // 4 for stride in bias.strides[:3]]),
        *(address(sinks), address(out), positions * heads * head, heads * head),
    )
    if lengths is None:
        lengths = [before + positions for before in past]
    rows = positions * heads // kv_heads
    for b in range(batch):
        for kv in range(kv_heads):
            for first in range(0, rows, at_once):
                last = min(first + at_once, rows)
                size = kernels.attention_scratch(address(struct), last - first, lengths[b])
                scratch = scratch_of(size, fill)
                where = (b, kv, first, last, past[b], lengths[b])
                kernels.attend(address(struct), *where, address(scratch))
    return out
