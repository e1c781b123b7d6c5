"""Exports of a tiny checkpoint by the command line, and what makes them quick."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from satchel.checkpoints.folder import load_folder
from satchel.export import check
from satchel.measure import fidelity
from satchel.packing import decoder_recipe, pack
from satchel.packing.recipe import ExportOptions
from satchel.progress import quiet
from tests.manifests import said


def export(place: Path, name: str = "bundle", *options: str) -> list[str]:
    """The arguments of an export of the checkpoint in `place`."""
    paths = [str(place / "checkpoint"), str(place / name)]
    return ["export", *paths, "--profile", "fp32", *options]


def rename(bundle: Path) -> None:
    """Give a bundle a manifest that can be told from what an export makes."""
    said("source", "name", value="old")(bundle)


def temporary(place: Path) -> list[str]:
    """Names of the folders that an export works in."""
    return [path.name for path in place.rglob(".*tmp*")]


@pytest.fixture(scope="module")
def traced(original: Path) -> Any:
    recipe = decoder_recipe.DecoderRecipe.of(
        load_folder(original / "checkpoint"), ExportOptions(), quiet
    )
    part = recipe.graphs["decoder"]
    packing: Any = pack
    return packing.trace(part.module, part.inputs, part.outputs)


@pytest.fixture
def quick(traced: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exports without tracing and checks: the same files in a fraction of the time."""
    monkeypatch.setattr(pack, "trace", lambda module, inputs, outputs: traced.clone())
    for name, result in (("parity", []), ("invariance", []), ("probe", {})):
        monkeypatch.setattr(check, name, lambda *arguments, result=result: result)
    monkeypatch.setattr(decoder_recipe, "_open", lambda bundle: None)
    monkeypatch.setattr(fidelity, "shipped_text", lambda *name: "a short text. " * 8)
