"""Texts that stay read: branched, saved and loaded, they go on as if they had never left memory."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import satchel
from satchel.cli.main import main
from satchel.runtime import kept_file, sealed_file
from satchel.runtime.decoder_model import DecoderModel
from satchel.runtime.decoder_session import Run
from satchel.runtime.errors import LimitError, StorageError, UsageError
from satchel.runtime.kept_text import KeptText
from tests.generating import CONTEXT, PROMPT, opened, some_ids
from tests.loading import load_as
from tests.outcome import refused
from tests.tiny import save_checkpoint

pytest_plugins = "tests.chat_bundles"

WINDOW = 40
LENGTHS = (1, 5, 127, 128, 129, 300, 640)  # about a chunk, sizes of the cache, and windows


@pytest.fixture(scope="module")
def windowed(tmp_path_factory: pytest.TempPathFactory) -> DecoderModel:
    folder = tmp_path_factory.mktemp("windowed")
    save_checkpoint(folder / "in", "mistral", sliding_window=WINDOW, max_position_embeddings=1024)
    satchel.pack(folder / "in", folder / "bundle", cache="int8-window", force=True)
    return load_as(satchel.DecoderModel, folder / "bundle", threads=1)


def goes_on_alike(model: DecoderModel, path: Path, length: int) -> None:
    """What follows a kept text, a fork of it, and what was saved of it: the same to the last bit."""
    ids, more = some_ids(length, seed=length), some_ids(30, seed=1)
    kept = model.keep(ids)
    kept.save(path)
    others = [kept.fork(), model.load_kept(path), kept]
    assert [other.ids for other in others] == [ids] * 3
    for prompt in (ids + more, ids):
        texts = []
        for other in others:
            found = model.generate(prompt, kept=other, max_new_tokens=20, temperature=0.9, seed=3)
            assert other.ids == [*prompt, *found.tokens][:-1]
            texts.append(found)
        assert texts[0] == texts[1] == texts[2] and len(texts[0].tokens) == 20
        alone = model.generate(prompt, max_new_tokens=20, temperature=0.9, seed=3)
        assert alone.tokens == texts[0].tokens
        if model.manifest.cache is not None and model.manifest.cache.dtype == "int8":
            assert alone == dataclasses.replace(texts[0], looked_up=alone.looked_up)


@pytest.mark.parametrize("length", LENGTHS)
def test_a_kept_text_goes_on_as_it_would_have(
    model: DecoderModel, length: int, tmp_path: Path
) -> None:
    goes_on_alike(model, tmp_path / "text.kept", length)
    assert [path.name for path in tmp_path.iterdir()] == ["text.kept"]


@pytest.mark.parametrize("length", LENGTHS)
def test_so_does_one_of_windows(windowed: DecoderModel, length: int, tmp_path: Path) -> None:
    assert windowed.decoder.geometry.windows
    goes_on_alike(windowed, tmp_path / "text.kept", length)


def test_only_what_is_new_is_read(model: DecoderModel, fed: list[int], tmp_path: Path) -> None:
    ids, more = some_ids(200), some_ids(7, seed=1)
    model.keep(ids).save(tmp_path / "a")
    loaded = model.load_kept(tmp_path / "a")
    for kept in (loaded.fork(), loaded):
        fed.clear()
        model.generate(ids + more, kept=kept, max_new_tokens=3)
        assert fed == [7]
    fed.clear()
    for _ in model.stream([*ids, *more, 5], kept=loaded, max_new_tokens=1):
        pass
    assert fed[0] <= 3  # of the three that were written the last was not read


@pytest.fixture
def fed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many ids each call of a prompt was given."""
    append = Run.append
    counts: list[int] = []

    def counted(self: Run, tokens: Any, every: bool = False) -> Any:
        counts.append(len(tokens))
        return append(self, tokens, every)

    monkeypatch.setattr(Run, "append", counted)
    return counts


