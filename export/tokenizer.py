"""The tokenizer a bundle carries: tokenizer.json checked against the model, special tokens as ids."""

from __future__ import annotations

import json
from typing import Any

from tokenizers import Tokenizer

from satchel.models.checkpoint import Checkpoint
from satchel.runtime.bundle import Tokens
from satchel.runtime.errors import CheckpointError, shown

SPECIAL = ("bos_token", "eos_token", "unk_token", "pad_token", "mask_token")
SAMPLING_KEYS = ("temperature", "top_k", "top_p", "min_p", "repetition_penalty")


def bundle_tokenizer(checkpoint: Checkpoint, vocab_size: int) -> bytes:
    """Content of the bundle's tokenizer.json.

    Raises CheckpointError where it is absent, unusable, or has ids that the model lacks.
    """
    if checkpoint.tokenizer is None:
        raise CheckpointError(
            f"{shown(checkpoint.source)} has no tokenizer.json", "TOKENIZER_INVALID"
        )
    text = json.dumps(checkpoint.tokenizer, ensure_ascii=False)
    try:
        tokenizer = Tokenizer.from_str(text)
    except BaseException as error:  # tokenizers panics with a BaseException of its own
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        raise CheckpointError(
            f"tokenizer.json is not usable: {shown(error)}", "TOKENIZER_INVALID"
        ) from None
    vocabulary = tokenizer.get_vocab(with_added_tokens=True)
    beyond = [token for token, index in vocabulary.items() if index >= vocab_size]
    if beyond:
        raise CheckpointError(
            f"tokenizer.json has {len(beyond)} tokens beyond the model's {vocab_size} embeddings, "
            f"such as {shown(beyond[0])}",
            "TOKENIZER_INVALID",
        )
    return text.encode("utf-8")


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
    """Ids of special tokens; every id that ends a text according to any of the files."""
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
            if isinstance(item, bool) or not isinstance(item, int) or not 0 <= item < vocab_size:
                raise CheckpointError(
                    f"{name}_token_id {shown(item)} is outside 0..{vocab_size - 1}", "CKPT_CONFIG"
                )
        return found

    def first(name: str) -> int | None:
        found = ids(name)
        return found[0] if found else None

    return Tokens(first("bos"), ids("eos"), first("pad"), first("mask"))


def generation_defaults(checkpoint: Checkpoint) -> dict[str, Any]:
    """The sampling options the checkpoint recommends; none where it does not sample."""
    config = checkpoint.generation_config
    # 0 and null are how checkpoints say that an option is off.
    found = {key: config[key] for key in SAMPLING_KEYS if config.get(key)}
    if not config.get("do_sample"):
        return {key: value for key, value in found.items() if key == "repetition_penalty"}
    return {"temperature": 1.0, **found}
