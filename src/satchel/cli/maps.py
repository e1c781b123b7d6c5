"""Where a verb writes what it makes of each image. Knows no model."""

from __future__ import annotations

from pathlib import Path

from satchel.runtime.errors import UsageError, shown


def targets(images: list[str], out: str | None, suffix: str) -> list[Path | None]:
    """The file for each image in the folder `out`, None without one. UsageError where two are the same or
    one is an image itself."""
    if out is None:
        return [None] * len(images)
    files = [Path(out) / f"{Path(image).stem}{suffix}" for image in images]
    for index, file in enumerate(files):
        if file in files[:index]:
            raise UsageError(f"--out: two images would become {shown(file)}")
        if Path(images[index]).resolve() == file.resolve():
            raise UsageError(f"--out: {shown(file)} is the image itself")
    return list(files)


def folder_of(out: str | None) -> None:
    """Make the folder, where one was asked for."""
    if out is not None:
        Path(out).mkdir(parents=True, exist_ok=True)
