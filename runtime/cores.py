"""How many threads to compute with: the big physical cores that this process may use."""

from __future__ import annotations

import os
from pathlib import Path

SYSTEM = Path("/sys/devices")
BIG = 0.5  # of the largest core's capacity


def big_cores(system: Path = SYSTEM) -> int:
    """Physical cores that this process may run on, without those made for saving power.

    All threads of an operator wait for the slowest, so a little core among big ones slows them down.
    """
    try:
        allowed = os.sched_getaffinity(0)
    except AttributeError:  # not Linux: trust that half of many logical ones are siblings
        logical = os.cpu_count() or 1
        return logical if logical <= 4 else logical // 2
    return max(1, len({_siblings(system, cpu) for cpu in _big(system, allowed)}))


def _big(system: Path, allowed: set[int]) -> set[int]:
    """Of the allowed processors, the big ones as Linux tells them apart."""
    fast = _listed(_read(system / "cpu_core" / "cpus"))  # Intel's hybrid processors
    if fast & allowed:
        return fast & allowed
    capacities = {cpu: _read(system / f"system/cpu/cpu{cpu}/cpu_capacity") for cpu in allowed}
    known = {cpu: int(text) for cpu, text in capacities.items() if text.isdigit()}  # Arm's
    if len(known) < len(allowed):
        return allowed
    return {cpu for cpu, capacity in known.items() if capacity >= BIG * max(known.values())}


def _siblings(system: Path, cpu: int) -> str:
    """The processors that share a core with this one, as Linux writes them."""
    return _read(system / f"system/cpu/cpu{cpu}/topology/thread_siblings_list") or str(cpu)


def _listed(text: str) -> set[int]:
    """The numbers of a list such as ``0-3,8``."""
    ends = [part.partition("-") for part in text.split(",") if part]
    if not all(end.isdigit() for first, _, last in ends for end in (first, last or first)):
        return set()
    return {cpu for first, _, last in ends for cpu in range(int(first), int(last or first) + 1)}


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
