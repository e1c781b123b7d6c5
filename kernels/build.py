"""Compiles the kernels, for this machine or for others, and packs wheels.

    python kernels/build.py [TARGET ...]                  the libraries, under kernels/build
    python kernels/build.py --wheels DIR [TARGET ...]     a wheel each, too
    python kernels/build.py --sanitize address,undefined  this machine's, with the system's compiler

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
    """A level of processor, and what makes zig and what makes clang or gcc compile for it."""

    name: str
    zig: str
    system: tuple[str, ...]


X86 = (
    Level("scalar", "x86_64", ("-march=x86-64",)),
    Level("avx2", "x86_64_v3", ("-march=x86-64-v3",)),
    Level("avxvnni", "x86_64_v3+avxvnni", ("-march=x86-64-v3", "-mavxvnni")),
    Level("avx512vnni", "x86_64_v4+avx512vnni", ("-march=x86-64-v4", "-mavx512vnni")),
)
ARM = (
    Level("scalar", "generic", ("-march=armv8-a",)),
    Level("dotprod", "generic+dotprod", ("-march=armv8-a+dotprod",)),
    Level("i8mm", "generic+dotprod+i8mm", ("-march=armv8-a+dotprod+i8mm",)),
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
    *(
        "abort",
        "calloc",
        "free",
        "getauxval",
        "malloc",
        "memcmp",
        "memcpy",
        "memmove",
        "memset",
        "realloc",
    ),
    *("pthread_mutex_lock", "pthread_mutex_unlock", "pthread_self"),
    *("snprintf", "strcmp", "strlen", "strncmp", "strtoull", "vsnprintf"),
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
    text = (
        listed.read_text(encoding="utf-8")
        .replace("\\\n", " ")
        .partition(": ")[2]
        .replace("\\ ", "\0")
    )
    needed = [SOURCE / name.replace("\0", " ") for name in text.split()]
    return all(path.exists() and path.stat().st_mtime <= made.stat().st_mtime for path in needed)


def compile_all(
    compiler: list[str], target: Target, flags: list[str], folder: Path, *, system: bool
) -> list[Path]:
    """The objects: one of every source, of level.cpp one a level."""
    jobs: list[tuple[Path, list[str]]] = []
    for source in sorted(SOURCE.glob("*.cpp")):
        levels = target.levels if source.name == "level.cpp" else target.levels[:1]
        for level in levels:
            made = folder / (f"level-{level.name}.o" if len(levels) > 1 else f"{source.stem}.o")
            processor = list(level.system) if system else [f"-mcpu={level.zig}"]
            named = [f"-DSATCHEL_LEVEL={level.name}"] if len(levels) > 1 else []
            dependencies = ["-MMD", "-MF", str(made.with_suffix(".d"))]
            command = [
                *compiler,
                *processor,
                *flags,
                *named,
                "-c",
                source.name,
                "-o",
                str(made),
                *dependencies,
            ]
            jobs.append((made, command))

    def make(job: tuple[Path, list[str]]) -> None:
        made, command = job
        if not is_fresh(made, command):
            run(command)
            made.with_suffix(".command").write_text(shlex.join(command), encoding="utf-8")

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(make, jobs))
    return [made for made, _ in jobs]


def link_android(objects: list[Path], folder: Path, library: Path) -> list[str]:
    """Links against a stand-in for Android's C library: its name and the functions above, empty."""
    stand_in = folder / "libc"
    stand_in.mkdir(exist_ok=True)
    source = stand_in / "libc.c"
    source.write_text(
        "".join(f"void {name}(void) {{}}\n" for name in ANDROID_LIBC), encoding="utf-8"
    )
    android = [*zig(), "cc", "-target", "aarch64-linux-android", "-nostdlib", "-shared", "-s"]
    run(
        [
            *android,
            "-fno-builtin",
            "-Wl,-soname,libc.so",
            str(source),
            "-o",
            str(stand_in / "libc.so"),
        ]
    )
    pages = "-Wl,-z,max-page-size=16384"  # newer devices load nothing with smaller ones
    return [
        *android,
        pages,
        "-Wl,-z,defs",
        f"-Wl,-soname,{library.name}",
        *map(str, objects),
        str(stand_in / "libc.so"),
        "-o",
        str(library),
    ]


def build(name: str) -> Path:
    """The library of a target."""
    target = TARGETS[name]
    folder = BUILD / name
    folder.mkdir(parents=True, exist_ok=True)
    compiler = [*zig(), "c++", "-target", target.zig]
    objects = compile_all(compiler, target, [*FLAGS, *RELEASE], folder, system=False)
    library = folder / target.library
    if not library.exists() or any(
        made.stat().st_mtime > library.stat().st_mtime for made in objects
    ):
        if name == "aarch64-android":
            run(link_android(objects, folder, library))
        else:
            # A Mac's library holds a name for itself, by default the path that it was built at.
            own = [f"-Wl,-install_name,@rpath/{library.name}"] if library.suffix == ".dylib" else []
            run([*compiler, *LINK, *own, *map(str, objects), "-o", str(library)])
    return library


def build_sanitized(kinds: str) -> Path:
    """This machine's library with checks at run time; the program has to load their library first."""
    compiler = shutil.which("clang++") or shutil.which("g++")
    if compiler is None:
        raise SystemExit("--sanitize needs clang++ or g++")
    target = TARGETS[this_machine()]
    folder = BUILD / f"{this_machine()}-{kinds.replace(',', '-')}"
    folder.mkdir(parents=True, exist_ok=True)
    checks = [
        f"-fsanitize={kinds}",
        "-fno-sanitize-recover=all",
        "-fno-omit-frame-pointer",
        "-g",
        "-O1",
    ]
    objects = compile_all([compiler], target, [*FLAGS, *checks], folder, system=True)
    library = folder / target.library
    run([compiler, "-shared", f"-fsanitize={kinds}", *map(str, objects), "-o", str(library)])
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
            shutil.copy2(library, PACKAGE / library.name)
        if arguments.wheels:
            print(pack_wheel(name, library, arguments.wheels))


if __name__ == "__main__":
    main()
