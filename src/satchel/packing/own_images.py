"""Images that an export reads: the files of a folder of one's own."""

from __future__ import annotations

from pathlib import Path

from satchel.runtime.errors import UsageError, shown

FEWEST, MOST = 16, 128  # of a folder, and that are read


def find_images(option: str, path: str | Path | None) -> list[Path] | None:
    """At most MOST files, spread over all those below the folder that `option` names; None where it names
    none. Files whose names begin with a dot are no images. UsageError where there are too few."""
    if path is None or not Path(path).is_dir():
        return None
    below = (file.relative_to(path) for file in Path(path).rglob("*") if file.is_file())
    files = sorted(file for file in below if not any(part[0] == "." for part in file.parts))
    if len(files) < FEWEST:
        raise UsageError(
            f"{option} {shown(path)}: expected at least {FEWEST} images, there are {len(files)}"
        )
    count = min(len(files), MOST)
    return [Path(path) / files[index * len(files) // count] for index in range(count)]
