"""Compiles the kernels, for this machine or for others, and packs wheels.

    python kernels/build.py [TARGET ...]                  the libraries, under kernels/build
    python kernels/build.py --wheels DIR [TARGET ...]     a wheel each, too
    python kernels/build.py --sanitize address,undefined  this machine's, with checks at run time

Without a target: this machine's, which is also put where `satchel_kernels` finds it. The compiler is
PyPI's ziglang, which brings what every target needs; the variable ZIG names another command.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tomllib
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOURCE = HERE / "source"
BUILD = HERE / "build"
PACKAGE = HERE / "satchel_kernels"
PROJECT = tomllib.loads((HERE / "pyproject.toml").read_text(encoding="utf-8"))["project"]

# No exceptions and no containers of the C++ library (see source/memory.h), so that library is not linked.
# Without contraction every target rounds a product and a sum alike.
FLAGS = [
    *("-std=c++17", "-fPIC", "-fvisibility=hidden", "-fno-exceptions", "-fno-rtti"),
    *("-ffp-contract=off", "-Wall", "-Wextra", "-Werror"),
    f'-DSATCHEL_VERSION="{PROJECT["version"]}"',
]
RELEASE = ["-O3"]  # with it zig leaves out the checks of undefined behaviour that it adds otherwise
LINK = ["-shared", "-nostdlib++", "-s"]


@dataclass(frozen=True)
class Level:
    """A level of processor, and what zig calls the least such processor."""

    name: str
    processor: str


X86 = (
    Level("scalar", "x86_64"),
    Level("avx2", "x86_64_v3"),
    Level("avxvnni", "x86_64_v3+avxvnni"),
    Level("avx512vnni", "x86_64_v4+avx512vnni"),
)
ARM = (
    Level("scalar", "generic"),
    Level("dotprod", "generic+dotprod"),
    Level("i8mm", "generic+dotprod+i8mm"),
)


@dataclass(frozen=True)
class Target:
    """A platform. The lowest level is what everything but `level.cpp` is compiled for."""

    zig: str
    levels: tuple[Level, ...]
    library: str
    wheel: str  # the platform's tag


TARGETS = {
    "x86_64-linux": Target(
        "x86_64-linux-gnu.2.28", X86, "libsatchel_kernels.so", "manylinux_2_28_x86_64"
    ),
    "aarch64-linux": Target(
        "aarch64-linux-gnu.2.28", ARM, "libsatchel_kernels.so", "manylinux_2_28_aarch64"
    ),
    "x86_64-macos": Target(
        "x86_64-macos.13.0", X86, "libsatchel_kernels.dylib", "macosx_13_0_x86_64"
    ),
    "aarch64-macos": Target(
        "aarch64-macos.13.0", ARM, "libsatchel_kernels.dylib", "macosx_13_0_arm64"
    ),
    "x86_64-windows": Target("x86_64-windows-gnu", X86, "satchel_kernels.dll", "win_amd64"),
    "aarch64-windows": Target("aarch64-windows-gnu", ARM, "satchel_kernels.dll", "win_arm64"),
    # zig has no headers of Android's C library. What the sources use of it is alike in musl, with whose
    # headers they are compiled; see `link_android`.
    "aarch64-android": Target(
        "aarch64-linux-musl", ARM, "libsatchel_kernels.so", "android_24_arm64_v8a"
    ),
}

# All that the library takes from Android's C library. A function more is an error of the linker.
ANDROID_LIBC = (
    *("abort", "calloc", "free", "getauxval", "madvise", "malloc", "realloc"),
    *("memcmp", "memcpy", "memmove", "memset", "snprintf", "vsnprintf"),
    *("pthread_mutex_lock", "pthread_mutex_unlock", "pthread_self"),
    *("strcmp", "strlen", "strncmp", "strtoull"),
)


def this_machine() -> str:
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(
        platform.machine().lower(), platform.machine()
    )
    system = {"darwin": "macos", "win32": "windows"}.get(sys.platform, sys.platform)
    return f"{machine}-{system}"


def zig() -> list[str]:
    if command := os.environ.get("ZIG"):
        return shlex.split(command)
    if find_spec("ziglang"):
        return [sys.executable, "-m", "ziglang"]
    raise SystemExit("the kernels are compiled with zig: pip install ziglang==0.17.1")


def run(command: list[str]) -> None:
    done = subprocess.run(command, cwd=SOURCE, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{shlex.join(command)}\n{done.stdout}{done.stderr}")


def is_fresh(made: Path, command: list[str]) -> bool:
    """Whether a file was made by this very command after the last change of all that it was made from."""
    record, listed = made.with_suffix(".command"), made.with_suffix(".d")
    if not (made.exists() and record.exists() and listed.exists()):
        return False
    if record.read_text(encoding="utf-8") != shlex.join(command):
        return False
    text = listed.read_text(encoding="utf-8").replace("\\\n", " ").partition(": ")[2]
    names = text.replace("\\ ", "\0").split()  # a blank in a name is escaped
    needed = [SOURCE / name.replace("\0", " ") for name in names]
    return all(path.exists() and path.stat().st_mtime <= made.stat().st_mtime for path in needed)


def compile_all(target: Target, flags: list[str], folder: Path) -> list[Path]:
    """The objects: one of every source, of level.cpp one a level."""
    folder.mkdir(parents=True, exist_ok=True)
    jobs: list[tuple[Path, list[str]]] = []
    for source in sorted(SOURCE.glob("*.cpp")):
        leveled = source.name == "level.cpp"
        for level in target.levels if leveled else target.levels[:1]:
            made = folder / (f"level-{level.name}.o" if leveled else f"{source.stem}.o")
            command = [*zig(), "c++", "-target", target.zig, f"-mcpu={level.processor}", *flags]
            command += [f"-DSATCHEL_LEVEL={level.name}"] if leveled else []
            needed = ["-MMD", "-MF", str(made.with_suffix(".d"))]  # lists what is_fresh looks at
            command += ["-c", source.name, "-o", str(made), *needed]
            jobs.append((made, command))

    def make(job: tuple[Path, list[str]]) -> None:
        made, command = job
        if not is_fresh(made, command):
            record = made.with_suffix(".command")
            record.unlink(missing_ok=True)  # what is left half done is not taken for done
            run(command)
            record.write_text(shlex.join(command), encoding="utf-8")

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(make, jobs))
    return [made for made, _ in jobs]


def link(target: Target, objects: list[Path], library: Path) -> None:
    command = [*zig(), "c++", "-target", target.zig, *LINK, *map(str, objects), "-o", str(library)]
    if library.suffix == ".dylib":
        # The name that the library holds for itself, by default the path that it was built at.
        command.append(f"-Wl,-install_name,@rpath/{library.name}")
    run(command)


def link_android(objects: list[Path], library: Path) -> None:
    """Links against a stand-in for Android's C library: its name and the functions above, empty."""
    android = [*zig(), "cc", "-target", "aarch64-linux-android", "-nostdlib", "-shared", "-s"]
    source, stand_in = library.with_name("libc.c"), library.with_name("libc.so")
    functions = [f"void {name}(void) {{}}\n" for name in ANDROID_LIBC]
    source.write_text("".join(functions), encoding="utf-8")
    run([*android, "-fno-builtin", "-Wl,-soname,libc.so", str(source), "-o", str(stand_in)])

    pages = "-Wl,-z,max-page-size=16384"  # newer devices load nothing with smaller ones
    flags = [pages, "-Wl,-z,defs", f"-Wl,-soname,{library.name}"]
    run([*android, *flags, *map(str, objects), str(stand_in), "-o", str(library)])


