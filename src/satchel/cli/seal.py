"""Accept a manifest that somebody changed by hand: check it, and write it with the digest that fits."""

from __future__ import annotations

from pathlib import Path

from satchel.cli.terminal import write_whole
from satchel.runtime import sealed
from satchel.runtime.bundle import manifest_text
from satchel.runtime.manifest import MANIFEST


def seal(folder: Path) -> bool:
    """Write the manifest of the bundle in `folder` anew where its digest does not fit; whether it did.

    Raises BundleError, and writes nothing, where the manifest is not a possible one.
    """
    before = manifest_text(folder)
    text = sealed.sealed(sealed.unsealed(before))
    sealed.read(text)
    if text == before:
        return False
    write_whole(folder / MANIFEST, text)
    return True
