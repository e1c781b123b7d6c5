"""Accept a manifest that somebody changed by hand: check it, and write it with the digest that fits."""

from __future__ import annotations

import os
from pathlib import Path

from satchel.runtime import sealed
from satchel.runtime.bundle import manifest_text
from satchel.runtime.errors import StorageError, shown
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
    new = folder / f".{MANIFEST}.tmp-{os.getpid()}"
    try:
        new.write_bytes(text.encode("utf-8"))
        new.replace(folder / MANIFEST)
    except OSError as error:
        raise StorageError(f"cannot write {shown(folder / MANIFEST)}: {error.strerror}") from error
    finally:
        new.unlink(missing_ok=True)
    return True
