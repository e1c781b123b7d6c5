"""Trace a reference model into an ONNX graph. Knows no precision: linear layers stay abstract."""

from __future__ import annotations

import logging
import warnings

import onnx_ir
import torch
from torch import Tensor, nn

from satchel.export.signature import decoder_inputs, decoder_outputs
from satchel.models.decoder import Decoder
from satchel.models.ops import OPSET, Cache
from satchel.runtime.bundle import Port

DTYPES = {"int64": torch.int64, "int32": torch.int32, "float32": torch.float32}
EXAMPLE_SIZE = 2  # torch.export takes sizes 0 and 1 for constants


class DecoderGraph(nn.Module):
    """A decoder with the flat signature of its graph."""

    def __init__(self, model: Decoder) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, ids: Tensor, seqlens_k: Tensor, total: Tensor, rows: Tensor, past: list[Tensor]
    ) -> list[Tensor]:
        cache = Cache(seqlens_k, total, list(zip(past[::2], past[1::2], strict=True)))
        logits = self.model(ids, cache, rows)
        return [logits, *(tensor for pair in cache.present for tensor in pair)]


def trace_decoder(model: Decoder) -> onnx_ir.Model:
    """The graph of `model`: prefill and decode in one, weights still those of the model (no copy).

    Linear layers and embeddings are ``satchel::Linear`` and ``satchel::Embedding``.
    """
    config = model.config
    geometry = (config.num_hidden_layers, config.kv_heads, config.head_size)
    inputs = decoder_inputs(*geometry)
    outputs = decoder_outputs(*geometry, config.vocab_size)
    examples = [_example(port) for port in inputs]
    axes = [_dynamic_axes(port) for port in inputs]
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        program = torch.onnx.export(
            DecoderGraph(model).eval(),
            (*examples[:4], examples[4:]),
            dynamo=True,
            opset_version=OPSET,
            input_names=[port.name for port in inputs],
            output_names=[port.name for port in outputs],
            dynamic_shapes=(*axes[:4], axes[4:]),
            verbose=False,
            optimize=True,
        )
    assert program is not None
    return _cleaned(program.model)


def _cleaned(model: onnx_ir.Model) -> onnx_ir.Model:
    """Names as in the checkpoint, no traces of the machine, no outputs that nobody reads."""
    graph = model.graph
    for name, value in list(graph.initializers.items()):
        value.name = name.removeprefix("model.")  # the attribute of DecoderGraph
    for item in (model, graph, *graph, *graph.inputs, *graph.initializers.values()):
        item.metadata_props.clear()
        item.doc_string = None
    model.producer_version = None
    model.producer_name = "satchel"
    results = set(graph.outputs)
    for node in graph:
        for output in node.outputs:
            output.metadata_props.clear()
            if not output.uses() and output not in results:
                output.name = ""  # an optional output left out is not computed
    return model


def _example(port: Port) -> Tensor:
    shape = [axis if isinstance(axis, int) else EXAMPLE_SIZE for axis in port.axes]
    return torch.zeros(shape, dtype=DTYPES[port.dtype])


def _dynamic_axes(port: Port) -> dict[int, torch.export.Dim]:
    named = enumerate(port.axes)
    return {index: torch.export.Dim(axis) for index, axis in named if isinstance(axis, str)}
