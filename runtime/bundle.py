"""The bundle on disk: manifest.json and the files it lists. The contract between export and runtime."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from satchel.runtime import sealed
from satchel.runtime.errors import BundleError, shown
from satchel.runtime.manifest import MANIFEST, File, Manifest

TOKENIZER = "tokenizer.json"
MANIFEST_LIMIT = 1 << 20
FILE_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


@dataclass(frozen=True)
class Bundle:
    """A folder whose files have been checked against its manifest.

    `kernels`: whether its graphs may run on our own, where they are installed.
    """

    folder: Path
    manifest: Manifest
    kernels: bool = True

    def path(self, name: str) -> Path:
        """Where a listed file lies."""
        return self.folder / name

    @property
    def size(self) -> int:
        """Bytes of all listed files."""
        return sum(file.size for file in self.manifest.files.values())


Progress = Callable[[Iterable[Any]], Iterable[Any]]


def open_bundle(folder: str | Path, progress: Progress = iter) -> Bundle:
    """Read the manifest and check every listed file's name, size and sha256.

    Raises BundleError with the file and what is wrong with it.
    """
    folder = Path(folder)
    manifest = sealed.read(manifest_text(folder))
    for name in progress(list(manifest.files)):
        _check_file(folder, name, manifest.files[name])
    needed = {f"graph {shown(role)}": graph.file for role, graph in manifest.graphs.items()}
    if manifest.reads_text:
        needed["the tokenizer"] = TOKENIZER
    for what, name in needed.items():
        if name not in manifest.files:
            raise BundleError(f"{MANIFEST}: {what} is {shown(name)}, which is not listed")
    return Bundle(folder, manifest)


def sha256_of(path: Path) -> str:
    """Hash of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def manifest_text(folder: Path) -> str:
    """The text of a bundle's manifest, whatever it says."""
    path = folder / MANIFEST
    if not path.is_file():
        what = "does not exist" if not folder.exists() else f"has no {MANIFEST}"
        raise BundleError(f"{shown(folder)} {what}; expected a bundle made by satchel export")
    _check_inside(folder, MANIFEST)
    with path.open("rb") as file:
        data = file.read(MANIFEST_LIMIT + 1)
    if len(data) > MANIFEST_LIMIT:
        raise BundleError(f"{MANIFEST} is too large: at most {MANIFEST_LIMIT} bytes are read")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BundleError(f"{MANIFEST} is not UTF-8") from error


def _check_file(folder: Path, name: str, expected: File) -> None:
    if not FILE_NAME.fullmatch(name):
        raise BundleError(
            f"{MANIFEST} lists {shown(name)}, which is not a plain name", "BUNDLE_PATH"
        )
    path = folder / name
    if not path.exists():
        raise BundleError(f"{name} is missing from {shown(folder)}", "BUNDLE_FILE")
    _check_inside(folder, name)
    size = path.stat().st_size
    if size != expected.size:
        raise BundleError(
            f"{name} has {size} bytes, {MANIFEST} says {expected.size}{_hint(path)}; export or "
            "download the bundle again",
            "BUNDLE_HASH",
        )
    sha256 = sha256_of(path)
    if sha256 != expected.sha256:
        raise BundleError(
            f"{name} does not match {MANIFEST} (its sha256 is {sha256}, expected "
            f"{shown(expected.sha256, 70)}); export or download the bundle again",
            "BUNDLE_HASH",
        )


def _check_inside(folder: Path, name: str) -> None:
    """A link may not lead out of the bundle; a hard link is a file like any other."""
    path = folder / name
    if not path.is_file() or not path.resolve().is_relative_to(folder.resolve()):
        raise BundleError(f"{name} is not a regular file of the bundle", "BUNDLE_PATH")


def _hint(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(64).lstrip().lower()
    if start.startswith(b"version https://git-lfs"):
        return " (it is a Git LFS pointer: run git lfs pull)"
    return " (it is a web page)" if start.startswith((b"<!doctype", b"<html")) else ""
