"""The command line: every verb on a tiny bundle, its options and pipes."""

from __future__ import annotations

import argparse
import io
import json
import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

import satchel
from satchel.cli.main import _parser, main
from tests.loading import load_as
from tests.outcome import one_line, refused

pytest_plugins = "tests.places"

VERBS = ("export", "generate", "chat", "inspect", "verify", "bench")
SCRIPT = str(Path(sys.executable).with_name("satchel"))
FIELDS = [
    "text",
    "tokens",
    "finish_reason",
    "logprobs",
    "prompt_tokens",
    "score",
    "looked_up",
    "drafted",
    "draft_tried",
    "forced",
    "tool_calls",
]
SECONDS = 60  # that a process may take; a machine under load is slow


def run(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [SCRIPT, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, **options)


def said(capfd: Any, *arguments: object) -> str:
    """What a command that must do well writes to stdout."""
    assert main([str(argument) for argument in arguments]) == 0
    output, errors = capfd.readouterr()
    assert errors == "", "progress and remarks have no place in a pipe"
    return output


def test_generate_streams_the_text(bundle: Path, capfd: Any) -> None:
    model = load_as(satchel.DecoderModel, bundle)
    for options, settings in (
        (["--max-new-tokens", 12], {"max_new_tokens": 12}),
        (
            ["--temperature", 0.8, "--top-k", 5, "--seed", 3, "--max-new-tokens", 9],
            {"temperature": 0.8, "top_k": 5, "seed": 3, "max_new_tokens": 9},
        ),
        (
            ["--top-p", 0.5, "--min-p", 0.1, "--repetition-penalty", 1.2, "--seed", 1],
            {"top_p": 0.5, "min_p": 0.1, "repetition_penalty": 1.2, "seed": 1},
        ),
    ):
        expected = model.generate("Hello", **settings).text
        assert said(capfd, "generate", bundle, "Hello", *options) == expected + "\n"


def test_generate_stops_at_a_text(bundle: Path, capfd: Any) -> None:
    text = load_as(satchel.DecoderModel, bundle).generate("Hello", max_new_tokens=40).text
    stop = next(text[i] for i in range(8, len(text)) if text[i].isascii())
    options = ["--max-new-tokens", "40", "--stop", stop, "never said"]
    assert said(capfd, "generate", bundle, "Hello", *options) == text[: text.index(stop)] + "\n"


def test_generate_json(bundle: Path, capfd: Any) -> None:
    found = json.loads(said(capfd, "generate", bundle, "Hello", "--json", "--max-new-tokens", 5))
    expected = load_as(satchel.DecoderModel, bundle).generate("Hello", max_new_tokens=5)
    assert found == asdict(expected)
    assert list(found) == FIELDS
    assert len(found["logprobs"]) == len(found["tokens"]) == 5
    assert found["finish_reason"] == "length" and found["prompt_tokens"] == 5


def test_generate_with_beams(bundle: Path, capfd: Any) -> None:
    model = load_as(satchel.DecoderModel, bundle)
    options = ["--num-beams", 4, "--max-new-tokens", 8, "--no-repeat-ngram-size", 2]
    settings: dict[str, Any] = {"num_beams": 4, "max_new_tokens": 8, "no_repeat_ngram_size": 2}
    best = model.generate("Hello", **settings)
    assert said(capfd, "generate", bundle, "Hello", *options) == best.text + "\n"
    options += ["--n-best", 3, "--length-penalty", -1.5, "--early-stopping", "never"]
    settings |= {"n_best": 3, "length_penalty": -1.5, "early_stopping": "never"}
    options += ["--min-new-tokens", 2, "--repetition-penalty", 1.1]
    settings |= {"min_new_tokens": 2, "repetition_penalty": 1.1}
    rows = model.generate("Hello", **settings)
    text = "".join(row.text + "\n" for row in rows)
    assert said(capfd, "generate", bundle, "Hello", *options) == text
    lines = said(capfd, "generate", bundle, "Hello", *options, "--json").splitlines()
    assert [json.loads(line) for line in lines] == [asdict(row) for row in rows]
    assert list(json.loads(lines[0])) == FIELDS and len(lines) == 3


def test_generate_chat(bundle: Path, capfd: Any) -> None:
    answer = load_as(satchel.DecoderModel, bundle).chat(
        [{"role": "user", "content": "Hi"}], max_new_tokens=7
    )
    options = ["--chat", "--max-new-tokens", 7]
    assert said(capfd, "generate", bundle, "Hi", *options) == answer.text + "\n"
    found = json.loads(said(capfd, "generate", bundle, "Hi", "--json", *options))
    assert found["text"] == answer.text and found["prompt_tokens"] == answer.prompt_tokens


def test_chat_through_a_pipe(bundle: Path, capfd: Any, monkeypatch: Any) -> None:
    model, system = (
        load_as(satchel.DecoderModel, bundle),
        {"role": "system", "content": "Be brief."},
    )
    messages, answers = [system], []
    for text in ("one", "two"):
        messages.append({"role": "user", "content": text})
        answers.append(model.chat(messages, max_new_tokens=6).text)
        messages.append({"role": "assistant", "content": answers[-1]})
    answers.append(model.chat([system, {"role": "user", "content": "new"}], max_new_tokens=6).text)
    lines = "one\n\n  two  \n/reset\nnew\n/quit\nunheard\n"
    monkeypatch.setattr(sys, "stdin", io.StringIO(lines))
    found = said(capfd, "chat", bundle, "--system", "Be brief.", "--max-new-tokens", 6)
    assert found == "".join(answer + "\n" for answer in answers)


def test_chat_ends_with_its_input(bundle: Path) -> None:
    done = run("chat", bundle, "--max-new-tokens", 3, input="hi")
    assert (done.returncode, done.stderr, done.stdout.count("\n")) == (0, "", 1)


def test_chat_that_outgrows_the_context(bundle: Path, monkeypatch: Any, capfd: Any) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("x" * 300 + "\n"))
    refused(capfd, ["chat", bundle], "PROMPT_TOO_LONG", "256", within=bundle)


