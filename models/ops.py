"""The few operations that ONNX Runtime has fused kernels for, but attention. Knows no architecture.

Eagerly each computes with PyTorch, as the oracle of the checks; exported it writes one node.
``satchel::Linear`` and ``satchel::Embedding`` are lowered by `satchel.quantize`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.onnx import is_in_onnx_export
from torch.onnx.ops import symbolic, symbolic_multi_out

OPSET = 23  # the first with RMSNormalization; runs on every ONNX Runtime we accept

Attributes = dict[str, Any]  # of an ONNX operator

ACTIVATIONS: dict[
    str, tuple[Callable[[Tensor], Tensor], str, Attributes]
] = {  # hidden_act -> (PyTorch function, ONNX operator or "" for what the exporter makes, attributes)
    "silu": (F.silu, "com.microsoft::QuickGelu", {"alpha": 1.0}),
    "swish": (F.silu, "com.microsoft::QuickGelu", {"alpha": 1.0}),
    "gelu": (F.gelu, "::Gelu", {"approximate": "none"}),
    "gelu_new": (lambda x: F.gelu(x, approximate="tanh"), "::Gelu", {"approximate": "tanh"}),
    "gelu_fast": (lambda x: F.gelu(x, approximate="tanh"), "::Gelu", {"approximate": "tanh"}),
    "gelu_pytorch_tanh": (
        lambda x: F.gelu(x, approximate="tanh"),
        "::Gelu",
        {"approximate": "tanh"},
    ),
    "quick_gelu": (
        lambda x: x * torch.sigmoid(1.702 * x),
        "com.microsoft::QuickGelu",
        {"alpha": 1.702},
    ),
    "relu": (F.relu, "::Relu", {}),
    "relu6": (F.relu6, "", {}),
    "hard_swish": (F.hardswish, "", {}),
    "elu": (F.elu, "::Elu", {"alpha": 1.0}),
    "relu2": (lambda x: F.relu(x).square(), "::Relu", {}),
    "tanh": (torch.tanh, "::Tanh", {}),
}
SQUARED = frozenset(["relu2"])  # what their operator gives (So et al., 2021)


def linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """``x @ weight.T + bias``; weight [out, in] as in torch.nn.Linear."""
    if not is_in_onnx_export():
        return F.linear(x, weight, bias)
    shape = (*x.shape[:-1], weight.shape[0])
    return symbolic("satchel::Linear", (x, weight, bias), dtype=x.dtype, shape=shape, version=1)


def soft_capped(x: Tensor, cap: float | None) -> Tensor:
    """``cap * tanh(x / cap)``, which stays within -cap and cap; `x` itself where there is no cap."""
    return cap * torch.tanh(x / cap) if cap else x


def embedding(ids: Tensor, weight: Tensor) -> Tensor:
    """Rows of `weight` [vocab, hidden] for int64 `ids` of any shape."""
    if not is_in_onnx_export():
        return F.embedding(ids, weight)
    shape = (*ids.shape, weight.shape[1])
    return symbolic("satchel::Embedding", (weight, ids), dtype=weight.dtype, shape=shape, version=1)


def activation(name: str, x: Tensor) -> Tensor:
    """The activation that config.json calls `name`; the names are the keys of ACTIVATIONS."""
    function, operator, attributes = ACTIVATIONS[name]
    if not (operator and is_in_onnx_export()):
        return function(x)
    y = symbolic(
        operator, (x,), attributes, dtype=x.dtype, shape=x.shape, version=_version(operator)
    )
    return y * y if name in SQUARED else y


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """Root mean square norm over the last axis (Zhang and Sennrich, 2019)."""
    if not is_in_onnx_export():
        return F.rms_norm(x, weight.shape, weight, eps)
    attributes: Attributes = {"axis": -1, "epsilon": eps}
    return symbolic(
        "::RMSNormalization", (x, weight), attributes, dtype=x.dtype, shape=x.shape, version=OPSET
    )


def skip_rms_norm(x: Tensor, skip: Tensor, weight: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """``(rms_norm(x + skip), x + skip)``."""
    if not is_in_onnx_export():
        total = x + skip
        return rms_norm(total, weight, eps), total
    return _skip_norm("SkipSimplifiedLayerNormalization", (x, skip, weight), eps)


def layer_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    """Layer norm over the last axis (Ba et al., 2016)."""
    return F.layer_norm(x, weight.shape, weight, bias, eps)


def channel_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    """Norm of each channel over time, of x [batch, channels, time] (Ulyanov et al., 2016)."""
    if not is_in_onnx_export():
        return F.group_norm(x, len(weight), weight, bias, eps)
    name, attributes = "::InstanceNormalization", Attributes(epsilon=eps)
    inputs = (x, weight, bias)
    return symbolic(name, inputs, attributes, dtype=x.dtype, shape=x.shape, version=OPSET)


def skip_layer_norm(
    x: Tensor, skip: Tensor, weight: Tensor, bias: Tensor, eps: float
) -> tuple[Tensor, Tensor]:
    """``(layer_norm(x + skip), x + skip)``."""
    if not is_in_onnx_export():
        total = x + skip
        return layer_norm(total, weight, bias, eps), total
    return _skip_norm("SkipLayerNormalization", (x, skip, weight, bias), eps)


def _skip_norm(operator: str, inputs: tuple[Tensor, ...], eps: float) -> tuple[Tensor, Tensor]:
    x = inputs[0]
    statistics = (*x.shape[:-1], 1)
    normed, _, _, total = symbolic_multi_out(
        f"com.microsoft::{operator}",
        inputs,
        {"epsilon": eps},
        dtypes=(x.dtype, torch.float32, torch.float32, x.dtype),
        shapes=(x.shape, statistics, statistics, x.shape),
        version=1,
    )
    return normed, total


def _version(operator: str) -> int:
    return OPSET if operator.startswith("::") else 1
