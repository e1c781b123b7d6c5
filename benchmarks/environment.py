"""Where peers live: an environment each, and the files made for them. Knows no model."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Iterable
from pathlib import Path

from interleave import WorkerError, gist

ROOT = Path(__file__).resolve().parent.parent
WORKERS = Path(__file__).resolve().parent / "workers"
REQUIREMENTS = Path(__file__).resolve().parent / "requirements"
TEXT = ROOT / "quantize" / "text" / "quality.txt"
HOME = ROOT / ".bench"
OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "CI": "true",  # or openvino-telemetry is on unless declined
}


class Home:
    """The folder that keeps environments and made files from one run to the next."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.folder.mkdir(parents=True, exist_ok=True)

    def python(
        self,
        name: str,
        without: Iterable[str] = (),
        variables: dict[str, str] | None = None,
    ) -> str:
        """Python of an environment with the packages of requirements/NAME.txt, made if need be.

        `without` are packages to take out again: they are required there and not needed here.
        `variables` are set while pip runs.
        """
        wanted = REQUIREMENTS / f"{name}.txt"
        folder = self.folder / name
        python, installed = str(folder / "bin" / "python"), folder / wanted.name
        if not installed.exists() or installed.read_bytes() != wanted.read_bytes():
            say(f"installing {name} in {folder}: some minutes, once")
            venv.create(folder, clear=True, with_pip=True)
            self.run([python, "-m", "pip", "install", "-r", str(wanted)], variables)
            for package in without:
                self.run([python, "-m", "pip", "uninstall", "--yes", package])
            shutil.copyfile(wanted, installed)
        return python

    def packages(self, name: str) -> Path:
        """A folder with node_modules of requirements/NAME/package.json, made if need be."""
        wanted = REQUIREMENTS / name / "package.json"
        folder = self.folder / name
        installed = folder / wanted.name
        if not installed.exists() or installed.read_bytes() != wanted.read_bytes():
            say(f"installing {name} in {folder}")
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            # Scripts of packages would fetch from elsewhere; a browser needs none of what they bring.
            how = ["--ignore-scripts", "--no-package-lock", "--silent"]
            self.run(["npm", "install", "--prefix", str(folder), *how, *_exact(wanted)])
            shutil.copyfile(wanted, installed)
        return folder

    def made(self, name: str, origins: Iterable[Path], make: Callable[[Path], object]) -> Path:
        """A folder that `make` fills, made anew when one of the files it comes from changes."""
        digest = hashlib.sha256(b"".join(_digest(path) for path in origins)).hexdigest()
        target = self.folder / "models" / f"{name}-{digest[:12]}"
        if not target.exists():
            say(f"making {name}")
            unfinished = target.with_name(target.name + ".part")
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir(parents=True)
            make(unfinished)
            unfinished.rename(target)
        return target

    def run(self, command: list[str], variables: dict[str, str] | None = None) -> str:
        """What a command writes to stdout; a failure leaves failed.log."""
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env=os.environ | (variables or {})
        )
        if done.returncode:
            log = self.folder / "failed.log"
            log.write_text(done.stdout + done.stderr)
            raise WorkerError(f"{gist(done.stderr)} (more in {log})")
        return done.stdout.strip()


def optimum_setting() -> str:
    """The name that optimum has for this processor's instructions."""
    if platform.machine() in ("aarch64", "arm64"):
        return "arm64"
    flags = Path("/proc/cpuinfo").read_text().split()
    if "avx512_vnni" in flags:
        return "avx512_vnni"
    return "avx512" if "avx512f" in flags else "avx2"


def say(text: str) -> None:
    """Progress goes to stderr, so that stdout holds the tables alone."""
    print(text, file=sys.stderr, flush=True)


def _exact(wanted: Path) -> list[str]:
    packages = json.loads(wanted.read_text("utf-8"))["dependencies"]
    return [f"{name}@{version}" for name, version in packages.items()]


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
