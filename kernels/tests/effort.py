"""How many random examples a test tries: fewer where EXAMPLES, a share of 1, says so."""

from __future__ import annotations

import os

from hypothesis import settings

SHARE = float(os.environ.get("EXAMPLES", "1"))


def examples(count: int) -> settings:
    return settings(max_examples=max(1, round(count * SHARE)))
