"""The names that an app imports: each is there, in a fresh process too, and its room's own."""

from __future__ import annotations

import subprocess
import sys

import pytest

import satchel
import satchel.runtime

NAMES = [(module, name) for module in (satchel, satchel.runtime) for name in module.__all__]


@pytest.mark.parametrize(
    ("module", "name"), NAMES, ids=[f"{module.__name__}.{name}" for module, name in NAMES]
)
def test_a_public_name_resolves(module: object, name: str) -> None:
    assert getattr(module, name).__name__ == name


def test_public_names_are_those_of_the_runtime_and_pack() -> None:
    assert set(satchel.__all__) == {*satchel.runtime.__all__, "pack"}
    assert set(satchel.__all__) <= set(dir(satchel))
    assert set(satchel.runtime.WHERE) < set(satchel.runtime.__all__)
    for name in satchel.runtime.__all__:
        assert getattr(satchel, name) is getattr(satchel.runtime, name)
    for module in (satchel, satchel.runtime):
        with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
            module.nonsense  # noqa: B018


@pytest.mark.parametrize("module", ["satchel", "satchel.runtime"])
def test_all_can_be_imported_first(module: str) -> None:
    """Where nothing else has loaded the modules that names are taken from."""
    names = ", ".join(sys.modules[module].__all__)
    command = [sys.executable, "-c", f"from {module} import {names}"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
