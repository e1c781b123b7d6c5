"""The shipped profiles, a TOML file each. Imports nothing, so that a command line may list them."""

from __future__ import annotations

from pathlib import Path

NAMES = ("int8", "int8-portable", "int4", "fp32")


def path_of(name: str) -> Path:
    """The file of a shipped profile."""
    return Path(__file__).with_name(f"{name}.toml")
