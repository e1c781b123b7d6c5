"""The tokens that a checkpoint's files name beside its vocabulary, and which file wins.

As in transformers 5: beside an added_tokens_decoder in tokenizer_config.json older files are ignored.
Else special_tokens_map.json wins over it, and tokenizer.json's ids over added_tokens.json.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tokenizers import AddedToken

from satchel.checkpoints.checkpoint import Checkpoint
from satchel.checkpoints.strict_json import read_json
from satchel.runtime.errors import CheckpointError, shown

FILE_LIMIT = 32 << 20
ROLES = tuple(f"{name}_token" for name in ("bos", "eos", "unk", "sep", "pad", "cls", "mask"))
FLAGS = ("single_word", "lstrip", "rstrip", "normalized", "special")
Token = AddedToken | str  # a text alone says nothing of spaces and normalisation


@dataclass(frozen=True)
class Declared:
    """Tokens by role, of which a model may have some of its own (image_token); further special tokens,
    None where no file has a list; added tokens by id."""

    names: dict[str, Token | None]
    extra: list[Token] | None
    added: dict[int, AddedToken]


def declared_tokens(checkpoint: Checkpoint) -> Declared:
    """Gather them. Raises CheckpointError for what is no token or no id."""
    config = checkpoint.tokenizer_config
    names = _names(config)
    extra, more = _extra(config)
    own = config.get("model_specific_special_tokens")
    names |= more or {key: _one(token) for key, token in (own or {}).items()}
    listed = config.get("added_tokens_decoder")
    if listed is not None:
        if not isinstance(listed, dict):
            raise CheckpointError(f"added_tokens_decoder = {shown(listed)}; expected an object")
        added = {whole_number(index, "a token"): token_of(entry) for index, entry in listed.items()}
    else:
        older = optional_file(checkpoint, "special_tokens_map.json")
        names |= {role: _special(token) for role, token in _names(older).items()}
        further, more = _extra(older)
        names |= more
        extra = [*(extra or []), *further] if further is not None else extra
        added = _older(checkpoint, {str(token) for token in [*names.values(), *(extra or [])]})
    by_text = {token.content: token for token in added.values()}
    for role in ROLES:
        if names.get(role) is not None:
            names[role] = by_text.get(text_of(names[role]), names[role])
    return Declared(names, extra, added)


def _names(config: dict[str, Any]) -> dict[str, Token | None]:
    """Tokens by role: every key that ends so, but for switches (add_bos_token)."""
    return {
        key: value if value is None or isinstance(value, str) else token_of(value)
        for key, value in config.items()
        if (key in ROLES and not isinstance(value, bool))
        or (key.endswith("_token") and isinstance(value, str | dict))
    }


def _extra(config: dict[str, Any]) -> tuple[list[Token] | None, dict[str, Token | None]]:
    """The list of further special tokens, under its new or its old name, or those that it names."""
    listed = config.get("extra_special_tokens")
    if not listed and "additional_special_tokens" in config:
        listed = config["additional_special_tokens"] or []
    if isinstance(listed, dict):
        return None, {key: _one(token) for key, token in listed.items()}
    if listed is not None and not isinstance(listed, list):
        raise CheckpointError(f"extra_special_tokens = {shown(listed)}; expected a list of tokens")
    return None if listed is None else [_one(token) for token in listed], {}


def _one(value: Any) -> Token:
    return value if isinstance(value, str) else token_of(value)


def _special(token: Token | None) -> Token | None:
    if isinstance(token, AddedToken):
        token.special = True
    return token


def _older(checkpoint: Checkpoint, special: set[str]) -> dict[int, AddedToken]:
    """The added tokens of added_tokens.json and tokenizer.json."""
    added = {
        whole_number(index, text): AddedToken(
            text, normalized=text not in special, special=text in special
        )
        for text, index in optional_file(checkpoint, "added_tokens.json").items()
    }
    for entry in (checkpoint.tokenizer or {}).get("added_tokens") or []:
        token = token_of(entry)
        added[whole_number(entry.get("id"), token.content)] = token
    return added


def token_of(entry: Any) -> AddedToken:
    """An added token written out: its content and how it takes spaces and case."""
    content = entry.get("content") if isinstance(entry, dict) else None
    if not isinstance(content, str):
        raise CheckpointError(f"{shown(entry)} has no content; expected a token", "CKPT_CONFIG")
    flags = {flag: entry[flag] for flag in FLAGS if flag in entry}
    wrong = [flag for flag, value in flags.items() if not isinstance(value, bool)]
    if wrong:
        raise CheckpointError(
            f"token {shown(content)}: {wrong[0]} = {shown(flags[wrong[0]])}; expected true or false",
            "CKPT_CONFIG",
        )
    return AddedToken(content, **flags)


def text_of(token: Token | None) -> str:
    """A token's text; of none the word that transformers takes then."""
    return token.content if isinstance(token, AddedToken) else str(token)


def optional_file(checkpoint: Checkpoint, name: str) -> dict[str, Any]:
    """The JSON object in a file of the tokenizer; an empty one if there is no such file."""
    path = checkpoint.tokenizer_files.get(name)
    return read_json(path, FILE_LIMIT) if path is not None else {}


def whole_number(index: Any, token: str) -> int:
    """An id, which some files write as a text."""
    number = int(index) if isinstance(index, str) and index.isdigit() else index
    if isinstance(number, bool) or not isinstance(number, int) or number < 0:
        raise CheckpointError(
            f"the id of {shown(token)} is {shown(index)}, no whole number", "TOKENIZER_INVALID"
        )
    return number
