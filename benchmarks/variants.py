"""What satchel enters: a bundle on its own kernels and, where there are such, on ONNX Runtime's."""

from __future__ import annotations

from satchel.runtime.kernels import installed

OURS, STOCK = "satchel", "satchel, stock kernels"


def variants() -> dict[str, list[str]]:
    """Name of an entrant -> what its worker is told.

    Where no kernels are installed, or SATCHEL_KERNELS forbids them, one entrant runs on ONNX Runtime's,
    and its versions say so.
    """
    return {OURS: [], STOCK: ["--no-kernels"]} if installed() else {OURS: []}
