"""Search a list of short texts by meaning: embed all of them once, then compare with a query.

python search.py BUNDLE [TEXTS [QUERY ...]]
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import satchel

TEXTS = Path(__file__).with_name("texts.txt")
QUERIES = [
    "my computer overheats",
    "how do insects talk to each other?",
    "water is dripping inside the house",
]
SHOWN = 3


def main(bundle: str, texts: str = str(TEXTS), *queries: str) -> None:
    """Embed the lines of `texts` and print the nearest to each query."""
    lines = Path(texts).read_text("utf-8").splitlines()
    began = time.perf_counter()
    model = satchel.load(bundle)
    loaded = time.perf_counter()
    vectors = model.embed(lines)
    embedded = time.perf_counter()
    print(
        f"loaded in {loaded - began:.2f} s; {len(lines)} texts embedded in "
        f"{1000 * (embedded - loaded):.0f} ms"
    )
    for query in queries or QUERIES:
        start = time.perf_counter()
        scores = vectors @ model.embed(query)[0]  # of unit length, so this is the cosine
        best = (-scores).argsort()[:SHOWN]
        print(f"\n{query}  ({1000 * (time.perf_counter() - start):.1f} ms)")
        for index in best:
            print(f"  {scores[index]:.3f}  {lines[index]}")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: python search.py BUNDLE [TEXTS [QUERY ...]]")
    main(*sys.argv[1:])
