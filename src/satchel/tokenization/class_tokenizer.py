"""The tokenizer that a checkpoint's files make together, as the class that reads them does.

Most classes of transformers 5 take little more than the vocabulary from tokenizer.json; case, accents
and spaces come from tokenizer_config.json, tokens from all files.
"""

from __future__ import annotations

import copy
import json
from typing import Any

from tokenizers import AddedToken, Tokenizer
from tokenizers import processors as post

from satchel.checkpoints.checkpoint import Checkpoint
from satchel.runtime.errors import CheckpointError, UnsupportedError, shown
from satchel.tokenization.class_choice import WITH_TYPES, reading_class
from satchel.tokenization.class_layout import Find, Layout
from satchel.tokenization.class_parts import Parts, vocabulary_files
from satchel.tokenization.class_pieces import PIECES
from satchel.tokenization.class_words import WORDS
from satchel.tokenization.declared_tokens import ROLES, Declared, Token, declared_tokens, text_of
from satchel.tokenization.merged_cuts import prove_cuts

LAYOUTS = WORDS | PIECES
NO_LAYOUT = {  # classes that are refused, and why
    "BlenderbotSmall": "cuts words by rules of its own, of which satchel makes no tokenizer.json",
    "RoFormer": "cuts Chinese by the words of jieba's dictionary, which no tokenizer.json holds",
}


def class_tokenizer(checkpoint: Checkpoint, vocab_size: int) -> dict[str, Any] | None:
    """The content of tokenizer.json with what the other files say; None where there is no vocabulary.

    Raises CheckpointError or UnsupportedError for what they may not say.
    """
    if checkpoint.tokenizer is not None and checkpoint.tokenizer_is_whole:
        return checkpoint.tokenizer
    _refuse(checkpoint)
    given = checkpoint.tokenizer
    whole = Tokenizer.from_str(json.dumps(given, ensure_ascii=False)) if given is not None else None
    layout = LAYOUTS.get(reading_class(checkpoint))
    vocab = None
    if layout is not None and (given is not None or layout.plain):
        vocab = vocabulary_files(checkpoint, layout.model)
    declared = declared_tokens(checkpoint)
    if vocab is not None and layout is not None and _is_of_another(checkpoint, layout, vocab[0]):
        vocab = None
    if layout is not None and vocab is not None:
        usual = layout.tokens
        names = usual | {role: _like(usual.get(role), it) for role, it in declared.names.items()}
        texts = {role: text_of(token) for role, token in names.items()}
        parts = Parts(*vocab, checkpoint.tokenizer_config, texts)
        extra = layout.extra(parts) if declared.extra is None else declared.extra
        tokens = Declared(names, extra, declared.added)
        content: dict[str, Any] = json.loads(
            _built(layout, parts, tokens, vocab_size, whole).to_str()
        )
        return content
    if given is None or whole is None:
        return None
    names = _padding(given) | declared.names
    _add(whole, Declared(names, declared.extra, declared.added), vocab_size)
    return given | {"added_tokens": json.loads(whole.to_str())["added_tokens"]}


def _is_of_another(checkpoint: Checkpoint, layout: Layout, vocab: Any) -> bool:
    """Whether a class that no file names, but the architecture, is not that of tokenizer.json."""
    if checkpoint.tokenizer is None or checkpoint.tokenizer_config.get("tokenizer_class"):
        return False
    unknown = layout.tokens.get("unk_token")
    return isinstance(vocab, dict) and unknown is not None and text_of(unknown) not in vocab


def _like(usual: Token | None, token: Token | None) -> Token | None:
    """A token that is a text alone is taken as its class takes its usual one in that role."""
    if not isinstance(token, str) or not isinstance(usual, AddedToken):
        return token
    return AddedToken(
        token, lstrip=usual.lstrip, normalized=usual.normalized, special=usual.special
    )


def _refuse(checkpoint: Checkpoint) -> None:
    """Settings that would change ids and cannot be had."""
    name = reading_class(checkpoint)
    if name in NO_LAYOUT:
        raise UnsupportedError(
            f"{name}Tokenizer {NO_LAYOUT[name]}; name another tokenizer_class in "
            "tokenizer_config.json where the files are of one"
        )
    known = {"split_special_tokens": "false", "init_inputs": "an empty list"}
    if checkpoint.config.get("model_type") in ("mistral", "mistral3", "ministral"):
        known["fix_mistral_regex"] = "false"
    for key, harmless in known.items():
        if value := checkpoint.tokenizer_config.get(key):
            raise UnsupportedError(
                f"tokenizer_config.json: {key} = {shown(value)} is not supported; known: {harmless}"
            )


