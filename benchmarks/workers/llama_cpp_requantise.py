"""A GGUF file of any precision to another, by llama.cpp itself: python FILE SOURCE TARGET KIND."""

from __future__ import annotations

import ctypes
import sys

import llama_cpp


def requantise(source: str, target: str, kind: str) -> None:
    """`kind` is its name there, such as Q8_0; tensors that are smaller already are made so too."""
    settings = llama_cpp.llama_model_quantize_default_params()
    settings.ftype = getattr(llama_cpp, f"LLAMA_FTYPE_MOSTLY_{kind}")
    settings.allow_requantize = True
    status = llama_cpp.llama_model_quantize(
        source.encode(), target.encode(), ctypes.byref(settings)
    )
    if status:
        raise SystemExit(f"llama_model_quantize returned {status} for {source}")


if __name__ == "__main__":
    requantise(*sys.argv[1:])
