"""A GGUF file of any precision to Q8_0, by llama.cpp itself: python FILE SOURCE TARGET."""

from __future__ import annotations

import ctypes
import os
import sys

import llama_cpp


def requantise(source: str, target: str) -> None:
    """Write `target` whole or not at all."""
    settings = llama_cpp.llama_model_quantize_default_params()
    settings.ftype = llama_cpp.LLAMA_FTYPE_MOSTLY_Q8_0
    settings.allow_requantize = True
    unfinished = target + ".part"
    status = llama_cpp.llama_model_quantize(
        source.encode(), unfinished.encode(), ctypes.byref(settings)
    )
    if status:
        raise SystemExit(f"llama_model_quantize returned {status} for {source}")
    os.replace(unfinished, target)


if __name__ == "__main__":
    requantise(sys.argv[1], sys.argv[2])
