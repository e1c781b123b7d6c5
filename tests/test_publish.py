"""A bundle becomes visible all at once or not at all, whatever fails or dies on the way."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import satchel
from satchel.checkpoints.folder import load_folder
from satchel.cli.main import main
from satchel.export import check, publish
from satchel.measure import fidelity
from satchel.packing import decoder_recipe, pack
from satchel.packing.recipe import ExportOptions
from satchel.progress import quiet
from satchel.runtime.bundle import open_bundle
from tests.faulty_disk import Died, Disk
from tests.loading import load_as
from tests.manifests import said
from tests.outcome import one_line, refused, snapshot

pytest_plugins = "tests.places"

SLOW_RATHER_THAN_STUCK = 120  # seconds a subprocess may take
# Imports once, then forks children that export: argv is a list of runs, each [delay, signal, arguments].
# Prints per run the statuses of its children; several argument lists of one run start together.
SIGNALLER = """
import json, os, sys, time
import satchel.packing.pack
from satchel.cli.main import main
for delay, number, commands in json.loads(sys.argv[1]):
    children = []
    for command in commands:
        sys.stdout.flush()
        child = os.fork()
        if not child:
            try:
                status = main(command)
            except SystemExit as end:
                status = end.code
            os._exit(status)
        children.append(child)
    if number:
        time.sleep(delay)
        os.kill(children[0], number)
    statuses = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    print(json.dumps([statuses, sorted(os.listdir(os.path.dirname(commands[0][2])))]))
