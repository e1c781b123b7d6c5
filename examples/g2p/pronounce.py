"""Words to phonemes with a bundle of the checkpoint beside this file.

python pronounce.py BUNDLE [WORD ...]
"""

from __future__ import annotations

import sys
import time

import satchel

WORDS = "satchel backpack's schoolbag rucksack quantize onnxruntime hypotenuse Beethoven"


def main(bundle: str, *words: str) -> None:
    """Print each word's phonemes in the order given."""
    model = satchel.load(bundle)
    chosen = list(words) or WORDS.split()
    began = time.perf_counter()
    found = model.generate(chosen)
    took = 1000 * (time.perf_counter() - began)
    width = max(map(len, chosen))
    for word, generation in zip(chosen, found, strict=True):
        print(f"{word:{width}}  {generation.text}")
    print(f"{len(chosen)} words in {took:.0f} ms")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: python pronounce.py BUNDLE [WORD ...]")
    main(*sys.argv[1:])
