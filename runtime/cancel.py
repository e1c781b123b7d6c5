"""Stop a run from another thread. Knows no graph."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import onnxruntime as ort

from satchel.runtime.errors import SatchelError
from satchel.runtime.session import converted


class Cancelled(SatchelError):
    """The run was cancelled from another thread."""

    default_code = "CANCELLED"


class Cancel:
    """Stops a run from another thread, also in the middle of a step. Good for one generation."""

    def __init__(self) -> None:
        self.options = ort.RunOptions()
        # Its default; where it is not set, onnxruntime spends 0.1 ms of every run on an exception.
        self.options.add_run_config_entry("gpu_graph_id", "0")
        # ONNX Runtime looks between nodes only; our kernels look at this byte while they run.
        self._flag = np.zeros(1, np.uint8)
        self.options.add_run_config_entry("satchel.cancel", str(self._flag.ctypes.data))
        self.requested = False

    def cancel(self) -> None:
        """Ask the run to end as soon as it can."""
        self.requested = True
        self.options.terminate = True
        self._flag[0] = 1

    def check(self) -> None:
        """Raise Cancelled where that was asked for."""
        if self.requested:
            raise Cancelled("the run was cancelled")

    @contextmanager
    def watching(self, doing: str) -> Iterator[None]:
        """Around a run with these `options`: Cancelled if that was asked for, else errors as ours."""
        try:
            with converted(doing):
                yield
        except SatchelError as error:
            if self.requested:
                raise Cancelled("the run was cancelled") from error
            raise
