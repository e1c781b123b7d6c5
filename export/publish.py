"""Make a folder visible all at once or not at all. Knows nothing of what is in it."""

from __future__ import annotations

import ctypes
import errno
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from satchel.runtime.errors import StorageError, UsageError, shown
from satchel.runtime.manifest import FORMAT, MANIFEST

LOST = (errno.EIO, errno.ENOSPC, errno.EDQUOT)  # a sync that says so means data is not on disk
AT_FDCWD, RENAME_EXCHANGE = -100, 2


def check_target(target: Path, source: Path | None, overwrite: bool) -> None:
    """Refuse a target that could not be published, before any heavy work."""
    target = target.resolve()
    if not target.parent.is_dir():
        raise StorageError(f"{shown(target.parent)} does not exist; create it first")
    if target.exists() and not target.is_dir():
        raise StorageError(f"{shown(target)} is a file; name a folder")
    if target.is_dir() and any(target.iterdir()):
        if not overwrite:
            raise UsageError(f"{shown(target)} exists; choose another name or give --overwrite")
        _check_bundle(target)
    if not os.access(target.parent, os.W_OK):
        raise StorageError(f"no permission to write in {shown(target.parent)}")
    if source is not None and source.exists():
        outer = source.resolve()
        if target == outer or target.is_relative_to(outer) or outer.is_relative_to(target):
            raise UsageError(f"{shown(target)} and the source {shown(source)} contain each other")


def _check_bundle(target: Path) -> None:
    """Only a bundle is replaced: a folder that holds anything else is somebody's."""
    try:
        manifest = json.loads((target / MANIFEST).read_bytes())
        known = {MANIFEST, *manifest["files"]} if manifest["format"] == FORMAT else set()
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        known = set()
    if not known:
        raise UsageError(f"{shown(target)} is not a bundle, so --overwrite leaves it alone")
    others = sorted(path.name for path in target.iterdir() if path.name not in known)
    if others:
        raise UsageError(
            f"{shown(target)} also holds {shown(others[0])}, so --overwrite leaves it alone"
        )


@contextmanager
def staged(target: Path) -> Iterator[Path]:
    """A sibling folder to fill; it becomes `target` when the block ends well, and is removed when
    it does not. What was at `target` stays whole until then."""
    target = target.resolve()
    folder = target.with_name(f".{target.name}.tmp-{os.getpid()}-{secrets.token_hex(4)}")
    try:
        _remove_stale(target)
        there = target.exists()
        folder.mkdir()
        yield folder
        for path in folder.iterdir():
            _sync(path)
        _sync(folder)
        if there:
            _swap(folder, target)
        else:
            folder.rename(target)  # fails if another export was first
            _sync(target.parent)
    except OSError as error:
        where = shown(error.filename2 or error.filename or target)
        raise StorageError(f"cannot write {where}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _swap(folder: Path, target: Path) -> None:
    """Put `folder` at `target`; what was there is removed when that is on disk."""
    old = folder
    if not _exchange(folder, target):
        old = target.with_name(f".{target.name}.tmp-{os.getpid()}-old")
        target.rename(old)
        try:
            folder.rename(target)
        except BaseException:
            old.rename(target)
            raise
    try:
        _sync(target.parent)
    finally:
        shutil.rmtree(old, ignore_errors=True)


def _exchange(a: Path, b: Path) -> bool:
    """Swap two folders in one step, so that there is no moment without one; False if unable to."""
    try:
        rename = ctypes.CDLL(None).renameat2
    except (AttributeError, OSError, TypeError):  # not Linux
        return False
    names = os.fsencode(a), os.fsencode(b)
    return rename(AT_FDCWD, names[0], AT_FDCWD, names[1], RENAME_EXCHANGE) == 0


def _remove_stale(target: Path) -> None:
    """Remove what killed exports to the same target left; a folder whose process lives stays."""
    pattern = re.compile(rf"\.{re.escape(target.name)}\.tmp-(\d+)-\w+")
    for path in target.parent.iterdir():
        match = pattern.fullmatch(path.name)
        if match and not _alive(int(match.group(1))):
            if path.name.endswith("-old") and not target.exists():
                path.rename(target)  # killed between the two renames of _swap
            else:
                shutil.rmtree(path, ignore_errors=True)


def _alive(process: int) -> bool:
    if os.name == "nt":  # there os.kill ends a process, whatever the signal
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True


def _sync(path: Path) -> None:
    """Wait until a file or folder is on disk, where the system can tell."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno in LOST:
            error.filename = error.filename or str(path)
            raise
