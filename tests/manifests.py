"""Edit a bundle's manifest in a test, with the digest that goes with it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from satchel.runtime import sealed
from satchel.runtime.manifest import MANIFEST

MISSING: Any = ...  # a value that removes its key


def content_of(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / MANIFEST).read_text("utf-8"))
    return content


def write(folder: Path, content: dict[str, Any]) -> None:
    """Write a manifest whose digest fits, whatever else it says."""
    text = json.dumps({key: value for key, value in content.items() if key != "digest"}, indent=1)
    (folder / MANIFEST).write_bytes(sealed.sealed(text).encode("utf-8"))


def edit(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change the content of a manifest in place."""
    content = content_of(folder)
    change(content)
    write(folder, content)


def said(*path: str | int, value: Any) -> Callable[[Path], None]:
    """Change one value of the manifest; `MISSING` removes it."""

    def change(content: Any) -> None:
        *parents, last = path
        for key in parents:
            content = content[key]
        if value is MISSING:
            del content[last]
        else:
            content[last] = value

    return lambda folder: edit(folder, change)
