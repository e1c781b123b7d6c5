"""What a server counts, in the text format of Prometheus."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from starlette.responses import Response

from satchel.serve.shelf import Shelf


class Metrics:
    """Requests by address and status, and how long they took."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, int]] = Counter()
        self.seconds: Counter[str] = Counter()
        self.running: Counter[str] = Counter()

    @contextmanager
    def request(self, path: str) -> Iterator[Callable[[Response], Response]]:
        """Count one request; what it yields is told the answer. A stream counts up to its first event."""
        began, status = time.perf_counter(), [0]

        def seen(response: Response) -> Response:
            status[0] = response.status_code
            return response

        self.running[path] += 1
        try:
            yield seen
        finally:
            self.running[path] -= 1
            self.requests[path, status[0]] += 1
            self.seconds[path] += time.perf_counter() - began  # type: ignore[assignment]

    def text(self, shelf: Shelf) -> str:
        """All of it."""
        lines = ["# TYPE satchel_requests_total counter"]
        for (path, status), count in sorted(self.requests.items()):
            name = str(status) if status else "refused"
            lines.append(f'satchel_requests_total{{path="{path}",status="{name}"}} {count}')
        lines.append("# TYPE satchel_request_seconds_total counter")
        lines += [
            f'satchel_request_seconds_total{{path="{p}"}} {s:.6f}'
            for p, s in sorted(self.seconds.items())
        ]
        lines.append("# TYPE satchel_requests_running gauge")
        lines += [
            f'satchel_requests_running{{path="{p}"}} {n}' for p, n in sorted(self.running.items())
        ]
        for what in ("waiting", "running", "prefix_bytes"):
            lines.append(f"# TYPE satchel_texts_{what} gauge")
            for name, entry in shelf.entries.items():
                if entry.loaded is not None and entry.loaded.scheduler is not None:
                    lines.append(
                        f'satchel_texts_{what}{{model="{name}"}} {entry.loaded.scheduler.load[what]}'
                    )
        lines.append("# TYPE satchel_bundle_open gauge")
        lines += [
            f'satchel_bundle_open{{model="{n}"}} {int(e.loaded is not None)}'
            for n, e in shelf.entries.items()
        ]
        return "\n".join(lines) + "\n"
