"""What ONNX Runtime 1.31.1 cannot do on x86 without VNNI, where it adds up bytes in 16 bits."""

from __future__ import annotations

import pytest

from satchel.runtime.session import adds_in_16_bits

NARROW = adds_in_16_bits()

# There it makes weights unsigned, and a second product of the same weight meets the name of the first.
UNLOADABLE = pytest.mark.skipif(NARROW, reason="ONNX Runtime loads no weight that products share")
