"""The Python package's ONNX Runtime as a JVM can load it, so that both runtimes give the same bits.

``python android_demo/native_library.py FOLDER`` puts into FOLDER a link to the library and the JNI
library of the jar that pom.xml names, which Maven has fetched. The latter asks for symbols of its own
version. The C interface is the same in later ones, so the name of the version that it asks
for is changed. Linux alone.
"""

from __future__ import annotations

import os
import platform
import re
import struct
import sys
import zipfile
from pathlib import Path

import onnxruntime

POM = Path(__file__).parent / "core/pom.xml"
FOLDERS = {"x86_64": "linux-x64", "aarch64": "linux-aarch64"}
JNI, LIBRARY = "libonnxruntime4j_jni.so", "libonnxruntime.so"


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    capi = Path(onnxruntime.__file__).parent / "capi"
    library = capi / f"{LIBRARY}.{onnxruntime.__version__}"
    if not library.is_file():
        sys.exit(f"{library} is not there; a JVM can be given the library of Linux alone")
    link = folder / LIBRARY
    link.unlink(missing_ok=True)
    link.symlink_to(library)
    version = _jar_version()
    with zipfile.ZipFile(_jar(version)) as jar:
        data = jar.read(f"ai/onnxruntime/native/{FOLDERS[platform.machine()]}/{JNI}")
    (folder / JNI).write_bytes(renamed(data, version, onnxruntime.__version__))


def _jar_version() -> str:
    found = re.search(r"<onnxruntime.version>(.+)</onnxruntime.version>", POM.read_text("utf-8"))
    assert found is not None
    return found.group(1)


def _jar(version: str) -> Path:
    """Where Maven keeps what it has fetched, unless MAVEN_REPOSITORY says another place."""
    usual = Path.home() / ".m2/repository"
    place = (
        Path(os.environ.get("MAVEN_REPOSITORY", usual)) / "com/microsoft/onnxruntime/onnxruntime"
    )
    return place / version / f"onnxruntime-{version}.jar"


def renamed(data: bytes, before: str, after: str) -> bytes:
    """A library that needs the symbols of version `before` as one that needs those of `after`."""
    old, new = (f"VERS_{version}".encode() for version in (before, after))
    if old == new:
        return data
    changes = (
        (old + b"\0", new + b"\0"),
        (_hashed(old), _hashed(new)),
    )  # its name, and the name's hash
    for was, becomes in changes:
        if len(was) != len(becomes) or data.count(was) != 1:
            sys.exit(f"{JNI} {before} cannot be made to ask for ONNX Runtime {after}")
        data = data.replace(was, becomes)
    return data


def _hashed(name: bytes) -> bytes:
    """The hash of a name in ELF files."""
    number = 0
    for letter in name:
        number = (number << 4) + letter
        high = number & 0xF0000000
        number = (number ^ high >> 24) & ~high & 0xFFFFFFFF
    return struct.pack("<I", number)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
