"""`satchel seal`: accept a manifest that somebody changed by hand, with the digest that fits."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from satchel.cli.command import add_verb
from satchel.cli.terminal import write_whole
from satchel.runtime import sealed
from satchel.runtime.bundle import manifest_text
from satchel.runtime.fingerprint import FIELD, fingerprint, gives_vectors
from satchel.runtime.manifest import MANIFEST


def seal(options: argparse.Namespace) -> None:
    """accept a manifest that was edited by hand"""
    if sealed_anew(Path(options.bundle)):
        print(f"{options.bundle}: sealed")
    else:
        print(f"{options.bundle}: as it was written; nothing to do")


def sealed_anew(folder: Path) -> bool:
    """Write the manifest of the bundle in `folder` anew where its digest does not fit; whether it did.

    Raises BundleError, and writes nothing, where the manifest is not a possible one.
    """
    before = manifest_text(folder)
    text = sealed.sealed(sealed.unsealed(before))
    manifest = sealed.read(text)
    if FIELD in manifest.extra and gives_vectors(manifest):
        content = json.loads(sealed.unsealed(text))
        content["extra"][FIELD] = fingerprint(manifest)  # other prompts make other vectors
        text = sealed.sealed(json.dumps(content, indent=1, ensure_ascii=False))
    if text == before:
        return False
    write_whole(folder / MANIFEST, text)
    return True


def add(verbs: Any) -> None:
    """`seal`, whose one argument is a bundle."""
    command = add_verb(verbs, "seal", seal, "satchel seal my-bundle")
    command.add_argument("bundle", help="a folder made by satchel export")
