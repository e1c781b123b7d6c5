"""What installing satchel's runtime costs: megabytes on disk per package, and import time."""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import venv
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# A build folder left in the repository would be packed too, so the wheel is made of a copy.
NOT_COPIED = (".*", "build", "dist", "bundles", "*.egg-info", "__pycache__")
BLOCK = 512  # bytes of st_blocks, whatever the file system
MEGA = 1e6
IMPORT = """
import time
began = time.perf_counter()
import satchel.runtime
light = time.perf_counter()
import satchel.runtime.decoder_model
print(light - began, time.perf_counter() - began)
"""


@dataclass(frozen=True)
class Size:
    """Bytes of some files, as listed and as they occupy the disk."""

    apparent: int
    occupied: int

    @classmethod
    def of(cls, paths: Iterable[Path]) -> Size:
        """The sum over files and folders, as du counts them."""
        stats = [path.lstat() for path in paths]
        return cls(sum(one.st_size for one in stats), sum(one.st_blocks * BLOCK for one in stats))

    def row(self, name: str) -> str:
        """A row of the table."""
        return f"| {name} | {self.apparent / MEGA:.1f} | {self.occupied / MEGA:.1f} |"


def main() -> None:
    """Install into a fresh environment without pip, measure, remove it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5, help="imports timed (5)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        python, site = _environment(Path(folder))
        print(_table(site))
        light, full = _import_seconds(python, options.repeats, folder)
    print(f"\nimport satchel.runtime: {light:.3f} s; with onnxruntime and all: {full:.3f} s")


def _environment(folder: Path) -> tuple[str, Path]:
    """A Python with the wheel and what it depends on, and its site-packages."""
    source = folder / "source"
    shutil.copytree(ROOT, source, symlinks=True, ignore=shutil.ignore_patterns(*NOT_COPIED))
    _pip("wheel", "--no-deps", "--wheel-dir", str(folder), str(source))
    home = folder / "environment"
    venv.create(home)
    python = str(home / "bin" / "python")
    _pip(
        "--python",
        python,
        "install",
        "-c",
        str(source / "constraints.txt"),
        *map(str, folder.glob("*.whl")),
    )
    site = sysconfig.get_path("purelib", "venv", vars={"base": str(home)})
    return python, Path(site)


def _pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", *arguments]
    if subprocess.run(command, check=False, stdout=sys.stderr).returncode:
        sys.exit(f"failed: {' '.join(command)}")


def _table(site: Path) -> str:
    sizes = {
        f"{package.name} {package.version}": Size.of(_files(package))
        for package in distributions(path=[str(site)])
    }
    everything = Size.of([site, *site.rglob("*")])
    listed = sizes.values()
    rest = Size(
        everything.apparent - sum(size.apparent for size in listed),
        everything.occupied - sum(size.occupied for size in listed),
    )
    ordered = sorted(sizes.items(), key=lambda item: -item[1].apparent)
    lines = ["| package | MB | MB on disk |", "|---|---:|---:|"]
    lines += [size.row(name) for name, size in ordered]
    return "\n".join([*lines, rest.row("folders"), everything.row("total")])


def _files(package: Distribution) -> list[Path]:
    """Files of a package inside site-packages; what it puts into bin is left out."""
    files = [file for file in package.files or () if ".." not in file.parts]
    return [Path(str(package.locate_file(file))) for file in files]


def _import_seconds(python: str, repeats: int, folder: str) -> tuple[float, float]:
    """Median seconds in fresh processes, the first of which only warms the page cache."""
    variables = os.environ | {"ORT_DISABLE_TELEMETRY": "1"}
    samples = []
    for _ in range(repeats + 1):
        done = subprocess.run(
            [python, "-I", "-c", IMPORT],
            check=True,
            capture_output=True,
            text=True,
            cwd=folder,
            env=variables,
        )
        samples.append([float(word) for word in done.stdout.split()])
    light, full = zip(*samples[1:], strict=True)
    return statistics.median(light), statistics.median(full)


if __name__ == "__main__":
    main()