"""


def export(place: Path, name: str = "bundle", *options: str) -> list[str]:
    paths = [str(place / "checkpoint"), str(place / name)]
    return ["export", *paths, "--profile", "fp32", *options]


def run_forked(runs: list[Any]) -> tuple[list[Any], str]:
    """What each run ended with, and all that the children said on stderr."""
    done = subprocess.run(
        [sys.executable, "-c", SIGNALLER, json.dumps(runs)],
        capture_output=True,
        text=True,
        timeout=SLOW_RATHER_THAN_STUCK,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    return [json.loads(line) for line in lines if line.startswith("[[")], done.stderr


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
    _rename(place / "bundle")
    assert main(export(place, "empty")) == 0
    assert main(export(place, "link", "--overwrite")) == 0
    assert (place / "link").is_symlink()
    assert open_bundle(place / "bundle").manifest.source.name == "checkpoint"
    assert not _temporary(place)


def _rename(bundle: Path) -> None:
    """Give a bundle a manifest that can be told from what an export makes."""
    said("source", "name", value="old")(bundle)


def _temporary(place: Path) -> list[str]:
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


@pytest.mark.parametrize(
    ("way", "error"),
    [("new", errno.ENOSPC), ("exchange", errno.EIO), ("two_renames", errno.ENOSPC),
     ("new", None), ("exchange", None), ("two_renames", None)],
    ids=lambda value: {errno.ENOSPC: "enospc", errno.EIO: "eio", None: "death"}.get(value, value),
)  # fmt: skip
def test_the_nth_call_to_the_disk_fails(
    way: str, error: int | None, place: Path, quick: Any, capfd: Any
) -> None:
    """Enumerated over all calls, but of equal ones in a row the first and the last stand for all."""
    overwrite, bundle = way != "new", place / "bundle"
    _rename(bundle)
    old = snapshot(bundle)
    target = bundle if overwrite else place / "new"
    command = export(place, target.name, "--overwrite")
    with pytest.MonkeyPatch.context() as patch:
        disk = Disk(patch, 10**9, errno.EIO)
        assert main(export(place, "probe")) == 0
    shutil.rmtree(place / "probe")
    calls = ["", *disk.happened, ""]
    points = [n for n in range(1, len(calls) - 1) if not calls[n - 1] == calls[n] == calls[n + 1]]
    assert len(points) > 15
    for fatal in [*points, *range(len(calls) - 1, len(calls) + 9)]:
        with pytest.MonkeyPatch.context() as patch:
            if way == "two_renames":
                patch.setattr(publish, "_exchange", lambda a, b: False)
            disk = Disk(patch, fatal, error)
            try:
                status = main(command)
            except Died:
                status = -9
        if error is None and status == -9:
            _revive(place, target, disk)
        if target.exists() and snapshot(target) != (old if overwrite else None):
            assert open_bundle(target).manifest.source.name == "checkpoint"
            shutil.rmtree(target)
            if overwrite:
                _restore(target, old)
        else:
            assert target.exists() == overwrite, f"lost at {fatal}: {disk.happened[-3:]}"
            assert status != 0
        assert not _temporary(place), disk.happened[-3:]
        errors = capfd.readouterr().err
        if status == 0:
            break
        if error is not None:
            assert status == 7
            one_line(errors, "STORAGE", "cannot write", os.strerror(error))
    assert disk.calls < fatal, "the last export had to be the one without a fault"


def _restore(target: Path, content: dict[str, Any]) -> None:
    target.mkdir()
    for name, data in content.items():
        (target / name).write_bytes(data)


def _revive(place: Path, target: Path, disk: Disk) -> None:
    """What the next export does first; between two renames the old bundle waits for that."""
    dead = target.exists() or "rename" in disk.happened
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(publish, "_alive", lambda process: False)
        publish._remove_stale(target)
    assert target.exists() or not dead or "exchange" not in disk.happened


def test_a_limit_of_the_file_size(place: Path) -> None:
    """What a full quota looks like to a real process."""
    before = snapshot(place)
    code = "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (10**5,) * 2)\n"
    code += "from satchel.cli.main import main; sys.exit(main())"
    command = [sys.executable, "-c", code, *export(place, "bundle", "--overwrite")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SLOW_RATHER_THAN_STUCK)
    assert done.returncode == 7
    one_line(done.stderr, "STORAGE", "cannot write", "File too large")
    assert snapshot(place) == before


def test_an_export_is_killed(place: Path, quick: Any) -> None:
    """SIGTERM, SIGINT, SIGKILL, at several moments; the old bundle stays, the next export tidies."""
    old = snapshot(place / "bundle")
    statuses = {15: 143, 2: 130, 9: -9}
    runs = [(number, delay) for number in statuses for delay in (0.05, 0.3, 0.8)]
    command = export(place, "bundle", "--overwrite")
    ended, errors = run_forked([[delay, number, [command]] for number, delay in runs])
    for (number, delay), ([status], names) in zip(runs, ended, strict=True):
        assert status == statuses[number] or (status == 0 and delay > 0.5), (number, delay)
        assert number == 9 or names == ["bundle", "checkpoint", "secret"]
    assert "Traceback" not in errors and "error" not in errors
    assert snapshot(place / "bundle") == old  # what it was, or an export of the same checkpoint
    assert main(export(place, "bundle", "--overwrite")) == 0
    assert not _temporary(place)


def test_two_exports_at_once(place: Path) -> None:
    both = [export(place, "new"), export(place, "new")]
    replacing = [export(place, "bundle", "--overwrite")] * 2
    ended, errors = run_forked([[0, 0, both], [0, 0, replacing]])
    (first, _), (second, names) = ended
    assert sorted(first) in ([0, 7], [0, 2]) and second in ([0, 0], [0, 7], [7, 0])
    assert "Traceback" not in errors
    assert names == ["bundle", "checkpoint", "new", "secret"]
    assert snapshot(place / "new") == snapshot(place / "bundle")
    assert load_as(satchel.DecoderModel, place / "new").generate([1], max_new_tokens=1).tokens


def test_stale_temporary_folders(place: Path, quick: Any) -> None:
    for name in (f".new.tmp-{2**30}-0a1b2c3d", f".new.tmp-{os.getppid()}-0a1b2c3d",
                 f".other.tmp-{2**30}-0a1b2c3d", ".new.tmp-x", "new.tmp-1-2"):  # fmt: skip
        (place / name).mkdir()
    assert main(export(place, "new")) == 0
    left = {path.name for path in place.iterdir()} - {"bundle", "checkpoint", "secret", "new"}
    assert left == {
        f".new.tmp-{os.getppid()}-0a1b2c3d",  # of a process that lives
        f".other.tmp-{2**30}-0a1b2c3d",
        ".new.tmp-x",
        "new.tmp-1-2",
    }


def test_a_bundle_between_two_renames_comes_back(place: Path, capfd: Any) -> None:
    waiting = place / f".bundle.tmp-{2**30}-old"
    (place / "bundle").rename(waiting)
    (place / "checkpoint/model.safetensors").write_bytes(b"")
    assert main(export(place)) == 3  # refused, but before it begins nothing is touched
    assert waiting.exists()
    publish._remove_stale(place / "bundle")
    assert open_bundle(place / "bundle")


def test_a_disk_that_cannot_sync(place: Path, quick: Any, monkeypatch: Any) -> None:
    def unable(descriptor: int) -> None:
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(os, "fsync", unable)
    assert main(export(place, "new")) == 0
    assert open_bundle(place / "new")


def test_the_same_export_twice(place: Path, tmp_path: Path) -> None:
    """Byte for byte, whatever the hash seed, the current folder and the name of the target."""
    command = [sys.executable, "-m", "satchel", "export"]
    (tmp_path / "elsewhere").mkdir()
    for seed, folder, paths in (
        ("1", tmp_path / "elsewhere", ["../place/checkpoint", "there"]),
        ("2", place, [str(place / "checkpoint"), "here"]),
    ):
        environment = os.environ | {"PYTHONHASHSEED": seed, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [*command, *paths], cwd=folder, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
    found = snapshot(place / "here")
    assert found == snapshot(tmp_path / "elsewhere/there")
    assert not [name for name, data in found.items() if str(place).encode() in data]