def test_branches_do_not_see_each_other(exact: DecoderModel) -> None:
    ids = some_ids(130)
    root = exact.keep(ids)
    root.messages = [{"role": "user", "content": "a"}]
    branches = [root.fork() for _ in range(3)]
    branches[0].messages[0]["content"] = "b"
    assert root.messages == branches[1].messages == [{"role": "user", "content": "a"}]
    prompts = [[*ids, *some_ids(20, seed)] for seed in range(3)]
    alone = [exact.generate(prompt, kept=exact.keep(ids), max_new_tokens=9) for prompt in prompts]
    streams = [
        exact.stream(prompt, kept=branch, max_new_tokens=9)
        for prompt, branch in zip(prompts, branches, strict=True)
    ]
    while any([next(stream, None) is not None for stream in streams]):
        pass
    assert [stream.result.tokens for stream in streams] == [one.tokens for one in alone]
    assert root.ids == ids and len({tuple(branch.ids) for branch in branches}) == 3


def test_what_a_kept_text_does_not_go_with(exact: DecoderModel, windowed: DecoderModel) -> None:
    kept = exact.keep(PROMPT)
    for call, words in (
        (lambda: exact.generate([PROMPT, PROMPT], kept=kept), "one prompt at a time; got 2"),
        (lambda: exact.generate(PROMPT, kept=kept, num_beams=2), "go with num_beams = 2"),
        (lambda: windowed.generate(PROMPT, kept=kept), "of another model"),
        (lambda: exact.stream(PROMPT, kept="a.kept"), "kept is a str; expected"),  # type: ignore
    ):
        with pytest.raises(UsageError, match=words):
            call()
    stream = exact.stream(PROMPT, kept=kept, max_new_tokens=5)
    next(stream)
    for busy in (kept.fork, lambda: exact.generate(PROMPT, kept=kept), lambda: kept.save("x")):
        with pytest.raises(UsageError, match="the kept text is in use"):
            busy()
    stream.close()
    assert exact.generate(PROMPT, kept=kept, max_new_tokens=5).tokens
    with pytest.raises(LimitError, match="context is"):
        exact.keep(some_ids(CONTEXT + 1))
    assert exact.keep().ids == [] and exact.keep().fork().ids == []


def test_nothing_that_was_read_ahead_stays(exact: DecoderModel) -> None:
    prompt = some_ids(20) * 2
    bias, kept = dict.fromkeys(prompt[:2], 30.0), exact.keep()
    for count in range(30, 40):
        found = exact.generate(prompt, kept=kept, max_new_tokens=count, logit_bias=bias)
        assert found.looked_up > 0 and kept.ids == [*prompt, *found.tokens][:-1]


# Files.


