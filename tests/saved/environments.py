"""Environments of other versions of the libraries, which save what this one's then reads.

Each is made once, below the folder that SATCHEL_TEST_ENVIRONMENTS names or the temporary folder. It
sees the packages of the environment that runs the tests behind its own, torch above all.
"""

from __future__ import annotations

import json
import os
import subprocess
import sysconfig
import tempfile
import venv
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
MOST_SECONDS = 1200


def python_of(*packages: str) -> str:
    """Python of an environment with `packages` (NAME==VERSION); a failing pip fails the test."""
    home = (
        os.environ.get("SATCHEL_TEST_ENVIRONMENTS") or Path(tempfile.gettempdir()) / "satchel-tests"
    )
    folder = Path(home) / "-".join(packages).replace("==", "-")
    python, ready = folder / "bin" / "python", folder / "ready"
    if not ready.exists():
        venv.create(folder, clear=True, with_pip=True)
        own = sysconfig.get_path("purelib", "venv", vars={"base": str(folder)})
        (Path(own) / "zz_behind.pth").write_text(sysconfig.get_path("purelib"))
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _run([*pip, *packages], f"pip cannot install {', '.join(packages)}")
        ready.touch()
    return str(python)


def save_all(python: str, script: str, rows: list[dict[str, Any]], source: Path, out: Path) -> Path:
    """Save rows with the libraries of an environment; returns the folder that holds theirs."""
    _run(
        [python, str(HERE / script), str(source), str(out)],
        f"{script} cannot save",
        json.dumps(rows),
    )
    return out


def _run(command: list[str], problem: str, text: str = "") -> None:
    """Run a command without this process's PYTHONPATH; its last line is the reason of a failure."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        command, input=text, capture_output=True, text=True, env=environment, timeout=MOST_SECONDS
    )
    if done.returncode:
        lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        pytest.fail(f"{problem}: {lines[-1] if lines else done.returncode}", pytrace=False)
