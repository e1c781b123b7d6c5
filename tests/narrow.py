"""What ONNX Runtime 1.31.1 cannot do on x86 without VNNI, where it adds up bytes in 16 bits."""

from __future__ import annotations

import pytest

from satchel.runtime.session import adds_in_16_bits


def skip_where_narrow() -> None:
    """Skip the test that runs there: its 4-bit product of one row differs from that of several."""
    if adds_in_16_bits():
        pytest.skip("there a 4-bit product of one row differs from that of several")
