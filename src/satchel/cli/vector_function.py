"""What made the vectors of a .npy file, written beside it: vectors of two functions do not mix."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from satchel.cli.terminal import write_whole
from satchel.runtime.errors import UsageError, shown
from satchel.runtime.fingerprint import SHORT, fingerprint

LIMIT = 1 << 20  # bytes of a record that are read


@dataclass(frozen=True)
class VectorFunction:
    """A bundle's function and how it was asked: the text of the prompt, tokens that pieces share, and
    how many numbers are kept."""

    fingerprint: str
    inputs: str  # "texts", "images" or "sounds"
    prompt: str | None = None
    window: int | None = None
    dims: int | None = None

    @classmethod
    def of(
        cls, model: Any, inputs: str, prompt: str | None, window: int | None, dims: int | None
    ) -> VectorFunction:
        """That of a loaded bundle; UsageError where it has no prompt of that name."""
        made = fingerprint(model.manifest)
        if inputs != "texts":
            return cls(made, inputs)
        before = model.preparation.behind(prompt, "")
        return cls(made, inputs, before or None, window, dims)

    def write(self, out: Path) -> None:
        """Write it beside `out`."""
        write_whole(record(out), json.dumps(dataclasses.asdict(self), indent=1) + "\n")

    def check(self, out: Path) -> None:
        """Raise UsageError unless the vectors at `out` are of this function."""
        path = record(out)
        if not path.is_file():
            raise UsageError(
                f"--append: {shown(out)} has no {shown(path.name)} beside it, which says what made its "
                "vectors; --overwrite embeds anew"
            )
        try:
            found = json.loads(path.read_bytes()[:LIMIT])
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise UsageError(f"--append: {shown(path)} is not what satchel embed wrote")
        for name, value in dataclasses.asdict(self).items():
            if found.get(name) != value:
                there, here = (_short(one) for one in (found.get(name), value))
                raise UsageError(
                    f"--append: {shown(out)} holds vectors of another function: {name} {there} there, "
                    f"{here} here; embed all of it anew with --overwrite"
                )


def record(out: Path) -> Path:
    """Where it is written."""
    return Path(f"{out}.json")


def _short(value: Any) -> str:
    return shown(value[:SHORT] if isinstance(value, str) and len(value) == 64 else value, 40)
