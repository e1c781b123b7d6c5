"""Compile a chat template into joints, proven on probe conversations. Runs no template itself.

A template is a stranger's program: a child process with limits renders it. Joints are read off
unmistakable contents, then must give the template's text on every probe; else it keeps its Jinja.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import product
from typing import Any

from satchel.runtime.chat_format import ChatFormat
from satchel.runtime.errors import UnsupportedError, UsageError, shown
from satchel.runtime.messages import ROLES
from satchel.runtime.template import MISSING

TEMPLATE_BYTES = 64 * 1024
SECONDS = 10.0
LITERALS = 128  # strings of the template that are tried as contents

# Contents that templates are known to change, look for, or stumble over.
_TEXTS = (
    *("", " ", "\n", "Hello", " two  spaces ", "\n\nlines\n\n", "\ttab\r\n", "a\u00a0b\u3000"),
    *("Grüße, 世界 🎒", "{{ x }} {% y %} {# z #}", "<b>&amp;'\"</b>", "\\n \\ %s {0}", "\0"),
    *("<think>plan</think>\n\nanswer", "<tool_call>{}</tool_call>", "[INST] x [/INST]"),
    *("<|im_start|>system\nx<|im_end|>", "<<SYS>>x<</SYS>>", "</s><s>", "Qz0xK Qz1xK", "None"),
)


@dataclass(frozen=True)
class Probe:
    """A conversation to render, and whether an answer is asked."""

    roles: tuple[str, ...]
    contents: tuple[str, ...]
    add_generation_prompt: bool

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The conversation as a template takes it."""
        pairs = zip(self.roles, self.contents, strict=True)
        return [{"role": role, "content": content} for role, content in pairs]

    @property
    def tools(self) -> list[dict[str, Any]]:
        """The functions that an answer may call."""
        return []


Case = tuple[Probe, str | None]  # with the template's text; None where it raised


class NotJoints(Exception):
    """The template does more than put text between contents; says where."""


def compile_template(
    template: str, special_tokens: Mapping[str, str], seconds: float = SECONDS
) -> tuple[ChatFormat, str]:
    """The template as joints and no note, or as Jinja and the reason. Raises if it is hostile."""
    marked, padded, wide = _marked(), _marked(" \n", "\t "), list(_wide(template))
    probes = [*marked, *padded, *wide]
    reply = rendered(template, special_tokens, probes, seconds)
    cases = list(zip(probes, reply["texts"], strict=True))
    if not any(text and probe.contents[0] in text for probe, text in cases[: len(marked)]):
        raise _refused(f"it shows no message: {reply['error'] or 'not one is in its text'}")
    try:
        if reply["dated"]:
            raise NotJoints("it writes today's date")
        return _fit(cases, len(marked)), ""
    except NotJoints as reason:
        return ChatFormat(template=template, special_tokens=dict(special_tokens)), str(reason)


def _marked(left: str = "", right: str = "") -> list[Probe]:
    """Every order of up to four roles, the usual ones up to eight, with unmistakable contents."""
    orders = [order for length in range(1, 5) for order in product(ROLES, repeat=length)]
    for length in range(5, 9):
        turns = ("user", "assistant") * 4
        orders += [turns[:length], ("system", *turns)[:length]]
    return [
        Probe(order, tuple(f"{left}Qz{i}xK{right}" for i in range(len(order))), opened)
        for order in orders
        for opened in (False, True)
    ]


def _wide(template: str) -> Iterator[Probe]:
    """Texts that provoke, the template's own strings among them, in all places of conversations."""
    texts = _provoking(template)
    turns = ("user", "assistant") * 3
    orders = [("user",), turns[:3], turns[:5], ("system", "user"), ("system", *turns[:5])]
    for at, (order, opened) in product(range(len(texts)), product(orders, (False, True))):
        yield Probe(order, tuple(texts[(at + i) % len(texts)] for i in range(len(order))), opened)
        yield Probe(order, (texts[at],) * len(order), opened)


def _provoking(template: str) -> list[str]:
    literals = _literals(template)
    return [*_TEXTS, *literals, *(f"x {literal.strip()}\ny" for literal in literals)]


def provoking(template: str, count: int) -> Iterator[tuple[str, ...]]:
    """Texts that provoke, the template's own strings among them, so many at a time."""
    texts = _provoking(template)
    for at, text in enumerate(texts):
        yield tuple(texts[(at + i) % len(texts)] for i in range(count))
        yield (text,) * count


