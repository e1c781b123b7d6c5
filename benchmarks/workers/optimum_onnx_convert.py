"""A checkpoint to int8 for ONNX Runtime, by optimum: python FILE SOURCE TARGET SETTING [LEVEL].

SETTING is the processor's, of optimum's AutoQuantizationConfig. With LEVEL, optimum's fusions of
that level come first. Its quantiser cannot read their operators; the one of ONNX Runtime under it,
with the same settings, can.
"""

from __future__ import annotations

import sys
from pathlib import Path

import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic
from optimum.onnxruntime.configuration import AutoQuantizationConfig
from sentence_transformers import (
    SentenceTransformer,
    export_dynamic_quantized_onnx_model,
    export_optimized_onnx_model,
)


def convert(source: str, target: str, setting: str) -> None:
    """A sentence-transformers folder with onnx/model_int8.onnx."""
    model = _exported(source, target)
    quantization = getattr(AutoQuantizationConfig, setting)(is_static=False, per_channel=True)
    export_dynamic_quantized_onnx_model(model, quantization, target, file_suffix="int8")


def convert_fused(source: str, target: str, setting: str, level: str) -> None:
    """The same, fused before it is quantised."""
    model = _exported(source, target)
    export_optimized_onnx_model(model, level, target, file_suffix="fused")
    folder = Path(target) / "onnx"
    quantization = getattr(AutoQuantizationConfig, setting)(is_static=False, per_channel=True)
    quantize_dynamic(
        folder / "model_fused.onnx",
        folder / "model_int8.onnx",
        per_channel=True,
        reduce_range=quantization.reduce_range,
        weight_type=QuantType.QInt8,
        extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
    )


def _exported(source: str, target: str) -> SentenceTransformer:
    model = SentenceTransformer(source, device="cpu", backend="onnx", model_kwargs={"export": True})
    model.save_pretrained(target)
    return model


if __name__ == "__main__":
    if len(sys.argv) > 4:
        convert_fused(*sys.argv[1:])
    else:
        convert(*sys.argv[1:])
