"""A manifest that asks for an older ONNX Runtime, sealed again.

python ask_for.py MANIFEST VERSION
"""

from __future__ import annotations

import hashlib
import re
import sys
from pathlib import Path

ASKED = re.compile(r'(?m)^ "onnxruntime": "(\d+)\.(\d+)[^"]*"')
DIGEST = re.compile(r',\n "digest": "[0-9a-f]{64}"\n}\n\Z')


def asking(text: str, version: str) -> str:
    """The manifest's text, the same where it asks for no newer version."""
    most = tuple(int(part) for part in version.split(".")[:2])
    asked, digest = ASKED.search(text), DIGEST.search(text)
    if asked is None or digest is None:
        raise SystemExit("manifest.json is not as satchel writes it")
    if (int(asked[1]), int(asked[2])) <= most:
        return text
    lower = f' "onnxruntime": "{most[0]}.{most[1]}"'
    body = text[: asked.start()] + lower + text[asked.end() : digest.start()]
    sha256 = hashlib.sha256(body.encode()).hexdigest()
    return f'{body},\n "digest": "{sha256}"\n}}\n'


def main(path: str, version: str) -> None:
    """Write the manifest in place."""
    manifest = Path(path)
    manifest.write_bytes(asking(manifest.read_bytes().decode(), version).encode())


if __name__ == "__main__":
    main(*sys.argv[1:])
