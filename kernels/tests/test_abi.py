"""source/abi.h against ONNX Runtime's own headers: a compiler compares them.

The headers come from the folder that SATCHEL_ORT_HEADERS names, or from the Android packages of two
releases, which Maven fetches once; where it has none, from a package of npm that holds such a one.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

KERNELS = Path(__file__).resolve().parent.parent
ABI = KERNELS / "source" / "abi.h"
CACHE = KERNELS / "build" / "headers"
MAVEN = "com.microsoft.onnxruntime:onnxruntime-android"
NPM = "com.github.asus4.onnxruntime@0.4.9"

# Both declarations of a type, without what may differ: the opaque structs, the names of enums, noexcept.
COMPARE = """
#include <stddef.h>
#include <stdint.h>
#include <type_traits>
#include "onnxruntime_c_api.h"
namespace ours {
#include "abi.h"
}

template <class T, class = void> struct Plain { using type = T; };
template <class T> using plain = typename Plain<T>::type;
template <class T> struct Plain<T, std::enable_if_t<std::is_enum_v<T> && !std::is_const_v<T>>> {
  static_assert(sizeof(T) == sizeof(int));
  using type = int;
};
template <class T> struct Plain<T, std::enable_if_t<std::is_class_v<T> && !std::is_const_v<T>>> {
  using type = void;
};
template <class T> struct Plain<const T> { using type = const plain<T>; };
template <class T> struct Plain<T*> { using type = plain<T>*; };
template <class R, class... A> struct Plain<R(A...)> { using type = plain<R>(plain<A>...); };
template <class R, class... A> struct Plain<R(A...) noexcept> { using type = plain<R>(plain<A>...); };
template <class T, class U> constexpr bool alike = std::is_same_v<plain<T>, plain<U>>;
"""


def table_slots(text: str) -> list[tuple[str, str]]:
    """Table and name of every slot that abi.h declares."""
    slots = []
    for table, body in re.findall(
        r"^struct (\w+) \{\n  void \(\*slots(.*?)^\};", text, re.S | re.M
    ):
        slots += [(table, name) for name in re.findall(r"SLOT\(\d+,[^,]+, (\w+)", body)]
    return slots


def filled_members(text: str) -> list[tuple[str, str, bool]]:
    """Struct, member and whether it is used, of the structs that are laid out by their members."""
    members = []
    for struct, body in re.findall(
        r"^struct (\w+) \{\n(?!  void \(\*slots)(.*?)^\};", text, re.S | re.M
    ):
        for line in body.splitlines():
            if found := re.match(r"  (\w[\w *]*) \(\*(\w+)\)|  (\w+) (\w+);", line):
                members.append((struct, found[2] or found[4], found[3] != "OrtUnused"))
    return members


def checks(text: str, level_24: bool) -> list[str]:
    """What has to hold, as lines of C++."""
    lines = []
    for table, name in table_slots(text):
        lines += [
            f"static_assert(offsetof({table}, {name}) == ours::{table}::{name}_slot * sizeof(void*));",
            f"static_assert(alike<decltype({table}::{name}), ours::{table}::{name}_type>);",
        ]
    members = filled_members(text)
    for struct, name, used in members:
        lines.append(
            f"static_assert(offsetof({struct}, {name}) == offsetof(ours::{struct}, {name}));"
        )
        if used:
            lines.append(
                f"static_assert(alike<decltype({struct}::{name}), decltype(ours::{struct}::{name})>);"
            )
    # Later levels have members behind ours.
    same = "==" if level_24 else ">="
    for struct in sorted({struct for struct, _, _ in members} | {"OrtApi", "OrtEpApi"}):
        lines.append(f"static_assert(sizeof({struct}) {same} sizeof(ours::{struct}));")
    for enum, body in re.findall(r"^enum (\w+) : int \{\n(.*?)^\};", text, re.S | re.M):
        values = re.findall(r"(\w+) = \d+", body)
        lines += [f"static_assert((int)::{value} == (int)ours::{value});" for value in values]
        lines.append(f"static_assert(std::is_enum_v<::{enum}>);")
    lines.append("static_assert(std::is_same_v<ORTCHAR_T, ours::OrtPathChar>);")
    return lines


def compile_checks(zig: list[str], headers: Path, folder: Path, text: str, target: str) -> str:
    """The compiler's complaints about abi.h, if it read `text`."""
    (folder / "abi.h").write_text(text, encoding="utf-8")
    level = re.search(
        r"#define ORT_API_VERSION (\d+)", (headers / "onnxruntime_c_api.h").read_text("utf-8")
    )
    assert level is not None and int(level[1]) >= 24
    source = folder / "compare.cpp"
    source.write_text(COMPARE + "\n".join(checks(text, int(level[1]) == 24)), encoding="utf-8")
    command = [*zig, "c++", "-target", target, "-std=c++17", "-w", "-ferror-limit=0"]
    command += [f"-I{folder}", f"-I{headers}", "-c", str(source), "-o", str(folder / "compare.o")]
    done = subprocess.run(command, capture_output=True, text=True)
    return "" if done.returncode == 0 else done.stderr or "it failed without a word"


