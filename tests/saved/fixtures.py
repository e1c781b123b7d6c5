"""What the tests of saved checkpoints share: vocabularies, trained once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.saved.vocabularies import write_vocabularies


@pytest.fixture(scope="session")
def vocabularies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files of each kind of vocabulary in a folder of its own."""
    return write_vocabularies(tmp_path_factory.mktemp("vocabularies"))
