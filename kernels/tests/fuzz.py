"""Random models, inputs and bad inputs for some time; whatever differs or crashes is told with its seed.

    python kernels/tests/fuzz.py SECONDS [--first SEED] [--threads N]
    python kernels/tests/fuzz.py --only SEED

Cases run in a child process, so that a crash is found like any other fault. Every fourth is meant to
harm: shapes, lengths and attributes that do not fit together, of which an error is all that may come.
What crashes ONNX Runtime without the provider too is counted apart.
SATCHEL_KERNELS_LIBRARY names another library than the package's.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from cases import Built, Grouped, Layer, MultiHead, Product
from graphs import claimed, register, run, session
from table import Array, levels_of

KINDS = (Product, Grouped, MultiHead, Layer)
A_CHILD = 400  # cases that one process runs
ODD = (-(2**31), -1, 0, 1, 2, 7, 63, 64, 1 << 20, 2**31 - 1)
ODD_ATTRIBUTES = (*ODD, -(2**63), 2**62, 2**58 + 4, 2**63 - 1)


def one(seed: int, devices: list[Any], levels: list[str], threads: int) -> None:
    rng = np.random.default_rng(seed)
    level = str(rng.choice(["best", *levels]))
    kind: Any = KINDS[int(rng.choice(len(KINDS), p=[0.35, 0.35, 0.2, 0.1]))]
    case = kind.any(rng)
    if seed % 4:
        case.check(devices, threads=int(rng.integers(1, threads + 1)), level=level)
    else:
        harm(case.build(), rng, devices, level)


def harm(built: Built, rng: np.random.Generator, devices: list[Any], level: str) -> None:
    """Runs what fits nothing; only what the provider claims, for the rest is ONNX Runtime's matter.

    Without devices the session is all there is.
    """
    model = onnx.load_from_string(built.model)
    if rng.random() < 0.3:
        change_attribute(model, rng)
    for value in model.graph.input:  # so that the provider has to look for itself
        axes = value.type.tensor_type.shape.dim
        for axis in axes[: len(axes) if rng.random() < 0.2 else -1]:
            axis.Clear()
    try:
        made = session(model.SerializeToString(), devices, level=level)
    except Exception:
        return
    if sum(map(len, claimed(made))) != len(model.graph.node):
        return
    for _ in range(4):
        feeds = dict(built.feeds)
        for name in rng.choice(list(feeds), rng.integers(1, 3)):
            feeds[name] = changed(feeds[name], rng)
        try:
            run(made, feeds)
        except Exception as error:
            assert str(error).strip()
    run_or_fail(made, built)


def run_or_fail(made: Any, built: Built) -> None:
    try:
        run(made, built.feeds)
    except Exception as error:  # an attribute was changed: it may fit no more
        assert str(error).strip()


def change_attribute(model: onnx.ModelProto, rng: np.random.Generator) -> None:
    found = [
        attribute
        for node in model.graph.node
        for attribute in node.attribute
        if attribute.type == onnx.AttributeProto.INT
    ]
    if found:
        found[int(rng.integers(len(found)))].i = int(rng.choice(ODD_ATTRIBUTES))


def changed(array: Array, rng: np.random.Generator) -> Array:
    """Other numbers or another shape."""
    if array.dtype == np.int32 and rng.random() < 0.7:
        array = array.copy()
        if array.size:
            array.flat[int(rng.integers(array.size))] = int(rng.choice(ODD))
        return array
    if array.dtype == np.float32 and rng.random() < 0.3:
        array = array.copy()
        if array.size:
            odd = float(rng.choice([np.nan, np.inf, -np.inf, 1e38, 1e-42]))
            array.flat[rng.integers(array.size, size=3)] = odd
        return array
    shape = list(array.shape)
    axis = int(rng.integers(len(shape)))
    other = [0, 1, shape[axis] - 1, shape[axis] + 1, 2 * shape[axis]]
    shape[axis] = max(0, int(rng.choice(other)))
    return np.resize(array, shape) if array.size else np.zeros(shape, array.dtype)


def work(first: int, count: int, threads: int, library: Path, stock: bool = False) -> None:
    devices = [] if stock else register(library)
    levels = [kernels.name() for kernels in levels_of(library)]
    for seed in range(first, first + count):
        print(seed, flush=True)
        try:
            one(seed, devices, levels, threads)
        except Exception:
            print(f"differs {seed}", flush=True)
            traceback.print_exc()


def main() -> None:
    parser = argparse.ArgumentParser(description="Random models against stock ONNX Runtime.")
    parser.add_argument("seconds", type=float, nargs="?", default=60)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--only", type=int, help="this seed alone, in this process")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--stock", action="store_true", help="without the provider")
    parser.add_argument("--work", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    package = Path(__file__).resolve().parent.parent / "satchel_kernels"
    library = Path(os.environ.get("SATCHEL_KERNELS_LIBRARY", package / "libsatchel_kernels.so"))
    if arguments.only is not None:
        work(arguments.only, 1, arguments.threads, library, arguments.stock)
        return
    if arguments.work is not None:
        work(arguments.work, A_CHILD, arguments.threads, library)
        return
    begun, seed, faults, cases, theirs = time.monotonic(), arguments.first, 0, 0, 0
    while time.monotonic() - begun < arguments.seconds:
        command = [
            sys.executable,
            __file__,
            "--work",
            str(seed),
            "--threads",
            str(arguments.threads),
        ]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        last = seed
        for line in child.stdout:
            if line.startswith("differs"):
                faults += 1
                print(line, end="", flush=True)
            else:
                last, cases = int(line), cases + 1
            if time.monotonic() - begun > arguments.seconds:
                child.kill()
                break
        code = child.wait()
        if code and time.monotonic() - begun < arguments.seconds:
            again = [sys.executable, __file__, "--stock", "--only", str(last)]
            if last % 4 == 0 and subprocess.run(again, capture_output=True).returncode:
                theirs += 1
            else:
                faults += 1
                print(f"crashed {last}: exit status {code}", flush=True)
        seed = last + 1
    print(
        f"{cases} cases from seed {arguments.first} on, {faults} faults, {theirs} of ONNX Runtime's own"
    )
    raise SystemExit(faults > 0)


if __name__ == "__main__":
    main()
