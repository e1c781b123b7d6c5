"""A good tiny checkpoint and its bundle, made once and copied to be damaged."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

import satchel
from tests.tiny import CHATML, save_checkpoint


def save_original(folder: Path) -> None:
    """Make `checkpoint` and `bundle` in a folder."""
    source = folder / "checkpoint"
    source.mkdir()
    save_checkpoint(source, "llama", num_hidden_layers=1, tie_word_embeddings=False)
    (source / "tokenizer_config.json").write_text(json.dumps({"chat_template": CHATML}))
    satchel.pack(source, folder / "bundle", profile="fp32")


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `checkpoint`, of one layer and with a chat template, and its float32 `bundle`."""
    torch.set_num_threads(1)  # tiny tensors: threads only wait for each other
    folder = tmp_path_factory.mktemp("original")
    save_original(folder)
    return folder


@pytest.fixture
def place(original: Path, tmp_path: Path) -> Path:
    """A copy of `original`, with a second checkpoint beside it that nobody may open."""
    shutil.copytree(original, tmp_path / "place")
    shutil.copytree(original / "checkpoint", tmp_path / "place/secret")
    return tmp_path / "place"


@pytest.fixture
def bundle(original: Path, tmp_path: Path) -> Path:
    """A copy of the bundle of `original`."""
    shutil.copytree(original / "bundle", tmp_path / "bundle")
    return tmp_path / "bundle"
