"""Write Marks.java, Alphanumerics.java and Wide.java: what spans ask of characters, as Python knows them.

The tables of a Java follow its version, and Android's follow the device. Give the folder to write to.
"""

from __future__ import annotations

import itertools
import sys
import textwrap
import unicodedata
from collections.abc import Callable
from pathlib import Path

LAST = 0x110000
WIDTH = 100
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
TABLES: dict[str, tuple[str, Callable[[str], bool]]] = {
    "Marks": ("marks", lambda letter: unicodedata.category(letter)[0] == "M"),
    "Alphanumerics": (
        "letters and numbers",
        lambda letter: unicodedata.category(letter)[0] in "LN",
    ),
    "Wide": (
        "wide and fullwidth characters",
        lambda letter: unicodedata.east_asian_width(letter) in "WF",
    ),
}
JAVA = """package satchel.encoder;

/** The {what} of Unicode {version}; tools/letter_tables.py writes it. */
final class {name} {{
    private static final Ranges POINTS = new Ranges(
            {lines});

    private {name}() {{}}

    static boolean has(int point) {{
        return POINTS.has(point);
    }}
}}
"""


def number(value: int) -> str:
    """To the base 36."""
    return (number(value // 36) if value >= 36 else "") + DIGITS[value % 36]


def runs(holds: Callable[[str], bool]) -> str:
    """How many code points are outside and how many inside, in turn."""
    bounds, inside = [0], False
    for code in range(LAST):
        if holds(chr(code)) != inside:
            bounds.append(code)
            inside = not inside
    if inside:
        bounds.append(LAST)
    return " ".join(number(b - a) for a, b in itertools.pairwise(bounds))


if __name__ == "__main__":
    for name, (what, holds) in TABLES.items():
        parts = textwrap.wrap(runs(holds), WIDTH)
        quoted = [f'"{part} "' for part in parts[:-1]] + [f'"{parts[-1]}"']
        lines, version = "\n            + ".join(quoted), unicodedata.unidata_version
        text = JAVA.format(name=name, what=what, version=version, lines=lines)
        (Path(sys.argv[1]) / f"{name}.java").write_text(text, "ascii")
