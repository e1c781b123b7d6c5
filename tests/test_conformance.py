"""Files of cases: this runtime repeats its own, and a case that is not met is found."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import satchel
from satchel.cli.main import main
from satchel.measure.conformance import case_file
from satchel.measure.conformance.asked import KINDS, answer, number, summary
from satchel.measure.conformance.likeness import TOLERANCES, differences
from satchel.measure.conformance.made_inputs import image, sound, text
from satchel.runtime.errors import UsageError
from satchel.runtime.options import ABOUT
from satchel.runtime.task import TASKS
from tests.outcome import one_line
from tests.quality_bundles import CHECKPOINTS

pytest_plugins = "tests.places"

ANSWERED = {  # by the kind of bundle: what no other kind answers
    "llama": {"logits", "score", "greedy", "processors", "sampling", "beams", "batches", "stream"},
    "t5": {"logits", "greedy", "beams", "stream", "translate"},
    "whisper": {"features", "transcribe", "languages"},
    "embed": {"embed", "states"},
    "rank": {"classify", "rank"},
    "classify": {"classify"},
    "tokens": {"tokens"},
    "answer": {"answers"},
    "fill-mask": {"fill_mask"},
    "vit": {"pixels", "classify_images", "image_states"},
}
FUZZ = 5
Made = Callable[[str], tuple[Any, dict[str, Any]]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A kind of bundle -> a float32 one, loaded, and its cases as a file has them."""
    known: dict[str, tuple[Any, dict[str, Any]]] = {}

    def get(kind: str) -> tuple[Any, dict[str, Any]]:
        if kind not in known:
            folder = tmp_path_factory.mktemp(kind)
            (folder / "checkpoint").mkdir()
            CHECKPOINTS[kind](folder / "checkpoint")
            satchel.pack(folder / "checkpoint", folder / "bundle", profile="fp32", force=True)
            model = satchel.load(folder / "bundle", threads=1, kernels=False)
            (folder / "cases.json").write_text(
                case_file.written(case_file.make(model, FUZZ)), "ascii"
            )
            known[kind] = model, case_file.read(folder / "cases.json")
        return known[kind]

    return get


@pytest.mark.parametrize("kind", CHECKPOINTS)
def test_every_case_is_repeated(kind: str, made: Made) -> None:
    model, content = made(kind)
    outcome = case_file.check(model, content)
    assert outcome.lines == [] and outcome.bits
    assert outcome.cases.total() == len(content["cases"])
    assert outcome.cases.keys() >= ANSWERED[kind]
    codes = {case["expect"]["code"] for case in content["cases"] if case["kind"] == "refused"}
    assert codes >= {"USAGE", "WRONG_TASK"} and None not in codes
    assert model.writes is False or kind == "whisper" or {"TOKEN_ID", "EMPTY_PROMPT"} <= codes


def test_every_kind_and_option_and_task_is_asked(made: Made, original: Path) -> None:
    chat = case_file.make(satchel.load(original / "bundle", threads=1, kernels=False), 0)
    asked = [case for kind in CHECKPOINTS for case in made(kind)[1]["cases"]] + chat["cases"]
    later = {
        "embed_images",
        "segment_images",
        "estimate_depth",
        "detect_objects",
    }  # as images that are classified
    kinds = {case["kind"] for case in asked} | {"source"}  # of models that are told languages
    assert kinds | later == KINDS.keys()
    named = {
        name
        for case in asked
        if case["kind"] in ("greedy", "processors", "sampling", "beams")
        for name in case["input"].get("options", {})
    }
    assert named == ABOUT.keys()
    assert {TASKS[made(kind)[0].manifest.task].family for kind in CHECKPOINTS} == {
        task.family for task in TASKS.values()
    }


def test_chat_is_asked_turn_by_turn(original: Path) -> None:
    model = satchel.load(original / "bundle", threads=1, kernels=False)
    content = json.loads(case_file.written(case_file.make(model, 0)))
    kinds = [case["kind"] for case in content["cases"]]
    assert kinds.count("conversation") > 5 and kinds.count("chat") == 5
    assert case_file.check(model, content).lines == []


