"""satchel: transformer checkpoints as small, fast, verified ONNX bundles for devices."""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

from satchel.version import __version__ as __version__

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # read when onnxruntime is imported

_WHERE = {  # name -> module that has it
    "load": "satchel.runtime",
    "Cancel": "satchel.runtime.cancel",
    "pack": "satchel.packing.pack",
    "SatchelError": "satchel.runtime.errors",
}
__all__ = ["Cancel", "SatchelError", "load", "pack"]

if TYPE_CHECKING:
    from satchel.packing.pack import pack
    from satchel.runtime import load
    from satchel.runtime.cancel import Cancel
    from satchel.runtime.errors import SatchelError


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(importlib.import_module(_WHERE[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
