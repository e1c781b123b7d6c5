"""Where an export may write: what stands there is refused, or replaced where that was asked for."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from satchel.cli.main import main
from satchel.packing import pack
from satchel.runtime.bundle import open_bundle
from tests.exporting import export, rename, temporary
from tests.outcome import refused

pytest_plugins = ("tests.places", "tests.exporting")


def _file_for_the_parent(out: Path) -> None:
    out.parent.rmdir()
    out.parent.write_text("x")


def _link_to_a_file(out: Path) -> None:
    (out.parent / "f").write_text("x")
    out.symlink_to("f")


TARGETS: dict[str, tuple[Callable[[Path], Any], tuple[str, ...], str, str]] = {
    "a bundle": (lambda out: _bundle(out), (), "USAGE", "--overwrite"),
    "a folder": (lambda out: _folder(out, "x.txt"), (), "USAGE", "exists"),
    "not a bundle": (
        lambda out: _folder(out, "x.txt"),
        ("--overwrite",),
        "USAGE",
        "not a bundle",
    ),
    "a web app": (
        lambda out: _folder(out, "manifest.json", '{"name": "App", "files": []}'),
        ("--overwrite",),
        "USAGE",
        "not a bundle",
    ),
    "a broken manifest": (
        lambda out: _folder(out, "manifest.json", "{"),
        ("--overwrite",),
        "USAGE",
        "not a bundle",
    ),
    "a bundle and more": (
        lambda out: _bundle(out, "thesis.txt"),
        ("--overwrite",),
        "USAGE",
        "also holds 'thesis.txt'",
    ),
    "a file": (lambda out: out.write_text("x"), ("--overwrite",), "STORAGE", "is a file"),
    "no parent folder": (lambda out: out.parent.rmdir(), (), "STORAGE", "does not exist"),
    "a file for a parent folder": (
        _file_for_the_parent,
        (),
        "STORAGE",
        "does not exist",
    ),
    "a link to nowhere": (lambda out: out.symlink_to("/nowhere/x"), (), "STORAGE", "'/nowhere'"),
    "a link to a file": (
        _link_to_a_file,
        ("--overwrite",),
        "STORAGE",
        "is a file",
    ),
}


def _folder(out: Path, name: str, content: str = "x") -> None:
    out.mkdir()
    (out / name).write_text(content)


def _bundle(out: Path, *more: str) -> None:
    shutil.copytree(out.parent.parent / "bundle", out)
    for name in more:
        (out / name).write_text("x")


@pytest.fixture
def no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Targets are refused before any heavy work."""
    monkeypatch.setattr(pack, "open_source", None)


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize("name", TARGETS)
def test_target_is_refused(name: str, place: Path, capfd: Any) -> None:
    prepare, options, code, words = TARGETS[name]
    (place / "new").mkdir()
    prepare(place / "new/out")
    refused(capfd, export(place, "new/out", *options), code, words, within=place)


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize("out", ["checkpoint", "checkpoint/out", ".", "link/out"])
def test_target_and_source_are_apart(out: str, place: Path, capfd: Any) -> None:
    (place / "link").symlink_to("checkpoint")
    code, words = "USAGE", "" if out in (".", "checkpoint") else "contain each other"
    refused(capfd, export(place, out), code, words, within=place)


@pytest.mark.usefixtures("no_work")
@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_no_permission_to_write(place: Path, capfd: Any) -> None:
    (place / "locked").mkdir(0o555)
    refused(capfd, export(place, "locked/out"), "STORAGE", "no permission", within=place)


def test_export_through_a_link_and_into_an_empty_folder(place: Path, quick: Any) -> None:
    (place / "empty").mkdir()
    (place / "link").symlink_to("bundle")
    rename(place / "bundle")
    assert main(export(place, "empty")) == 0
    assert main(export(place, "link", "--overwrite")) == 0
    assert (place / "link").is_symlink()
    assert open_bundle(place / "bundle").manifest.source.name == "checkpoint"
    assert not temporary(place)