def _literals(template: str) -> list[str]:
    """The strings a template holds: what it looks for in a content is one of them."""
    blocks = re.split(r"\{[{%]|[%}]\}", template.replace("\\n", "\n"))
    quoted = [pair for block in blocks for pair in re.findall(r"'([^']*)'|\"([^\"]*)\"", block)]
    return list(dict.fromkeys(a or b for a, b in quoted if 0 < len(a or b) <= 200))[:LITERALS]


def rendered(
    template: str, special_tokens: Mapping[str, str], probes: Sequence[Probe], seconds: float
) -> dict[str, Any]:
    """What a child process makes of `probes`: `texts`, the first `error`, whether they are `dated`."""
    if find_spec("jinja2") is None:
        raise UsageError(MISSING)
    if len(template.encode("utf-8", "surrogatepass")) > TEMPLATE_BYTES:
        raise _refused(f"it is longer than {TEMPLATE_BYTES // 1024} KiB")
    request = {
        "template": template,
        "special_tokens": dict(special_tokens),
        "seconds": seconds,
        "probes": [
            {
                "messages": probe.messages,
                "add_generation_prompt": probe.add_generation_prompt,
                "tools": probe.tools,
            }
            for probe in probes
        ],
    }
    # -P: the current folder may be the stranger's, and a json.py in it must not be imported.
    command = [sys.executable, "-P", "-m", "satchel.tokenization.chat_child"]
    try:
        done = subprocess.run(
            command, input=json.dumps(request).encode(), capture_output=True, timeout=seconds
        )
        reply: dict[str, Any] = json.loads(done.stdout)
    except subprocess.TimeoutExpired as error:
        raise _refused(f"it takes longer than {seconds:g} s") from error
    except ValueError as error:
        raise _refused(f"its renderer died with status {done.returncode}") from error
    if "refused" in reply:
        raise _refused(reply["refused"])
    return reply


def _fit(cases: Sequence[Case], count: int) -> ChatFormat:
    """Joints from the first `count` cases and trim from the next, which hold on every case."""
    marked, padded = cases[:count], cases[count : 2 * count]
    try:
        return _proven(ChatFormat(_learn_joints(marked), _learn_trim(padded)), cases)
    except NotJoints:
        # A template that folds the system message into the first turn lets a later one slip by.
        marked, padded = _system_first(marked), _system_first(padded)
        return _proven(ChatFormat(_learn_joints(marked), _learn_trim(padded)), cases)


def _system_first(cases: Sequence[Case]) -> list[Case]:
    return [case for case in cases if "system" not in case[0].roles[1:]]


def _learn_joints(cases: Sequence[Case]) -> dict[str, str]:
    """Read the text between neighbours off every conversation that shows all of its contents."""
    joints: dict[str, str] = {}
    for probe, text in cases:
        if text is None:
            continue  # what stays without a joint, the runtime refuses as the template did
        if swallowed := {m["role"] for m in probe.messages if m["content"] not in text}:
            if swallowed == {"system"}:
                continue  # better refused than unheard
            raise NotJoints("it does not show every message as it stands")
        for name, joint in zip(_joint_names(probe), _gaps(probe, text), strict=True):
            if joints.setdefault(name, joint) != joint:
                raise NotJoints(f"the text at {name} depends on more than its two neighbours")
    return joints


def _joint_names(probe: Probe) -> list[str]:
    after = [*probe.roles, ">" if probe.add_generation_prompt else ""]
    return [f"{a}>{b}" for a, b in zip(["", *probe.roles], after, strict=True)]


def _gaps(probe: Probe, text: str) -> list[str]:
    """The texts before, between and after the contents."""
    gaps = []
    for content in probe.contents:
        gap, _, text = text.partition(content)
        gaps.append(gap)
        if any(other in gap for other in probe.contents) or content in text:
            raise NotJoints("it moves or repeats a message")
    return [*gaps, text]


def _learn_trim(cases: Sequence[Case]) -> tuple[str, ...]:
    """The roles whose contents lose their outer spaces."""
    trimmed = {
        role
        for probe, text in cases
        for role, content in zip(probe.roles, probe.contents, strict=True)
        if text is not None and content.strip() in text and content not in text
    }
    return tuple(role for role in ROLES if role in trimmed)


def _proven(chat: ChatFormat, cases: Sequence[Case]) -> ChatFormat:
    """The format, held against the template on every case that it accepts."""
    for probe, text in cases:
        try:
            ours = chat.render(probe.messages, probe.add_generation_prompt)
        except UsageError:
            continue
        if ours != text:
            raise NotJoints(f"it has a way of its own with {shown(' | '.join(probe.contents))}")
    return chat


def _refused(reason: str) -> UnsupportedError:
    return UnsupportedError(f"the chat template is refused: {reason}", "TEMPLATE_REFUSED")
