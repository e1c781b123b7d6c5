"""Graphs that tests do not trace again are those that tracing gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import onnx_ir as ir
import pytest
import torch
from torch import Tensor, nn

from satchel.export.graph import trace
from satchel.models.layers import LayerNorm, Linear
from satchel.runtime.manifest import Port
from tests.traced_graphs import remembering

INPUTS = [Port("x", "float32", ["batch", 4])]
OUTPUTS = [Port("y", "float32", ["batch", 4])]


class Small(nn.Module):
    """A layer, a norm, a setting; perhaps a table, which is folded, and a part that is not used."""

    def __init__(self, scale: float = 2.0, table: bool = False, part: bool = False) -> None:
        super().__init__()
        self.scale = scale
        self.layer, self.norm = Linear(4, 4), LayerNorm(4, 1e-5)
        self.table = nn.Parameter(torch.randn(3, 4)) if table else None
        self.part = Linear(4, 4) if part else None
        for parameter in self.parameters():
            nn.init.normal_(parameter)

    def forward(self, x: Tensor) -> list[Tensor]:
        y = self.norm(self.layer(x)) * self.scale
        return [y if self.table is None else y + self.table[torch.tensor([0, 2])].sum(0)]


def serialized(model: ir.Model) -> bytes:
    data: bytes = ir.serde.serialize_model(model).SerializeToString(deterministic=True)
    return data


@pytest.mark.parametrize(
    ("second", "again"),
    [
        (lambda: Small(), 0),
        (lambda: Small(3.0), 1),
        (lambda: Small(table=True), 1),
        (lambda: Small(part=True), 1),
        (lambda: equal(Small()), 1),
        (lambda: Small().double().float(), 0),
    ],
    ids=["numbers", "setting", "table", "part", "equal tensors", "cast"],
)
def test_what_is_traced_again(second: Callable[[], nn.Module], again: int) -> None:
    assert calls(Small(), second()) == 1 + again


def test_a_part_that_is_not_used_does_not_count() -> None:
    assert calls(Small(part=True), Small(part=True)) == 1


def test_folded_numbers_count() -> None:
    first, other = Small(table=True), Small(table=True)
    assert calls(first, other) == 2
    other.table = first.table
    assert calls(first, other) == 1


def equal(module: Small) -> Small:
    module.norm.weight.data = module.layer.bias.data.clone()
    return module


def calls(*modules: nn.Module) -> int:
    """How often modules are traced; every graph is the one that tracing gives."""
    count = 0

    def counted(module: nn.Module, inputs: Any, outputs: Any) -> ir.Model:
        nonlocal count
        count += 1
        return trace(module, inputs, outputs)

    remembered = remembering(counted)
    for module in modules:
        found = remembered(module, INPUTS, OUTPUTS)
        assert serialized(found) == serialized(trace(module, INPUTS, OUTPUTS))
    return count
