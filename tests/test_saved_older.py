"""Checkpoints that other versions saved answer as this environment's transformers has them."""

from __future__ import annotations

import functools
import json
import shutil
from pathlib import Path

import pytest

from satchel.runtime.errors import SatchelError
from tests.saved.compare import check, export
from tests.saved.environments import python_of, save_all
from tests.saved.rows import REFUSED, ROWS

pytest_plugins = "tests.saved.fixtures"
pytestmark = pytest.mark.slow

LATER = {  # version -> architectures, and rows of others, that it does not have
    "4.46.3": ("qwen3", "smollm3", "gemma3_text", "modernbert"),
    "4.49.0": ("qwen3", "smollm3", "gemma3_text", "modernbert-answers"),
    "4.51.3": ("smollm3",),
    "4.57.6": (),
}
# transformers 5 makes up the tables of words of these at random: its answer is no measure.
MADE_UP = ["bart-untied"]
TRIED = [
    (version, name)
    for version, later in LATER.items()
    for name, row in ROWS.items()
    if row["model_type"] not in later and name not in (*later, *MADE_UP)
]
SLOW_FILES = ["bert", "roberta", "gpt2", "bart", "clip", "whisper", "qwen2", "llama", "albert"]


@functools.cache
def _folders(version: str, vocabularies: Path, place: Path) -> Path:
    rows = [ROWS[name] for other, name in TRIED if other == version]
    python = python_of(f"transformers=={version}")
    return save_all(python, "save_with.py", rows, vocabularies, place / version)


@pytest.mark.parametrize(("version", "name"), TRIED)
def test_folders_of_older_versions(
    version: str,
    name: str,
    vocabularies: Path,
    tmp_path_factory: pytest.TempPathFactory,
    tmp_path: Path,
) -> None:
    folder = _folders(version, vocabularies, tmp_path_factory.getbasetemp()) / name
    assert json.loads((folder / "config.json").read_text())["transformers_version"] == version
    if name not in REFUSED:
        check(folder, tmp_path / "bundle")
        return
    with pytest.raises(SatchelError, match=REFUSED[name]):
        export(folder, tmp_path / "bundle")


@pytest.mark.parametrize("name", SLOW_FILES)
@pytest.mark.parametrize("version", ["4.46.3", "4.57.6"])
def test_their_slow_files_alone(
    version: str,
    name: str,
    vocabularies: Path,
    tmp_path_factory: pytest.TempPathFactory,
    tmp_path: Path,
) -> None:
    saved = _folders(version, vocabularies, tmp_path_factory.getbasetemp()) / name
    folder = Path(shutil.copytree(saved, tmp_path / "checkpoint"))
    (folder / "tokenizer.json").unlink(missing_ok=True)  # Whisper's slow class wrote none
    check(folder, tmp_path / "bundle")
