"""A server in a process of its own: started on a free port, watched, ended. Knows none."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import httpx
from interleave import WorkerError, gist

STARTING, ENDING = 120.0, 60.0  # seconds that it may take


@dataclass(frozen=True)
class Served:
    """A server that runs."""

    address: str
    process: subprocess.Popen[bytes]
    output: IO[bytes]

    def resident(self) -> int:
        """Bytes of its memory that are resident now."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) * 1024

    def log(self) -> str:
        """What it has printed so far."""
        self.output.seek(0)
        return self.output.read().decode(errors="replace")

    def healthy(self) -> bool:
        """Whether it answers."""
        with contextlib.suppress(httpx.TransportError):
            health = httpx.get(f"{self.address}/health", trust_env=False)
            return health.status_code == 200
        return False


@contextlib.contextmanager
def running(command: Sequence[str]) -> Iterator[Served]:
    """A server that answers, ended afterwards; `command` lacks its port alone. Raises WorkerError."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    with tempfile.TemporaryFile("a+b") as output:  # appended to, wherever it is read
        process = subprocess.Popen([*command, "--port", port], stdout=output, stderr=output)
        served = Served(f"http://127.0.0.1:{port}", process, output)
        try:
            _wait(served)
            yield served
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(ENDING)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(served: Served) -> None:
    until = time.monotonic() + STARTING
    while time.monotonic() < until and served.process.poll() is None:
        if served.healthy():
            return
        time.sleep(0.1)
    raise WorkerError(f"the server does not answer: {gist(served.log())}")
