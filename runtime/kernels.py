"""Our own kernels, where the package `satchel-kernels` is installed: a provider that ONNX Runtime loads.

It takes the nodes that it computes faster and leaves the others to ONNX Runtime. Without the package, or
with SATCHEL_KERNELS=0, all nodes are ONNX Runtime's own.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # read when onnxruntime is imported

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


@dataclass(frozen=True)
class Group:
    """Nodes of a graph that run as one: their operators, and the name of the last."""

    operators: tuple[str, ...]
    name: str


def taken(session: Any) -> list[Group]:
    """What the kernels run of a session, in the order in which the provider numbers it."""
    if PROVIDER not in session.get_providers():
        return []
    parts = session.get_provider_graph_assignment_info()
    groups = [part.get_nodes() for part in parts if part.ep_name == PROVIDER]
    return [Group(tuple(node.op_type for node in nodes), nodes[-1].name) for nodes in groups]


def in_words(session: Any) -> str:
    """Which kernels run a session's nodes."""
    nodes = sum(len(group.operators) for group in taken(session))
    if not nodes:
        return "ONNX Runtime's own"
    return f"{version()}: {nodes} nodes"


def version() -> str:
    """Of the installed package, with the level of this processor."""
    package = import_module("satchel_kernels")
    level = os.environ.get("SATCHEL_KERNELS_LEVEL") or package.level()
    return f"satchel-kernels {package.__version__}, {level}"


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
