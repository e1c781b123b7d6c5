"""Every damaged bundle is refused in one line when it is loaded, and nothing is written into it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.broken_bundles import LOADING, READING
from tests.outcome import refused

pytest_plugins = "tests.places"


@pytest.fixture
def bundle(original: Path, tmp_path: Path) -> Path:
    shutil.copytree(original / "bundle", tmp_path / "bundle")
    (tmp_path / "secret.json").write_text("{}")
    return tmp_path / "bundle"


@pytest.mark.parametrize("name", READING)
def test_damage_is_refused_when_read(name: str, bundle: Path, capfd: Any) -> None:
    damage, code, words = READING[name]
    damage(bundle)
    for command in (["inspect", bundle], ["generate", bundle, "x"]):
        refused(capfd, command, code, words, within=bundle.parent)


@pytest.mark.parametrize("name", LOADING)
def test_damage_is_refused_when_loaded(name: str, bundle: Path, capfd: Any) -> None:
    damage, code, words = LOADING[name]
    damage(bundle)
    for command in (["verify", bundle], ["generate", bundle, "x"]):
        refused(capfd, command, code, words, within=bundle.parent)