def build(name: str) -> Path:
    """The library of a target."""
    target = TARGETS[name]
    objects = compile_all(target, [*FLAGS, *RELEASE], BUILD / name)
    library = BUILD / name / target.library
    if name == "aarch64-android":
        link_android(objects, library)
    else:
        link(target, objects, library)
    return library


def install(library: Path) -> None:
    """Put the library where the package looks for it, under programs that may have the old one loaded."""
    copy = PACKAGE / f"{library.name}.new"
    shutil.copyfile(library, copy)
    copy.replace(PACKAGE / library.name)


def build_sanitized(kinds: str) -> Path:
    """This machine's library with checks at run time; the program has to load gcc's library for them.

    zig has the checks but not that library, and gcc does not compile all the sources.
    """
    linker = shutil.which("g++")
    if linker is None or not sys.platform.startswith("linux"):
        raise SystemExit("--sanitize needs Linux and g++, for its libraries")
    target = TARGETS[this_machine()]
    folder = BUILD / f"{this_machine()}-{kinds.replace(',', '-')}"
    checks = [f"-fsanitize={kind}" for kind in kinds.split(",")]  # of a list zig takes one
    checks += ["-fno-sanitize-recover=all", "-fno-omit-frame-pointer", "-g", "-O1"]
    objects = compile_all(target, [*FLAGS, *checks], folder)
    library = folder / target.library
    run([linker, "-shared", f"-fsanitize={kinds}", *map(str, objects), "-o", str(library)])
    return library


