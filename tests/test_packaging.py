"""What the build map of pyproject.toml says is what the folders hold."""

from __future__ import annotations

import importlib
import importlib.resources
import tomllib
from pathlib import Path

import pytest

import satchel

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
SETUPTOOLS = PROJECT["tool"]["setuptools"]
MAP: dict[str, str] = SETUPTOOLS["package-dir"]
ROOMS = {
    package.removeprefix("satchel."): folder for package, folder in MAP.items() if "." in package
}


def packages_on_disk() -> set[str]:
    """The dotted name of every folder with Python files in a room, a nested one as well."""
    found = {"satchel"}
    for room, folder in ROOMS.items():
        for path in (ROOT / folder).rglob("*.py"):
            parts = path.parent.relative_to(ROOT / folder).parts
            found.add(".".join(("satchel", room, *parts)))
    return found


def test_the_map_equals_the_rooms() -> None:
    """Or a module would be there in the editable install and missing from the wheel."""
    assert packages_on_disk() == set(SETUPTOOLS["packages"]) == set(MAP)
    for room, folder in ROOMS.items():
        place = room.replace(".", "/")
        assert folder in (place, f"src/satchel/{place}")


def test_every_package_has_its_file() -> None:
    for folder in MAP.values():
        assert (ROOT / folder / "__init__.py").is_file()


def test_nothing_but_python_is_left_out() -> None:
    """Data files of a room are named under package-data, and each name matches something."""
    named = SETUPTOOLS["package-data"]
    for package, folder in MAP.items():
        listed = {
            path for pattern in named.get(package, ()) for path in (ROOT / folder).glob(pattern)
        }
        others = {ROOT / other for other in MAP.values() if other != folder}
        others -= set((ROOT / folder).parents)
        files = {
            path
            for path in (ROOT / folder).rglob("*")
            if path.is_file()
            and path.suffix not in (".py", ".pyc", ".pyi")
            and "__pycache__" not in path.parts
            and not any(parent in others for parent in path.parents)
            and not any(parent.is_symlink() for parent in path.parents)
        }
        assert files == listed


def test_data_is_found_as_a_resource() -> None:
    text = importlib.resources.files("satchel.quantize").joinpath("text/quality.txt")
    assert text.is_file()


@pytest.mark.parametrize("room", ROOMS)
def test_a_link_leads_to_its_room(room: str) -> None:
    link = ROOT / "src/satchel" / room
    if not link.is_symlink():
        pytest.skip("git wrote the link as a plain file")
    assert not Path(link.readlink()).is_absolute()
    assert link.resolve() == (ROOT / ROOMS[room]).resolve()


def test_the_door_and_the_rooms_do_not_meet() -> None:
    """A name at the door that is a room's would replace the room."""
    assert not set(satchel.__all__) & set(ROOMS)


def test_the_command_and_the_version() -> None:
    script = PROJECT["project"]["scripts"]["satchel"]
    module, _, function = script.partition(":")
    assert callable(getattr(importlib.import_module(module), function))
    assert PROJECT["project"]["version"] == satchel.__version__
