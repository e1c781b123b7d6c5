"""Kernels for satchel's bundles: where the library lies that ONNX Runtime loads."""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from pathlib import Path

__version__ = "0.1.0"
__all__ = ["level", "library_path"]


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


@cache
def level() -> str:
    """Which kernels this processor gets, as avx512vnni or dotprod; "" where there are none for it."""
    library = ctypes.CDLL(str(library_path()))
    library.satchel_level.restype = ctypes.c_char_p
    return str(library.satchel_level().decode("ascii"))
