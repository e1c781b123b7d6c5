"""Checkpoints as transformers saves them become bundles that answer as transformers does."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from satchel.runtime.errors import SatchelError
from tests.saved.compare import check, export
from tests.saved.rows import FIRST, REFUSED, ROWS
from tests.saved.save_with import save

pytest_plugins = "tests.saved.fixtures"

MORE = [name for name in ROWS if name not in FIRST]
FAMILIES = ["llama", "bert", "t5", "whisper", "vit", "clip"]


@pytest.mark.parametrize("name", FIRST)
def test_every_architecture(name: str, vocabularies: Path, tmp_path: Path) -> None:
    _judge(name, vocabularies, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", MORE)
def test_other_classes_forms_and_tokenizers(name: str, vocabularies: Path, tmp_path: Path) -> None:
    _judge(name, vocabularies, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_int8_of_every_family(name: str, vocabularies: Path, tmp_path: Path) -> None:
    """Random weights round badly, so that what is tried here is the way and not the quality."""
    save(ROWS[name], vocabularies, tmp_path / "checkpoint")
    ours = export(tmp_path / "checkpoint", tmp_path / "bundle", "int8")
    assert ours.manifest.quantization["name"] == "int8"


def _judge(name: str, vocabularies: Path, place: Path) -> None:
    """Save a row and try it: the same answers, or a refusal that says why."""
    save(ROWS[name], vocabularies, place / "checkpoint")
    if name not in REFUSED:
        check(place / "checkpoint", place / "bundle")
        return
    with pytest.raises(SatchelError, match=REFUSED[name]) as caught:
        export(place / "checkpoint", place / "bundle")
    assert "\n" not in str(caught.value)
    assert not (place / "bundle").exists()
    shutil.rmtree(place / "checkpoint")
