"""Bundles of tiny text encoders beside the models they come from, made once for a file of tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import satchel
from tests.tiny import edit_config
from tests.tiny_encoders import save_encoder

Made = tuple[Any, Any, Path]  # our bundle, transformers' model, its folder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Made]:
    """(model type, task, profile, configuration) -> a loaded bundle and its origin, made once."""
    known: dict[Any, Made] = {}

    def get(model_type: str, task: str, profile: str = "fp32", **changes: Any) -> Made:
        key = (model_type, task, profile, repr(changes))
        if key not in known:
            folder = tmp_path_factory.mktemp("made")
            theirs = save_encoder(folder / "checkpoint", model_type, task)
            edit_config(folder / "checkpoint", **changes)
            satchel.pack(folder / "checkpoint", folder / "out", profile=profile, force=True)
            known[key] = (satchel.load(folder / "out", threads=1), theirs, folder / "checkpoint")
        return known[key]

    return get
