"""Bundles that are made of checkpoints, once, and kept. Knows no model.

Each lies in a folder named by the hash of what it was made of: the checkpoint's files, the class of
sentence-transformers that it stands in for, the profile, and the version of satchel. A bundle appears
whole or not at all; of several processes that want the same, one makes it and the others wait.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from satchel.checkpoints.source import download, find
from satchel.progress import bars
from satchel.runtime.bundle import sha256_of
from satchel.runtime.errors import StorageError, UsageError, install, shown
from satchel.runtime.manifest import MANIFEST
from satchel.version import __version__

log = logging.getLogger("satchel.sentence")

VARIABLE = "SATCHEL_CACHE"
PLAIN_NAME = re.compile(r"[\w.-]+")
# Parts of published folders that an export does not read: other formats of the same weights, and pickles.
UNREAD_FOLDERS = ("onnx", "openvino", "coreml")
UNREAD_FILES = (".bin", ".pt", ".pth", ".ckpt", ".h5", ".msgpack", ".onnx", ".ot", ".png", ".lock")
DIGITS = 20  # of the hash that names a folder


def bundle_of(
    source: str | Path,
    library_class: str,
    owner: str,
    *,
    profile: str | Path = "int8",
    cache: str | Path | None = None,
    revision: str | None = None,
    offline: bool = False,
) -> Path:
    """The folder of the bundle that `source` is, or that is made of it and kept in `cache`.

    `source` is a bundle, a checkpoint's folder or .gguf file, or a name on the hub, for which alone a
    connection is opened; `owner` is whose it is where the name does not say.
    """
    path = _local(source, owner, revision, offline)
    if (path / MANIFEST).is_file():
        return path
    folder = cache_folder(cache) / "bundles"
    target = folder / f"{_name_of(path)}-{_key(path, library_class, profile)}"
    if target.exists():
        return target
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"cannot make {shown(folder)}: {error.strerror}") from error
    with _one_at_a_time(folder / f".{target.name}.lock"):
        if not target.exists():
            _make(path, target, library_class, profile)
    return target


def cache_folder(given: str | Path | None = None) -> Path:
    """Where things are kept: what is given, else SATCHEL_CACHE, else where the platform keeps such."""
    chosen = given or os.environ.get(VARIABLE)
    if chosen:
        return Path(chosen).expanduser()
    home = Path.home()
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "satchel"
    if os.name == "nt":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "satchel"
    return Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache") / "satchel"


def _local(source: str | Path, owner: str, revision: str | None, offline: bool) -> Path:
    """Where what the user named lies, after a download where it is a name on the hub."""
    name = str(source)
    if not Path(name).exists() and PLAIN_NAME.fullmatch(name):
        name = f"{owner}/{name}"
    path = find(name, revision)
    return download(name, revision, offline) if path is None else path


def _name_of(path: Path) -> str:
    """A name for people to know a folder by; of a snapshot in the hub's cache that of its repository."""
    name = path.parent.parent.name if path.parent.name == "snapshots" else path.stem
    return re.sub(r"[^A-Za-z0-9.-]+", "-", name).strip("-.")[:60] or "checkpoint"


def _key(path: Path, library_class: str, profile: str | Path) -> str:
    """The hash of all that decides what is made."""
    own = str(profile).endswith(".toml")
    if own and not Path(profile).is_file():
        raise UsageError(f"profile {shown(profile)} is not a file")
    made_of = {
        "files": {
            str(file.relative_to(path)) if path.is_dir() else "": sha256_of(file)
            for file in (_files(path) if path.is_dir() else [path])
        },
        "library_class": library_class,
        "profile": sha256_of(Path(profile)) if own else str(profile),
        "satchel": __version__,
    }
    return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:DIGITS]


def _files(folder: Path) -> list[Path]:
    """The files of a checkpoint that an export may read, those of its sub-folders among them."""
    found = []
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_file() and not path.name.endswith(UNREAD_FILES):
            found.append(path)
        elif path.is_dir() and path.name not in UNREAD_FOLDERS:
            found += [file for file in sorted(path.iterdir()) if file.is_file()]
    return found


def _make(path: Path, target: Path, library_class: str, profile: str | Path) -> None:
    try:
        from satchel.packing.pack import pack  # needs PyTorch, which a bundle that is kept does not
    except ModuleNotFoundError as error:
        raise UsageError(
            f"making a bundle of {shown(path)} needs {error.name}: {install('export')}"
        ) from error
    log.info("making a bundle of %s, once: %s", path, target)
    try:
        packed = pack(path, target, profile=profile, library_class=library_class, stage=bars)
    except StorageError:
        if target.exists():  # another process was first
            return
        raise
    for note in packed.notes:
        log.info("%s: %s", path.name, note)


@contextmanager
def _one_at_a_time(lock: Path) -> Iterator[None]:
    """Wait for other processes that hold `lock`, which they let go of however they end.

    Where a system has no such locks each makes its own, and the first to be ready counts.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    with lock.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
