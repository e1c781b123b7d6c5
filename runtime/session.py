"""ONNX Runtime sessions: options, threads, and its errors as ours. Knows no model."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # read when onnxruntime is imported
# Read when a session is made. With more threads than heads, flash attention adds up the parts of a long
# text in another order for a step than for a prefill, and a step would not be what a prefill is.
os.environ["ORT_GQA_DISABLE_FLASH_ATTENTION"] = "1"

import onnxruntime as ort

from satchel.runtime.bundle import Bundle
from satchel.runtime.cores import big_cores
from satchel.runtime.errors import BundleError, LimitError, SatchelError, UsageError, shown
from satchel.runtime.kernels import installed, offer
from satchel.runtime.manifest import Graph

WEIGHTS = "session.model_external_initializers_file_folder_path"
FEWEST_ALLOWED = 32  # threads, on a machine of few cores: each of them waits busily
ORT_TYPES = {
    "tensor(float)": "float32",
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
    "tensor(int8)": "int8",
}


def open_session(
    bundle: Bundle,
    role: str,
    threads: int | None = None,
    profile: Path | None = None,
) -> Any:
    """An InferenceSession of one of the bundle's graphs, its signature checked.

    `threads` defaults to the big physical cores this process may use. With `profile` every node is
    timed, and `end_profiling` writes that to a file whose path begins so.
    """
    manifest = bundle.manifest
    _check_version(manifest.onnxruntime)
    graph = manifest.graphs.get(role)
    if graph is None:
        raise BundleError(f"the bundle has no {role} graph; it has {', '.join(manifest.graphs)}")
    # An encoder beside a decoder leaves the cores to it, since it runs next on them.
    waits = role == "decoder" or "decoder" not in manifest.graphs
    session = create_session(
        bundle.path(graph.file), threads, kernels=bundle.kernels, profile=profile, waits=waits
    )
    _check_signature(session, graph)
    return session


@contextmanager
def converted(doing: str) -> Iterator[None]:
    """Turn exceptions of ONNX Runtime into one line of ours."""
    try:
        yield
    except SatchelError:
        raise
    except MemoryError as error:
        raise LimitError(f"out of memory while {doing}", "OUT_OF_MEMORY") from error
    except Exception as error:
        # ONNX Runtime's exceptions share no base class of their own, and an error text that is
        # not UTF-8 arrives as a bare UnicodeDecodeError.
        text = str(error)
        if "bad_alloc" in text or "Failed to allocate memory" in text:
            raise LimitError(f"out of memory while {doing}", "OUT_OF_MEMORY") from error
        raise BundleError(
            f"ONNX Runtime failed while {doing}: {shown(text, 360)}", "ORT"
        ) from error


def create_session(
    graph: Path | bytes,
    threads: int | None = None,
    weights: Path | None = None,
    kernels: bool = True,
    profile: Path | None = None,
    waits: bool = True,
) -> Any:
    """An InferenceSession of a file, or of a graph in memory whose weights lie in a folder.

    `threads` and `profile` are those of `open_session`; `kernels` lets our own run where they are
    installed; `waits` keeps threads busy after a run.
    """
    most = max(FEWEST_ALLOWED, 4 * (os.cpu_count() or 1))
    whole = isinstance(threads, int) and not isinstance(threads, bool)
    if threads is not None and not (whole and 1 <= threads <= most):
        raise UsageError(f"threads = {threads!r}; expected 1 to {most} on this machine")
    options = ort.SessionOptions()
    if profile is not None:
        options.enable_profiling = True
        options.profile_file_prefix = str(profile)
    threads = threads or big_cores()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # errors come as exceptions, not as lines beside ours
    options.add_session_config_entry("session.intra_op.allow_spinning", "1")
    if not waits:
        options.add_session_config_entry("session.force_spinning_stop", "1")
    if adds_in_16_bits():
        options.add_session_config_entry("session.x64quantprecision", "1")
    if weights is not None:
        options.add_session_config_entry(WEIGHTS, str(weights))
    providers: dict[str, Any] = {"providers": ["CPUExecutionProvider"]}
    if kernels and installed():
        offer(options, threads)
        providers = {}  # which would silently override the offer
    with converted(f"loading {graph.name if isinstance(graph, Path) else 'a graph'}"):
        return ort.InferenceSession(
            graph if isinstance(graph, bytes) else str(graph),
            options,
            **providers,
            enable_fallback=0,
            read_config_from_model=0,
        )


def adds_in_16_bits() -> bool:
    """Whether this is an x86 processor whose kernels may overflow on uint8 x int8.

    Without VNNI they add pairs of products in 16 bits.
    """
    # The exact kernels take twice the time: only where Linux says that VNNI is missing.
    try:
        flags = Path("/proc/cpuinfo").read_text("ascii", "replace")
    except OSError:
        return False
    return platform.machine() == "x86_64" and "vnni" not in flags


def _check_version(needed: str) -> None:
    def numbers(version: str) -> list[int]:
        return [int(part) for part in version.split(".")[:2] if part.isdigit()]

    if numbers(ort.__version__) < numbers(needed):
        raise BundleError(
            f"the bundle needs onnxruntime {shown(needed)}, this is {ort.__version__}: update it",
            "ORT_TOO_OLD",
        )


def _check_signature(session: Any, graph: Graph) -> None:
    """The file's inputs and outputs must be those the manifest promises."""
    for label, promised, ports in (
        ("input", graph.inputs, session.get_inputs()),
        ("output", graph.outputs, session.get_outputs()),
    ):
        actual = {port.name: port for port in ports}
        for port in promised:
            other = actual.pop(port.name, None)
            if other is None:
                raise BundleError(f"{graph.file} has no {label} {shown(port.name)}", "BUNDLE_IO")
            sizes = [axis if isinstance(axis, int) else None for axis in port.axes]
            shape = [axis if isinstance(axis, int) else None for axis in other.shape]
            if ORT_TYPES.get(other.type) != port.dtype or shape != sizes:
                raise BundleError(
                    f"{graph.file}: {label} {shown(port.name)} is {other.type} {other.shape}, "
                    f"the manifest says {port.dtype} {port.axes}",
                    "BUNDLE_IO",
                )
        if actual:
            raise BundleError(
                f"{graph.file} has an {label} {shown(next(iter(actual)))} that the manifest lacks",
                "BUNDLE_IO",
            )
