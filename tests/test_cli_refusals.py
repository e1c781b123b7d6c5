"""What the command line refuses: one line that says what to do, and nothing left behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from satchel.cli.main import main
from tests.outcome import one_line, refused

pytest_plugins = "tests.places"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--n-best", "2"], "n_best = 2 needs num_beams"),
        (["--length-penalty", "2"], "length_penalty has no effect"),
        (["--num-beams", "3", "--seed", "1"], "seed does not go with num_beams"),
        (["--num-beams", "3", "--stop", "a"], "stop does not go with num_beams"),
        (["--num-beams", "999"], "the vocabulary has 320"),
        (["--num-beams", "3", "--stats"], "--stats"),
        (["--min-new-tokens", "9", "--max-new-tokens", "8"], "above max_new_tokens"),
    ],
    ids=str,
)
def test_generate_refuses_what_has_no_effect(
    options: list[str], message: str, bundle: Path, capfd: Any
) -> None:
    assert main(["generate", str(bundle), "Hello", *options]) == 2
    output, errors = capfd.readouterr()
    assert output == "" and message in errors and errors.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "required: COMMAND; see satchel --help"),
        (["fly"], "command 'fly' is unknown; known: export, generate"),
        (["exprt", "a", "b"], "did you mean export?"),
        (["--fly"], "required: COMMAND"),
        (["generate"], "required: bundle, prompt; see satchel generate --help"),
        (["generate", "b"], "required: prompt"),
        (["generate", "b", "x", "--fly"], "'--fly' is no option of satchel generate; see"),
        (["generate", "b", "x", "--temprature", "1"], "did you mean --temperature?"),
        (["generate", "b", "x", "--temprature=1"], "'--temprature' is no option"),
        (["generate", "b", "x", "--top-k", "many"], "invalid int value: 'many'"),
        (["bench", "b", "--threads", "1.5"], "--threads: invalid int value"),
        (["export", "a"], "required: out"),
        (["export", "a", "b", "--context", "x"], "--context: invalid int value"),
        (["export", "a", "b", "--profile", "int9"], "did you mean int8?"),
        (["export", "a", "b", "--task", "embd"], "did you mean embed?"),
        (["export", "a", "b", "--cache", "int4"], "--cache 'int4' is unknown; known: float32, int8"),
        (["inspect", "a", "b"], "'b' is an argument too many; see satchel inspect --help"),
        (["transcribe", "b", "x.wav", "--task", "sing"], "known: transcribe, translate"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_one_line(
    arguments: list[str], words: str, tmp_path: Path, capfd: Any
) -> None:
    assert main(arguments) == 2
    output, errors = capfd.readouterr()
    assert output == ""
    one_line(errors, "USAGE", words)


def test_a_source_that_is_not_there_is_refused_before_pytorch_is_loaded(tmp_path: Path) -> None:
    code = (
        "import sys; from satchel.cli.main import main; status = main(); "
        "assert 'torch' not in sys.modules; sys.exit(status)"
    )
    for source in ("no", "no.gguf", "a/b/c"):
        command = [sys.executable, "-c", code, "export", source, "new"]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
        assert done.returncode == 3
        one_line(done.stderr, "CHECKPOINT", f"'{source}' does not exist")
    done = subprocess.run(
        [sys.executable, "-c", code, "export", ".", "new", "--revision", "main"],
        capture_output=True, text=True, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 2
    one_line(done.stderr, "USAGE", "--revision applies to hub ids")


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["x", "--temperature", "nan"], "USAGE", "temperature"),
        (["x", "--temperature", "-1"], "USAGE", "temperature"),
        (["x", "--temperature", "0", "--seed", "1"], "USAGE", "seed has no effect"),
        (["x", "--top-k", "0"], "USAGE", "top_k"),
        (["x", "--top-p", "1.5"], "USAGE", "top_p"),
        (["x", "--min-p", "-1"], "USAGE", "min_p"),
        (["x", "--seed", "-1"], "USAGE", "seed"),
        (["x", "--max-new-tokens", "-1"], "USAGE", "max_new_tokens"),
        (["x", "--stop", ""], "USAGE", "stop"),
        (["x", "--threads", "0"], "USAGE", "threads"),
        ([""], "EMPTY_PROMPT", "empty"),
        (["x" * 256], "PROMPT_TOO_LONG", "256"),
        (["x" * 100_000], "PROMPT_TOO_LONG", "100000"),
        (["\udcff"], "PROMPT_ENCODING", "surrogate"),
        (["\udcff", "--chat"], "USAGE", "surrogate"),
    ],
)
def test_generate_refuses(
    options: list[str], code: str, words: str, bundle: Path, capfd: Any
) -> None:
    refused(capfd, ["generate", bundle, *options], code, words, within=bundle)


def test_bundle_that_is_not_there(tmp_path: Path, capfd: Any) -> None:
    for verb in ("generate", "chat", "inspect", "verify", "bench"):
        extra = ["x"] if verb == "generate" else []
        refused(capfd, [verb, tmp_path / "no", *extra], "BUNDLE", "does not exist", within=tmp_path)


def test_export_without_its_extra(place: Path) -> None:
    code = "import sys; sys.modules['torch'] = None; from satchel.cli.main import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "export", str(place / "checkpoint"), str(place / "new")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    one_line(done.stderr, "USAGE", "torch is not installed", "pip install 'satchel[export]'")


def test_debug_shows_where(tmp_path: Path, capfd: Any) -> None:
    assert main(["inspect", str(tmp_path), "--debug"]) == 4
    errors = capfd.readouterr().err
    assert errors.startswith("Traceback") and "error[BUNDLE]: " in errors.splitlines()[-1]
