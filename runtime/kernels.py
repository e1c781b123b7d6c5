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

NAME = "satchel"
_lock = threading.Lock()


def available() -> bool:
    """Whether the kernels are installed and not switched off."""
    return os.environ.get("SATCHEL_KERNELS") != "0" and find_spec("satchel_kernels") is not None


def add_kernels(ort: Any, options: Any, threads: int) -> bool:
    """Offer a session's nodes to the kernels; whether there are any.

    ONNX Runtime keeps a library for the life of a process: it is registered once and never let go.
    """
    if not available():
        return False
    with _lock:
        devices = _devices(ort)
        if not devices:
            library = import_module("satchel_kernels").library_path()
            ort.register_execution_provider_library(NAME, str(library))
            devices = _devices(ort)
    settings = {"threads": str(threads)}
    if level := os.environ.get("SATCHEL_KERNELS_LEVEL"):
        settings["level"] = level
    options.add_provider_for_devices(devices, settings)
    return True


def _devices(ort: Any) -> list[Any]:
    return [device for device in ort.get_ep_devices() if device.ep_name == NAME]
