"""Kernels for satchel's bundles: where the library lies that ONNX Runtime loads."""

from __future__ import annotations

import sys
from pathlib import Path

__version__ = "0.1.0"
__all__ = ["library_path"]


def library_path() -> Path:
    """The plugin execution provider, for `onnxruntime.register_execution_provider_library`."""
    names = {"darwin": "libsatchel_kernels.dylib", "win32": "satchel_kernels.dll"}
    path = Path(__file__).with_name(names.get(sys.platform, "libsatchel_kernels.so"))
    if not path.exists():
        raise ImportError(
            f"satchel-kernels has no library for this platform: {path} is missing "
            "(python kernels/build.py makes it)"
        )
    return path
