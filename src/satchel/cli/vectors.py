"""The lines of a text file become rows of a .npy file; a run that was killed goes on. Knows no model.

Rows are appended to ``OUT.part``, whose size says how far a run came; ``OUT.part.json`` says what of.
"""

from __future__ import annotations

import io
import itertools
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from satchel.cli.terminal import write_whole, writing
from satchel.lines import count_lines, read_lines
from satchel.progress import Stage, quiet
from satchel.runtime.errors import StorageError, UsageError, shown

CHUNK = 512  # lines embedded at once; a run goes on at a multiple of it
Embed = Callable[[Sequence[str]], NDArray[np.float32]]


def embed_file(
    source: Path,
    out: Path,
    dim: int,
    embed: Embed,
    settings: dict[str, Any],
    *,
    overwrite: bool = False,
    stage: Stage = quiet,
) -> tuple[int, int]:
    """Write float32 [lines, dim] to `out`; returns the lines and how many were there already.

    `settings` is what else decides the result: a part that was made with others, or of other lines,
    is refused, or begun anew with `overwrite`.
    """
    check_output(out, overwrite)
    count, digest = count_lines(source)
    part, journal = Path(f"{out}.part"), Path(f"{out}.part.json")
    made_of = json.dumps(settings | {"lines": count, "sha256": digest, "dim": dim}, sort_keys=True)
    header = _header(count, dim)
    done = 0
    if part.exists() and journal.exists() and journal.read_text("utf-8") == made_of:
        done = max(0, part.stat().st_size - len(header)) // (dim * 4) // CHUNK * CHUNK
    elif part.exists() and part.stat().st_size > len(header) and not overwrite:
        raise UsageError(
            f"{shown(part)} is from another run (another file, bundle or option); --overwrite begins anew"
        )
    else:
        write_whole(journal, made_of)  # first, so that no part is without
    if done == 0:
        with writing(part):
            part.write_bytes(header)
    with writing(part), part.open("r+b") as file:
        file.truncate(len(header) + done * dim * 4)
        file.seek(0, os.SEEK_END)
        texts = itertools.islice(read_lines(source), done, None)
        for _ in stage("embedding")(range(done, count, CHUNK)):
            rows = embed(list(itertools.islice(texts, CHUNK)))
            file.write(np.ascontiguousarray(rows, "<f4").tobytes())
            file.flush()
        os.fsync(file.fileno())
    os.replace(part, out)
    journal.unlink()
    return count, done


def save(out: Path, vectors: NDArray[np.float32], overwrite: bool = False) -> None:
    """Write `out` at once: whole or not at all."""
    check_output(out, overwrite)
    new = Path(f"{out}.new")
    try:
        with writing(out), new.open("wb") as file:
            np.save(file, vectors)
        os.replace(new, out)
    finally:
        new.unlink(missing_ok=True)


def check_output(out: Path, overwrite: bool = False) -> None:
    """Refuse what cannot be written, before any work."""
    if out.suffix != ".npy":
        raise UsageError(f"--out {shown(out)}: expected a name that ends with .npy")
    if not out.parent.is_dir() or out.is_dir():
        raise StorageError(f"--out {shown(out)}: not a file in an existing folder")
    if out.exists() and not overwrite:
        raise UsageError(f"--out {shown(out)} exists; --overwrite replaces it")


def _header(count: int, dim: int) -> bytes:
    """What a .npy file of float32 [count, dim] begins with."""
    buffer = io.BytesIO()
    form = {"descr": "<f4", "fortran_order": False, "shape": (count, dim)}
    np.lib.format.write_array_header_1_0(buffer, form)
    return buffer.getvalue()
