"""The table of options in docs/runtime.md, made from their declarations.

python -m tests.option_table     # writes it anew
"""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from satchel.runtime.options import ABOUT, EVERY, Options

PAGE = Path(__file__).parents[1] / "docs" / "runtime.md"
BEGIN, END = "<!-- options: python -m tests.option_table -->\n", "<!-- /options -->\n"


def table() -> str:
    """A row for each option: what it may be, what it is unasked, what it does, who does not take it."""
    lines = ["| option | value | default | what it does |", "|---|---|---|---|"]
    for entry in fields(Options):
        about = ABOUT[entry.name]
        default = "off" if entry.default is None else str(entry.default)
        without = [method for method in EVERY if method not in about.methods]
        does = about.help + (f" (not for {', '.join(without)})" if without else "")
        lines.append(f"| `{entry.name}` | {about.rule.expected} | {default} | {does} |")
    return "\n".join(lines) + "\n"


def page(text: str) -> str:
    """The page with the table as it is now."""
    before, _, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    assert end, f"{PAGE.name} has no place for the table"
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")
