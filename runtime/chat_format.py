"""Turn a conversation into the text and ids its model was trained on. Knows no model.

A conversation is joint, content, joint, ..., joint. Joints are named by their neighbours: `>user`
opens it, `user>assistant` lies between, `assistant>` closes it, `user>>` asks for an answer. Orders
that the template refuses have none. Formats that do not fit carry their Jinja.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tokenizers import AddedToken, Tokenizer

from satchel.runtime.errors import BundleError, UsageError, shown
from satchel.runtime.template import Message, render_template

ROLES = ("system", "user", "assistant")
_ROLE = "|".join(ROLES)
_SURROGATE = re.compile("[\ud800-\udfff]")
_JOINT = re.compile(rf">({_ROLE})|({_ROLE})>(>|{_ROLE})?")


@dataclass(frozen=True)
class ChatFormat:
    """How a model reads a conversation: joints and the roles whose content is trimmed, or Jinja."""

    joints: Mapping[str, str] = field(default_factory=dict)
    trim: tuple[str, ...] = ()
    template: str | None = None
    special_tokens: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, value: object) -> ChatFormat:
        """Read the manifest's entry. Raises BundleError where it is not one."""
        match value:
            case {"kind": "joints", "joints": dict(joints), "trim": list(trim)}:
                if _texts(joints) and all(map(_JOINT.fullmatch, joints)) and _roles(trim):
                    return cls(joints=joints, trim=tuple(trim))
            case {"kind": "jinja", "template": str(text), "special_tokens": dict(special)}:
                if _texts(special):
                    return cls(template=text, special_tokens=special)
        raise BundleError(f"the manifest's chat format is not one: {shown(value)}")

    def to_dict(self) -> dict[str, Any]:
        """The manifest's entry: plain JSON."""
        if self.template is None:
            return {"kind": "joints", "joints": dict(self.joints), "trim": list(self.trim)}
        special = dict(self.special_tokens)
        return {"kind": "jinja", "template": self.template, "special_tokens": special}

    def render(self, messages: Sequence[Message], add_generation_prompt: bool = True) -> str:
        """The whole conversation as one text."""
        return "".join(text for text, _ in self.segments(messages, add_generation_prompt))

    def segments(
        self, messages: Sequence[Message], add_generation_prompt: bool = True
    ) -> list[tuple[str, bool]]:
        """The conversation as (text, is_markup). A Jinja template gives one piece of markup."""
        messages = checked_messages(messages)
        if self.template is not None:
            return [(self._rendered(self.template, messages, add_generation_prompt), True)]
        pieces, before = [], ""
        for message in messages:
            role, content = message["role"], message["content"]
            pieces.append((self._joint(f"{before}>{role}"), True))
            pieces.append((content.strip() if role in self.trim else content, False))
            before = role
        pieces.append((self._joint(f"{before}>>" if add_generation_prompt else f"{before}>"), True))
        return pieces

    def _joint(self, name: str) -> str:
        if name not in self.joints:
            before, _, after = name.partition(">")
            after = {"": "end", ">": "answer"}.get(after, after)
            raise UsageError(
                f"the model's chat template refuses this order: {before or 'start'}, {after}"
            )
        return self.joints[name]

    def _rendered(
        self, template: str, messages: Sequence[Message], add_generation_prompt: bool
    ) -> str:
        try:
            return render_template(template, messages, add_generation_prompt, self.special_tokens)
        except UsageError:
            raise
        except Exception as error:  # a template is a program: it may raise anything
            raise UsageError(f"the model's chat template refuses this: {shown(error)}") from error


def checked_messages(messages: object) -> Sequence[Message]:
    """The messages as they are. Raises UsageError at the first thing that is not a message."""
    if not isinstance(messages, Sequence) or isinstance(messages, str | bytes):
        raise UsageError(f"messages must be a list, not {type(messages).__name__}")
    if not messages:
        raise UsageError("messages is empty: a conversation has at least one message")
    for number, message in enumerate(messages, 1):
        if fault := _fault(message):
            raise UsageError(f"message {number}: {fault}")
    return messages


