"""Every damaged checkpoint ends in one line, and leaves nothing behind. Configs have their own file."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from satchel.checkpoints.folder import load_folder
from tests import damage as d
from tests.outcome import refuse

pytest_plugins = "tests.places"

FILES: dict[str, d.Case] = {
    "config_absent": (d.without("config.json"), "CHECKPOINT", "no config.json"),
    "config_empty": (d.wrote("config.json", ""), "CHECKPOINT", "not valid JSON"),
    "config_cut": (d.wrote("config.json", '{"model_type": "lla'), "CHECKPOINT", "not valid JSON"),
    "config_list": (d.wrote("config.json", "[]"), "CHECKPOINT", "expected an object"),
    "config_large": (d.wrote("config.json", " " * (2 << 20)), "CHECKPOINT", "at most 1048576"),
    "config key twice": (d.wrote("config.json", '{"a": 1, "a": 1}'), "CHECKPOINT", "occurs twice"),
    "config with a lone surrogate": (
        d.wrote("config.json", '{"a": "\\ud800"}'),
        "CHECKPOINT",
        "not valid JSON",
    ),
    "config with a byte order mark": (d.wrote("config.json", "\ufeff{}"), "CHECKPOINT", "BOM"),
    "config in latin1": (d.wrote("config.json", b'{"a": "\xe9"}'), "CHECKPOINT", "not valid JSON"),
    "config very deep": (d.wrote("config.json", '{"a":' * 100_000), "CHECKPOINT", "not valid JSON"),
    "config of 65 levels": (
        d.wrote("config.json", '{"a":' * 65 + "1" + "}" * 65),
        "CHECKPOINT",
        "nested deeper than 64",
    ),
    "config as a fifo": (d.replaced("config.json", os.mkfifo), "CKPT_PATH", "not a regular file"),
    "tokenizer as a folder": (
        d.replaced("tokenizer.json", Path.mkdir),
        "CKPT_PATH",
        "not a regular file",
    ),
    "weights as a socket": (
        d.replaced(d.WEIGHTS, lambda path: _socket(path)),
        "CKPT_PATH",
        "not a regular file",
    ),
    "config linked to itself": (d.linked("config.json", "config.json"), "STORAGE", "config.json"),
    "weights linked to nowhere": (d.linked(d.WEIGHTS, "nowhere"), "STORAGE", "model.safetensors"),
    "config link out": (d.linked("config.json", "../secret/config.json"), "CKPT_PATH", "link out"),
    "weights link out": (
        d.linked(d.WEIGHTS, "../secret/model.safetensors"),
        "CKPT_PATH",
        "link out",
    ),
    "card link out": (d.linked("README.md", "/etc/hostname"), "CKPT_PATH", "link out"),
    "weights_absent": (d.without(d.WEIGHTS), "CHECKPOINT", "neither model.safetensors nor"),
    "shard named by an object": (d.names_shard({"a": 1}), "CKPT_PATH", "plain .safetensors"),
    "index without a map": (d.index(lambda _, names: names.clear()), "CKPT_INDEX", "no weight_map"),
    "shard absent": (
        d.index(lambda folder, _: (folder / "b.safetensors").unlink()),
        "CKPT_INDEX",
        "1 of 2 weight files are missing: 'b.safetensors'",
    ),
    "tensor in two shards": (
        d.index(lambda folder, _: _twice(folder)),
        "CKPT_INDEX",
        "is in two weight files",
    ),
    "header length 0": (d.header(b"", length=0), "CKPT_TRUNCATED", d.WEIGHTS),
    "header length 1": (d.header(b"{", length=1), "CKPT_TRUNCATED", d.WEIGHTS),
    "header length 2**63": (d.header("{}", length=1 << 63), "CKPT_TRUNCATED", str((1 << 63) + 8)),
    "header beyond the file": (d.header("{}", length=3), "CKPT_TRUNCATED", "has 10 bytes"),
    "huge header": (d.header(b"{" + b" " * (17 << 20) + b"}"), "CKPT_LIMIT", "at most 16777216"),
    "header key twice": (d.header('{"x": 1, "x": 1}'), "CKPT_TRUNCATED", d.WEIGHTS),
    "header very deep": (d.header('{"x":' * 100_000), "CKPT_TRUNCATED", d.WEIGHTS),
    "header with a NaN": (d.header('{"x": NaN}'), "CKPT_TRUNCATED", d.WEIGHTS),
    "header in latin1": (d.header(b'{"\xe9": 1}'), "CKPT_TRUNCATED", d.WEIGHTS),
    "header of 100000 tensors": (
        d.header("{" + ",".join(d.entry([0], 0, str(i))[1:-1] for i in range(100_000)) + "}"),
        "CKPT_LIMIT",
        "lists 100000 tensors",
    ),
    "shape whose product overflows": (
        d.header(d.entry([4194305, 4194305, 211106198978564], 4), b"1234"),
        "CKPT_TRUNCATED",
        d.WEIGHTS,
    ),
    "tensor of 1 TB": (d.header(d.entry([1 << 38], 1 << 40), b"1234"), "CKPT_TRUNCATED", d.WEIGHTS),
    "bytes after the tensor": (d.header(d.entry([1], 4), b"12345678"), "CKPT_TRUNCATED", d.WEIGHTS),
    "garbage": (d.wrote(d.WEIGHTS, np.random.default_rng(0).bytes(5000)), "CKPT_TRUNCATED", ""),
    "html": (d.wrote(d.WEIGHTS, "<!DOCTYPE html><html>404</html>"), "CKPT_TRUNCATED", ""),
    "no_tensors": (d.header("{}" + " " * 6), "CKPT_WEIGHTS", "holds no weights"),
    "auto_map of an unknown model type": (
        d.config(auto_map={"AutoModel": "modeling_x.Model"}, model_type="mine"),
        "REMOTE_CODE_REFUSED",
        "auto_map",
    ),
    "quantized": (
        d.config(quantization_config={"quant_method": "gptq"}),
        "UNSUPPORTED",
        "quantization_config",
    ),
    "pickle named as safetensors": (
        d.pickled(d.WEIGHTS, archive=False),
        "PICKLE_REFUSED",
        "in spite of its name",
    ),
    "pickle in a zip named as safetensors": (
        d.pickled(d.WEIGHTS, archive=True),
        "PICKLE_REFUSED",
        "in spite of",
    ),
    **{
        f"pickle{' in a zip' * archive} named {name}": (
            d.pickled(name, archive=archive),
            "PICKLE_REFUSED",
            "safetensors",
        )
        for name in ("pytorch_model.bin", "model.pt", "model.pth", "model.ckpt", "tf_model.h5")
        for archive in (False, True)
    },
}


def _twice(folder: Path) -> None:
    both = load_file(folder / "a.safetensors") | load_file(folder / "b.safetensors")
    save_file(both, folder / "a.safetensors")


def _socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # a socket's path is limited to 108 bytes
    try:
        socket.socket(socket.AF_UNIX).bind(path.name)
    finally:
        os.chdir(here)


@pytest.mark.parametrize("name", FILES)
def test_damage_is_refused(name: str, place: Path, capfd: Any) -> None:
    damage, code, words = FILES[name]
    damage(place / "checkpoint")
    refuse(capfd, place, code, words)
    assert not (place / "canary").exists()


@pytest.mark.parametrize(
    "shard",
    ["../secret/model.safetensors", "{}/secret/model.safetensors", "C:\\model.safetensors",
     "..\\model.safetensors", "a\0.safetensors", "", ".", "..", "./a.safetensors",
     "x/../a.safetensors", "a.safetensors/", "a.safetensors\n", "//host/a.safetensors",
     "~/a.safetensors", "-a.safetensors", ".a.safetensors", "a.bin", "config.json",
     "\u00e4.safetensors", "a b.safetensors", "file:///a.safetensors", "\x1b[2J.safetensors"],
)  # fmt: skip
def test_shard_that_is_no_plain_name(shard: str, place: Path, capfd: Any) -> None:
    d.names_shard(shard.format(place) if "{" in shard else shard)(place / "checkpoint")
    refuse(capfd, place, "CKPT_PATH", "plain .safetensors file name")


def test_shard_with_an_endless_name(place: Path, capfd: Any) -> None:
    d.names_shard("a" * 5000 + ".safetensors")(place / "checkpoint")
    refuse(capfd, place, "STORAGE")


def test_layout_of_the_hugging_face_cache(place: Path, monkeypatch: Any, capfd: Any) -> None:
    snapshot = d.in_cache(place / "checkpoint")
    assert load_folder(snapshot).tensors
    link = place / "link"
    link.symlink_to(snapshot)
    assert load_folder(link).tensors
    monkeypatch.chdir(snapshot)
    assert load_folder(Path()).tensors
    d.linked("config.json", "../../../secret/config.json")(snapshot)
    refuse(capfd, place, "CKPT_PATH", "link out", source=snapshot)


@pytest.mark.parametrize("back", [-1, 0, 1])
def test_weights_cut_at_the_end_of_the_header(back: int, place: Path, capfd: Any) -> None:
    d.cut(lambda end, size: end + back)(place / "checkpoint")
    refuse(capfd, place, "CKPT_TRUNCATED", d.WEIGHTS)


def test_weights_cut_anywhere(place: Path, capfd: Any) -> None:
    folder = place / "checkpoint"
    data = (folder / d.WEIGHTS).read_bytes()
    for size in [*range(0, 2000, 64), *range(2000, len(data), 20_000), len(data) - 1]:
        (folder / d.WEIGHTS).write_bytes(data[:size])
        refuse(capfd, place, "CKPT_TRUNCATED", d.WEIGHTS)


def test_code_in_the_folder_stays_unread(place: Path) -> None:
    """Neither by its name nor because it is the current folder."""
    folder = place / "checkpoint"
    for name in (
        "json",
        "torch",
        "numpy",
        "tokenizers",
        "jinja2",
        "modeling_llama",
        "sitecustomize",
    ):
        (folder / f"{name}.py").write_text(f"open({str(place / 'canary')!r}, 'w')")
    script = Path(sys.executable).with_name("satchel")
    command = [str(script), "export", ".", "../new", "--profile", "fp32"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not (place / "canary").exists()


def test_pickle_as_the_source_itself(place: Path, capfd: Any) -> None:
    d.pickled("model.bin", archive=True)(place / "checkpoint")
    refuse(capfd, place, "PICKLE_REFUSED", "model.bin", source=place / "checkpoint/model.bin")
    assert not (place / "canary").exists()


@pytest.mark.parametrize(
    ("source", "code", "words"),
    [
        ("nobody/nothing", "STORAGE", "cannot reach the hub"),
        ("nobody/not--hing", "USAGE", "nobody/not--hing"),
        ("nobody/..", "USAGE", "nobody/.."),
        ("no such folder", "CHECKPOINT", "does not exist and is not a hub id"),
        ("x" * 5000, "STORAGE", "File name too long"),
        (__file__, "CHECKPOINT", "neither a folder nor a .gguf file"),
    ],
)
def test_source_that_is_not_there(
    source: str, code: str, words: str, place: Path, capfd: Any
) -> None:
    refuse(capfd, place, code, words, source=source)


def test_hub_id_without_the_package(place: Path, capfd: Any, monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    refuse(capfd, place, "USAGE", "pip install 'satchel[hub]'", source="someone/something")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_config_without_permission_to_read(place: Path, capfd: Any) -> None:
    (place / "checkpoint/config.json").chmod(0)
    refuse(capfd, place, "STORAGE", "config.json")
