"""A file of cases: made of what a bundle answers here, and repeated; see `docs/conformance.md`."""

from __future__ import annotations

import json
import os
import platform
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import onnxruntime

from satchel.measure.conformance.asked import KINDS, REFUSED, Given, answer
from satchel.measure.conformance.likeness import TOLERANCES, differences
from satchel.measure.conformance.reading_requests import of_images, of_letters, of_sound, of_texts
from satchel.measure.conformance.refused_requests import of_refusals
from satchel.measure.conformance.token_requests import Request, of_tokens
from satchel.measure.conformance.writing_requests import of_chat, of_writing, repeatable
from satchel.progress import Stage, quiet
from satchel.runtime.bundle import sha256_of
from satchel.runtime.errors import SatchelError, UsageError, shown
from satchel.runtime.manifest import MANIFEST
from satchel.runtime.task import PAGE_TASKS
from satchel.version import __version__

FORMAT, FORMAT_VERSION = "satchel-conformance", 1
FUZZ, SEED = 200, 0
WITHOUT_CASES = ("entities", "image-to-text", *PAGE_TASKS.values())  # tasks
MODEL_NAME = re.compile(r"^model name\s*:\s*(.+)$", re.MULTILINE)


@dataclass
class Outcome:
    """How many cases of each kind there are, how many failed, and what differs in those, a line each."""

    cases: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    lines: list[str] = field(default_factory=list)
    bits: bool = True  # whether hashes were compared


def requests(model: Any, fuzz: int = FUZZ, seed: int = SEED) -> Iterator[Request]:
    """All that a bundle is asked, by its task; the same for the same bundle, `fuzz` and `seed`."""
    return (repeatable(model, *request) for request in _requests(model, fuzz, seed))


def _requests(model: Any, fuzz: int, seed: int) -> Iterator[Request]:
    manifest = model.manifest
    if manifest.task in WITHOUT_CASES:
        raise UsageError(f"conformance has no cases for a bundle made for {manifest.task} yet")
    yield from of_tokens(model, fuzz, seed)
    if manifest.speech is not None:
        yield from of_sound(model)
    elif manifest.task == "ctc":
        yield from of_letters(model)
    elif model.writes:
        yield from of_writing(model, seed)
        yield from of_chat(model, seed)
    if manifest.text is not None:
        yield from of_texts(model)
    if manifest.image is not None:
        yield from of_images(model)
    yield from of_refusals(model)


def make(model: Any, fuzz: int = FUZZ, seed: int = SEED, stage: Stage = quiet) -> Given:
    """The content of a file: what `model` answers. Own kernels must be off in it."""
    asked = list(requests(model, fuzz, seed))
    cases = [_case(model, kind, given) for kind, given in stage("answering")(asked)]
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "manifest": sha256_of(model.bundle.path(MANIFEST)),
        "satchel": __version__,
        **here(),
        "fuzz": fuzz,
        "seed": seed,
        "tolerances": TOLERANCES,
        "cases": cases,
    }


def _case(model: Any, kind: str, given: Given) -> Given:
    """A case: what the bundle answers or, where it refuses, the code of its error."""
    try:
        expect = answer(model, kind, given)
    except SatchelError as error:
        expect = {"code": error.code, "exit_status": error.exit_status}
        kind, given = REFUSED, {"kind": kind, "input": given}
    return {"kind": kind, "input": given, "expect": expect}


def check(model: Any, content: Given, stage: Stage = quiet) -> Outcome:
    """Put every case to `model` and compare. Raises UsageError where the file is of another bundle."""
    if content["manifest"] != sha256_of(model.bundle.path(MANIFEST)):
        raise UsageError("the cases are of another bundle: their sha256 of manifest.json differs")
    if unknown := {case["kind"] for case in content["cases"]} - KINDS.keys():
        raise UsageError(f"cases of the kind {shown(min(unknown))} are unknown to this satchel")
    outcome = Outcome(bits=all(content[name] == value for name, value in here().items()))
    for number, case in enumerate(stage("repeating")(content["cases"])):
        kind = case["kind"]
        outcome.cases[kind] += 1
        try:
            found = json.loads(json.dumps(answer(model, kind, case["input"])))
        except SatchelError as error:
            found = {"code": error.code, "exit_status": error.exit_status}
        apart = differences(case["expect"], found, content["tolerances"], outcome.bits)
        if (line := next(apart, None)) is not None:
            outcome.failed[kind] += 1
            outcome.lines.append(f"case {number}, {kind}: {line}")
    return outcome


def here() -> dict[str, str]:
    """What decides the last bits of a logit: the version of ONNX Runtime and the processor."""
    return {"onnxruntime": onnxruntime.__version__, "processor": _processor()}


def _processor() -> str:
    """Its name where Linux says it, else the kind of machine."""
    try:
        found = MODEL_NAME.search(Path("/proc/cpuinfo").read_text("utf-8", "replace"))
    except OSError:
        found = None
    return found.group(1).strip() if found else platform.machine()


def written(content: Given) -> str:
    """The text of a file, a case per line, in ASCII."""
    head = {name: value for name, value in content.items() if name != "cases"}
    lines = ",\n".join(json.dumps(case, allow_nan=False) for case in content["cases"])
    return json.dumps(head, indent=1)[:-2] + f',\n "cases": [\n{lines}\n]}}\n'


def read(path: str | os.PathLike[str]) -> Given:
    """The content of a file. Raises UsageError where it is none that this satchel reads."""
    try:
        content = json.loads(Path(path).read_text("utf-8"))
    except ValueError as error:
        raise UsageError(f"{shown(path)} is not JSON: {shown(error)}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise UsageError(f"{shown(path)} is no file of cases; satchel conformance writes them")
    if content.get("format_version") != FORMAT_VERSION:
        version = shown(content.get("format_version"))
        raise UsageError(f"{shown(path)} has format version {version}; this is {FORMAT_VERSION}")
    match content:
        case {
            "manifest": str(), "onnxruntime": str(), "processor": str(),
            "tolerances": dict(tolerances), "cases": [*cases],
        } if all(type(one) in (int, float) for one in tolerances.values()) and all(
            map(_is_case, cases)
        ):  # fmt: skip
            return content
    raise UsageError(f"{shown(path)} lacks a part of a file of cases, or has a case that is none")


def _is_case(case: Any) -> bool:
    match case:
        case {"kind": str(), "input": dict(), "expect": dict()}:
            return len(case) == 3
    return False