def test_inspect(bundle: Path, capfd: Any) -> None:
    page = said(capfd, "inspect", bundle)
    for words in ("llama (decoder, generate)", "256 positions", "joints", "verified      yes",
                  "decoder.onnx.data", "graph against reference", "GroupQueryAttention",
                  "input_ids int64 ['batch', 'length']", "-> logits float32 ['rows', 320]"):  # fmt: skip
        assert words in page
    assert said(capfd, "inspect", bundle, "--json") == (bundle / "manifest.json").read_text("utf-8")


def test_inspect_without_onnx(bundle: Path, capfd: Any, monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert "install onnx to see its operators" in said(capfd, "inspect", bundle)


def test_bench(bundle: Path, tmp_path: Path, capfd: Any) -> None:
    file = tmp_path / "figures.json"
    table = said(capfd, "bench", bundle, "--json", file, "--repeats", 1, "--threads", 1)
    found = json.loads(file.read_text())
    assert found["architecture"] == "llama" and found["repeats"] == found["threads"] == 1
    for name in ("load_seconds", "first_token_16_seconds", "prefill_128_per_second",
                 "decode_per_second", "file_megabytes"):  # fmt: skip
        spread = found["figures"][name]
        assert 0 < spread["min"] <= spread["median"] <= spread["max"]
    assert table.startswith("kernels: ONNX Runtime's own\n")
    assert table.count("\n") == len(found["figures"]) + 2
    nowhere = tmp_path / "no/figures.json"
    for target in (nowhere, tmp_path):
        refused(capfd, ["bench", bundle, "--json", target], "STORAGE", "--json", within=tmp_path)
    refused(capfd, ["bench", bundle, "--repeats", 0], "USAGE", "--repeats 0", within=tmp_path)


def test_help(capfd: Any) -> None:
    for arguments in ([], *([verb] for verb in VERBS)):
        with pytest.raises(SystemExit) as end:
            main([*arguments, "--help"])
        output, errors = capfd.readouterr()
        assert end.value.code == 0 and errors == "" and "--help" in output
        assert arguments or all(verb in output for verb in VERBS)
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capfd.readouterr().out == f"satchel {satchel.__version__}\n"


def test_every_option_has_a_help_and_every_example_can_be_read() -> None:
    parser = _parser()
    verbs = next(a for a in parser._actions if isinstance(a, argparse._SubParsersAction)).choices
    assert len(verbs) > 12
    examples = 0
    for name, command in verbs.items():
        for action in command._actions:
            assert action.help, f"{name} {action.dest}"
        for line in (command.epilog or "").splitlines()[1:]:
            words = shlex.split(line.partition(" < ")[0])
            assert words[:2] == ["satchel", name]
            assert parser.parse_args(words[1:]).run is not None
            examples += 1
        assert command.epilog, name
    assert examples >= len(verbs)


@pytest.mark.parametrize(
    "options", [["generate", "", "hi"], ["inspect", ""], ["inspect", "", "--json"]]
)
def test_a_reader_that_has_had_enough(options: list[str], bundle: Path) -> None:
    verb, _, *more = options
    command = [SCRIPT, verb, str(bundle), *more]
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_terminal_of_another_encoding(bundle: Path) -> None:
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = run("generate", bundle, "hi", "--max-new-tokens", 40, env=environment)
    assert (done.returncode, done.stderr) == (0, "")


def test_odd_folder_names(original: Path, tmp_path: Path) -> None:
    folder = tmp_path / "with spaces, \u00fcml\u00e4uts\nand more \U0001f392"
    shutil.copytree(original / "bundle", folder)
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C"}
    done = run("generate", folder, "hi", "--max-new-tokens", 2, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    shutil.copy(original / "bundle/decoder.onnx", folder / "tokenizer.json")
    done = run("verify", folder, env=environment)
    assert done.returncode == 4
    one_line(done.stderr, "BUNDLE_HASH", "tokenizer.json")


def test_a_message_that_is_not_utf8(bundle: Path) -> None:
    command = [SCRIPT, "chat", str(bundle)]
    for handler, code in (("strict", "PROMPT_ENCODING"), ("surrogateescape", "USAGE")):
        environment = os.environ | {"PYTHONIOENCODING": f"utf-8:{handler}"}
        done = subprocess.run(command, input=b"\xff\n", capture_output=True, env=environment)
        assert done.returncode == 2
        one_line(done.stderr.decode(), code)


def test_code_in_the_bundle_is_not_run(bundle: Path) -> None:
    for name in ("json", "numpy", "onnxruntime", "statistics"):
        (bundle / f"{name}.py").write_text("open('canary', 'w')")
    for verb, *options in (("inspect",), ("verify",), ("generate", "x"), ("bench", "--repeats", 1)):
        done = run(verb, ".", *options, cwd=bundle)
        assert not (bundle / "canary").exists(), verb
        assert done.returncode == 0, done.stderr
