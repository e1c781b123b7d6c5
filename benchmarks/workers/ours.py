"""What satchel's workers share: which kernels a bundle runs on, chosen and told."""

from __future__ import annotations

import argparse
import platform
from typing import Any

import onnxruntime

import satchel
from satchel.runtime.kernels import in_words


def takes_kernels(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """A worker's options, and the one that satchel's have more."""
    parser.add_argument("--no-kernels", action="store_true", help="ONNX Runtime's own")
    return parser


def versions(model: Any) -> dict[str, str]:
    """Of what runs, and the kernels of a model's graphs as its sessions assigned them."""
    kernels = dict.fromkeys(in_words(graph.session) for graph in model.graphs.values())
    return {
        "satchel": satchel.__version__,
        "onnxruntime": onnxruntime.__version__,
        "python": platform.python_version(),
        "kernels": "; ".join(kernels),
    }
