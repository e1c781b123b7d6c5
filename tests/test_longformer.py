"""Longformer: neighbours in blocks, tokens that see all of a text, memory by the length of a text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

import satchel
from satchel import models
from satchel.checkpoints.folder import load_folder
from satchel.runtime.errors import CheckpointError, UnsupportedError
from tests.tiny import VOCAB, edit_config
from tests.tiny_encoders import save_encoder, save_tokenizer

pytest_plugins = "tests.encoder_bundles"

LENGTHS = (5, 24, 127, 128, 129, 300, 397)  # around a block of queries, up to the last position
SEPARATOR = 3


def rows_of(length: int) -> np.ndarray:
    """Three rows of ids, each of a question, of another length, and a text."""
    ids = np.random.default_rng(length).integers(SEPARATOR + 1, VOCAB, (3, length))
    for row, question in zip(ids, (0, length // 4, length // 2), strict=True):
        row[[question, question + 1, -1]] = SEPARATOR
    return ids


@pytest.mark.parametrize("task", ["classify", "answer"])
def test_rows_together_and_alone_equal_transformers(task: str, made: Any) -> None:
    ours, theirs, _ = made("longformer", task)
    graph = ours.graphs["encoder"]
    for length in LENGTHS:
        rows = rows_of(length)
        with torch.inference_mode():
            answer = theirs(torch.from_numpy(rows))
        starts = [answer.start_logits, answer.end_logits] if task == "answer" else []
        expected = torch.stack(starts, -1) if starts else answer.logits
        together = graph({"input_ids": rows})
        np.testing.assert_allclose(together, expected.numpy(), atol=1e-4)
        for row, found in zip(rows, together, strict=True):
            np.testing.assert_allclose(graph({"input_ids": row[None]})[0], found, atol=1e-5)


def test_question_and_text_are_parted_as_by_their_tokenizer(made: Any, tmp_path: Path) -> None:
    ours, _, folder = made("longformer", "answer")
    question, text = "is it a fox", "the dog sees the cat. " * 9
    parts, _ = ours.preparation.question(question, text)
    expected = transformers.AutoTokenizer.from_pretrained(folder)(question, text)["input_ids"]
    assert [part.ids for part in parts] == [expected]
    assert expected.count(SEPARATOR) == 3
    assert ours.answer(question, text * 9).text  # in pieces
    save_encoder(tmp_path / "other", "longformer", "answer")
    save_tokenizer(tmp_path / "other", padding=1, positions=398, typed=False)
    with pytest.raises(UnsupportedError, match=r"by 2 tokens of the id 3 .*sep_token_id"):
        satchel.pack(tmp_path / "other", tmp_path / "out", profile="fp32")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("window", [7, 0, -2, [8], [8, 8, 8], [8, 5], 1 << 22])
def test_windows_that_are_none_are_refused(window: Any, tmp_path: Path) -> None:
    save_encoder(tmp_path, "longformer")
    edit_config(tmp_path, attention_window=window)
    with pytest.raises(CheckpointError, match=r"attention_window = .*even number of tokens"):
        models.build_encoder(load_folder(tmp_path))


class Largest(TorchDispatchMode):
    """How many numbers the largest tensor has that is made meanwhile."""

    numbers = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        if isinstance(made, Tensor):
            self.numbers = max(self.numbers, made.numel())
        return made


@pytest.mark.parametrize("task", ["embed", "classify", "answer"])
def test_memory_grows_with_the_length(task: str, tmp_path: Path) -> None:
    save_encoder(tmp_path, "longformer", task, max_position_embeddings=5000)
    tower = models.build_encoder(load_folder(tmp_path)).towers["encoder"]

    def largest(length: int) -> int:
        ids = torch.randint(SEPARATOR + 1, VOCAB, (1, length))
        ids[0, 9] = SEPARATOR
        with torch.inference_mode(), Largest() as largest:
            tower(ids)
        return largest.numbers

    assert largest(4096) <= 2 * largest(2048)
