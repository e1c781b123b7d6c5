"""What this machine can do at best: bytes read per second, and multiplications. Knows no model.

Each limit is tried in several ways, and the fastest sample of the fastest way counts. With small pages a
processor spends much of a read on finding them, so weights lie in large ones, as those of our kernels do.
Run as a script it prints its JSON: python benchmarks/limits.py --threads 2
"""

from __future__ import annotations

import argparse
import contextlib
import json
import mmap
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # read when onnxruntime is imported

import numpy as np
from interleave import gist
from numpy.typing import NDArray
from report import number

from satchel.runtime.kernels import installed
from satchel.runtime.session import create_session

WEIGHTS = (16384, 4096)  # float32: 268 MB, several times the last-level cache
SIZES = (512, 1024, 2048)  # of square matrices that are multiplied
OURS = (128, 1024)  # rows of a prompt, inputs and outputs of a layer that stays in a cache
LARGE_PAGE = 2 << 20
SECONDS, SAMPLES = 0.2, 5  # least length of a sample, and how many

Rates = dict[str, float]  # by the way they were reached


@dataclass(frozen=True)
class Limits:
    """Bytes read per second, and operations per second: 2 to a multiply-add."""

    threads: int
    read: Rates
    int8: Rates
    fp32: Rates

    @property
    def bandwidth(self) -> float:
        """Bytes per second."""
        return max(self.read.values())

    def operations(self, arithmetic: str) -> float:
        """Per second, in "int8" or "fp32"."""
        return max({"int8": self.int8, "fp32": self.fp32}[arithmetic].values())

    def described(self) -> str:
        """One sentence: the limits, and how they were reached."""
        said = (("reads", self.read, "GB/s"), ("multiplies in int8", self.int8, "GOP/s"),
                ("in float32", self.fp32, "GOP/s"))  # fmt: skip
        parts = []
        for verb, rates, unit in said:
            way = max(rates, key=lambda one: rates[one])
            parts.append(f"{verb} {number(rates[way] / 1e9)} {unit} ({way})")
        return f"With {self.threads} threads this machine {', '.join(parts)}."


class Machine:
    """Its limits as known so far: measured more than once, for other tenants slow it down at times."""

    def __init__(self, threads: int, quick: bool = False) -> None:
        self.threads = threads
        self.quick = quick
        self.limits: Limits | None = None

    def measure(self) -> Limits:
        """In a process of its own; keeps the best of each."""
        found = _measured(self.threads, self.quick)
        if self.limits:
            found = Limits(
                self.threads,
                _best(found.read, self.limits.read),
                _best(found.int8, self.limits.int8),
                _best(found.fp32, self.limits.fp32),
            )
        self.limits = found
        return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="only whether it works")
    options = parser.parse_args()
    length, samples = (0.01, 1) if options.quick else (SECONDS, SAMPLES)
    rows, columns = (256, 4096) if options.quick else WEIGHTS
    sizes = SIZES[:1] if options.quick else SIZES
    weights, small = (in_pages(large, rows, columns) for large in (True, False))
    read = {
        way: weights.nbytes / best_seconds(run, length, samples)
        for way, run in reading(weights, small, options.threads).items()
    }

    def multiplied(dtype: type[np.generic]) -> Rates:
        return {
            f"matrices of {size} x {size}": 2 * size**3
            / best_seconds(product(size, dtype, options.threads), length, samples)
            for size in sizes
        }  # fmt: skip

    int8 = multiplied(np.int8)
    if installed():
        count, size = OURS
        seconds = best_seconds(own_product(count, size, options.threads), length, samples)
        int8[f"satchel-kernels, {count} rows by {size} x {size}"] = 2 * count * size**2 / seconds
    limits = Limits(options.threads, read, int8, multiplied(np.float32))
    print(json.dumps(asdict(limits), indent=1))


def best_seconds(run: Callable[[], object], length: float, samples: int) -> float:
    """Seconds of one call in the fastest of some samples, each of at least `length` seconds."""
    run()
    best = float("inf")
    for _ in range(samples):
        calls, began = 0, time.perf_counter()
        while (elapsed := time.perf_counter() - began) < length or not calls:
            run()
            calls += 1
        best = min(best, elapsed / calls)
    return best


