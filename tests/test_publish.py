"""A bundle becomes visible all at once or not at all, whatever fails or dies on the way."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import satchel
from satchel.cli.main import main
from satchel.export import publish
from satchel.runtime.bundle import open_bundle
from tests.exporting import export, rename, temporary
from tests.faulty_disk import Died, Disk
from tests.loading import load_as
from tests.outcome import one_line, snapshot

pytest_plugins = ("tests.places", "tests.exporting")

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
    rename(bundle)
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
        assert not temporary(place), disk.happened[-3:]
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
    assert not temporary(place)


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
