"""What bundles answer on this processor, written to a file, or compared with what another one wrote.

    python arm_answers.py write|compare FILE.json BUNDLE ...

Texts that are written have to be the same ids. Vectors have to be within LEAST of each other in cosine:
the products of int8 are exact, but a sum of float32 in between runs in another order, and where it falls
on the other side of a rounding to int8 the vector moves, at most as much as int8 moves it anyway. Needs
what the runtime needs.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import numpy as np

import satchel

LEAST = 0.998
WORDS = [
    "satchel",
    "phone",
    "through",
    "onomatopoeia",
    "measure",
    "Wednesday",
    "pneumonia",
    "chorus",
]
TEXTS = [
    "A cat sits on the mat.",
    "Where is the nearest pharmacy?",
    "int8",
    "The invoice is overdue.",
]


def answers(folder: str) -> list[Any]:
    """Ids of pronounced words, or vectors of texts."""
    model = satchel.load(folder, threads=1)
    if model.manifest.task == "embed":
        vectors: list[Any] = np.asarray(model.embed(TEXTS)).tolist()
        return vectors
    return [model.generate(word, max_new_tokens=24).tokens for word in WORDS]


def main(action: str, file: Path, folders: list[str]) -> None:
    """Write the answers of all bundles, or print how these differ and fail where they may not."""
    found = {folder: answers(folder) for folder in folders}
    if action == "write":
        file.write_text(json.dumps({"machine": platform.machine(), "answers": found}))
        return
    theirs = json.loads(file.read_text())
    if platform.machine() == theirs["machine"]:
        sys.exit(f"both are of {platform.machine()}")
    failed = False
    for folder, ours in found.items():
        expected = theirs["answers"][folder]
        if isinstance(ours[0][0], float):
            a, b = np.array(ours), np.array(expected)
            cosine = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
            failed |= not bool((cosine >= LEAST).all())
            print(
                f"{folder}: least cosine {cosine.min():.6f} of {len(ours)} vectors (at least {LEAST})"
            )
        else:
            same = sum(x == y for x, y in zip(ours, expected, strict=True))
            failed |= same < len(ours)
            print(f"{folder}: the same ids for {same} of {len(ours)} texts")
    sys.exit(f"{platform.machine()} answers otherwise than {theirs['machine']}" if failed else 0)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