def encode_chat(
    tokenizer: Tokenizer,
    chat: ChatFormat,
    messages: Sequence[Message],
    add_generation_prompt: bool = True,
) -> list[int]:
    """The conversation's ids. A control token that stands in a content is text, never an id."""
    control = _control_tokens(tokenizer, chat)
    pattern = _any_of(control)
    pieces = _pieces(chat, checked_messages(messages), add_generation_prompt, control)
    marks = [mark for text, markup in pieces if markup for mark in pattern.findall(text)]
    expected, powerful = [control[mark] for mark in marks], set(control.values())
    for encode in (_encode_whole, _encode_guarded):
        ids = encode(tokenizer, pieces, control)
        # Whoever forged a control token, by whatever trick, the ids tell: there is one too many.
        if [token for token in ids if token in powerful] == expected:
            return ids
    raise UsageError("a message holds a control token that this tokenizer cannot read as text")


def _control_tokens(tokenizer: Tokenizer, chat: ChatFormat) -> dict[str, int]:
    """The tokens with power: the special ones, and every added one that the markup itself uses."""
    markup = "\0".join(chat.joints.values())
    return {
        token.content: number
        for number, token in tokenizer.get_added_tokens_decoder().items()
        # Some tokenizers add runs of spaces or newlines as tokens; those are ordinary text.
        if token.special or (token.content.strip() and token.content in markup)
    }


def _pieces(
    chat: ChatFormat,
    messages: Sequence[Message],
    add_generation_prompt: bool,
    control: Mapping[str, int],
) -> list[tuple[str, bool]]:
    """Segments. A Jinja template sees a seal in place of each control token of a content."""
    if chat.template is None:
        return chat.segments(messages, add_generation_prompt)
    seal = secrets.token_hex(8)
    pattern = _any_of(control)
    names = {str(number): name for name, number in control.items()}

    def sealed(token: re.Match[str]) -> str:
        return f"{seal}{control[token[0]]}{seal}"

    safe = [{**m, "content": pattern.sub(sealed, m["content"])} for m in messages]
    parts = re.split(rf"{seal}(\d+){seal}", chat.render(safe, add_generation_prompt))
    # re.split puts the captured numbers at the odd places.
    return [(names[part], False) if i % 2 else (part, True) for i, part in enumerate(parts)]


def _encode_whole(
    tokenizer: Tokenizer, pieces: Sequence[tuple[str, bool]], control: Mapping[str, int]
) -> list[int]:
    text = "".join(text for text, _ in pieces)
    return tokenizer.encode(text, add_special_tokens=False).ids


def _encode_guarded(
    tokenizer: Tokenizer, pieces: Sequence[tuple[str, bool]], control: Mapping[str, int]
) -> list[int]:
    """Encode with a twin whose control tokens have secret names, which only the markup is told."""
    seal = secrets.token_hex(8)
    secret = {name: f"<|{seal}.{number}|>" for name, number in control.items()}
    twin = Tokenizer(tokenizer.model)
    twin.normalizer, twin.pre_tokenizer = tokenizer.normalizer, tokenizer.pre_tokenizer
    added = tokenizer.get_added_tokens_decoder()
    twin.add_tokens([_renamed(token, secret) for token in added.values()])
    # The twin numbers its added tokens anew.
    original = {
        twin.token_to_id(secret.get(token.content, token.content)): number
        for number, token in added.items()
    }
    pattern = _any_of(control)
    text = "".join(
        pattern.sub(lambda mark: secret[mark[0]], text) if markup else text
        for text, markup in pieces
    )
    ids = twin.encode(text, add_special_tokens=False).ids
    return [original.get(token, token) for token in ids]


def _renamed(token: AddedToken, secret: Mapping[str, str]) -> AddedToken:
    if token.content not in secret:
        return token
    name = secret[token.content]
    return AddedToken(name, lstrip=token.lstrip, rstrip=token.rstrip, normalized=False)


def _any_of(names: Mapping[str, int]) -> re.Pattern[str]:
    longest_first = sorted(names, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first)) or "(?!)")  # (?!) matches nothing


def _fault(message: object) -> str:
    """What is wrong with one message, or nothing."""
    if not isinstance(message, Mapping):
        return f'must be {{"role": ..., "content": ...}}, not {type(message).__name__}'
    if set(message) != {"role", "content"}:
        return f"has the keys {shown(list(message))}; expected role and content"
    role, content = message["role"], message["content"]
    if role not in ROLES:
        return f"has the role {shown(role)}; known: {', '.join(ROLES)}"
    if not isinstance(content, str):
        return f"content must be text, not {type(content).__name__}"
    if _SURROGATE.search(content):
        return "content holds half a surrogate pair, which is not text"
    return ""


def _texts(table: Mapping[object, object]) -> bool:
    return all(isinstance(text, str) for item in table.items() for text in item)


def _roles(names: Sequence[object]) -> bool:
    return all(name in ROLES for name in names)
