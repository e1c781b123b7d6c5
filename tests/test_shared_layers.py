"""Layers that a state passes many times: in int8 each pass computes what it does in float32."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
import torch
import transformers

import satchel
from satchel.measure.layer_errors import layer_errors
from satchel.measure.reading import readings
from satchel.progress import quiet
from satchel.quantize.nodes import initializer
from tests.tiny_encoders import save_encoder

FAR, LOUD = 5, 20.0  # a channel of norms, and its gain
LIMIT = 0.03
CASES = {
    "one group": {"num_hidden_layers": 2},
    "two groups of two blocks": {
        "num_hidden_layers": 4,
        "num_hidden_groups": 2,
        "inner_group_num": 2,
    },
}


def save_loud_albert(folder: Path, **overrides: int) -> None:
    """An ALBERT whose norms let a channel go further than the others, which smoothing is for."""
    model = save_encoder(folder, "albert", "fill-mask", **overrides)
    assert isinstance(model, transformers.AlbertForMaskedLM)
    with torch.no_grad():
        for group in model.albert.encoder.albert_layer_groups:
            for layer in group.albert_layers:
                layer.full_layer_layer_norm.weight[FAR] = LOUD
                layer.attention.LayerNorm.weight[FAR] = LOUD
    model.save_pretrained(folder)


@pytest.mark.parametrize("name", CASES)
def test_every_pass_of_a_shared_layer_is_near_float32(name: str, tmp_path: Path) -> None:
    save_loud_albert(tmp_path / "checkpoint", **CASES[name])
    for out, keep in (("int8", []), ("fp32", ["*"])):
        satchel.pack(tmp_path / "checkpoint", tmp_path / out, keep_fp32=keep, force=True)
    reference, model = (satchel.load(tmp_path / out, threads=1) for out in ("fp32", "int8"))
    [reading] = readings(reference, None, 20, quiet)
    errors = [
        one
        for one in layer_errors(reference, model, reading, 1, quiet)
        if one.layer.endswith(
            ("qkv_proj", "up_proj")
        )  # behind norms, or where one is on other passes
    ]
    passes = 2 if name == "one group" else 8
    assert len(errors) == 2 * passes
    for one in errors:
        assert one.operator == "MatMulIntegerToFloat"
        assert one.own is not None and one.own < LIMIT, one
    graph = onnx.load(str(tmp_path / "int8" / "encoder.onnx"), load_external_data=False).graph
    weights = [
        tensor.name for tensor in graph.initializer if tensor.name.endswith("proj.weight.int8")
    ]
    assert len(weights) == len(set(weights)) == (4 if name == "one group" else 16)
    for place in (1, 5):  # weights and their zero points: see quantize/unshared.py
        read = [n.input[place] for n in graph.node if n.op_type == "MatMulIntegerToFloat"]
        assert len(read) == len(set(read)) > len(weights)


def test_a_name_that_comes_with_other_data_is_refused() -> None:
    graph = ir.Graph([], [], nodes=[])
    first = initializer(graph, "table", np.ones(3, np.float32))
    assert initializer(graph, "table", np.ones(3, np.float32)) is first
    for other in (np.zeros(3, np.float32), np.ones(3, np.int8), np.ones(4, np.float32)):
        with pytest.raises(ValueError, match="an initializer table with other data"):
            initializer(graph, "table", other)
