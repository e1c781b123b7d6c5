"""Make a folder visible all at once or not at all. Knows nothing of what is in it."""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from satchel.runtime.errors import StorageError, UsageError, shown


def check_target(target: Path, source: Path | None, overwrite: bool) -> None:
    """Refuse a target that could not be published, before any heavy work."""
    if not target.parent.is_dir():
        raise StorageError(f"{shown(target.parent)} does not exist; create it first")
    if target.exists() and not target.is_dir():
        raise StorageError(f"{shown(target)} is a file; name a folder")
    if target.is_dir() and any(target.iterdir()):
        if not overwrite:
            raise UsageError(f"{shown(target)} exists; choose another name or give --overwrite")
        if not (target / "manifest.json").is_file():
            raise UsageError(f"{shown(target)} is not a bundle, so --overwrite leaves it alone")
    if not os.access(target.parent, os.W_OK):
        raise StorageError(f"no permission to write in {shown(target.parent)}")
    if source is not None and source.exists():
        inner, outer = target.resolve(), source.resolve()
        if inner == outer or inner.is_relative_to(outer) or outer.is_relative_to(inner):
            raise UsageError(f"{shown(target)} and the source {shown(source)} contain each other")


@contextmanager
def staged(target: Path) -> Iterator[Path]:
    """A sibling folder to fill; it becomes `target` when the block ends well, and is removed when
    it does not. What was at `target` stays whole until then."""
    target = target.resolve()
    _remove_stale(target)
    folder = target.with_name(f".{target.name}.tmp-{os.getpid()}-{secrets.token_hex(4)}")
    try:
        folder.mkdir()
        yield folder
        for path in folder.iterdir():
            _sync(path)
        _sync(folder)
        _swap(folder, target)
        _sync(target.parent)
    except OSError as error:
        where = shown(error.filename or target)
        raise StorageError(f"cannot write {where}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _swap(folder: Path, target: Path) -> None:
    """Put `folder` at `target`; what was there is removed afterwards."""
    if not target.exists():
        folder.rename(target)
        return
    old = target.with_name(f".{target.name}.tmp-{os.getpid()}-old")
    target.rename(old)
    try:
        folder.rename(target)
    except BaseException:
        old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _remove_stale(target: Path) -> None:
    """Remove what killed exports to the same target left; a folder whose process lives stays."""
    pattern = re.compile(rf"\.{re.escape(target.name)}\.tmp-(\d+)-\w+")
    for path in target.parent.iterdir():
        found = pattern.fullmatch(path.name)
        if found and not _alive(int(found.group(1))):
            if path.name.endswith("-old") and not target.exists():
                path.rename(target)  # killed between the two renames of _swap
            else:
                shutil.rmtree(path, ignore_errors=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _sync(path: Path) -> None:
    with suppress(OSError):  # some file systems and Windows cannot sync folders
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
