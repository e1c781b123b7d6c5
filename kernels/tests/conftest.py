"""What the tests of the kernels share."""

from __future__ import annotations

import gc
import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import onnxruntime as ort
import pytest
from graphs import NAME, register, registered
from hypothesis import settings
from table import Kernels, levels_of

KERNELS = Path(__file__).resolve().parent.parent

# The kernels take as long as their shapes want; the same examples each time.
settings.register_profile("kernels", deadline=None, derandomize=True, database=None)
settings.load_profile("kernels")


def module_at(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests of the registration come first: it lasts, and the others find it."""
    items.sort(key=lambda item: item.path.name != "test_provider.py")


@pytest.fixture(scope="session")
def build_script() -> ModuleType:
    """kernels/build.py, as a module."""
    return module_at("kernels_build", KERNELS / "build.py")


@pytest.fixture(scope="session")
def zig(build_script: ModuleType) -> list[str]:
    """The compiler's command."""
    try:
        return list(build_script.zig())
    except SystemExit as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def library() -> Path:
    """This machine's library, as it lies in the package; SATCHEL_KERNELS_LIBRARY names another one."""
    if given := os.environ.get("SATCHEL_KERNELS_LIBRARY"):
        return Path(given)
    package = module_at("satchel_kernels_here", KERNELS / "satchel_kernels" / "__init__.py")
    try:
        path: Path = package.library_path()
    except ImportError as error:
        pytest.skip(str(error))
    return path


@pytest.fixture(scope="session")
def levels(library: Path) -> list[Kernels]:
    """The kernels of every level that runs here, lowest first."""
    return levels_of(library)


@pytest.fixture(scope="module")
def devices(library: Path, request: pytest.FixtureRequest) -> Iterator[list[Any]]:
    """What the provider offers."""
    if found := registered():
        yield found
        return
    yield register(library)
    # Others may register it anew. A test that failed keeps its sessions, which need the library.
    if not request.session.testsfailed:
        gc.collect()
        ort.unregister_execution_provider_library(NAME)
