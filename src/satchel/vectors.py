"""The lines of a text file become rows of a .npy file; a run that was killed goes on. Knows no model.

Rows are appended to ``OUT.part``, so its size says how far a run came; ``OUT.part.json`` says what of.
Both go when the last row is written and the part takes its name.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from satchel.progress import Stage, quiet
from satchel.runtime.errors import StorageError, UsageError, shown

CHUNK = 512  # lines embedded at once; a run goes on at a multiple of it
Embed = Callable[[Sequence[str]], NDArray[np.float32]]


def embed_file(
    source: Path, out: Path, dim: int, embed: Embed, settings: dict[str, Any], stage: Stage = quiet
) -> tuple[int, int]:
    """Write float32 [lines, dim] to `out`; returns the lines and how many were there already.

    `settings` is what else decides the result: a part that was made with others is begun anew.
    """
    check_target(out)
    count, digest = _measure(source)
    part, journal = Path(f"{out}.part"), Path(f"{out}.part.json")
    made_of = json.dumps(settings | {"lines": count, "sha256": digest, "dim": dim}, sort_keys=True)
    header = _header(count, dim)
    done = 0
    if part.exists() and journal.exists() and journal.read_text("utf-8") == made_of:
        done = max(0, part.stat().st_size - len(header)) // (dim * 4) // CHUNK * CHUNK
    else:
        part.write_bytes(header)
        journal.write_text(made_of, "utf-8")
    if done == 0:
        part.write_bytes(header)
    with part.open("r+b") as file, source.open("rb") as lines:
        file.truncate(len(header) + done * dim * 4)
        file.seek(0, os.SEEK_END)
        texts = itertools.islice(_texts(lines, source), done, None)
        for _ in stage("embedding")(range(done, count, CHUNK)):
            rows = embed(list(itertools.islice(texts, CHUNK)))
            file.write(np.ascontiguousarray(rows, "<f4").tobytes())
            file.flush()
        os.fsync(file.fileno())
    os.replace(part, out)
    journal.unlink()
    return count, done


def save(out: Path, vectors: NDArray[np.float32]) -> None:
    """Write `out` at once: whole or not at all."""
    check_target(out)
    part = Path(f"{out}.part")
    with part.open("wb") as file:
        np.save(file, vectors)
    os.replace(part, out)


def check_target(out: Path) -> None:
    """Refuse what cannot be written, before any work."""
    if out.suffix != ".npy":
        raise UsageError(f"--out {shown(out)}: expected a name that ends with .npy")
    if not out.parent.is_dir() or out.is_dir():
        raise StorageError(f"--out {shown(out)}: not a file in an existing folder")


def _measure(source: Path) -> tuple[int, str]:
    """Lines and sha256 of a file, in one reading."""
    digest, count = hashlib.sha256(), 0
    with source.open("rb") as file:
        for line in file:
            digest.update(line)
            count += 1
    if not count:
        raise UsageError(f"{shown(source)} has no lines", "EMPTY_PROMPT")
    return count, digest.hexdigest()


def _texts(lines: Any, source: Path) -> Iterator[str]:
    for number, line in enumerate(lines, 1):
        try:
            yield line.decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError:
            raise UsageError(
                f"{shown(source)}: line {number} is not UTF-8", "PROMPT_ENCODING"
            ) from None


def _header(count: int, dim: int) -> bytes:
    """What a .npy file of float32 [count, dim] begins with."""
    buffer = io.BytesIO()
    form = {"descr": "<f4", "fortran_order": False, "shape": (count, dim)}
    np.lib.format.write_array_header_1_0(buffer, form)
    return buffer.getvalue()
