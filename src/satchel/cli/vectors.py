"""The lines of a text file become rows of a .npy file; a run that was killed goes on. Knows no model.

Rows are appended to ``OUT.part``, whose size says how far a run came; ``OUT.part.json`` says what of.
Where there are rows already that others are to follow, the part begins with those. ``OUT.json`` says what
made the vectors: it is there only while `OUT` holds vectors of that.
"""

from __future__ import annotations

import io
import itertools
import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from satchel.cli.terminal import write_whole
from satchel.cli.vector_function import VectorFunction, record
from satchel.lines import count_lines, read_lines
from satchel.progress import Stage, quiet
from satchel.runtime.bundle import sha256_of
from satchel.runtime.errors import StorageError, UsageError, shown
from satchel.runtime.whole_file import writing

CHUNK = 512  # lines embedded at once; a run goes on at a multiple of it
COPIED = 1 << 24  # bytes at once of rows that are there already
Embed = Callable[[Sequence[str]], NDArray[np.float32]]


def embed_file(
    source: Path,
    out: Path,
    dim: int,
    embed: Embed,
    settings: dict[str, Any],
    function: VectorFunction,
    *,
    overwrite: bool = False,
    append: bool = False,
    stage: Stage = quiet,
) -> tuple[int, int]:
    """Write float32 [lines, dim] to `out`; returns the lines and how many a killed run had done already.

    `settings` is what else decides the result: a part that was made with others, or of other lines,
    is refused, or begun anew with `overwrite`. With `append` the rows follow those at `out`, which must
    be of the same `function`.
    """
    check_output(out, overwrite, append)
    before = _before(out, dim, function) if append else 0
    count, digest = count_lines(source)
    part, journal = Path(f"{out}.part"), Path(f"{out}.part.json")
    settings = settings | {"after": sha256_of(out) if before else None}
    made_of = json.dumps(settings | {"lines": count, "sha256": digest, "dim": dim}, sort_keys=True)
    header = _header(before + count, dim)
    start = len(header) + before * dim * 4
    done = 0
    if part.exists() and journal.exists() and journal.read_text("utf-8") == made_of:
        done = max(0, part.stat().st_size - start) // (dim * 4) // CHUNK * CHUNK
    elif part.exists() and part.stat().st_size > len(header) and not overwrite:
        raise UsageError(
            f"{shown(part)} is from another run (another file, bundle or option); --overwrite begins anew"
        )
    else:
        write_whole(journal, made_of)  # first, so that no part is without
    if done == 0:
        _begin(part, header, out, before * dim * 4)
    with writing(part), part.open("r+b") as file:
        file.truncate(start + done * dim * 4)
        file.seek(0, os.SEEK_END)
        texts = itertools.islice(read_lines(source), done, None)
        for _ in stage("embedding")(range(done, count, CHUNK)):
            rows = embed(list(itertools.islice(texts, CHUNK)))
            file.write(np.ascontiguousarray(rows, "<f4").tobytes())
            file.flush()
        os.fsync(file.fileno())
    _publish(part, out, function)
    journal.unlink()
    return count, done


def save(
    out: Path,
    vectors: NDArray[np.float32],
    function: VectorFunction,
    overwrite: bool = False,
    append: bool = False,
) -> None:
    """Write `out` at once: whole or not at all. With `append` the vectors follow those that are there."""
    check_output(out, overwrite, append)
    rows = vectors
    if append and _before(out, vectors.shape[1], function):
        rows = np.concatenate([np.load(out), vectors])
    new = Path(f"{out}.new")
    try:
        with writing(out), new.open("wb") as file:
            np.save(file, rows)
        _publish(new, out, function)
    finally:
        new.unlink(missing_ok=True)


def check_output(out: Path, overwrite: bool = False, append: bool = False) -> None:
    """Refuse what cannot be written, before any work."""
    if out.suffix != ".npy":
        raise UsageError(f"--out {shown(out)}: expected a name that ends with .npy")
    if not out.parent.is_dir() or out.is_dir():
        raise StorageError(f"--out {shown(out)}: not a file in an existing folder")
    if append and overwrite:
        raise UsageError("--append and --overwrite do not go together")
    if out.exists() and not overwrite and not append:
        raise UsageError(f"--out {shown(out)} exists; --overwrite replaces it, --append adds to it")


def _before(out: Path, dim: int, function: VectorFunction) -> int:
    """How many rows there are at `out`; UsageError unless they are vectors of `function`."""
    if not out.exists():
        return 0
    function.check(out)
    try:
        rows = np.load(out, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UsageError(f"--append: {shown(out)} is not a whole .npy file") from error
    plain = rows.dtype == np.dtype("<f4") and rows.ndim == 2 and rows.flags.c_contiguous
    if not plain or rows.shape[1] != dim:
        raise UsageError(
            f"--append: {shown(out)} holds {rows.dtype} {list(rows.shape)}; expected float32 [n, {dim}]"
        )
    return len(rows)


def _begin(part: Path, header: bytes, out: Path, before: int) -> None:
    """Write the header, and behind it the rows that are there already, so many bytes."""
    with writing(part), part.open("wb") as file:
        file.write(header)
        if before:
            with out.open("rb") as rows:
                rows.seek(-before, os.SEEK_END)
                shutil.copyfileobj(rows, file, COPIED)


def _publish(new: Path, out: Path, function: VectorFunction) -> None:
    """Put the file `new` at `out`. Between the two, nothing says what made the vectors."""
    record(out).unlink(missing_ok=True)
    os.replace(new, out)
    function.write(out)


def _header(count: int, dim: int) -> bytes:
    """What a .npy file of float32 [count, dim] begins with."""
    buffer = io.BytesIO()
    form = {"descr": "<f4", "fortran_order": False, "shape": (count, dim)}
    np.lib.format.write_array_header_1_0(buffer, form)
    return buffer.getvalue()
