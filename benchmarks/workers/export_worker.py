"""satchel's exporting side as a worker: a checkpoint in, a bundle out, as `satchel export` does it."""

from __future__ import annotations

import platform
import time
from typing import Any

import onnxruntime
import protocol
import torch

import satchel


class Exporter:
    """The packages an export needs, imported."""

    def __init__(self) -> None:
        self.versions = {
            "satchel": satchel.__version__,
            "onnxruntime": onnxruntime.__version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
        }


def export(_: Exporter, command: dict[str, Any]) -> dict[str, Any]:
    """Pack `source` to `out` and keep it whatever the checks say; the answer names those that failed."""
    began = time.perf_counter()
    packed = satchel.pack(
        command["source"], command["out"], profile=command["profile"], force=True, overwrite=True
    )
    failed = [check.name for check in packed.checks if not check.passed]
    return {"seconds": time.perf_counter() - began, "failed": failed}


if __name__ == "__main__":
    protocol.serve(Exporter, export)
