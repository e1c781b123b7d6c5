"""Who may import whom, and what a device has to have: the rules between the rooms, held by parsing."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest_plugins = "tests.places"

ROOT = Path(__file__).resolve().parent.parent
BESIDE = "src/satchel"  # rooms that lie there and not at the root
ROOMS = {
    "runtime": "runtime",
    "checkpoints": f"{BESIDE}/checkpoints",
    "tokenization": f"{BESIDE}/tokenization",
    "models": "models",
    "export": "export",
    "quantize": "quantize",
    "measure": f"{BESIDE}/measure",
    "packing": f"{BESIDE}/packing",
    "sentence": f"{BESIDE}/sentence",
    "serve": f"{BESIDE}/serve",
    "cli": f"{BESIDE}/cli",
}
CONTRACT = {"runtime.errors", "runtime.bundle", "runtime.manifest"}
CHAT = {
    "runtime.chat_format",
    "runtime.messages",
    "runtime.template",
    "runtime.text_messages",
    "runtime.tool_formats",
}
FORMATS = {"runtime.image", "runtime.audio", "runtime.filter_banks", "runtime.spoken"}
SHARED = {"progress", "lines", "version"}  # modules beside the rooms
MAY_IMPORT = {  # room -> rooms, and single modules
    "runtime": set(),
    "checkpoints": CONTRACT,
    "tokenization": {"checkpoints"} | CONTRACT | CHAT,
    "models": {"checkpoints", "runtime.task"} | CONTRACT,
    "export": {"checkpoints", "models"} | CONTRACT | FORMATS | {"runtime.decoder_session"},
    "quantize": {"models", "export.check"} | CONTRACT,
    "measure": {"runtime", "export.check", "quantize.nodes"} | SHARED,
    "packing": {"runtime", "checkpoints", "tokenization", "models", "export", "quantize", "measure"}
    | SHARED,
    "sentence": {"runtime", "packing.pack", "checkpoints.source"} | SHARED,
    "serve": {"runtime"} | SHARED,
    "cli": {
        "runtime",
        "serve",
        "measure",
        "packing.pack",
        "packing.convert_lora",
        "checkpoints.source",
        "quantize.profiles",
    }
    | SHARED,
}
ON_A_DEVICE = (
    "verification",
    "benchmark",
    "node_times",
)  # of `measure`: they need the runtime alone
OPTIONAL = {  # imported there alone
    "jinja2": "a template asks for it",
    "PIL": "an image is read",
    "soundfile": "a sound file is read",
    "soxr": "its rate is another",
    "llguidance": "a text has a form",
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


def imports(path: Path, checked: bool = False) -> Iterator[tuple[str, ast.stmt]]:
    """Dotted names that a file imports; those for type checkers alone where they are to be `checked`."""
    pending: list[ast.AST] = [ast.parse(path.read_text("utf-8"))]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING" and not checked:
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


def module_of(path: Path) -> str:
    """The dotted name of a file of the package."""
    inside = path.relative_to(ROOT / BESIDE) if BESIDE in str(path) else path.relative_to(ROOT)
    return ".".join(("satchel", *inside.with_suffix("").parts)).removesuffix(".__init__")


MODULES = {module_of(path): path for path in python_files(*ROOMS.values(), BESIDE)}


def names(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", python_files(*ROOMS.values()), ids=names)
def test_a_room_imports_only_upward(path: Path) -> None:
    room = module_of(path).split(".")[1]
    allowed = {room} | MAY_IMPORT[room]
    for name, node in imports(path, checked=True):
        if name.partition(".")[0] == "satchel" and name != "satchel":
            inside = name.removeprefix("satchel.")
            within = {inside, inside.partition(".")[0]}
            assert within & allowed, f"line {node.lineno} imports {name}"


def test_no_modules_import_each_other() -> None:
    """Also where only a type checker reads: a circle is one idea in two files, or two in one."""
    uses = {
        name: {other for other, _ in imports(path, checked=True) if other in MODULES}
        for name, path in MODULES.items()
    }
    while ends := [name for name, others in uses.items() if not others & uses.keys()]:
        for name in ends:
            del uses[name]
    assert not uses, f"a circle among {sorted(uses)}"


def test_every_file_has_a_name_of_its_own() -> None:
    stems = Counter(path.stem for path in MODULES.values() if path.stem != "__init__")
    assert [stem for stem, count in stems.items() if count > 1] == []


def test_every_class_has_a_name_of_its_own() -> None:
    """But for the contract of architectures: each has a Config and a Model."""
    classes = Counter(
        node.name
        for path in MODULES.values()
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ClassDef)
    )
    assert {name for name, count in classes.items() if count > 1} == {"Config", "Model"}


@pytest.mark.parametrize(
    "path",
    [
        *python_files("runtime"),
        *(ROOT / ROOMS["measure"] / f"{name}.py" for name in ON_A_DEVICE),
    ],
    ids=names,
)
def test_the_runtime_needs_three_packages(path: Path) -> None:
    top = ast.parse(path.read_text("utf-8")).body
    for name, node in imports(path):
        package = name.partition(".")[0]
        assert package in sys.stdlib_module_names | DEVICE | {"satchel"}, name
        assert package not in OPTIONAL or node not in top, f"{package} is optional"
        if package == "satchel" and "measure" in path.parts:
            assert name.split(".")[1] == "runtime", name


def test_every_module_has_one_name() -> None:
    """`import models` from the root would make a second copy of each class."""
    folders = ["models", "export", "quantize", "runtime", "src", "tests", "benchmarks"]
    files = python_files(*(folder for folder in folders if (ROOT / folder).is_dir()))
    assert len(files) > 50
    for path in files:
        for name, node in imports(path):
            assert name.partition(".")[0] not in ROOMS, f"{path} line {node.lineno}: {name}"


def test_the_parser_of_this_test_sees(tmp_path: Path) -> None:
    file = tmp_path / "x.py"
    file.write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import torch\nelse:\n    import a\n"
        "def f():\n    from satchel.runtime import chat_format, load\n    import b.c\n"
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
    [
        p
        for p in python_files(*ROOMS.values(), BESIDE)
        if "onnxruntime" in {name for name, _ in imports(p)}
    ],
    ids=names,
)
def test_telemetry_is_off_before_onnxruntime_is_imported(path: Path) -> None:
    """Whichever module comes first; a hook looks at the moment of the import."""
    run_watched(f"import {module_of(path)}")
