"""A checkpoint as transformers.js reads it, in its 8-bit setting: python FILE SOURCE TARGET TASK.

The graph is optimum's, and quantised as the scripts of transformers.js do for a graph without
convolutions: every operator that has an integer twin, weights in int8 with one scale each.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from onnxruntime.quantization import QuantType, quantize_dynamic
from optimum.exporters.onnx import main_export


def convert(source: str, target: Path, task: str) -> None:
    """TARGET/onnx/model_quantized.onnx beside config and tokenizer."""
    exported, graphs = target / "float32", target / "onnx"
    main_export(source, exported, task=task, device="cpu")
    graphs.mkdir()
    quantize_dynamic(
        exported / "model.onnx",
        graphs / "model_quantized.onnx",
        weight_type=QuantType.QInt8,
        extra_options={"EnableSubgraph": True, "MatMulConstBOnly": True},
    )
    for file in exported.glob("*.json"):
        file.rename(target / file.name)
    shutil.rmtree(exported)


if __name__ == "__main__":
    convert(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
