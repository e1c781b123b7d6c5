"""Our own kernels, where the package `satchel-kernels` is installed: a provider that ONNX Runtime loads.

It takes the nodes that it computes faster and leaves the others to ONNX Runtime. Without the package, or
with SATCHEL_KERNELS=0, all nodes are ONNX Runtime's own.
"""

from __future__ import annotations

import os
import threading
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import onnxruntime as ort

from satchel.runtime.errors import UsageError

PROVIDER = "satchel"
RECORDED = "session.record_ep_graph_assignment_info"
_registering = threading.Lock()


def installed() -> bool:
    """Whether there are kernels for this processor, and SATCHEL_KERNELS does not forbid them."""
    switch = os.environ.get("SATCHEL_KERNELS", "1")
    if switch not in ("0", "1"):
        raise UsageError(f"SATCHEL_KERNELS={switch}; expected 0 or 1")
    if switch == "0" or find_spec("satchel_kernels") is None:
        return False
    return bool(import_module("satchel_kernels").level())


def offer(options: ort.SessionOptions, threads: int) -> None:
    """Let the kernels of a session that is made with these options take what they can."""
    settings = {"threads": str(threads)}
    if level := os.environ.get("SATCHEL_KERNELS_LEVEL"):
        settings["level"] = level
    options.add_session_config_entry(RECORDED, "1")
    options.add_provider_for_devices(_devices(), settings)


def taken(session: Any) -> list[tuple[str, ...]]:
    """The operators of each node or group of nodes of a session that the kernels run."""
    if PROVIDER not in session.get_providers():
        return []
    return [
        tuple(node.op_type for node in part.get_nodes())
        for part in session.get_provider_graph_assignment_info()
        if part.ep_name == PROVIDER
    ]


def in_words(session: Any) -> str:
    """Which kernels run a session's nodes."""
    nodes = sum(len(operators) for operators in taken(session))
    if not nodes:
        return "ONNX Runtime's own"
    package = import_module("satchel_kernels")
    return f"satchel-kernels {package.__version__}, {package.level()}: {nodes} nodes"


def _devices() -> list[Any]:
    """What the provider offers. ONNX Runtime keeps a library as long as the process lives: it is
    registered once."""
    with _registering:
        if not (devices := _offered()):
            library = import_module("satchel_kernels").library_path()
            ort.register_execution_provider_library(PROVIDER, str(library))
            devices = _offered()
    return devices


def _offered() -> list[Any]:
    return [device for device in ort.get_ep_devices() if device.ep_name == PROVIDER]
