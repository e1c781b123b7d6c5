"""satchel: transformer checkpoints as small, fast, verified ONNX bundles for devices."""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

from satchel.version import __version__ as __version__

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # read when onnxruntime is imported
# Read when PyTorch is imported. Its threads wait busily for one another, by default so long that products
# take six to fifteen times as long where another program has one of two cores; after so many rounds they
# sleep, and nothing is slower where there is none.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "3000")

__all__ = [
    "Cancel",
    "DecoderModel",
    "EncoderModel",
    "EntityModel",
    "ImageTextModel",
    "SatchelError",
    "Seq2seqModel",
    "SoundModel",
    "SpeechModel",
    "load",
    "pack",
]

if TYPE_CHECKING:
    from satchel.packing.pack import pack
    from satchel.runtime import (
        Cancel,
        DecoderModel,
        EncoderModel,
        EntityModel,
        ImageTextModel,
        SatchelError,
        Seq2seqModel,
        SoundModel,
        SpeechModel,
        load,
    )


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = "satchel.packing.pack" if name == "pack" else "satchel.runtime"
    return getattr(importlib.import_module(module), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