def in_pages(large: bool, rows: int, columns: int) -> NDArray[np.float32]:
    """A matrix in memory of large pages, where the system has them, or of small ones."""
    nbytes = 4 * rows * columns
    memory = mmap.mmap(-1, nbytes + LARGE_PAGE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with contextlib.suppress(OSError):  # a system without large pages
        memory.madvise(mmap.MADV_HUGEPAGE if large else mmap.MADV_NOHUGEPAGE)
    whole = np.frombuffer(memory, np.uint8)
    start = -whole.ctypes.data % LARGE_PAGE
    matrix = whole[start : start + nbytes].view(np.float32).reshape(rows, columns)
    matrix[:] = 0.5
    return matrix


def reading(
    weights: NDArray[np.float32], small: NDArray[np.float32], threads: int
) -> dict[str, Callable[[], object]]:
    """Ways to read all of a matrix: as linear layers of one row, and as a plain loop, from the matrix
    and from its like in `small` pages."""
    outputs, inputs = weights.shape
    row = np.ones((1, inputs), np.float32)
    pool = ThreadPoolExecutor(threads)

    def loop(matrix: NDArray[np.float32]) -> Callable[[], object]:
        parts = np.array_split(matrix.reshape(-1), threads)
        return lambda: list(pool.map(lambda part: part.dot(part), parts))

    def layer(operator: str, transposed: NDArray[Any], **attributes: Any) -> Callable[[], object]:
        run = _session(operator, {"a": row, "b": transposed}, threads, **attributes).run
        return lambda: run(None, {"a": row, "b": transposed})

    return {
        "onnxruntime MatMul of one row": layer("MatMul", weights.reshape(inputs, outputs)),
        "onnxruntime FusedMatMul of one row": layer("FusedMatMul", weights, transB=1),
        "numpy dot": loop(weights),
        "numpy dot, small pages": loop(small),
    }


def product(size: int, dtype: type[np.generic], threads: int) -> Callable[[], object]:
    """A product of two square matrices, the second of them constant as weights are."""
    chance = np.random.default_rng(0)
    weights = chance.integers(-127, 127, (size, size)).astype(dtype)
    operator, kind = ("MatMulInteger", np.uint8) if dtype is np.int8 else ("MatMul", np.float32)
    rows = chance.integers(0, 255, (size, size)).astype(kind)
    session = _session(operator, {"a": rows}, threads, weights)
    return lambda: session.run(None, {"a": rows})


def own_product(rows: int, size: int, threads: int) -> Callable[[], object]:
    """A linear layer of a bundle, in int8 with a scale an output, on our kernels."""
    chance = np.random.default_rng(0)
    weights: dict[str, NDArray[Any]] = {
        "b": chance.integers(0, 255, (size, 1, size)).astype(np.uint8),
        "scales": np.ones(size, np.float32),
    }
    given = {"a": chance.random((rows, size), np.float32)}
    how = {"K": size, "N": size, "bits": 8, "block_size": size, "accuracy_level": 4}
    session = create_session(_model("MatMulNBits", given, weights, **how), threads)
    return lambda: session.run(None, given)


def _session(
    operator: str,
    inputs: dict[str, NDArray[Any]],
    threads: int,
    weights: NDArray[Any] | None = None,
    **attributes: Any,
) -> Any:
    """A session of `_model` on ONNX Runtime's kernels."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    constants = {} if weights is None else {"b": weights}
    return onnxruntime.InferenceSession(
        _model(operator, inputs, constants, **attributes),
        options,
        providers=["CPUExecutionProvider"],
    )


def _model(
    operator: str,
    inputs: dict[str, NDArray[Any]],
    constants: dict[str, NDArray[Any]],
    **attributes: Any,
) -> bytes:
    """A graph of one node, a times b."""
    import onnx
    from onnx import helper, numpy_helper

    def port(name: str, dtype: Any) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(dtype), None)

    domain = "" if operator in ("MatMul", "MatMulInteger") else "com.microsoft"
    names = [*inputs, *constants]
    result = np.dtype(np.int32 if operator == "MatMulInteger" else np.float32)
    graph = helper.make_graph(
        [helper.make_node(operator, names, ["y"], domain=domain, **attributes)],
        "limit",
        [port(name, array.dtype) for name, array in inputs.items()],
        [port("y", result)],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    return model.SerializeToString()


def _measured(threads: int, quick: bool) -> Limits:
    command = [sys.executable, __file__, "--threads", str(threads), *["--quick"] * quick]
    variables = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # numpy's
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=variables)
    if done.returncode:
        sys.exit(f"the machine's limits were not measured: {gist(done.stderr)}")
    return Limits(**json.loads(done.stdout))


def _best(ours: Rates, others: Rates) -> Rates:
    return {way: max(rate, others[way]) for way, rate in ours.items()}


if __name__ == "__main__":
    main()
