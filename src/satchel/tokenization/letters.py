"""The letters that a model of sounds writes: what each of its outputs stands for. Knows no graph.

They come from vocab.json and the tokens beside it, as Wav2Vec2CTCTokenizer of transformers reads them.
"""

from __future__ import annotations

from typing import Any

from satchel.checkpoints.checkpoint import Checkpoint
from satchel.runtime.errors import CheckpointError, UnsupportedError, shown
from satchel.runtime.manifest import Labels
from satchel.tokenization.declared_tokens import declared_tokens, optional_file, text_of

FILE, CLASS = "vocab.json", "Wav2Vec2CTCTokenizer"
CLASSES = (None, CLASS, "Wav2Vec2Tokenizer")
USUAL = {
    "bos_token": "<s>",
    "eos_token": "</s>",
    "unk_token": "<unk>",
    "pad_token": "<pad>",
    "word_delimiter_token": "|",
}
BLANK, SPACE = "", " "  # the names of the blank and of what stands between words
LANGUAGE_MODEL = "Wav2Vec2ProcessorWithLM"


def letters(checkpoint: Checkpoint, count: int) -> Labels:
    """The names of `count` outputs. Raises CheckpointError or UnsupportedError where files give none."""
    settings = checkpoint.tokenizer_config
    named = settings.get("tokenizer_class")
    if named not in CLASSES:
        raise UnsupportedError(
            f"tokenizer_config.json: tokenizer_class {shown(named)} is not supported here; known: {CLASS}"
        )
    space = settings.get("replace_word_delimiter_char", SPACE)
    if space != SPACE:
        raise UnsupportedError(
            f"tokenizer_config.json: replace_word_delimiter_char = {shown(space)} is not supported; "
            "known: a space"
        )
    declared = declared_tokens(checkpoint)
    roles: dict[str, str | None] = dict(USUAL)
    roles |= {role: text_of(token) if token else None for role, token in declared.names.items()}
    vocabulary = _vocabulary(checkpoint)
    named_by = {index: token for token, index in vocabulary.items()}
    added = {index: token.content for index, token in declared.added.items()}
    known = {*vocabulary, *added.values()}
    for role in (*USUAL, *sorted(roles.keys() - USUAL.keys())):
        token = roles[role]
        if token is not None and token not in known:  # transformers puts such at the end
            added[len(known)] = token
            known.add(token)
    unknown = roles["unk_token"] or USUAL["unk_token"]
    tokens = [named_by.get(index, added.get(index, unknown)) for index in range(count)]
    if roles["pad_token"] not in tokens:
        raise CheckpointError(
            f"{FILE} has no {shown(roles['pad_token'])}, which would be the blank between letters",
            "TOKENIZER_INVALID",
        )
    lowered = settings.get("do_lower_case", False) is True
    special = {roles["pad_token"]: BLANK, roles["word_delimiter_token"]: SPACE}
    names = [special.get(token, token.lower() if lowered else token) for token in tokens]
    _check_apart(tokens, names)
    return Labels(names, "softmax")


def tidies(checkpoint: Checkpoint) -> bool:
    """Whether a text's spaces before punctuation are left out."""
    return checkpoint.tokenizer_config.get("clean_up_tokenization_spaces") is True


def remarks(checkpoint: Checkpoint) -> list[str]:
    """What a user should hear of the files beside the letters."""
    processors = (checkpoint.preprocessor_config, checkpoint.tokenizer_config)
    if any(one.get("processor_class") == LANGUAGE_MODEL for one in processors):
        return [f"the language model of {LANGUAGE_MODEL} is not read: letters are taken as heard"]
    return []


def _vocabulary(checkpoint: Checkpoint) -> dict[str, int]:
    """Letter to output, by vocab.json."""
    content: dict[str, Any] = optional_file(checkpoint, FILE)
    if not content:
        raise CheckpointError(
            f"{shown(checkpoint.source)} has no {FILE}, which names the letters that it writes",
            "TOKENIZER_INVALID",
        )
    if any(isinstance(value, dict) for value in content.values()):
        raise UnsupportedError(
            f"{FILE} has vocabularies of several languages ({', '.join(map(shown, sorted(content)[:4]))}"
            ", ...), whose adapters are not supported"
        )
    for token, index in content.items():
        if type(index) is not int or index < 0:
            raise CheckpointError(
                f"{FILE}: the id of {shown(token)} is {shown(index)}, no whole number",
                "TOKENIZER_INVALID",
            )
    return content


def _check_apart(tokens: list[str], names: list[str]) -> None:
    """Raise where two letters would become one: neighbours of one name are one letter."""
    origin: dict[str, str] = {}
    for token, name in zip(tokens, names, strict=True):
        if origin.setdefault(name, token) != token:
            raise UnsupportedError(
                f"{FILE}: {shown(origin[name])} and {shown(token)} both stand for {shown(name)}"
            )
