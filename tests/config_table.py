"""The table of config.json's keys in docs/checkpoints.md, made from what the code does with them.

python -m tests.config_table     # writes it anew
"""

from __future__ import annotations

from pathlib import Path

from satchel.checkpoints.config_keys import CONTENT, NEUTRAL, keys_read
from satchel.models.architectures import ARCHITECTURES, ONE_TOWER
from satchel.models.config import ModelConfig

PAGE = Path(__file__).parents[1] / "docs" / "checkpoints.md"
BUILT = [name for name in CONTENT["model_types"] if name in ARCHITECTURES or name in ONE_TOWER]
BEGIN, END = "<!-- made by tests/config_table.py -->\n", "<!-- end -->\n"


def configuration(model_type: str) -> type[ModelConfig]:
    """Our class for a model type, those of the parts of a pair among them."""
    outer = ONE_TOWER.get(model_type, model_type)
    module = ARCHITECTURES[outer].load()
    part = model_type.removeprefix(f"{outer}_")
    of_part = {"text_model": "TextConfig", "vision_model": "VisionConfig"}.get(part)
    return getattr(module, f"{outer.capitalize()}{of_part}" if of_part else "Config")


def classified(model_type: str) -> dict[str, set[str]]:
    """Every key that is read for a model type, by what becomes of it."""
    kind, read = configuration(model_type), keys_read(model_type)
    honoured = (kind.keys().keys() | kind.parts) & read
    nothing = (kind.cosmetic & read) - honoured
    one = (kind.neutral.keys() & read) - honoured - nothing
    return {
        "honoured": honoured,
        "nothing": set(nothing),
        "one value": one,
        "refused": set(read - honoured - nothing - one),
    }


def table() -> str:
    """The table in Markdown: what is so for all model types first, then what each has of its own."""
    found = {name: classified(name) for name in BUILT}
    columns = ("honoured", "nothing", "one value", "refused")
    common = {
        column: set.intersection(*(found[name][column] for name in BUILT)) for column in columns
    }
    lines = ["| model_type | " + " | ".join(columns) + " |", "|---" * 5 + "|"]
    for name, entry in {"all": common, **found}.items():
        cells = [entry[column] - (common[column] if name != "all" else set()) for column in columns]
        values = configuration(name).neutral if name != "all" else NEUTRAL
        cells[2] = {f"{key} = {' or '.join(map(str, values[key]))}" for key in cells[2]}
        lines.append(f"| {name} | " + " | ".join(", ".join(sorted(cell)) for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Put the table between its marks."""
    before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    PAGE.write_text(before + BEGIN + table() + END + rest.partition(END)[2], "utf-8")


if __name__ == "__main__":
    main()