def _built(
    layout: Layout, parts: Parts, tokens: Declared, vocab_size: int, given: Tokenizer | None
) -> Tokenizer:
    """The tokenizer of a class; `given` is that of tokenizer.json, if there is one."""
    tokenizer = layout.build(parts)
    if given is None:
        prove_cuts(tokenizer)
    _add(tokenizer, tokens, vocab_size)

    def find(text: str) -> int:
        index = tokenizer.token_to_id(text)
        if index is None:
            raise CheckpointError(
                f"the vocabulary lacks {shown(text)}, which goes around texts", "TOKENIZER_INVALID"
            )
        return int(index)

    if layout.around is not None:
        tokenizer.post_processor = layout.around(parts, find)
    elif given is not None and given.post_processor is not None:
        tokenizer.post_processor = given.post_processor
    else:  # only without tokenizer.json these two switches are looked at
        begins, ends = (
            given is None and parts.flag(f"add_{name}_token", False) for name in ("bos", "eos")
        )
        tokenizer.post_processor = _ends(parts, find, begins, ends)
    return tokenizer


def _ends(parts: Parts, find: Find, begins: bool, ends: bool) -> Any:
    """A first and a last token around each text, where the files ask for them."""
    first = [parts.texts["bos_token"]] if begins else []
    last = [parts.texts["eos_token"]] if ends else []
    second = [f"{token}:1" for token in (*first, "$B", *last)]
    return post.TemplateProcessing(
        single=[*first, "$A", *last],
        pair=[*first, "$A", *last, *second],
        special_tokens=[(token, find(token)) for token in dict.fromkeys([*first, *last])],
    )


def _padding(content: dict[str, Any]) -> dict[str, Token | None]:
    """The padding token that tokenizer.json names, where no other file does."""
    padding = content.get("padding")
    return {"pad_token": padding["pad_token"]} if isinstance(padding, dict) else {}


def _add(tokenizer: Tokenizer, declared: Declared, vocab_size: int) -> None:
    """Add the declared tokens by their ids, then those that have a role, then further ones."""
    tokens: dict[str, AddedToken] = {}
    roles = sorted(declared.names, key=lambda role: ROLES.index(role) if role in ROLES else 99)
    named = [token for role in roles if (token := declared.names[role]) is not None]
    texts = {text_of(token) for token in named}
    for _, token in sorted(declared.added.items(), key=lambda item: item[0]):
        token.special = token.special or token.content in texts
        tokens.setdefault(token.content, token)
    numbered = set(tokens)
    present = {token.content for token in tokenizer.get_added_tokens_decoder().values()}
    for one in [*named, *(declared.extra or [])]:
        token = copy.copy(one) if isinstance(one, AddedToken) else AddedToken(one, special=True)
        token.special = token.special or token.content in texts
        if token.content not in present:
            tokens.setdefault(token.content, token)
    for text, token in tokens.items():
        room = tokenizer.get_vocab_size(with_added_tokens=True) < vocab_size
        # A token that no file numbers and no embedding stands for is not the model's.
        if room or text in numbered or tokenizer.token_to_id(text) is not None:
            tokenizer.add_tokens([token])
    for index, token in declared.added.items():
        got = tokenizer.token_to_id(token.content)
        if token.content and got != index:
            raise CheckpointError(
                f"the files give the token {shown(token.content)} the id {index}, but it has {got} "
                "in the vocabulary",
                "TOKENIZER_INVALID",
            )


def class_tokens(checkpoint: Checkpoint) -> dict[str, Token | None]:
    """The tokens that a checkpoint's class has where no file names others."""
    layout = LAYOUTS.get(reading_class(checkpoint))
    return dict(layout.tokens) if layout is not None and not checkpoint.tokenizer_is_whole else {}


def cuts_left(checkpoint: Checkpoint) -> bool:
    """Whether of a text that is too long the end is kept: tokenizer_config.json says so, or the
    truncation in tokenizer.json."""
    truncation = (checkpoint.tokenizer or {}).get("truncation")
    usual = truncation.get("direction") if isinstance(truncation, dict) else None
    side = checkpoint.tokenizer_config.get("truncation_side", usual or "right")
    if not isinstance(side, str) or side.lower() not in ("left", "right"):
        raise CheckpointError(
            f"tokenizer_config.json: truncation_side = {shown(side)}; expected left or right",
            "CKPT_CONFIG",
        )
    return side.lower() == "left"


def tells_pairs_apart(checkpoint: Checkpoint) -> bool:
    """Whether the model is given token types: where the tokenizer lists them among its inputs."""
    names = checkpoint.tokenizer_config.get("model_input_names")
    if names is not None:
        return isinstance(names, list) and "token_type_ids" in names
    name = reading_class(checkpoint)
    return LAYOUTS[name].token_types if name in LAYOUTS else name in WITH_TYPES