def metadata() -> str:
    lines = [
        "Metadata-Version: 2.4",
        f"Name: {PROJECT['name']}",
        f"Version: {PROJECT['version']}",
        f"Summary: {PROJECT['description']}",
        f"License-Expression: {PROJECT['license']}",
        "License-File: LICENSE",
        f"Requires-Python: {PROJECT['requires-python']}",
        "Description-Content-Type: text/markdown",
    ]
    return "\n".join(lines) + "\n\n" + (HERE / "README.md").read_text(encoding="utf-8")


def pack_wheel(name: str, library: Path, folder: Path) -> Path:
    """A wheel with the library of one platform. The same contents give the same bytes."""
    target = TARGETS[name]
    stem = f"{PROJECT['name'].replace('-', '_')}-{PROJECT['version']}"
    info = f"{stem}.dist-info"
    tag = f"py3-none-{target.wheel}"
    wheel = f"Wheel-Version: 1.0\nGenerator: satchel-kernels\nRoot-Is-Purelib: false\nTag: {tag}\n"
    contents = {
        f"{PACKAGE.name}/{path.name}": path.read_bytes() for path in sorted(PACKAGE.glob("*.py"))
    }
    contents[f"{PACKAGE.name}/py.typed"] = b""
    contents[f"{PACKAGE.name}/{library.name}"] = library.read_bytes()
    contents[f"{info}/licenses/LICENSE"] = (HERE.parent / "LICENSE").read_bytes()
    contents[f"{info}/METADATA"] = metadata().encode()
    contents[f"{info}/WHEEL"] = wheel.encode()
    record = ""
    for path, data in contents.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        record += f"{path},sha256={digest},{len(data)}\n"
    contents[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()

    folder.mkdir(parents=True, exist_ok=True)
    made = folder / f"{stem}-{tag}.whl"
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in contents.items():
            entry = zipfile.ZipInfo(path)  # its date is 1980, always
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, data)
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description="Compiles satchel's kernels.")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument(
        "--wheels", type=Path, metavar="DIR", help="pack a wheel of each target, too"
    )
    parser.add_argument(
        "--sanitize", metavar="KINDS", help="this machine's, with checks: address,undefined"
    )
    arguments = parser.parse_args()
    if arguments.sanitize:
        print(build_sanitized(arguments.sanitize))
        return
    targets = arguments.targets or [this_machine()]
    if unknown := [name for name in targets if name not in TARGETS]:
        raise SystemExit(f"no target {', '.join(unknown)}; there are {', '.join(TARGETS)}")
    for name in targets:
        library = build(name)
        print(library)
        if name == this_machine():
            install(library)
        if arguments.wheels:
            print(pack_wheel(name, library, arguments.wheels))


if __name__ == "__main__":
    main()
