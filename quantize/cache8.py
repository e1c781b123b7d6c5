"""Keys and values kept as int8, with a scale per channel that calibration fixed.

GroupQueryAttention reads such a cache as it is. Its sums are the same to the last bit however many
tokens are new.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import onnx_ir as ir
import torch
from torch import Tensor, nn

from satchel.models.layers import Attention
from satchel.quantize.calibrate import Array, Range, Statistics, cached
from satchel.quantize.nodes import initializer
from satchel.quantize.profile import Profile
from satchel.runtime.manifest import Port

ATTENTION = "GroupQueryAttention"
PLACES = {"k_scale": 12, "v_scale": 13}  # of the operator's inputs
WINDOW, RING = "local_window_size", "sliding_window_cache"  # attributes of the operator
RING_SINCE = "1.31"  # ONNX Runtime
WINDOWED = "int8-window"  # layers with a sliding window keep no more than it sees
MARGIN = 1.0  # times what calibration reached; what lies beyond is cut off
SMALLEST = np.float32(1e-8)  # of a scale, where calibration met zeros alone
ATTRIBUTES: dict[str, int | str] = {
    "kv_cache_bit_width": 8,
    "k_quant_type": "PER_CHANNEL",
    "v_quant_type": "PER_CHANNEL",
}


def kept(profile: Profile, statistics: Statistics | None) -> bool:
    """Whether `profile` wants an int8 cache of a decoder, and there are scales for it."""
    return profile.cache != "float32" and statistics is not None and bool(statistics.caches)


def lower(graph: ir.Graph, caches: Sequence[Range], profile: Profile) -> None:
    """Let every causal attention of `graph` keep int8; `caches` are its ranges, by layer."""
    nodes = [node for node in graph if node.op_type == ATTENTION]
    kept = windows(profile, graph)
    for layer, (node, largest) in enumerate(zip(nodes, caches, strict=True)):
        node.resize_inputs(max(len(node.inputs), PLACES["v_scale"] + 1))
        for (part, place), reach in zip(PLACES.items(), largest, strict=True):
            name = f"cache.{layer}.{part}"
            node.replace_input_with(place, initializer(graph, name, _scales(reach)))
        for attribute in ir.convenience.convert_attributes(ATTRIBUTES):
            node.attributes.add(attribute)
        if kept and kept[layer] is not None:
            node.attributes.add(ir.AttrInt64(RING, 1))
        for value in (*node.inputs[3:5], *node.outputs[1:3]):
            assert value is not None
            value.type = ir.TensorType(ir.DataType.INT8)


@contextmanager
def rounding(model: nn.Module, caches: Sequence[Range]) -> Iterator[None]:
    """Inside the context, `model` reads its keys and values as an int8 cache would give them back."""
    hooks = []
    attentions = [part for part in model.modules() if isinstance(part, Attention)]
    for attention, reaches in zip(attentions, caches, strict=True):
        scales = [torch.from_numpy(_scales(reach)) for reach in reaches]

        def see(part: int, x: Tensor, scales: list[Tensor] = scales) -> Tensor:
            return (x / scales[part]).round().clamp(-128, 127) * scales[part]

        hooks += cached(attention, see)
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _scales(reach: Array) -> Array:
    return np.maximum(reach * np.float32(MARGIN / 127), SMALLEST)


def windows(profile: Profile, graph: ir.Graph) -> list[int | None]:
    """Per layer how many positions a token sees, where `profile` keeps no others; else none at all."""
    if profile.cache != WINDOWED:
        return []
    nodes = [node for node in graph if node.op_type == ATTENTION]
    found = [node.attributes.get_int(WINDOW, -1) for node in nodes]
    return [window if window > 0 else None for window in found]


def ports(signature: Sequence[Port]) -> list[Port]:
    """A signature whose cache is int8."""
    return [
        dataclasses.replace(port, dtype="int8")
        if port.name.startswith(("past_key_values.", "present."))
        else port
        for port in signature
    ]
