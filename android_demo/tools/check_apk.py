"""What an APK holds, and whether it may: prints it, and fails where something has no place in it.

python check_apk.py APK CLASSES_DEX LIST APPLICATION MIN_SDK TARGET_SDK ABIS
"""

from __future__ import annotations

import re
import struct
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path

PAGE = 16384  # phones with pages of 16 KB refuse segments that are aligned to less
PT_LOAD = 1
JNI = "libonnxruntime4j_jni.so"
# Lambdas of ONNX Runtime. A phone has no factory for them; it meets these only in texts about types and
# in providers of other machines. Nothing of ours may have one.
LAMBDAS = {
    "ai.onnxruntime.TensorInfo",
    "ai.onnxruntime.providers.OrtCUDAProviderOptions",
    "ai.onnxruntime.providers.OrtTensorRTProviderOptions",
    "ai.onnxruntime.providers.StringConfigProviderOptions",
}
OURS = ("satchel.", "ai.onnxruntime.")


def main(
    apk: str, dex: str, listing: str, application: str, min_sdk: str, target_sdk: str, abis: str
) -> None:
    """Print and check."""
    code = told("dexdump", "-d", dex)
    faults = [
        *manifest_faults(apk, application, min_sdk, target_sdk),
        *archive_faults(Path(apk), abis.split(","), native_methods(code)),
        *class_faults(code, Path(listing)),
    ]
    for fault in faults:
        print(f"FAULT: {fault}")
    if faults:
        sys.exit(1)


def told(*command: str) -> str:
    """What a program prints."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def manifest_faults(apk: str, application: str, min_sdk: str, target_sdk: str) -> list[str]:
    """Permissions, and what other apps could reach."""
    badging = told("aapt", "dump", "badging", apk)
    permissions = re.findall(r"name='([^']+)'", told("aapt", "dump", "permissions", apk))
    tree = told("aapt", "dump", "xmltree", apk, "AndroidManifest.xml")
    elements = Counter(re.findall(r"^\s*E: ([\w-]+)", tree, re.MULTILINE))
    name, code, version = re.findall(r"'([^']*)'", badging.splitlines()[0])[:3]
    print(f"application   {name} {version} ({code})")
    print(f"permissions   {', '.join(permissions) or 'none'}")
    print(f"components    {', '.join(f'{elements[one]} {one}' for one in COMPONENTS)}")
    faults = [f"the permission {one}" for one in permissions]
    faults += [f"an element {one}" for one in COMPONENTS[1:] if elements[one]]
    for line in (
        f"package: name='{application}'",
        f"sdkVersion:'{min_sdk}'",
        f"targetSdkVersion:'{target_sdk}'",
    ):
        if line not in badging:
            faults.append(f"no {line} in the manifest")
    if "debuggable" in badging:
        faults.append("it can be debugged")
    if not re.search(r"allowBackup\(0x[0-9a-f]+\)=\(type 0x12\)0x0\b", tree):
        faults.append("it can be backed up")
    return faults


COMPONENTS = ("activity", "service", "receiver", "provider", "uses-permission", "permission")


def archive_faults(apk: Path, abis: list[str], methods: set[str]) -> list[str]:
    """Sizes, how native libraries are aligned, and whether the classes' native methods are there."""
    faults = []
    with zipfile.ZipFile(apk) as archive:
        files = {item.filename: item for item in archive.infolist()}
        print(f"size          {apk.stat().st_size / 1e6:.1f} MB in {len(files)} files:")
        parts: Counter[str] = Counter()
        for name, item in files.items():
            parts[part_of(name)] += item.compress_size
        for part, size in parts.most_common():
            print(f"  {size / 1e6:6.2f} MB  {part}")
        found = sorted({name.split("/")[1] for name in files if name.startswith("lib/")})
        print(f"ABIs          {', '.join(found)}")
        if found != sorted(abis):
            faults.append(f"libraries for {found}, expected {sorted(abis)}")
        for name in sorted(files):
            if name.endswith(".so"):
                data = archive.read(name)
                least = min(alignments(data))
                print(f"  {name}: LOAD segments aligned to {least}")
                if name.endswith(JNI):
                    lacking = sorted(one for one in methods if one.encode() not in data)
                    faults += [f"{name} has no {one}" for one in lacking]
                    print(f"    {len(methods) - len(lacking)} of {len(methods)} native methods")
                if least % PAGE:
                    faults.append(f"{name} is aligned to {least}, expected {PAGE}")
    if "assets/bundles/g2p/manifest.json" not in files:
        faults.append("no bundle among the assets")
    return faults


def part_of(name: str) -> str:
    """Where a file belongs."""
    if name.startswith("lib/"):
        return "/".join(name.split("/")[:2])
    if name.startswith("assets/"):
        return "assets"
    return name if name.endswith(".dex") else "resources, manifest and signature"


def alignments(data: bytes) -> list[int]:
    """Of the segments that a 64-bit ELF file has loaded."""
    if data[:5] != b"\x7fELF\x02":
        raise SystemExit("a native library is not 64-bit ELF")
    (offset,) = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    headers = [
        struct.unpack_from("<IIQQQQQQ", data, offset + index * size) for index in range(count)
    ]
    return [header[7] for header in headers if header[0] == PT_LOAD]


def native_methods(code: str) -> set[str]:
    """The functions that native methods of the classes are, by the rules of JNI."""
    methods, owner, name = set(), "", ""
    for line in code.splitlines():
        if found := re.match(r"  Class descriptor  : 'L([^;]+);'", line):
            owner = found[1]
        elif found := re.match(r"      name          : '([^']+)'", line):
            name = found[1]
        elif "access" in line and "NATIVE" in line:
            parts = [part.replace("_", "_1").replace("$", "_00024") for part in (owner, name)]
            methods.add("Java_" + "_".join(parts).replace("/", "_"))
    return methods


def class_faults(code: str, listing: Path) -> list[str]:
    """Which classes there are, and which of them have lambdas."""
    classes, lambdas = [], set()
    for line in code.splitlines():
        named = re.match(r"  Class descriptor  : 'L([^;]+);'", line)
        if named:
            classes.append(named[1].replace("/", "."))
        elif "invoke-custom" in line:
            lambdas.add(classes[-1])
    listing.write_text("".join(f"{name}\n" for name in sorted(classes)), encoding="utf-8")
    packages = Counter(name.rpartition(".")[0] for name in classes)
    print(f"classes       {len(classes)}, listed in {listing}:")
    for package, count in sorted(packages.items()):
        print(f"  {count:4}  {package}")
    faults = [f"a lambda in {name}" for name in sorted(lambdas - LAMBDAS)]
    faults += [f"the class {name}" for name in classes if not name.startswith(OURS)]
    faults += [f"the class {name}" for name in classes if "telemetry" in name.lower()]
    return faults


if __name__ == "__main__":
    main(*sys.argv[1:])
