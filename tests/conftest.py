"""What every test stands on: no network, no telemetry, Ctrl-C that works, and patience."""

from __future__ import annotations

import os
import signal

import pytest
from hypothesis import HealthCheck, settings

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

# A shell that runs in the background lets its children ignore Ctrl-C, which several tests send.
signal.signal(signal.SIGINT, signal.default_int_handler)

# How fast a machine makes examples says nothing about the code.
settings.register_profile("steady", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")


@pytest.fixture(scope="session", autouse=True)
def traced_once() -> None:
    """Structures that were traced already are not traced again."""
    if os.environ.get("SATCHEL_TRACE_ALL") != "1":
        from satchel.packing import pack

        from tests.traced_graphs import remembering

        pack.trace = remembering(pack.trace)
