"""A loaded model as a Python object: what it has, how it prints, and that it is not copied."""

from __future__ import annotations

import copy
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import satchel
from satchel.cli import main
from satchel.runtime.errors import UsageError
from satchel.runtime.task import ALL_METHODS, METHODS, TaskError
from tests.outcome import one_line

pytest_plugins = ("tests.encoder_bundles", "tests.places")


def test_a_model_has_the_methods_of_its_task_and_no_others(
    made: Callable[..., Any], original: Path
) -> None:
    models = [made("bert", task)[0] for task in ("embed", "classify")]
    for model in [*models, satchel.load(original / "bundle", threads=1)]:
        fitting = set(METHODS[model.manifest.task])
        assert {name for name in ALL_METHODS if hasattr(model, name)} == fitting
        assert ALL_METHODS & set(dir(model)) == fitting
        assert {"manifest", "bundle", "require"} <= set(dir(model))
        for name in ALL_METHODS - fitting:
            with pytest.raises(TaskError, match=f"^{name} does not fit") as raised:
                getattr(model, name)
            assert raised.value.fitting == METHODS[model.manifest.task]
            with pytest.raises(TaskError):
                model.require(name)
            assert getattr(model, name, None) is None


def test_the_command_line_names_commands(
    made: Callable[..., Any], original: Path, capfd: Any
) -> None:
    embedder = str(made("bert", "embed")[0].bundle.folder)
    decoder = str(original / "bundle")
    capfd.readouterr()
    for arguments, words in (
        (["fill-mask", embedder, "x"], "fill-mask does not fit a bundle made for 'embed'"),
        (["tokens", embedder, "x"], "'embed'; use embed"),
        (["classify", embedder, "--image", "x"], "classify --image does not fit"),
        (["embed", decoder, "x"], "use generate or chat"),
    ):  # fmt: skip
        assert main(arguments) == 2
        line = one_line(capfd.readouterr().err, "WRONG_TASK", words)
        assert "fill_mask" not in line and "hidden_states" not in line


def test_models_and_streams_say_what_they_are(made: Callable[..., Any], original: Path) -> None:
    assert repr(made("bert", "embed")[0]) == "<EncoderModel bert, embed, 64 numbers, fp32, .../out>"
    assert repr(made("bert", "classify")[0]).startswith("<EncoderModel bert, classify, ")
    model = satchel.load(original / "bundle", threads=1)
    assert repr(model) == (
        f"<DecoderModel llama, generate, context {model.manifest.context}, fp32, .../bundle>"
    )
    stream = model.stream([1, 2], max_new_tokens=3)
    assert repr(stream) == "<Stream, 0 tokens, not ended>"
    for _ in stream:
        pass
    result = stream.result
    assert repr(stream) == f"<Stream, {len(result.tokens)} tokens, {result.finish_reason}>"


def test_a_model_is_not_copied(original: Path) -> None:
    model = satchel.load(original / "bundle", threads=1)
    for take in (pickle.dumps, copy.copy, copy.deepcopy, lambda it: pickle.dumps([it], 2)):
        with pytest.raises(UsageError, match="cannot be pickled or copied"):
            take(model)


def test_threads_have_a_limit(original: Path) -> None:
    most = max(16, 4 * (os.cpu_count() or 1))
    for threads in (most + 1, 10**30, 0, -1, True, 1.5, "2"):
        with pytest.raises(UsageError, match=f"expected 1 to {most} on this machine"):
            satchel.load(original / "bundle", threads=threads)  # type: ignore[arg-type]


def test_a_negative_max_new_tokens_is_told_as_such(original: Path) -> None:
    model = satchel.load(original / "bundle", threads=1)
    for value in (-1, True, 1.5):
        with pytest.raises(UsageError, match=f"^max_new_tokens = {value}; expected"):
            model.generate([1, 2], max_new_tokens=value)
        with pytest.raises(UsageError, match=f"^max_new_tokens = {value}; expected"):
            model.stream([1, 2], max_new_tokens=value, min_new_tokens=2)
    assert model.generate([1, 2], max_new_tokens=0).tokens == []
