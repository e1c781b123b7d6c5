"""Rotary position tables of every rope type satchel knows. Knows no model.

The types and their constants are those of the papers: linear (Chen et al., 2023), yarn (Peng et al.,
2023), longrope (Ding et al., 2024), llama3 (Meta, 2024).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Self

import torch
from torch import Tensor

from satchel.runtime.errors import CheckpointError, UnsupportedError, shown

ALWAYS = ("rope_type", "rope_theta", "partial_rotary_factor")
USED = {  # type -> the parameters that it uses beside those
    "default": "",
    "linear": "factor",
    # Within max_position_embeddings, where a bundle ends, this one is the default.
    "dynamic": "factor",
    "llama3": "factor original_max_position_embeddings low_freq_factor high_freq_factor",
    "yarn": "factor original_max_position_embeddings attention_factor beta_fast beta_slow mscale"
    " mscale_all_dim truncate",
    "longrope": "factor original_max_position_embeddings attention_factor short_factor long_factor",
}
NEED_FACTOR = ("linear", "dynamic", "llama3", "yarn")
SMALL = 1e-9
LEAST: dict[str, float] = {  # what each number must be at least
    "rope_theta": 2,
    "partial_rotary_factor": SMALL,
    "factor": 1,
    "original_max_position_embeddings": 2,
    "low_freq_factor": SMALL,
    "high_freq_factor": SMALL,
    "beta_fast": SMALL,
    "beta_slow": SMALL,
    "mscale": 0,
    "mscale_all_dim": 0,
    "attention_factor": SMALL,
}


@dataclass(frozen=True, kw_only=True)
class RopeParameters:
    """`rope_parameters` (or the older `rope_scaling`) of config.json."""

    rope_type: str = "default"
    rope_theta: float = 10000.0
    partial_rotary_factor: float = 1.0
    factor: float | None = None
    original_max_position_embeddings: int | None = None
    low_freq_factor: float = 1.0  # llama3
    high_freq_factor: float = 4.0
    beta_fast: float = 32.0  # yarn
    beta_slow: float = 1.0
    mscale: float | None = None
    mscale_all_dim: float | None = None
    truncate: bool = True
    attention_factor: float | None = None  # yarn, longrope
    short_factor: list[float] = field(default_factory=list)  # longrope
    long_factor: list[float] = field(default_factory=list)

    @classmethod
    def from_dict(cls, raw: dict[str, Any], rope_theta: float, partial: float = 1.0) -> Self:
        """Read either key style, with these where it is silent; unknown types are refused by name.

        Keys that a type does not use change nothing, as in transformers, which warns of them.
        """
        if not isinstance(raw, dict):
            raise _wrong("parameters", raw, "an object")
        given = {key: value for key, value in raw.items() if value is not None}
        values = {"rope_theta": rope_theta, "partial_rotary_factor": partial, **given}
        kind = values.pop("type", None)  # the older style, which newer files repeat
        values.setdefault("rope_type", kind or "default")
        if kind is not None and kind != values["rope_type"]:
            raise CheckpointError(
                f"config.json: rope type is both {shown(kind)} and {shown(values['rope_type'])}",
                "CKPT_CONFIG",
            )
        if values["rope_type"] == "su":  # what longrope was called first
            values["rope_type"] = "longrope"
        kind = values["rope_type"]
        if not isinstance(kind, str) or kind not in USED:
            raise UnsupportedError(
                f"config.json: rope type {shown(kind)} is not supported; known: {', '.join(USED)}"
            )
        nested = [key for key, value in values.items() if isinstance(value, dict)]
        if nested:
            raise UnsupportedError(
                f"config.json: rope parameters of their own for {shown(nested[0])} are not supported "
                "by this architecture"
            )
        used = {*ALWAYS, *USED[kind].split()}
        parameters = cls(**{key: value for key, value in values.items() if key in used})
        parameters._check()
        return parameters

    def _check(self) -> None:
        for name, least in LEAST.items():
            value = getattr(self, name)
            required = name == "factor" and self.rope_type in NEED_FACTOR
            if (value is not None or required) and not _number(value, least):
                raise _wrong(name, value, f"a number from {least:g}")
        for name in ("short_factor", "long_factor"):
            value = getattr(self, name)
            if not isinstance(value, list) or not all(_number(item, SMALL) for item in value):
                raise _wrong(name, value, "a list of numbers above 0")
        if not isinstance(self.truncate, bool):
            raise _wrong("truncate", self.truncate, "true or false")
        if self.partial_rotary_factor > 1:
            raise _wrong("partial_rotary_factor", self.partial_rotary_factor, "1 at most")
        if self.high_freq_factor <= self.low_freq_factor:
            raise _wrong("high_freq_factor", self.high_freq_factor, "more than low_freq_factor")


def _number(value: Any, least: float) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and least <= value < 1e30


def _wrong(name: str, value: object, expected: str) -> CheckpointError:
    return CheckpointError(
        f"config.json: rope {name} = {shown(value)}; expected {expected}", "CKPT_CONFIG"
    )


def whole_rotation(rope: RopeParameters) -> RopeParameters:
    """`rope` of an architecture that rotates all channels of a head, or an error."""
    if rope.partial_rotary_factor != 1:
        raise UnsupportedError(
            f"config.json: partial_rotary_factor = {rope.partial_rotary_factor:g}; this architecture "
            "rotates whole heads"
        )
    return rope


def halves_apart(rows: Tensor, heads: int) -> Tensor:
    """Rows [heads * head_dim, ...] whose neighbouring channels turn together, in the order in which the
    halves of a head do."""
    return rows.unflatten(0, (heads, -1, 2)).transpose(1, 2).flatten(0, 2)


def rope_tables(
    rope: RopeParameters, head_dim: int, context: int, max_positions: int
) -> tuple[Tensor, Tensor]:
    """cos and sin, each float32 [context, rotated / 2].

    `max_positions` is the model's own limit, from which some types derive their factor.
    """
    rotated = int(head_dim * rope.partial_rotary_factor)
    if rotated % 16 or not rotated:
        raise UnsupportedError(
            f"{rotated} of {head_dim} channels of a head rotate; the fused attention needs a "
            "multiple of 16"
        )
    steps = torch.arange(0, rotated, 2, dtype=torch.float32, device="cpu")
    inverse = 1.0 / rope.rope_theta ** (steps / rotated)
    scale = 1.0
    if rope.rope_type == "linear":
        inverse = inverse / (rope.factor or 1.0)
    elif rope.rope_type == "llama3":
        inverse = _llama3(inverse, rope, max_positions)
    elif rope.rope_type == "yarn":
        inverse, scale = _yarn(inverse, rope, rotated, max_positions)
    elif rope.rope_type == "longrope":
        inverse, scale = _longrope(inverse, rope, context, max_positions)
    angles = torch.arange(context, dtype=torch.float32, device="cpu")[:, None] * inverse
    return angles.cos() * scale, angles.sin() * scale


def grid_tables(
    grid: tuple[int, int], head_dim: int, theta: float, before: int = 0
) -> tuple[Tensor, Tensor]:
    """cos and sin, each float32 [before + rows * columns, head_dim / 2], of the cells of a grid.

    Half of the pairs turn by a cell's row, half by its column, between -1 and 1 from edge to edge; the
    places `before` them do not turn.
    """
    if head_dim % 16 or not theta > 0:
        raise UnsupportedError(
            f"{head_dim} channels of a head rotate by rope_theta = {theta:g}; the fused attention needs "
            "a multiple of 16, by more than 0"
        )
    quarter = head_dim // 4
    steps = torch.arange(quarter, dtype=torch.float32, device="cpu") * (4 / head_dim)
    sides = [2 * (torch.arange(side, device="cpu") + 0.5) / side - 1 for side in grid]
    down, right = torch.meshgrid(*sides, indexing="ij")
    centres = torch.stack((down, right), -1).flatten(0, 1)  # [cells, 2]
    angles = (2 * math.pi * centres[..., None] / theta**steps).flatten(1)
    angles = torch.nn.functional.pad(angles, (0, 0, before, 0))
    return angles.cos(), angles.sin()


def _llama3(inverse: Tensor, rope: RopeParameters, max_positions: int) -> Tensor:
    assert rope.factor is not None
    original = rope.original_max_position_embeddings or max_positions
    wavelength = 2 * math.pi / inverse
    low, high = rope.low_freq_factor, rope.high_freq_factor
    smooth = ((original / wavelength - low) / (high - low)).clamp(0, 1)
    return (1 - smooth) * inverse / rope.factor + smooth * inverse


def _yarn(
    inverse: Tensor, rope: RopeParameters, rotated: int, max_positions: int
) -> tuple[Tensor, float]:
    assert rope.factor is not None
    stretch = rope.factor
    original = rope.original_max_position_embeddings or max_positions

    def dimension(rotations: float) -> float:
        turns = original / (rotations * 2 * math.pi)
        return rotated * math.log(turns) / (2 * math.log(rope.rope_theta))

    low, high = dimension(rope.beta_fast), dimension(rope.beta_slow)
    if rope.truncate:
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, rotated - 1)
    ramp = (torch.arange(rotated // 2, device="cpu") - low) / (max(high - low, 0.001))
    extrapolated = 1 - ramp.clamp(0, 1)
    inverse = inverse / stretch * (1 - extrapolated) + inverse * extrapolated

    def mscale(weight: float = 1.0) -> float:
        return 0.1 * weight * math.log(stretch) + 1.0 if stretch > 1 else 1.0

    if rope.attention_factor is not None:
        return inverse, rope.attention_factor
    if rope.mscale and rope.mscale_all_dim:
        return inverse, mscale(rope.mscale) / mscale(rope.mscale_all_dim)
    return inverse, mscale()


def _longrope(
    inverse: Tensor, rope: RopeParameters, context: int, max_positions: int
) -> tuple[Tensor, float]:
    """One table for the whole context: short factors up to the original positions, long ones beyond.

    transformers chooses by the length of each text; see `DecoderConfig.short_positions`.
    """
    original = rope.original_max_position_embeddings
    if not original:
        raise CheckpointError("config.json: longrope lacks original_max_position_embeddings")
    for factors in (rope.long_factor, rope.short_factor):
        if len(factors) != len(inverse):
            raise CheckpointError(
                f"config.json: longrope has {len(factors)} factors for {len(inverse)} frequencies",
                "CKPT_CONFIG",
            )
    # A graph cannot rotate the keys in its cache again when a text outgrows the short factors.
    factors = rope.short_factor if context <= original else rope.long_factor
    factor = rope.factor or max_positions / original
    scale = rope.attention_factor
    if scale is None:
        scale = math.sqrt(1 + math.log(factor) / math.log(original)) if factor > 1 else 1.0
    return inverse / torch.tensor(factors, device="cpu"), scale