def test_cases_are_the_same_every_time(made: Made) -> None:
    model, content = made("llama")
    again = json.loads(case_file.written(case_file.make(model, FUZZ)))
    assert again == content
    assert case_file.make(model, FUZZ, seed=1)["cases"] != content["cases"]


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("encode", lambda expect: expect["ids"].append(1)),
        ("decode", lambda expect: expect.update(text=expect["text"] + "x")),
        ("pieces", lambda expect: expect["pieces"].pop()),
        ("logits", lambda expect: expect.update(sha256="0" * 64)),
        ("logits", lambda expect: expect["values"].__setitem__(3, expect["values"][3] + 0.1)),
        ("greedy", lambda expect: expect["generations"][0][0].update(finish_reason="cancelled")),
        ("beams", lambda expect: expect["generations"][0][0].update(score=-99.0)),
        ("refused", lambda expect: expect.update(code="LIMIT")),
        ("score", lambda expect: expect.pop("tokens")),
    ],
)
def test_a_changed_expectation_is_found(
    kind: str, change: Callable[[Any], Any], made: Made
) -> None:
    model, content = made("llama")
    changed = copy.deepcopy(content)
    place = next(i for i, case in enumerate(changed["cases"]) if case["kind"] == kind)
    change(changed["cases"][place]["expect"])
    outcome = case_file.check(model, changed)
    assert outcome.failed == {kind: 1}
    assert outcome.lines[0].startswith(f"case {place}, {kind}: ")


def test_a_request_that_is_refused_now_is_found(made: Made) -> None:
    model, content = made("llama")
    changed = copy.deepcopy(content)
    [case] = [case for case in changed["cases"] if case["kind"] == "greedy"][:1]
    case["input"]["options"] = {"top_k": 0}
    assert case_file.check(model, changed).failed == {"greedy": 1}


def test_hashes_are_passed_over_elsewhere(made: Made) -> None:
    model, content = made("llama")
    changed = copy.deepcopy(content) | {"processor": "another"}
    for case in changed["cases"]:
        if case["kind"] == "logits":
            case["expect"]["sha256"] = "0" * 64
    outcome = case_file.check(model, changed)
    assert outcome.lines == [] and not outcome.bits


def test_the_command_writes_and_repeats(original: Path, tmp_path: Path, capfd: Any) -> None:
    bundle, file = str(original / "bundle"), tmp_path / "cases.json"
    assert main(["conformance", bundle, str(file), "--fuzz", "3"]) == 0
    content = json.loads(file.read_text("ascii"))
    assert f"{len(content['cases'])} cases of" in capfd.readouterr().out
    assert main(["conformance", bundle, "--check", str(file)]) == 0
    assert "greedy" in capfd.readouterr().out
    case = next(case for case in content["cases"] if case["kind"] == "greedy")
    case["expect"]["generations"][0][0]["tokens"][0] += 1
    file.write_text(json.dumps(content))
    assert main(["conformance", bundle, "--check", str(file)]) == 5
    output, errors = capfd.readouterr()
    assert "FAILED" in output and "generations[0][0].tokens[0]" in output
    one_line(errors, "CONFORMANCE", f"1 of {len(content['cases'])} cases failed")


def test_what_the_command_refuses(original: Path, tmp_path: Path, capfd: Any) -> None:
    bundle, file = str(original / "bundle"), tmp_path / "cases.json"
    model = satchel.load(bundle, threads=1, kernels=False)
    good = json.loads(case_file.written(case_file.make(model, 0)))
    contents = {
        "no JSON": "{",
        "no file of cases": "[]",
        "has format version 9": json.dumps(good | {"format_version": 9}),
        "has a case that is none": json.dumps(good | {"cases": [{"kind": "encode"}]}),
        "cases are of another bundle": json.dumps(good | {"manifest": "0"}),
        "kind 'dance' are unknown": json.dumps(
            good | {"cases": [{"kind": "dance", "input": {}, "expect": {}}]}
        ),
    }
    for arguments, words in (
        ([], "--check FILE, and one of them only"),
        ([str(file), "--check", str(file)], "one of them only"),
        ([str(tmp_path)], "not a file in an existing folder"),
        ([str(tmp_path / "no" / "x.json")], "not a file in an existing folder"),
        ([str(original / "bundle" / "x.json")], "lies inside the bundle"),
        ([str(file), "--fuzz", "-1"], "--fuzz -1"),
        (["--check", str(file), "--fuzz", "1"], "for writing cases"),
    ):
        assert main(["conformance", bundle, *arguments]) == 2
        one_line(capfd.readouterr().err, "USAGE", words)
    assert not file.exists()
    assert main(["conformance", bundle, "--check", str(file)]) == 7
    one_line(capfd.readouterr().err, "STORAGE", "cases.json")
    for words, content in contents.items():
        file.write_text(content)
        assert main(["conformance", bundle, "--check", str(file)]) == 2
        one_line(capfd.readouterr().err, "USAGE", words.replace("no JSON", "not JSON"))


