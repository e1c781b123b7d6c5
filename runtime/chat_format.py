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

from satchel.runtime.errors import BundleError, UnsupportedError, UsageError, shown
from satchel.runtime.messages import ROLES, checked_messages, for_template, use_tools, with_texts
from satchel.runtime.template import Message, render_template
from satchel.runtime.tool_formats import FORMATS

_ROLE = "|".join(ROLES)
_JOINT = re.compile(rf">({_ROLE})|({_ROLE})>(>|{_ROLE})?")
NO_TOOLS = (
    "this bundle's chat template takes no tools, or in a format that is not known; known: "
    f"{', '.join(FORMATS)}"
)
Tools = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class ChatFormat:
    """How a model reads a conversation: joints and the roles whose content is trimmed, or Jinja.

    With `tools`, the name of a format, functions and calls go through the template in any case; one that
    passes calls over finds them in the content.
    """

    joints: Mapping[str, str] = field(default_factory=dict)
    trim: tuple[str, ...] = ()
    template: str | None = None
    special_tokens: Mapping[str, str] = field(default_factory=dict)
    tools: str | None = None
    calls_in_content: bool = False

    @classmethod
    def from_dict(cls, value: object) -> ChatFormat:
        """Read the manifest's entry. Raises BundleError where it is not one."""
        match value:
            case {"kind": "joints", "joints": dict(joints), "trim": list(trim)}:
                if (
                    joints
                    and _texts(joints)
                    and all(map(_JOINT.fullmatch, joints))
                    and _roles(trim)
                ):
                    return cls(joints=joints, trim=tuple(trim))._with_tools(value)
            case {"kind": "jinja", "template": str(text), "special_tokens": dict(special)}:
                if _texts(special):
                    return cls(template=text, special_tokens=special)._with_tools(value)
        raise BundleError(f"the manifest's chat format is not one: {shown(value)}")

    def to_dict(self) -> dict[str, Any]:
        """The manifest's entry: plain JSON."""
        jinja = {"template": self.template, "special_tokens": dict(self.special_tokens)}
        tools: dict[str, Any] = {"format": self.tools}
        if self.calls_in_content:
            tools["calls_in_content"] = True
        if not self.joints:
            named = {"tools": tools} if self.tools else {}
            return {"kind": "jinja"} | jinja | named
        named = {"tools": tools | jinja} if self.tools else {}
        return {"kind": "joints", "joints": dict(self.joints), "trim": list(self.trim)} | named

    def _with_tools(self, value: Any) -> ChatFormat:
        """What the manifest's entry says of tools beside. Raises BundleError where it makes no sense."""
        if "tools" not in value:
            return self
        match value["tools"]:
            case {"format": str(name), **rest} if name in FORMATS:
                jinja = rest if self.joints else value
                template, special = jinja.get("template"), jinja.get("special_tokens")
                in_content = rest.get("calls_in_content", False)
                if (
                    isinstance(template, str)
                    and isinstance(special, dict)
                    and _texts(special)
                    and isinstance(in_content, bool)
                ):
                    return ChatFormat(self.joints, self.trim, template, special, name, in_content)
        raise BundleError(
            f"the manifest's chat format of tools is not one: {shown(value['tools'])}"
        )

    def needs_template(self, messages: Sequence[Message], tools: Tools | None) -> bool:
        """Whether Jinja has to write this. Raises UnsupportedError for tools where there is no format."""
        if not tools and not use_tools(messages):
            return not self.joints
        if self.tools is None:
            raise UnsupportedError(NO_TOOLS)
        return True

    def render(
        self,
        messages: Sequence[Message],
        add_generation_prompt: bool = True,
        tools: Tools | None = None,
    ) -> str:
        """The whole conversation as one text."""
        return "".join(text for text, _ in self.segments(messages, add_generation_prompt, tools))

    def segments(
        self,
        messages: Sequence[Message],
        add_generation_prompt: bool = True,
        tools: Tools | None = None,
    ) -> list[tuple[str, bool]]:
        """The conversation as (text, is_markup). A Jinja template gives one piece of markup."""
        messages = checked_messages(messages)
        if self.needs_template(messages, tools):
            return [(self._rendered(messages, add_generation_prompt, tools), True)]
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
        self, messages: Sequence[Message], add_generation_prompt: bool, tools: Tools | None
    ) -> str:
        form = FORMATS[self.tools] if self.tools and self.calls_in_content else None
        try:
            return render_template(
                self.template or "",
                for_template(messages, form),
                add_generation_prompt,
                self.special_tokens,
                tools=tools,
            )
        except UsageError:
            raise
        except Exception as error:  # a template is a program: it may raise anything
            raise UsageError(f"the model's chat template refuses this: {shown(error)}") from error


def encode_chat(
    tokenizer: Tokenizer,
    chat: ChatFormat,
    messages: Sequence[Message],
    add_generation_prompt: bool = True,
    tools: Tools | None = None,
) -> list[int]:
    """The conversation's ids. A control token that stands in a content is text, never an id."""
    messages = checked_messages(messages)
    by_template = chat.needs_template(messages, tools)
    words = FORMATS[chat.tools].words if chat.tools and by_template else ()
    control = _control_tokens(tokenizer, chat, words)
    pattern = _any_of(control)
    if by_template:
        pieces = _sealed(chat, messages, add_generation_prompt, tools, control)
    else:
        pieces = chat.segments(messages, add_generation_prompt)
    marks = [mark for text, markup in pieces if markup for mark in pattern.findall(text)]
    expected, powerful = [control[mark] for mark in marks], set(control.values())
    for encode in (_encode_whole, _encode_guarded):
        ids = encode(tokenizer, pieces, control)
        # Whoever forged a control token, by whatever trick, the ids tell: there is one too many.
        if [token for token in ids if token in powerful] == expected:
            return ids
    raise UsageError("a message holds a control token that this tokenizer cannot read as text")


def _control_tokens(tokenizer: Tokenizer, chat: ChatFormat, words: Sequence[str]) -> dict[str, int]:
    """The tokens with power: the special ones, and every added one that the markup itself uses."""
    markup = "\0".join((*chat.joints.values(), *words))
    return {
        token.content: number
        for number, token in tokenizer.get_added_tokens_decoder().items()
        # Some tokenizers add runs of spaces or newlines as tokens; those are ordinary text.
        if token.special or (token.content.strip() and token.content in markup)
    }


def _sealed(
    chat: ChatFormat,
    messages: Sequence[Message],
    add_generation_prompt: bool,
    tools: Tools | None,
    control: Mapping[str, int],
) -> list[tuple[str, bool]]:
    """Segments of a Jinja template, which sees a seal in place of each control token of a text."""
    seal = secrets.token_hex(8)
    pattern = _any_of(control)
    names = {str(number): name for name, number in control.items()}

    def sealed(text: str) -> str:
        return pattern.sub(lambda token: f"{seal}{control[token[0]]}{seal}", text)

    # Arguments of calls as objects first: escapes of JSON text would hide a token.
    safe = [with_texts(message, sealed) for message in for_template(messages, None)]
    text = chat.render(safe, add_generation_prompt, with_texts(tools, sealed))
    # re.split puts the captured numbers at the odd places.
    parts = re.split(rf"{seal}(\d+){seal}", text)
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


def _texts(table: Mapping[object, object]) -> bool:
    return all(isinstance(text, str) for item in table.items() for text in item)


def _roles(names: Sequence[object]) -> bool:
    return all(name in ROLES for name in names)