def unpack_headers(package: Path, folder: Path) -> None:
    """The headers of an Android package."""
    folder.mkdir(parents=True)
    with zipfile.ZipFile(package) as archive:
        for name in archive.namelist():
            if name.startswith("headers/") and name.endswith((".h", ".inc")):
                (folder / Path(name).name).write_bytes(archive.read(name))


def fetch_from_maven(version: str, folder: Path) -> bool:
    if shutil.which("mvn") is None:
        return False
    package = folder.parent / f"onnxruntime-android-{version}.aar"
    command = ["mvn", "-q", "dependency:copy", f"-Dartifact={MAVEN}:{version}:aar"]
    subprocess.run([*command, f"-DoutputDirectory={package.parent}"], capture_output=True)
    if not package.exists():
        return False
    unpack_headers(package, folder)
    package.unlink()
    return True


def fetch_from_npm(folder: Path) -> bool:
    if shutil.which("npm") is None:
        return False
    done = subprocess.run(["npm", "pack", NPM], cwd=folder.parent, capture_output=True, text=True)
    if done.returncode:
        return False
    package = folder.parent / done.stdout.split()[-1]
    with tarfile.open(package) as archive:
        archive.extract("package/Plugins/Android/onnxruntime.aar", folder.parent, filter="data")
    package.unlink()
    unpack_headers(folder.parent / "package/Plugins/Android/onnxruntime.aar", folder)
    shutil.rmtree(folder.parent / "package")
    return True


@pytest.fixture(scope="module", params=["1.31.1", "1.24.4"])
def headers(request: pytest.FixtureRequest) -> Path:
    """A folder with the official headers: of the release that satchel is tested with, of the oldest."""
    version: str = request.param
    newest = version == "1.31.1"
    if given := os.environ.get("SATCHEL_ORT_HEADERS"):
        if not newest:
            pytest.skip("SATCHEL_ORT_HEADERS names the only headers that are looked at")
        return Path(given)
    folder, stand_in = CACHE / version, CACHE / "1.29.0"
    CACHE.mkdir(parents=True, exist_ok=True)
    if folder.exists() or fetch_from_maven(version, folder):
        return folder
    if newest and (stand_in.exists() or fetch_from_npm(stand_in)):
        return stand_in
    pytest.skip(f"no headers of ONNX Runtime {version}: set SATCHEL_ORT_HEADERS to their folder")


def test_what_is_declared_is_found_here() -> None:
    text = ABI.read_text("utf-8")
    assert len(table_slots(text)) == text.count("  SLOT(")
    structs = {struct for struct, _, _ in filled_members(text)}
    expected = {"OrtApiBase", "OrtEp", "OrtEpFactory", "OrtNodeComputeInfo", "OrtNodeFusionOptions"}
    assert structs == expected
    members = [name for struct, name, _ in filled_members(text) if struct == "OrtEp"]
    assert (members[0], members[-1], len(members)) == (
        "ort_version_supported",
        "IsConcurrentRunSupported",
        15,
    )


@pytest.mark.parametrize("target", ["x86_64-linux-gnu", "aarch64-windows-gnu"])
def test_it_agrees_with_the_official_headers(
    zig: list[str], headers: Path, tmp_path: Path, target: str
) -> None:
    assert compile_checks(zig, headers, tmp_path, ABI.read_text("utf-8"), target) == ""


@pytest.mark.parametrize("headers", ["1.31.1"], indirect=True)
@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("SLOT(354, ", "SLOT(355, "),
        (
            "KernelContext_GetInput, const OrtKernelContext*, size_t,",
            "KernelContext_GetInput, const OrtKernelContext*, int,",
        ),
        ("  OrtUnused GetPreferredDataLayout;\n", ""),
        ("  uint32_t (*GetVendorId)", "  const char* (*GetVendorId)"),
        ("ORT_OP_ATTR_FLOAT = 3", "ORT_OP_ATTR_FLOAT = 4"),
        ("bool drop_constant_initializers", "uint32_t drop_constant_initializers"),
        ("slots[415]", "slots[1000]"),
    ],
    ids=["slot", "argument", "member", "result", "enum", "type", "size"],
)
def test_a_mistake_is_seen(
    zig: list[str], headers: Path, tmp_path: Path, right: str, wrong: str
) -> None:
    text = ABI.read_text("utf-8")
    assert text.count(right) == 1
    said = compile_checks(zig, headers, tmp_path, text.replace(right, wrong), "x86_64-linux-gnu")
    assert "static assertion failed" in said