@pytest.fixture(scope="module")
def saved(exact: DecoderModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("saved") / "talk.kept"
    kept = exact.keep(some_ids(50))
    kept.messages = [{"role": "user", "content": "Grüße \u2603"}]
    kept.save(path)
    return path


def test_messages_are_saved_along(exact: DecoderModel, saved: Path, tmp_path: Path) -> None:
    assert exact.load_kept(saved).messages == [{"role": "user", "content": "Grüße \u2603"}]
    exact.keep().save(tmp_path / "empty")
    assert exact.load_kept(tmp_path / "empty").ids == []


def test_every_damage_is_found(exact: DecoderModel, saved: Path, tmp_path: Path) -> None:
    whole, copy = saved.read_bytes(), tmp_path / "copy.kept"
    places = np.random.default_rng(0).integers(0, len(whole), 40).tolist()
    for place in [0, 17, 18, 25, 26, len(whole) - 1, *places]:
        spoilt = bytearray(whole)
        spoilt[place] ^= 1
        for data in (bytes(spoilt), whole[:place], whole + whole[:place] + b"x"):
            copy.write_bytes(data)
            with pytest.raises(
                StorageError, match=r"copy\.kept' is (not as|no kept text)"
            ) as found:
                exact.load_kept(copy)
            assert found.value.code == "KEPT_TEXT" and len(str(found.value)) < 600
    for path, words in ((tmp_path, "is not a file"), (tmp_path / "absent", "is not a file")):
        with pytest.raises(StorageError, match=words):
            exact.load_kept(path)


def test_files_of_other_bundles_profiles_and_versions_are_named(
    exact: DecoderModel,
    packed: Callable[[str], Path],
    windowed: DecoderModel,
    saved: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(
        StorageError, match=r"another bundle: 'llama, profile fp32, .* 'llama, profile int8"
    ):
        opened(packed("int8")).load_kept(saved)
    with pytest.raises(StorageError, match=r"another bundle: .*llama.* this one is 'mistral"):
        windowed.load_kept(saved)
    newer = dataclasses.replace(kept_file.KIND, version=2)
    for module, name, value, words in (
        (kept_file, "KIND", newer, "format version 2, this satchel reads 1: update"),
        (
            sealed_file,
            "write_whole",
            lambda path, parts: _without_end(path, list(parts)),
            "another version of",
        ),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, value)
            exact.keep(PROMPT).save(tmp_path / "other")
        with pytest.raises(StorageError, match=words):
            exact.load_kept(tmp_path / "other")


def _without_end(path: Path, parts: list[bytes]) -> None:
    """As if the last layer kept less: whole, but of another form."""
    body = b"".join(parts[:-2])
    path.write_bytes(body + hashlib.sha256(body).digest())


def test_a_manifest_that_was_edited_and_sealed_keeps_its_texts(
    exact_folder: Path, saved: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(exact_folder, tmp_path / "bundle"))
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["generation"]["temperature"] = 0.5
    (copy / "manifest.json").write_text(json.dumps(manifest))
    assert main(["seal", str(copy)]) == 0
    assert load_as(satchel.DecoderModel, copy, threads=1).load_kept(saved).ids == some_ids(50)


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_save_that_fails_leaves_what_was(
    exact: DecoderModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    path, kept = tmp_path / "a.kept", exact.keep(PROMPT)
    kept.save(path)
    before = path.read_bytes()

    def full(*arguments: Any) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os if call == "fsync" else Path, call, full)
    kept.messages = [{"role": "user", "content": "more"}]
    with pytest.raises(StorageError, match=r"cannot write '.*a\.kept': No space left"):
        kept.save(path)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]
    monkeypatch.undo()
    with pytest.raises(StorageError, match="cannot write"):
        kept.save(tmp_path / "nowhere" / "a.kept")


# The command line.


def talk(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any, said: str, *options: str
) -> str:
    """What is answered to lines of a pipe."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(said.encode())))
    assert main(["chat", str(folder), "--max-new-tokens", "12", "--threads", "1", *options]) == 0
    return str(capfd.readouterr().out)


def test_a_conversation_goes_on_tomorrow(
    exact_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any, fed: list[int]
) -> None:
    file, said = tmp_path / "talk.kept", ["one", "two, please", "and three"]
    options = ["--system", "Be kind."]
    whole = talk(exact_folder, monkeypatch, capfd, "\n".join(said) + "\n", *options)
    once = list(fed)
    fed.clear()
    answers = ""
    for place, line in enumerate(said):
        given = options if place < 2 else []  # it is in the file
        answers += talk(
            exact_folder, monkeypatch, capfd, line + "\n", "--session", str(file), *given
        )
    assert answers == whole and fed == once
    model = load_as(satchel.DecoderModel, exact_folder, threads=1)
    messages = model.load_kept(file).messages
    assert [turn["content"] for turn in messages if turn["role"] != "assistant"] == [
        "Be kind.",
        *said,
    ]
    again = talk(exact_folder, monkeypatch, capfd, "/reset\none\n", "--session", str(file))
    assert again == talk(exact_folder, monkeypatch, capfd, "one\n", *options)
    assert len(model.load_kept(file).messages) == 3


def test_sessions_that_cannot_be_are_refused(
    exact_folder: Path, saved: Path, tmp_path: Path, packed: Any, capfd: Any
) -> None:
    run = ["chat", str(exact_folder), "--session"]
    (tmp_path / "notes.txt").write_text("not to be lost")
    refused(capfd, [*run, tmp_path / "notes.txt"], "KEPT_TEXT", "no kept text", within=tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "not to be lost"
    absent = tmp_path / "absent" / "talk.kept"
    refused(capfd, [*run, absent], "STORAGE", "--session", "existing folder", within=tmp_path)
    refused(capfd, [*run, saved, "--system", "x"], "USAGE", "began otherwise", within=tmp_path)
    other = ["chat", str(packed("int8")), "--session", saved]
    refused(capfd, other, "KEPT_TEXT", "kept with another bundle", within=tmp_path)


def test_its_text_says_how_much_it_is(exact: DecoderModel) -> None:
    assert repr(exact.keep(PROMPT)) == "<KeptText 5 ids>"
    assert isinstance(exact.keep(), KeptText)
