#!/usr/bin/env bash
# onnxruntime 1.31.1, CPU, MatMul in float32: the product of matrices with nothing in between, [rows, 0] by
# [0, columns], is zeros. Of one matrix by a batch of them only the first product is written: the others are
# whatever the memory held before. Low-rank adapters whose default has rank 0 come to this.
#
# Seen ([8, 0] by four of [0, 16], into memory that holds threes): the first is zeros, the other three are threes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    numpy==2.4.6 onnx==1.23.2 onnxruntime==1.31.1
cat > "$work/product.py" <<'PYTHON'
import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
import numpy as np
import onnxruntime
from onnx import TensorProto, helper

BATCH, ROWS, COLUMNS = 4, 8, 16


def value(name, *shape):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


node = helper.make_node("MatMul", ["a", "b"], ["y"])
inputs = [value("a", ROWS, "inner"), value("b", "batch", "inner", COLUMNS)]
graph = helper.make_graph([node], "product", inputs, [value("y", "batch", ROWS, COLUMNS)])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])
model.ir_version = 10
session = onnxruntime.InferenceSession(
    model.SerializeToString(), providers=["CPUExecutionProvider"]
)


def product(inner):
    """Of ones: every number of the answer is `inner`."""
    a = np.ones((ROWS, inner), np.float32)
    b = np.ones((BATCH, inner, COLUMNS), np.float32)
    answer = np.full((BATCH, ROWS, COLUMNS), 3, np.float32)
    binding = session.io_binding()
    binding.bind_cpu_input("a", a)
    binding.bind_cpu_input("b", b)
    binding.bind_ortvalue_output("y", onnxruntime.OrtValue.ortvalue_from_numpy(answer))
    session.run_with_iobinding(binding)
    return answer


print("onnxruntime", onnxruntime.__version__)
assert (product(2) == 2).all()
empty = product(0)
print("products without inputs, zeros in each:", [int((one == 0).sum()) for one in empty])
assert (empty[0] == 0).all(), "the first product is no longer zeros"
assert (empty[1:] == 3).all(), "the others are no longer left as they were"
PYTHON
"$work/venv/bin/python" "$work/product.py"
