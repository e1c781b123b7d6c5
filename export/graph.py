"""Trace a reference model into an ONNX graph. Knows no precision: linear layers stay abstract."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Callable

import onnx_ir
import torch
from torch import Tensor, nn

from satchel.models.attend import Cache
from satchel.models.decoder import Decoder
from satchel.models.ops import OPSET
from satchel.models.seq2seq import Context, Pair, Seq2seq
from satchel.runtime.manifest import Port

WRAPPERS = re.compile(r"^module\.(model\.)?")  # attributes of the classes below
DTYPES = {"int64": torch.int64, "int32": torch.int32, "float32": torch.float32}
# At least 2: torch.export takes sizes 0 and 1 for constants. Convolutions make many frames of so many.
EXAMPLE_SIZES = {"length": 6, "samples": 1 << 16, "features": 64, "height": 256, "width": 320}
KEEPS_ALL = "GroupQueryAttention"  # some versions fail where nobody reads its keys and values


class DecoderGraph(nn.Module):
    """A decoder with the flat signature of its graph."""

    def __init__(self, model: Decoder) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, ids: Tensor, seqlens_k: Tensor, total: Tensor, rows: Tensor, *past: Tensor
    ) -> list[Tensor]:
        cache = Cache(seqlens_k, total, list(zip(past[::2], past[1::2], strict=True)))
        logits = self.model(ids, cache, rows)
        return [logits, *(tensor for pair in cache.present for tensor in pair)]


class SourceGraph(nn.Module):
    """The encoder of an encoder-decoder model with the flat signature of its graph."""

    def __init__(self, model: Seq2seq) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids: Tensor, lengths: Tensor) -> list[Tensor]:
        return [tensor for pair in self.model.read(ids, lengths) for tensor in pair]


class SensingGraph(nn.Module):
    """The encoder of a model that hears or sees, by its method `sense`, with the flat signature of its
    graph."""

    def __init__(self, model: Seq2seq, sense: Callable[[Tensor], list[Pair]]) -> None:
        super().__init__()
        self.model, self.sense = model, sense

    def forward(self, sensed: Tensor) -> list[Tensor]:
        return [tensor for pair in self.sense(sensed) for tensor in pair]


class TargetGraph(nn.Module):
    """The decoder of an encoder-decoder model with the flat signature of its graph."""

    def __init__(self, model: Seq2seq) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, ids: Tensor, seqlens_k: Tensor, total: Tensor, rows: Tensor, *rest: Tensor
    ) -> list[Tensor]:
        *tensors, lengths = rest
        pairs = list(zip(tensors[::2], tensors[1::2], strict=True))
        past, cross = pairs[: len(pairs) // 2], pairs[len(pairs) // 2 :]
        cache = Cache(seqlens_k, total, past)
        logits = self.model(ids, Context(lengths=lengths, cross=cross, cache=cache), rows)
        return [logits, *(tensor for pair in cache.present for tensor in pair)]


class _Listed(nn.Module):
    """A module that takes its inputs as one list, so that any signature is traced alike."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, inputs: list[Tensor]) -> list[Tensor]:
        return self.module(*inputs)


def trace(module: nn.Module, inputs: list[Port], outputs: list[Port]) -> onnx_ir.Model:
    """The graph of `module`, whose forward takes and returns the tensors of the two lists.

    Weights are still those of the module (no copy). Linear layers and embeddings are
    ``satchel::Linear`` and ``satchel::Embedding``.
    """
    examples = [_example(port) for port in inputs]
    axes = [_dynamic_axes(port) for port in inputs]
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        program = torch.onnx.export(
            _Listed(module).eval(),
            (examples,),
            dynamo=True,
            opset_version=OPSET,
            input_names=[port.name for port in inputs],
            output_names=[port.name for port in outputs],
            dynamic_shapes=(axes,),
            verbose=False,
            optimize=True,
        )
    assert program is not None
    return _cleaned(program.model)


def _example(port: Port) -> Tensor:
    shape = [axis if isinstance(axis, int) else EXAMPLE_SIZES.get(axis, 2) for axis in port.axes]
    return torch.zeros(shape, dtype=DTYPES[port.dtype])


def _dynamic_axes(port: Port) -> dict[int, torch.export.Dim]:
    named = enumerate(port.axes)
    return {index: torch.export.Dim(axis) for index, axis in named if isinstance(axis, str)}


def _cleaned(model: onnx_ir.Model) -> onnx_ir.Model:
    """Names as in the checkpoint, no traces of the machine, no outputs that nobody reads."""
    graph = model.graph
    for name, value in list(graph.initializers.items()):
        value.name = WRAPPERS.sub("", name)
    for item in (model, graph, *graph, *graph.inputs, *graph.initializers.values()):
        item.metadata_props.clear()
        item.doc_string = None
    model.producer_version = None
    model.producer_name = "satchel"
    outputs = set(graph.outputs)
    promised = {value.name for value in outputs}
    for node in graph:
        for output in node.outputs:
            output.metadata_props.clear()
            if output.name in promised and output not in outputs:
                output.name = f"{output.name}.inner"  # the exporter gave an output's name away
            unread = not output.uses() and output not in outputs
            if unread and node.op_type != KEEPS_ALL:
                output.name = ""  # an optional output left out is not computed
    return model
