"""A stream that several threads read: each piece goes to one of them."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import satchel
from satchel.runtime.batch import Stream


def slow_pieces() -> Any:
    for number in range(60):
        time.sleep(0.001)
        yield 0, str(number)


def test_each_piece_of_a_stream_goes_to_one_reader() -> None:
    stream = Stream(cast(Any, slow_pieces()))
    with ThreadPoolExecutor(4) as threads:
        parts = [read.result() for read in [threads.submit(list, stream) for _ in range(4)]]
    assert sorted(int(piece) for part in parts for piece in part) == list(range(60))


def test_the_package_lists_what_it_offers() -> None:
    assert {"load", "pack", "Cancel", "SatchelError"} <= set(dir(satchel))
