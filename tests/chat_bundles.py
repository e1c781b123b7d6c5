"""A tiny chat model with two ends of text and its bundles."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import satchel
from satchel.runtime.decoder_model import DecoderModel
from tests.generating import CONTEXT, END, OTHER_END, opened
from tests.tiny import CHATML, byte_tokenizer, save_checkpoint


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """(folder, transformers model) of a chat model with two ends of text."""
    folder = tmp_path_factory.mktemp("checkpoint")
    theirs = save_checkpoint(folder, "llama", max_position_embeddings=CONTEXT, num_hidden_layers=2)
    tokenizer = byte_tokenizer()
    tokenizer.add_special_tokens(["<|im_start|>", "<|im_end|>"])
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {"chat_template": CHATML, "eos_token": "<|im_end|>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    ends = {"eos_token_id": [END, OTHER_END]}
    (folder / "generation_config.json").write_text(json.dumps(ends))
    return folder, theirs


@pytest.fixture(scope="session")
def packed(checkpoint: Any, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The bundle of a profile, made when it is asked for."""
    out = tmp_path_factory.mktemp("bundles")

    def bundle(profile: str) -> Path:
        if not (out / profile).exists():
            # A model of noise need not pass the checks of quality, and has the cache all the same
            # over which a batch gives what each of its texts does.
            cache = None if profile == "fp32" else "int8"
            satchel.pack(checkpoint[0], out / profile, profile=profile, cache=cache, force=True)
        return out / profile

    return bundle


@pytest.fixture(scope="module", params=["fp32", "int8"])
def folder(request: Any, packed: Callable[[str], Path]) -> Path:
    return packed(request.param)


@pytest.fixture(scope="module")
def exact_folder(packed: Callable[[str], Path]) -> Path:
    """For comparing two ways to the same position, which int8 rounds apart now and then."""
    return packed("fp32")


@pytest.fixture(scope="module")
def model(folder: Path) -> DecoderModel:
    return opened(folder)


@pytest.fixture(scope="module")
def exact(exact_folder: Path) -> DecoderModel:
    return opened(exact_folder)