def test_how_near_is_near() -> None:
    def apart(expected: Any, found: Any, bits: bool = True) -> list[str]:
        return list(differences(expected, found, TOLERANCES, bits))

    assert apart({"values": [1.0, 1000.0]}, {"values": [1.05, 1000.05]}) == []
    assert apart({"values": [1.0, 1000.0]}, {"values": [1.2, 1000.0]}) == [
        "values[0]: 1.2, expected 1 within 0.1"
    ]
    assert apart({"scores": {"a": 0.5}}, {"scores": {"a": 0.50005}}) == []
    assert apart({"scores": {"a": 0.5}}, {"scores": {"b": 0.5}}) != []
    assert apart({"score": 1.0}, {"score": None}) == ["score: None, expected 1.0"]
    assert apart({"score": 1.0}, {"score": float("nan")}) != []
    assert apart({"ids": [1, 2]}, {"ids": [1]}) != []
    assert apart({"ids": [1]}, {"ids": [1.0]}) != []
    assert apart({"stopped": True}, {"stopped": 1}) != []
    assert apart({"words": [None, 0]}, {"words": [0, 0]}) != []
    assert apart({"sha256": "a"}, {"sha256": "b"}, bits=False) == []
    assert apart({"sha256": "a"}, {"sha256": "b"}) != []


def test_inputs_are_what_the_page_says() -> None:
    """Once more, number by number, as somebody writes it in another language."""
    rate, seed = 16000, 3
    made = sound({"samples": 700, "seed": seed, "silence": [10, 20]}, rate)
    assert made.dtype == np.float32 and not made[10:20].any() and np.abs(made).max() < 0.6
    for i in (0, 1, 25, 699):
        total = 0
        for k in (0, 1):
            p, q = i * (150 + 170 * k + 90 * seed) % rate, i * (1 + k) % rate
            wave, loudness = 2 * abs(2 * p - rate) - rate, abs(2 * q - rate)
            total += wave * loudness * 8000 // (rate * rate)
        x = (i * 2654435761 + seed * 40503) % 2**32
        y = (x ^ (x >> 15)) * 2246822519 % 2**32
        assert made[i] == (total + ((y ^ (y >> 13)) >> 22) - 512) / 32768
    picture = image({"height": 20, "width": 30, "seed": 1})
    assert picture.shape == (20, 30, 3) and picture.dtype == np.uint8
    y, x, c = 9, 17, 2
    assert picture[y, x, c] == (97 + 31 * c + 3 * x + 5 * y + (x * y >> 3) + 64) % 256
    assert (
        text({"units": [97, 0xD83D]}) == "a\ud83d"
        and text({"repeat": "xy", "times": 3}) == "xyxyxy"
    )


def test_an_array_is_hashed_and_shown() -> None:
    array = np.arange(60, dtype=np.float32).reshape(3, 20)
    found = summary(array[::-1])
    assert found["shape"] == [3, 20] and len(found["sha256"]) == 64
    assert found["values"] == [float(array[::-1].reshape(-1)[place]) for place in found["places"]]
    assert summary(array[::-1].copy()) == found != summary(array)
    assert number(np.float32(0.1)) == 0.100000001
    with pytest.raises(UsageError, match="kind 'dance' are unknown"):
        answer(None, "dance", {})
