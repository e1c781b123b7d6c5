"""Who may import whom, and what a device has to have: the rules between the rooms, held by parsing."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest_plugins = "tests.places"

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("models", "export", "quantize", "runtime")
CONTRACT = {"satchel.runtime.errors", "satchel.runtime.bundle", "satchel.runtime.manifest"}
CHAT = {"satchel.runtime.chat_format", "satchel.runtime.template"}
FORMATS = {"satchel.runtime.image", "satchel.runtime.audio", "satchel.runtime.spoken"}
MAY_IMPORT = {  # room -> rooms, and single modules of the runtime
    "models": {"satchel.models"} | CONTRACT,
    "export": {"satchel.models", "satchel.export"} | CONTRACT | CHAT | FORMATS,
    "quantize": {"satchel.models", "satchel.export", "satchel.quantize"}
    | CONTRACT
    | CHAT
    | FORMATS,
    "runtime": {"satchel.runtime"},
}
OPTIONAL = {  # imported there alone
    "jinja2": "a template asks for it",
    "PIL": "an image is read",
    "soundfile": "a sound file is read",
    "soxr": "its rate is another",
}
DEVICE = {"numpy", "onnxruntime", "tokenizers", *OPTIONAL}
HEAVY = "torch onnx onnx_ir onnxscript transformers safetensors jinja2 tqdm gguf huggingface_hub"
# A fresh process: which of HEAVY are imported, and what a socket is used for.
WATCHED = f"""
import os, sys
events = []
def watch(event, arguments):
    if event.startswith("socket."):
        events.append(event)
    if event == "import" and arguments[0] == "onnxruntime":
        assert os.environ.get("ORT_DISABLE_TELEMETRY") == "1", "telemetry is on"
sys.addaudithook(watch)
assert "ORT_DISABLE_TELEMETRY" not in os.environ
{{code}}
heavy = sorted(set({HEAVY.split()}) & set(sys.modules))
assert not heavy, heavy
assert not events, events
"""


def python_files(*folders: str) -> list[Path]:
    """The Python files of folders of the repository, without those that are only linked."""
    return sorted(
        path
        for folder in folders
        for path in (ROOT / folder).rglob("*.py")
        if not any(parent.is_symlink() for parent in path.parents)
    )


def imports(path: Path) -> Iterator[tuple[str, ast.stmt]]:
    """Dotted names that a file imports, except for type checkers alone."""
    pending: list[ast.AST] = [ast.parse(path.read_text("utf-8"))]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            pending += node.orelse
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, node) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: a relative import"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield (whole if whole in MODULES else str(node.module)), node
        pending += ast.iter_child_nodes(node)


MODULES = {"satchel"} | {
    ".".join(("satchel", room, *path.relative_to(ROOT / room).with_suffix("").parts))
    for room in ROOMS
    for path in python_files(room)
}
MODULES = {name.removesuffix(".__init__") for name in MODULES}


def names(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", python_files(*ROOMS), ids=names)
def test_a_room_imports_only_upward(path: Path) -> None:
    allowed = MAY_IMPORT[path.relative_to(ROOT).parts[0]]
    for name, node in imports(path):
        if name.partition(".")[0] != "satchel":
            continue
        within = {name, ".".join(name.split(".")[:2])}
        assert within & allowed, f"line {node.lineno} imports {name}"


@pytest.mark.parametrize("path", python_files("runtime"), ids=names)
def test_the_runtime_needs_three_packages(path: Path) -> None:
    top = ast.parse(path.read_text("utf-8")).body
    for name, node in imports(path):
        package = name.partition(".")[0]
        assert package in sys.stdlib_module_names | DEVICE | {"satchel"}, name
        assert package not in OPTIONAL or node not in top, f"{package} is optional"


def test_every_module_has_one_name() -> None:
    """`import models` from the root would make a second copy of each class."""
    folders = [*ROOMS, "src", "tests", "benchmarks"]
    files = python_files(*(folder for folder in folders if (ROOT / folder).is_dir()))
    assert len(files) > 50
    for path in files:
        for name, node in imports(path):
            assert name.partition(".")[0] not in ROOMS, f"{path} line {node.lineno}: {name}"


def test_the_parser_of_this_test_sees(tmp_path: Path) -> None:
    file = tmp_path / "x.py"
    file.write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import torch\nelse:\n    import a\n"
        "def f():\n    from satchel.runtime import chat, load\n    import b.c\n"
    )
    found = {name for name, _ in imports(file)}
    assert found == {"typing", "a", "b.c", "satchel.runtime.chat_format", "satchel.runtime"}
    file.write_text("from . import x")
    with pytest.raises(AssertionError, match="relative"):
        list(imports(file))


def run_watched(code: str, *arguments: str) -> None:
    command = [sys.executable, "-c", WATCHED.format(code=code), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env={}, cwd="/")
    assert done.returncode == 0, done.stderr


def test_the_runtime_imports_little() -> None:
    run_watched("import satchel.runtime\nassert 'onnxruntime' not in sys.modules")
    run_watched("import satchel\nassert 'numpy' not in sys.modules")
    run_watched("import satchel.cli.main\nassert 'numpy' not in sys.modules")


def test_loading_and_running_imports_little(original: Path) -> None:
    code = """
import satchel
model = satchel.load(sys.argv[1])
assert model.generate("hello", max_new_tokens=3).tokens
assert model.chat([{"role": "user", "content": "hello"}], max_new_tokens=3).tokens
import satchel.measure.verification
assert all(row.passed for row in satchel.measure.verification.verify(model))
"""
    run_watched(code, str(original / "bundle"))


@pytest.mark.parametrize(
    "path",
    [p for p in python_files(*ROOMS, "src") if "onnxruntime" in {name for name, _ in imports(p)}],
    ids=names,
)
def test_telemetry_is_off_before_onnxruntime_is_imported(path: Path) -> None:
    """Whichever module comes first; a hook looks at the moment of the import."""
    module = ".".join(("satchel", *path.relative_to(ROOT).with_suffix("").parts))
    run_watched(f"import {module}")
