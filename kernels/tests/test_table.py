"""The structs of table.py against those of source/table.h, by the compiler."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path
from typing import Any

import pytest
from table import LEVELS, STRUCTS, Kernels, levels_of

SOURCE = Path(__file__).resolve().parent.parent / "source"

# What a function takes and gives, as a text.
SIGNATURES = """
#include <stddef.h>
#include "table.h"

template <class T> constexpr char letter = '?';
template <class T> constexpr char letter<T*> = 'p';
template <> constexpr char letter<void> = 'v';
template <> constexpr char letter<bool> = 'b';
template <> constexpr char letter<int> = 'i';
template <> constexpr char letter<int64_t> = 'q';
template <> constexpr char letter<float> = 'f';

template <class Result, class... Taken>
constexpr bool is(Result (*)(Taken...), const char* text) {
  const char letters[] = {letter<Result>, letter<Taken>..., 0};
  for (size_t i = 0; i < sizeof letters; ++i)
    if (letters[i] != text[i]) return false;
  return true;
}
"""
TYPES = (ctypes.c_void_p, None, ctypes.c_bool, ctypes.c_int, ctypes.c_int64, ctypes.c_float)
LETTERS: dict[Any, str] = dict(zip(TYPES, "pvbiqf", strict=True))


def assertions() -> list[str]:
    lines = []
    for struct in STRUCTS:
        name = struct.__name__
        lines.append(f"static_assert(sizeof({name}) == {ctypes.sizeof(struct)});")
        fields: list[tuple[str, Any]] = [field[:2] for field in struct._fields_]
        for field, kind in fields:
            place = getattr(struct, field)
            lines.append(f"static_assert(offsetof({name}, {field}) == {place.offset});")
            lines.append(f"static_assert(sizeof({name}::{field}) == {place.size});")
            if struct is Kernels and hasattr(kind, "_argtypes_"):
                letters = "".join(LETTERS[one] for one in (kind._restype_, *kind._argtypes_))
                lines.append(f'static_assert(is(decltype({name}::{field})(), "{letters}"));')
    return lines


def test_the_layouts_are_the_compilers(zig: list[str], tmp_path: Path) -> None:
    program = tmp_path / "layouts.cpp"
    program.write_text(SIGNATURES + "\n".join(assertions()) + "\n", encoding="utf-8")
    flags = ["-std=c++17", f"-I{SOURCE}", "-c", "-o", str(tmp_path / "layouts.o")]
    done = subprocess.run([*zig, "c++", *flags, str(program)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_levels(library: Path) -> None:
    levels = levels_of(library)
    names = [kernels.name() for kernels in levels]
    assert names[0] == "scalar" and names == [name for name in LEVELS if name in names]
    assert all(kernels.panel % 16 == 0 for kernels in levels)


@pytest.mark.parametrize("name", ["", "best", "Scalar", "sse"])
def test_there_are_no_others(library: Path, name: str) -> None:
    find = ctypes.CDLL(str(library)).satchel_kernels
    find.restype = ctypes.c_void_p
    assert find(name.encode()) is None
