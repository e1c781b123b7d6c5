"""The tokenizer a bundle carries: tokenizer.json checked against the model, special tokens as ids."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tokenizers import AddedToken, Tokenizer

from satchel.checkpoints.checkpoint import Checkpoint
from satchel.checkpoints.tensors import some
from satchel.runtime.errors import CheckpointError, SatchelError, shown
from satchel.runtime.manifest import Tokens
from satchel.tokenization.canonical import canonical
from satchel.tokenization.class_choice import reading_class
from satchel.tokenization.class_tokenizer import class_tokenizer, class_tokens
from satchel.tokenization.declared_tokens import declared_tokens, text_of
from satchel.tokenization.made_tokenizer import made_tokenizer

SPECIAL = ("bos_token", "eos_token", "unk_token", "pad_token", "mask_token")
# Characters that few vocabularies hold: what a tokenizer cannot encode is found before the export.
PROVOKING = "Hello, Grüße! \0\t\r\n 世界 🎒 e\u0301\u200d\ufffd"


def bundle_tokenizer(checkpoint: Checkpoint, vocab_size: int) -> bytes:
    """Content of the bundle's tokenizer.json.

    Raises CheckpointError where it is absent, unusable, or has ids that the model lacks.
    """
    made = None
    with _reading():
        content = class_tokenizer(checkpoint, vocab_size)
    if content is None:
        content = made = made_tokenizer(checkpoint, vocab_size)
    if content is None:
        raise CheckpointError(
            f"{shown(checkpoint.source)} has no tokenizer.json{_instead(checkpoint)}",
            "TOKENIZER_INVALID",
        )
    # A text is read whole and alone, whatever its length.
    whole = canonical(checkpoint, content) | {"truncation": None, "padding": None}
    whole |= {"post_processor": _untrimmed(whole.get("post_processor"))}
    if checkpoint.sentence is not None and checkpoint.sentence.first.lower_case:
        whole |= {"normalizer": _lowered(whole.get("normalizer"))}
    text = json.dumps(whole, ensure_ascii=False)
    with _reading():
        tokenizer = Tokenizer.from_str(text)
        if _add_prefixes(checkpoint, tokenizer):
            text = tokenizer.to_str()
        ids = tokenizer.encode(PROVOKING).ids
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


def _add_prefixes(checkpoint: Checkpoint, tokenizer: Tokenizer) -> bool:
    """Make tokens of what PyLate puts before texts, where the vocabulary has it and cuts it up all the
    same; whether any was."""
    pylate = checkpoint.sentence.settings.pylate if checkpoint.sentence is not None else None
    changed = False
    for prefix in pylate.prefixes if pylate is not None else ():
        known = [
            text
            for text in (prefix, *prefix.split()[:1])
            if tokenizer.token_to_id(text) is not None
        ]
        for text in known[:1]:
            if tokenizer.encode(text, add_special_tokens=False).tokens != [text]:
                tokenizer.add_special_tokens([AddedToken(text, normalized=False, special=True)])
                changed = True
    return changed


def _lowered(normalizer: Any) -> dict[str, Any]:
    """A normalizer that turns letters to small ones first, as sentence-transformers does: behind the
    search for special tokens, which keep theirs."""
    steps = [normalizer] if normalizer is not None else []
    if normalizer is not None and normalizer.get("type") == "Sequence":
        steps = normalizer["normalizers"]
    return {"type": "Sequence", "normalizers": [{"type": "Lowercase"}, *steps]}


def _untrimmed(processor: Any) -> Any:
    """A post-processor that leaves places in a text as they are.

    To trim spaces off them it takes a letter for a space behind an added token; the runtime trims.
    """
    if isinstance(processor, list):
        return [_untrimmed(one) for one in processor]
    if not isinstance(processor, dict):
        return processor
    changed = (
        {"processors": _untrimmed(processor["processors"])} if "processors" in processor else {}
    )
    return processor | changed | ({"trim_offsets": False} if "trim_offsets" in processor else {})


def _instead(checkpoint: Checkpoint) -> str:
    """What there is instead, in the words of a message."""
    if not checkpoint.tokenizer_files:
        return ""
    there = f", and of {some(sorted(checkpoint.tokenizer_files))}"
    name = reading_class(checkpoint)
    return f"{there} none is made for {name}Tokenizer" if name else f"{there} none is made"


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
def _reading() -> Iterator[None]:
    """Nothing on standard error and one kind of exception: where tokenizers panics it writes lines of
    its own there and raises a BaseException."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    except (SatchelError, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        raise CheckpointError(
            f"tokenizer.json is not usable: {shown(error)}", "TOKENIZER_INVALID"
        ) from None
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def special_token_texts(checkpoint: Checkpoint, usual: bool = False) -> dict[str, str]:
    """bos_token, eos_token, ... as texts, from the tokenizer's files; `usual` ones of its class too."""
    names = class_tokens(checkpoint) if usual else {}
    names |= declared_tokens(checkpoint).names
    return {role: text_of(names[role]) for role in SPECIAL if names.get(role) is not None}


def padding_id(checkpoint: Checkpoint, tokenizer: bytes) -> int | None:
    """The id that a checkpoint's tokenizer fills texts up with; None where nothing names one."""
    text = special_token_texts(checkpoint, usual=True).get("pad_token")
    index: int | None = Tokenizer.from_buffer(tokenizer).token_to_id(text) if text else None
    return index


def special_tokens(checkpoint: Checkpoint, tokenizer: bytes, vocab_size: int) -> Tokens:
    """Ids of special tokens; every id that ends a text according to any of the files.

    An id outside the vocabulary, -1 above all, is how files say that there is no such token.
    """
    lookup = Tokenizer.from_buffer(tokenizer).token_to_id
    texts = special_token_texts(checkpoint)
    usual = special_token_texts(checkpoint, usual=True)
    texts |= {name: usual[name] for name in ("pad_token", "mask_token") if name in usual}

    def ids(name: str) -> list[int]:
        listed: list[int] = []
        for source in (checkpoint.generation, checkpoint.config):
            value = source.get(f"{name}_token_id")
            values = value if isinstance(value, list) else [value]
            listed += [item for item in values if item is not None and item not in listed]
        text = texts.get(f"{name}_token")
        index = lookup(text) if text is not None else None
        if index is not None and index not in listed:
            listed.append(index)
        for item in listed:
            if isinstance(item, bool) or not isinstance(item, int):
                raise CheckpointError(f"{name}_token_id {shown(item)} is not an id", "CKPT_CONFIG")
        return [item for item in listed if 0 <= item < vocab_size]

    def first(name: str) -> int | None:
        listed = ids(name)
        return listed[0] if listed else None

    return Tokens(first("bos"), ids("eos"), first("pad"), first("mask"))


def more_ends(checkpoint: Checkpoint, tokens: Tokens) -> list[str]:
    """A note on ids that end a text here and not in transformers, which knows one file alone."""
    named = checkpoint.generation.get("eos_token_id")
    known = named if isinstance(named, list) else [named]
    more = [index for index in tokens.eos if index not in known]
    if not more:
        return []
    file = "config.json" if checkpoint.generation_config is None else "generation_config.json"
    return [
        f"a text ends at id {', '.join(map(str, more))} too, which another file calls an end and "
        f"{file} does not: transformers writes on"
    ]
