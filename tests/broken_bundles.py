"""Broken bundles, each with the code of its error: for the tests here and those of other runtimes.

``python -m tests.broken_bundles FOLDER`` writes them all for a runtime that is not Python:
FOLDER/NUMBER/bundle, FOLDER/cases.json that says what becomes of each, and FOLDER/manifests.json,
edited manifests without folders.
"""

from __future__ import annotations

import copy
import json
import os
import random
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from satchel.runtime import sealed
from satchel.runtime.bundle import open_bundle, sha256_of
from satchel.runtime.errors import SatchelError
from satchel.runtime.task import PAGE_TASKS
from tests.manifest_edits import edited, edits
from tests.manifests import MISSING, content_of, edit, said

Damage = Callable[[Path], Any]
Case = tuple[Damage, str, str]
MANIFEST, GRAPH, DATA, TOKENIZER = (
    "manifest.json",
    "decoder.onnx",
    "decoder.onnx.data",
    "tokenizer.json",
)
FILES = (GRAPH, DATA, TOKENIZER)
# Tasks that no runtime but this one knows: others refuse them by name.
ALONE = {"image-segment", "image-to-text", "depth-estimation", "object-detection"} | {
    *PAGE_TASKS.values()
}


def wrote(name: str, content: str | bytes) -> Damage:
    data = content.encode() if isinstance(content, str) else content
    return lambda folder: (folder / name).write_bytes(data)


def _without(name: str) -> Damage:
    return lambda folder: (folder / name).unlink()


def _changed(name: str, change: Callable[[bytes], bytes]) -> Damage:
    return lambda folder: _edited(folder / name, change)


def resealed(damage: Damage) -> Damage:
    """The damage, with sizes and hashes of the manifest made to fit it."""

    def whole(folder: Path) -> None:
        damage(folder)

        def fit(content: dict[str, Any]) -> None:
            for name in content["files"]:
                path = folder / name
                content["files"][name] = {"size": path.stat().st_size, "sha256": sha256_of(path)}

        edit(folder, fit)

    return whole


def renamed(old: str, new: str) -> Damage:
    """An entry of `files`, and the file where the name allows one."""

    def change(content: dict[str, Any]) -> None:
        content["files"] = {new if n == old else n: e for n, e in content["files"].items()}

    return lambda folder: edit(folder, change)


def replaced(name: str, make: Callable[[Path], Any]) -> Damage:
    def damage(folder: Path) -> None:
        (folder / name).unlink()
        make(folder / name)

    return damage


def graph(change: Callable[[onnx.ModelProto], Any]) -> Damage:
    """Change the graph and reseal."""

    def damage(folder: Path) -> None:
        model = onnx.load(folder / GRAPH, load_external_data=False)
        change(model)
        (folder / GRAPH).write_bytes(model.SerializeToString())

    return resealed(damage)


def port_renamed(old: str) -> Damage:
    def change(model: onnx.ModelProto) -> None:
        for port in [*model.graph.input, *model.graph.output]:
            if port.name == old:
                port.name = "other"
        for node in model.graph.node:
            node.input[:] = ["other" if name == old else name for name in node.input]
            node.output[:] = ["other" if name == old else name for name in node.output]

    return graph(change)


def located(place: str) -> Damage:
    """The graph's weights said to lie in another file."""

    def change(model: onnx.ModelProto) -> None:
        for tensor in model.graph.initializer:
            for entry in tensor.external_data:
                if entry.key == "location":
                    entry.value = place

    return graph(change)


