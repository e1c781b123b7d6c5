"""What every test stands on: no network, no telemetry, Ctrl-C that works, and patience."""

from __future__ import annotations

import functools
import os
import signal
from typing import Any

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


SENTENCES = 128  # of 1000
WHOLE = os.environ.get("SATCHEL_WHOLE") == "1"  # nothing is shortened: hours


@pytest.fixture(scope="session", autouse=True)
def shortened() -> None:
    if not WHOLE:
        shorten()


def shorten() -> None:
    """What only repeats: a structure is traced once, the exporter's table of operators is made once (a
    fifth of every trace), and few of the shipped sentences are read."""
    from torch.onnx._internal.exporter._registration import ONNXRegistry

    from satchel.measure import fidelity
    from satchel.packing import pack
    from tests.traced_graphs import remembering

    registry: Any = ONNXRegistry
    registry.from_torchlib = staticmethod(functools.cache(registry.from_torchlib))
    packing: Any = pack
    packing.trace = remembering(packing.trace)
    sentences = fidelity.sentences
    fidelity.sentences = lambda limit=SENTENCES: sentences(min(limit, SENTENCES))
