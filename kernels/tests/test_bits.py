"""The same bits from every level of every kind of processor: bits.cpp, here and emulated."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from table import Kernels

TESTS = Path(__file__).resolve().parent
CPUINFO = Path("/proc/cpuinfo")
EMULATOR = "qemu-aarch64-static"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="builds a program for Linux")


@pytest.fixture(scope="module")
def program(
    build_script: ModuleType, zig: list[str], tmp_path_factory: pytest.TempPathFactory
) -> Any:
    """Makes the program of a target. `replaced` are objects to take in place of the target's own."""

    def make(name: str, replaced: dict[str, Path] | None = None) -> Path:
        build_script.build(name)
        folder = tmp_path_factory.mktemp(name)
        levels = {
            level.name: build_script.BUILD / name / f"level-{level.name}.o"
            for level in build_script.TARGETS[name].levels
        }
        levels |= replaced or {}
        made = folder / "bits"
        # Without a library of the system's, so that an emulator needs none.
        target = ["-target", f"{name.split('-')[0]}-linux-musl", "-static", "-nostdlib++"]
        named = f"-DLEVELS={' '.join(f'X({level})' for level in levels)}"
        flags = ["-std=c++17", "-O1", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror", named]
        flags += [f"-I{build_script.SOURCE}", "-fno-exceptions", "-fno-rtti"]
        objects = [str(path) for path in levels.values()]
        source = str(TESTS / "bits.cpp")
        subprocess.run(
            [*zig, "c++", *target, *flags, source, *objects, "-o", str(made)], check=True
        )
        return made

    return make


def hashes(command: list[str], levels: list[str]) -> dict[str, dict[str, str]]:
    """By level, the hash of every kind of work."""
    done = subprocess.run([*command, *levels], check=True, capture_output=True, text=True)
    result: dict[str, dict[str, str]] = {level: {} for level in levels}
    for line in done.stdout.splitlines():
        level, rest = line.split(" ", 1)
        what, value = rest.rsplit(" ", 1)
        result[level][what] = value
    return result


@pytest.fixture(scope="module")
def reference(build_script: ModuleType, program: Any) -> dict[str, str]:
    """What the lowest level of this machine gives."""
    return hashes([str(program(build_script.this_machine()))], ["scalar"])["scalar"]


def test_levels_of_this_machine(
    build_script: ModuleType, program: Any, levels: list[Kernels], reference: dict[str, str]
) -> None:
    assert len(reference) == 6
    names = [kernels.name() for kernels in levels]
    found = hashes([str(program(build_script.this_machine()))], names)
    assert found == {name: reference for name in names}


@pytest.mark.skipif(not shutil.which(EMULATOR), reason=f"needs {EMULATOR}")
def test_levels_of_arm(program: Any, reference: dict[str, str]) -> None:
    names = ["scalar", "dotprod", "i8mm"]
    found = hashes([EMULATOR, "-cpu", "max", str(program("aarch64-linux"))], names)
    assert found == {name: reference for name in names}


def flags_of_this_machine() -> set[str]:
    text = CPUINFO.read_text(encoding="utf-8") if CPUINFO.exists() else ""
    found = re.search(r"^flags\s*: (.*)$", text, re.M)
    return set(found[1].split()) if found else set()


@pytest.mark.skipif(
    not {"avx512_vnni", "avx512vl"} <= flags_of_this_machine(), reason="needs VNNI of 256 bits"
)
def test_a_level_whose_instruction_is_written_another_way(
    build_script: ModuleType,
    program: Any,
    zig: list[str],
    reference: dict[str, str],
    tmp_path: Path,
) -> None:
    """AVX-VNNI, on a processor that has the same instruction in AVX-512's encoding alone."""
    (level,) = (one for one in build_script.X86 if one.name == "avxvnni")
    text, made = tmp_path / "level.s", tmp_path / "level.o"
    compiler = [*zig, "c++", "-target", build_script.TARGETS["x86_64-linux"].zig]
    flags = [*build_script.FLAGS, *build_script.RELEASE, "-DSATCHEL_LEVEL=avxvnni", "-Wno-error"]
    source = str(build_script.SOURCE / "level.cpp")
    subprocess.run(
        [*compiler, f"-mcpu={level.processor}", *flags, "-S", source, "-o", str(text)], check=True
    )
    written = text.read_text(encoding="utf-8")
    assert "{vex}" in written
    text.write_text(written.replace("{vex}", "{evex}"), encoding="utf-8")
    here = "-mcpu=x86_64_v4+avx512vnni"
    subprocess.run([*compiler, here, "-c", str(text), "-o", str(made)], check=True)
    found = hashes([str(program("x86_64-linux", {"avxvnni": made}))], ["avxvnni"])
    assert found["avxvnni"] == reference