READING: dict[str, Case] = {
    "manifest_absent": (lambda folder: (folder / MANIFEST).unlink(), "BUNDLE", "no manifest.json"),
    "manifest_empty": (wrote(MANIFEST, ""), "BUNDLE", "not valid JSON"),
    "manifest_cut": (wrote(MANIFEST, '{"format": "satchel-bun'), "BUNDLE", "not valid JSON"),
    "manifest_list": (wrote(MANIFEST, "[]"), "BUNDLE", "not the manifest of a satchel bundle"),
    "manifest_other": (wrote(MANIFEST, '{"name": "An app"}'), "BUNDLE", "not the manifest"),
    "manifest_twice": (wrote(MANIFEST, '{"format": 1, "format": 2}'), "BUNDLE", "occurs twice"),
    "manifest_nan": (wrote(MANIFEST, '{"format": NaN}'), "BUNDLE", "NaN"),
    "manifest_deep": (wrote(MANIFEST, '{"a":' * 100_000), "BUNDLE", "not valid JSON"),
    "manifest_latin1": (wrote(MANIFEST, b'{"a": "\xe9"}'), "BUNDLE", "not UTF-8"),
    "manifest_bom": (wrote(MANIFEST, "\ufeff{}"), "BUNDLE", "BOM"),
    "manifest_surrogate": (said("architecture", value="\ud800"), "BUNDLE", "not valid JSON"),
    "manifest_digits": (wrote(MANIFEST, f'{{"format": {"9" * 4000}}}'), "BUNDLE", "4000 digits"),
    "manifest_key": (said("files", "\x1b[2J", value=3), "BUNDLE", "'\\x1b[2J'"),
    "manifest_large": (wrote(MANIFEST, " " * (2 << 20)), "BUNDLE", "at most 1048576"),
    "manifest_link": (
        replaced(MANIFEST, lambda path: path.symlink_to("../secret.json")),
        "BUNDLE_PATH",
        "manifest.json",
    ),
    "format version absent": (
        said("format_version", value=MISSING),
        "BUNDLE_VERSION",
        "format_version None",
    ),
    "format version zero": (said("format_version", value=0), "BUNDLE_VERSION", "0"),
    "format version a text": (said("format_version", value="1"), "BUNDLE_VERSION", "'1'"),
    "format version a bool": (said("format_version", value=True), "BUNDLE_VERSION", "True"),
    "format version newer": (
        said("format_version", value=3),
        "BUNDLE_VERSION",
        "version 3, this satchel reads",
    ),
    "format version huge": (
        said("format_version", value=10**20),
        "BUNDLE_VERSION",
        "update satchel",
    ),
    "unknown feature needed": (said("required_features", value=["mmap"]), "BUNDLE_VERSION", "mmap"),
    "needed features as text": (said("required_features", value="mmap"), "BUNDLE", "wrong type"),
    "needed features as numbers": (said("required_features", value=[1]), "BUNDLE", "wrong type"),
    **{
        f"lacks_{'_'.join(path)}": (said(*path, value=MISSING), "BUNDLE", f"lacks {path[-1]}")
        for path in (
            *(
                ("family",),
                ("architecture",),
                ("task",),
                ("context",),
                ("vocab_size",),
                ("graphs",),
            ),
            *(("files",), ("tokens",), ("source",), ("source", "sha256"), ("cache", "layers")),
            *(("graphs", "decoder", "file"), ("graphs", "decoder", "inputs")),
            *(("files", GRAPH, "size"), ("files", GRAPH, "sha256")),
        )
    },
    **{
        f"type_{path[-1]}_{value!r}": (said(*path, value=value), "BUNDLE", "wrong type")
        for path, value in (
            *((("context",), "256"), (("context",), 256.0), (("context",), True), (("files",), [])),
            *((("context",), None), (("graphs",), None), (("tokens",), []), (("verified",), "yes")),
            *(
                (("tokens", "eos"), 1),
                (("tokens", "eos"), ["1"]),
                (("chat",), []),
                (("chat",), "x"),
            ),
            *((("graphs", "decoder", "inputs", 0, "axes"), [1.5]), (("generation",), [])),
            *((("files", GRAPH), "x"), (("cache", "dtype"), 1), (("cache",), 3), (("probe",), [])),
        )
    },
    **{
        f"size_{path[-1]}_{value}": (said(*path, value=value), "BUNDLE", f"{path[-1]} = ")
        for path in (("context",), ("vocab_size",), ("cache", "layers"), ("cache", "head_dim"))
        for value in (0, -1, 10**20)
    },
    "no_cache": (said("cache", value=None), "BUNDLE", "cache"),
    "cache_half": (said("cache", "dtype", value="float16"), "BUNDLE", "float16"),
    "tokenizer unlisted": (said("files", TOKENIZER, value=MISSING), "BUNDLE", TOKENIZER),
    "graph_unlisted": (said("files", GRAPH, value=MISSING), "BUNDLE", "not listed"),
    "graph_elsewhere": (
        said("graphs", "decoder", "file", value="../x.onnx"),
        "BUNDLE",
        "'../x.onnx'",
    ),
    **{
        f"file named {name!r}": (renamed(TOKENIZER, name), "BUNDLE_PATH", "not a plain name")
        for name in (
            *("../tokenizer.json", "/etc/passwd", "C:\\x", "..\\x", "a\\b", "a\0b", "", ".", ".."),
            *(
                "sub/x",
                "./tokenizer.json",
                "Tokenizer.json",
                "x ",
                "x\n",
                "~",
                "-x",
                ".x",
                "\u00e9",
            ),
            *("x" * 65, "file:x", "\x1b[2J", "a\u202eb"),
        )
    },
    **{f"no {name}": (_without(name), "BUNDLE_FILE", name) for name in FILES},
    **{
        f"weights: {kind}": (replaced(DATA, make), "BUNDLE_PATH", DATA)
        for kind, make in {
            "link out": lambda path: path.symlink_to("../secret.json"),
            "absolute link out": lambda path: path.symlink_to("/etc/hostname"),
            "folder": Path.mkdir,
            "fifo": os.mkfifo,
        }.items()
    },
    "weights: link loop": (replaced(DATA, lambda path: path.symlink_to(DATA)), "BUNDLE_FILE", DATA),
    **{f"{name} empty": (wrote(name, b""), "BUNDLE_HASH", f"{name} has 0 bytes") for name in FILES},
    **{
        f"{name} {kind}": (_changed(name, g), "BUNDLE_HASH", name)
        for name in FILES
        for kind, g in {
            "cut to half": lambda data: data[: len(data) // 2],
            "a byte shorter": lambda data: data[:-1],
            "a byte longer": lambda data: data + b"\0",
            "all zeros": lambda data: bytes(len(data)),
        }.items()
    },
    **{
        f"sha256 {kind}": (_, "BUNDLE_HASH", GRAPH)
        for kind, _ in {
            "in capitals": lambda f: said(
                "files", GRAPH, "sha256", value=sha256_of(f / GRAPH).upper()
            )(f),
            "cut": lambda f: said("files", GRAPH, "sha256", value=sha256_of(f / GRAPH)[:32])(f),
            "empty": said("files", GRAPH, "sha256", value=""),
            "with escapes": said("files", GRAPH, "sha256", value="\x1b[2J"),
            "prefixed": lambda f: said(
                "files", GRAPH, "sha256", value="sha256:" + sha256_of(f / GRAPH)
            )(f),
        }.items()
    },
    "weights: git lfs pointer": (
        wrote(DATA, "version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 3\n"),
        "BUNDLE_HASH",
        "run git lfs pull",
    ),
    "HTML graph": (wrote(GRAPH, "\n<!DOCTYPE html>\n<html>404"), "BUNDLE_HASH", "it is a web page"),
}
LOADING: dict[str, Case] = {
    "family": (said("family", value="vision"), "BUNDLE", "family 'vision'"),
    "role": (lambda f: _role(f), "BUNDLE", "decoder"),
    "chat": (said("chat", value={"kind": "x"}), "BUNDLE", "chat format"),
    "onnxruntime older than needed": (
        said("onnxruntime", value="99.0"),
        "ORT_TOO_OLD",
        "needs onnxruntime '99.0'",
    ),
    **{
        f"graph without a port {name}": (port_renamed(name), "BUNDLE_IO", repr(name))
        for name in (
            *("input_ids", "seqlens_k", "total_sequence_length", "logit_rows", "logits"),
            *("past_key_values.0.key", "past_key_values.0.value", "present.0.key"),
        )
    },
    "one input more": (
        graph(lambda m: m.graph.input.append(onnx.helper.make_tensor_value_info("x", 1, [1]))),
        "BUNDLE_IO",
        "'x'",
    ),
    "other dtype of an input": (
        said("graphs", "decoder", "inputs", 0, "dtype", value="int32"),
        "BUNDLE_IO",
        "ids",
    ),
    "other cache layers": (said("cache", "layers", value=2), "BUNDLE_IO", "past_key_values.1.key"),
    "other kv heads": (said("cache", "kv_heads", value=4), "BUNDLE_IO", "past_key_values.0.key"),
    "other head size": (said("cache", "head_dim", value=32), "BUNDLE_IO", "past_key_values.0.key"),
    "cache spare -1": (said("cache", "spare", value=-1), "BUNDLE", "spare = -1; expected 0 or 1"),
    "other vocabulary size": (said("vocab_size", value=321), "BUNDLE_IO", "logits"),
    "cut graph": (resealed(lambda f: _edited(f / GRAPH, lambda x: x[: len(x) // 2])), "ORT", GRAPH),
    "empty graph": (resealed(wrote(GRAPH, b"")), "ORT", GRAPH),
    "noise as graph": (resealed(wrote(GRAPH, np.random.default_rng(0).bytes(999))), "ORT", GRAPH),
    "graph IR newer": (graph(lambda m: setattr(m, "ir_version", 99)), "ORT", GRAPH),
    "graph opset newer": (graph(lambda m: setattr(m.opset_import[0], "version", 99)), "ORT", GRAPH),
    "fake operator": (graph(lambda m: setattr(m.graph.node[0], "op_type", "Fake")), "ORT", "Fake"),
    "weights located outside the bundle": (located("../secret.json"), "ORT", GRAPH),
    "weights located at an absolute path": (located("/etc/hostname"), "ORT", GRAPH),
    "weights located in an absent file": (located("gone.data"), "ORT", GRAPH),
    "weights too short": (resealed(lambda f: _edited(f / DATA, lambda x: x[:5000])), "ORT", GRAPH),
    "tokenizer an empty object": (resealed(wrote(TOKENIZER, "{}")), "TOKENIZER_INVALID", TOKENIZER),
}


def _edited(path: Path, change: Callable[[bytes], bytes]) -> None:
    path.write_bytes(change(path.read_bytes()))


def _role(folder: Path) -> None:
    edit(folder, lambda content: content.update(graphs={"encoder": content["graphs"]["decoder"]}))


FLIPS = 8  # bits of each file that are turned for other runtimes
UNKNOWN = ((), ("graphs", "decoder"), ("cache",), ("source",))


def flipped(name: str, offset: int, bit: int) -> Damage:
    """One bit turned; an offset below 0 counts from the end."""

    def change(data: bytes) -> bytes:
        changed = bytearray(data)
        changed[offset] ^= 1 << bit
        return bytes(changed)

    return _changed(name, change)


def unsealed(change: Callable[[str], str]) -> Damage:
    """The text of the manifest changed, and its digest left as it was."""
    return _changed(MANIFEST, lambda data: change(data.decode("utf-8")).encode("utf-8"))


def of_version_1(**more: Any) -> Damage:
    """The manifest as it was before there were digests."""

    def damage(folder: Path) -> None:
        content = content_of(folder)
        del content["digest"], content["extra"]
        old = content | {"format_version": 1} | more
        (folder / MANIFEST).write_text(json.dumps(old), "utf-8")

    return damage


def _linked(folder: Path) -> None:
    """A hard link to a file elsewhere, and a link inside the bundle: both are as good as files."""
    (folder / DATA).rename(folder.parent / "blob")
    os.link(folder.parent / "blob", folder / DATA)
    (folder / GRAPH).rename(folder / "renamed")
    (folder / GRAPH).symlink_to("renamed")


def _flips(folder: Path) -> Iterator[tuple[str, Damage]]:
    numbers = random.Random(0)
    for name in (*FILES, MANIFEST):
        size = (folder / name).stat().st_size
        count = 4 * FLIPS if name == MANIFEST else FLIPS
        places = [0, -1, *(numbers.randrange(size) for _ in range(count - 2))]
        for place in places:
            yield f"bit of {name} at {place}", flipped(name, place, numbers.randrange(8))


def integrity(folder: Path) -> Iterator[tuple[str, Damage]]:
    """What becomes of these is said by this runtime, which its own tests hold to be right."""
    yield "as it was made", lambda folder: None
    yield from _flips(folder)
    yield "links inside", _linked
    yield "space behind the manifest", unsealed(lambda text: text.rstrip() + " \n")
    yield "no digest", unsealed(sealed.unsealed)
    yield "other ends of lines", unsealed(lambda text: text.replace("\n", "\r\n"))
    yield "format version 1", of_version_1()
    yield "format version 1 with a digest", of_version_1(digest="0" * 64)
    yield "what an app keeps", said("extra", value={"future": {"x": [1, 10**20]}})
    for path in UNKNOWN:
        yield f"unknown key in {'.'.join(path)}", said(*path, "future", value={"x": [1]})


def _code(folder: Path) -> str | None:
    """The code with which a bundle is refused when it is read."""
    try:
        open_bundle(folder)
    except SatchelError as error:
        return error.code
    return None


def write_folders(original: Path, target: Path) -> None:
    """All broken copies of a good bundle, and cases.json: of each the code, and whether it is refused
    when it is read or only when it is loaded."""
    cases: list[dict[str, Any]] = []

    def add(name: str, damage: Damage, code: str | None, when: str) -> Path:
        place = target / str(len(cases))
        shutil.copytree(original, place / "bundle")
        (place / "secret.json").write_text("{}")
        damage(place / "bundle")
        cases.append({"name": name, "folder": place.name, "code": code, "when": when})
        return place / "bundle"

    for when, table in (("read", READING), ("loaded", LOADING)):
        for name, (damage, code, _) in table.items():
            add(name, damage, code, when)
    for name, damage in integrity(original):
        made = add(name, damage, None, "read")
        cases[-1]["code"] = _code(made)
    (target / "cases.json").write_text(json.dumps(cases, indent=1))


def _shared(one: str, other: str) -> int:
    """Characters that two texts have in common at their beginning."""
    return len(os.path.commonprefix([one, other]))  # noqa: RUF071 - of texts


def edited_manifests(content: dict[str, Any], count: int, seed: str) -> dict[str, Any]:
    """A manifest without its digest and edits of it, each as what stands between the start and the end
    that it shares with the good one, and the error of reading it with the digest that fits."""

    def body(value: dict[str, Any]) -> str:
        kept = {key: item for key, item in value.items() if key != "digest"}
        return json.dumps(kept, indent=1, ensure_ascii=False)

    good, rows = body(content), []
    chosen = [one for one in edits(content) if one[0][0] != "digest"]
    if len(chosen) > count:
        chosen = random.Random(seed).sample(chosen, count)
    for one in chosen:
        text = body(edited(copy.deepcopy(content), one))
        start = _shared(good, text)
        end = _shared(good[start:][::-1], text[start:][::-1])
        row = [start, end, text[start : len(text) - end], None, None]
        try:
            sealed.read(sealed.sealed(text))
        except SatchelError as error:
            row[3:] = [error.code, str(error)]
        rows.append(row)
    return {"good": good, "edits": rows}


def main(target: Path, count: int = 1500) -> None:
    """Write FOLDER anew."""
    import satchel
    from tests.places import save_original
    from tests.test_manifest_edits import KINDS

    if target.exists():
        shutil.rmtree(target)
    target.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        save_original(place)
        write_folders(place / "bundle", target)
        manifests = {}
        for kind, (save, _) in KINDS.items():
            if kind in ALONE:
                continue
            (place / kind).mkdir()
            save(place / kind)
            satchel.pack(place / kind, place / f"{kind}-bundle", profile="fp32", force=True)
            content = content_of(place / f"{kind}-bundle")
            manifests[kind] = edited_manifests(content, count, kind)
    (target / "manifests.json").write_text(json.dumps(manifests, ensure_ascii=False), "utf-8")
    edited_count = sum(len(one["edits"]) for one in manifests.values())
    print(f"{len(list(target.iterdir())) - 2} folders and {edited_count} edited manifests")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
