"""The tokenizer a bundle carries: tokenizer.json checked against the model, special tokens as ids."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tokenizers import Tokenizer

from satchel.export.canonical import canonical
from satchel.export.made_tokenizer import made_tokenizer
from satchel.models.checkpoint import Checkpoint
from satchel.runtime.errors import CheckpointError, shown
from satchel.runtime.manifest import Tokens

SPECIAL = ("bos_token", "eos_token", "unk_token", "pad_token", "mask_token")
SAMPLING_KEYS = ("temperature", "top_k", "top_p", "min_p", "repetition_penalty")
MOST = {"temperature": 1e4, "top_p": 1, "min_p": 1, "repetition_penalty": 1e3}
# Characters that few vocabularies hold: what a tokenizer cannot encode is found before the export.
PROVOKING = "Hello, Grüße! \0\t\r\n 世界 🎒 e\u0301\u200d\ufffd"


def bundle_tokenizer(checkpoint: Checkpoint, vocab_size: int) -> bytes:
    """Content of the bundle's tokenizer.json.

    Raises CheckpointError where it is absent, unusable, or has ids that the model lacks.
    """
    made = None if checkpoint.tokenizer else made_tokenizer(checkpoint, vocab_size)
    content = checkpoint.tokenizer or made
    if content is None:
        raise CheckpointError(
            f"{shown(checkpoint.source)} has no tokenizer.json", "TOKENIZER_INVALID"
        )
    # A text is read whole and alone, whatever its length.
    whole = canonical(checkpoint, content) | {"truncation": None, "padding": None}
    text = json.dumps(whole, ensure_ascii=False)
    try:
        with _silence():
            tokenizer = Tokenizer.from_str(text)
            ids = tokenizer.encode(PROVOKING).ids
    except BaseException as error:  # tokenizers panics with a BaseException of its own
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        raise CheckpointError(
            f"tokenizer.json is not usable: {shown(error)}", "TOKENIZER_INVALID"
        ) from None
    if made is not None:
        return text.encode("utf-8")  # its ids beyond the vocabulary are meant
    _check_ids(tokenizer, whole.get("added_tokens") or [], vocab_size)
    if ids and max(ids) >= vocab_size:
        raise CheckpointError(
            f"tokenizer.json makes a text of id {max(ids)}, beyond the model's {vocab_size} "
            "embeddings",
            "TOKENIZER_INVALID",
        )
    return text.encode("utf-8")


def _check_ids(tokenizer: Tokenizer, added: list[dict[str, Any]], vocab_size: int) -> None:
    """Every token has an id of its own, the one it was declared with, and an embedding."""
    vocabulary = tokenizer.get_vocab(with_added_tokens=True)
    beyond = [token for token, index in vocabulary.items() if index >= vocab_size]
    if beyond:
        raise CheckpointError(
            f"tokenizer.json has {len(beyond)} tokens beyond the model's {vocab_size} embeddings, "
            f"such as {shown(beyond[0])}",
            "TOKENIZER_INVALID",
        )
    for entry in added:  # a declared id that does not follow on is replaced without a word
        token, index = entry["content"], entry["id"]
        if token and vocabulary.get(token) != index:
            raise CheckpointError(
                f"tokenizer.json adds {shown(token)} with id {index}, but loading it gives "
                f"{vocabulary.get(token)}",
                "TOKENIZER_INVALID",
            )
    names: dict[int, str] = {}
    for token, index in vocabulary.items():
        if names.setdefault(index, token) != token:
            raise CheckpointError(
                f"tokenizer.json gives {shown(names[index])} and {shown(token)} the same id "
                f"{index}",
                "TOKENIZER_INVALID",
            )


@contextmanager
def _silence() -> Iterator[None]:
    """Nothing on standard error: where tokenizers panics it writes lines of its own there."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def special_token_texts(checkpoint: Checkpoint) -> dict[str, str]:
    """bos_token, eos_token, ... as texts, from tokenizer_config.json."""
    found = {}
    for name in SPECIAL:
        value = checkpoint.tokenizer_config.get(name)
        if isinstance(value, dict):  # an AddedToken written out
            value = value.get("content")
        if isinstance(value, str):
            found[name] = value
    return found


def special_tokens(checkpoint: Checkpoint, tokenizer: bytes, vocab_size: int) -> Tokens:
    """Ids of special tokens; every id that ends a text according to any of the files.

    An id outside the vocabulary, -1 above all, is how files say that there is no such token.
    """
    lookup = Tokenizer.from_buffer(tokenizer).token_to_id
    texts = special_token_texts(checkpoint)

    def ids(name: str) -> list[int]:
        found: list[int] = []
        for source in (checkpoint.generation_config, checkpoint.config):
            value = source.get(f"{name}_token_id")
            values = value if isinstance(value, list) else [value]
            found += [item for item in values if item is not None and item not in found]
        text = texts.get(f"{name}_token")
        index = lookup(text) if text is not None else None
        if index is not None and index not in found:
            found.append(index)
        for item in found:
            if isinstance(item, bool) or not isinstance(item, int):
                raise CheckpointError(f"{name}_token_id {shown(item)} is not an id", "CKPT_CONFIG")
        return [item for item in found if 0 <= item < vocab_size]

    def first(name: str) -> int | None:
        found = ids(name)
        return found[0] if found else None

    return Tokens(first("bos"), ids("eos"), first("pad"), first("mask"))


def generation_defaults(checkpoint: Checkpoint) -> dict[str, Any]:
    """The sampling options the checkpoint recommends; none where it does not sample."""
    config = checkpoint.generation_config
    # 0 and null are how checkpoints say that an option is off.
    found = {key: config[key] for key in SAMPLING_KEYS if config.get(key)}
    for key, value in found.items():
        whole = key == "top_k"
        number = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
        if not number or not 0 < value <= MOST.get(key, value):
            raise CheckpointError(
                f"generation_config.json: {key} = {shown(value)} is no sampling option",
                "CKPT_CONFIG",
            )
    if not config.get("do_sample"):
        return {key: value for key, value in found.items() if key == "repetition_penalty"}
    return {"temperature": 1.0, **found}
