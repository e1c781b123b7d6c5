#!/usr/bin/env bash
# onnxruntime 1.31.1, CPU: an adapter that RunOptions.add_active_adapter activates takes the place of an optional
# input in session.run, and does nothing in session.run_with_iobinding with the same options: the input keeps its
# default, and no exception says so.
#
# Seen (y = x + shift, whose default is 0 and which the adapter sets to 5, for x = 1): run gives 6, run_with_iobinding 1.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    numpy==2.4.6 onnx==1.23.2 onnxruntime==1.31.1
cat > "$work/adapter.py" <<'PYTHON'
import os
import sys

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

print("onnxruntime", onnxruntime.__version__)
x, shift, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("x", "shift", "y"))
graph = helper.make_graph(
    [helper.make_node("Add", ["x", "shift"], ["y"])],
    "shifted",
    [x, shift],
    [y],
    # An input of the same name as an initializer may be left out.
    [numpy_helper.from_array(np.zeros(1, np.float32), "shift")],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])
model.ir_version = 10
options = onnxruntime.SessionOptions()
options.log_severity_level = 4
session = onnxruntime.InferenceSession(
    model.SerializeToString(), options, providers=["CPUExecutionProvider"]
)

file = os.path.join(sys.argv[1], "five.onnx_adapter")
made = onnxruntime.AdapterFormat()
made.set_adapter_version(1)
made.set_model_version(1)
made.set_parameters({"shift": onnxruntime.OrtValue.ortvalue_from_numpy(np.full(1, 5, np.float32))})
made.export_adapter(file)
adapter = onnxruntime.LoraAdapter()
adapter.Load(file)
run = onnxruntime.RunOptions()
run.add_active_adapter(adapter)

one = np.ones(1, np.float32)
plain = float(session.run(None, {"x": one}, run)[0][0])
binding = session.io_binding()
binding.bind_cpu_input("x", one)
binding.bind_output("y")
session.run_with_iobinding(binding, run)
bound = float(binding.copy_outputs_to_cpu()[0][0])
print(f"run {plain}, run_with_iobinding {bound}")
if (plain, bound) != (6.0, 1.0):
    sys.exit("changed: expected 6.0 and 1.0")
print("as described")
PYTHON
"$work/venv/bin/python" "$work/adapter.py" "$work"
