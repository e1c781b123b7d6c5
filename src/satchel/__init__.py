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
    "DecoderModel": "satchel.runtime.decoder_model",
    "EncoderModel": "satchel.runtime.encoder_model",
    "Seq2seqModel": "satchel.runtime.seq2seq_model",
    "SpeechModel": "satchel.runtime.speech_model",
}
__all__ = [
    "Cancel",
    "DecoderModel",
    "EncoderModel",
    "SatchelError",
    "Seq2seqModel",
    "SpeechModel",
    "load",
    "pack",
]

if TYPE_CHECKING:
    from satchel.packing.pack import pack
    from satchel.runtime import load
    from satchel.runtime.cancel import Cancel
    from satchel.runtime.decoder_model import DecoderModel
    from satchel.runtime.encoder_model import EncoderModel
    from satchel.runtime.errors import SatchelError
    from satchel.runtime.seq2seq_model import Seq2seqModel
    from satchel.runtime.speech_model import SpeechModel


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(importlib.import_module(_WHERE[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
