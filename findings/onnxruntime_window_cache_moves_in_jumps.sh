#!/usr/bin/env bash
# onnxruntime 1.31.1, CPU, com.microsoft.GroupQueryAttention with sliding_window_cache=1: a full cache of C positions
# does not drop its oldest position for each new token. With the first token too many it drops all but the window W, then
# fills up again, and so on, so that of C positions between W and C are kept, and which one stands in front changes by
# C - W + 1 at once. Results are right. But a runtime that rolls a text back (rejected drafts, a changed conversation)
# cannot know which positions are left or where they stand unless it counts as the kernel does: one that moved the cache
# back by as many positions as it took back got other results here.
#
# Seen (window 4, 9 positions): the first position kept is 0 up to 9 tokens, 6 with 10 to 15, 12 with 16 to 21.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    numpy==2.4.6 onnx==1.23.2 onnxruntime==1.31.1
cat > "$work/window.py" <<'PYTHON'
import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
import numpy as np
import onnxruntime
from onnx import TensorProto, helper

WINDOW, CAPACITY, SIZE, LENGTH = 4, 9, 8, 21
names = "query key value past_key past_value last total".split()
outputs = ["result", "present_key", "present_value"]
node = helper.make_node(
    "GroupQueryAttention", names, outputs, domain="com.microsoft", num_heads=1, kv_num_heads=1,
    local_window_size=WINDOW, sliding_window_cache=1,
)
row, cache = [1, 1, SIZE], [1, 1, CAPACITY, SIZE]
kinds = [TensorProto.FLOAT] * 5 + [TensorProto.INT32] * 2
graph = helper.make_graph(
    [node], "window",
    [helper.make_tensor_value_info(*each) for each in zip(names, kinds, [row] * 3 + [cache] * 2 + [[1]] * 2)],
    [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in zip(outputs, (row, cache, cache))],
)
opsets = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
model = helper.make_model(graph, opset_imports=opsets)
model.ir_version = 10
session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])

random = np.random.default_rng(0)
query, key, value = (random.standard_normal((LENGTH, SIZE)).astype(np.float32) for _ in range(3))
past = [onnxruntime.OrtValue.ortvalue_from_numpy(np.zeros(cache, np.float32)) for _ in range(2)]
firsts = []
for t in range(LENGTH):
    binding = session.io_binding()
    for name, array in zip("query key value".split(), (query, key, value)):
        binding.bind_cpu_input(name, array[t].reshape(row))
    binding.bind_cpu_input("last", np.array([t], np.int32))
    binding.bind_cpu_input("total", np.array([t + 1], np.int32))
    for place, kind in enumerate(("key", "value")):
        binding.bind_ortvalue_input(f"past_{kind}", past[place])
        binding.bind_ortvalue_output(f"present_{kind}", past[place])
    result = onnxruntime.OrtValue.ortvalue_from_numpy(np.zeros(row, np.float32))
    binding.bind_ortvalue_output("result", result)
    session.run_with_iobinding(binding)
    seen = slice(max(0, t + 1 - WINDOW), t + 1)
    scores = query[t] @ key[seen].T / np.sqrt(SIZE)
    weights = np.exp(scores - scores.max())
    expected = weights / weights.sum() @ value[seen]
    np.testing.assert_allclose(result.numpy().ravel(), expected, atol=1e-5)
    front = past[0].numpy()[0, 0, 0]
    [first] = np.flatnonzero((key == front).all(1))
    firsts.append(int(first))
print("onnxruntime", onnxruntime.__version__)
for tokens in (9, 10, 15, 16, 21):
    print(f"{tokens} tokens: the first position kept is {firsts[tokens - 1]}")
assert firsts == [0] * 9 + [6] * 6 + [12] * 6, firsts
PYTHON
"$work/venv/bin/python" "$work/window.py"
