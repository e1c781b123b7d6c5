"""A chat template read as fixed text around a text or a pair: proven on texts that provoke.

As sentence-transformers writes them: a text is a message of the user, a pair are messages of the roles
query and document, and a prompt is the system's, before them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from satchel.runtime.errors import UnsupportedError, shown
from satchel.runtime.text_messages import TextMessages
from satchel.tokenization.chat_template import SECONDS, Probe, provoking, rendered

MARKS = ("Qz0xK", "Qz1xK")
STRUCTURED = ("content[0]", ".type", "'type'", '"type"', "item.type", "message.content[")


@dataclass(frozen=True)
class StructuredProbe(Probe):
    """A conversation whose contents are lists of parts."""

    @property
    def messages(self) -> list[dict[str, Any]]:
        return [
            one | {"content": [{"type": "text", "text": one["content"]}]}
            for one in super().messages
        ]


def compile_messages(
    template: str | None,
    special_tokens: Mapping[str, str],
    prompts: Mapping[str, str],
    *,
    pairs: bool,
    form: str,
    opened: bool,
) -> TextMessages:
    """The pieces around texts, by prompt. `form` is "flat", "structured" or "auto"; `opened` asks for an
    answer. Raises UnsupportedError where the template does more than to put text around them."""
    if template is None:
        raise UnsupportedError(
            "modality_config writes texts as messages; no chat template says how"
        )
    if form == "auto":
        form = "structured" if any(sign in template for sign in STRUCTURED) else "flat"
    kind = StructuredProbe if form == "structured" else Probe
    roles = ("query", "document") if pairs else ("user",)
    texts = [MARKS[: len(roles)], *provoking(template, len(roles))]
    names = ["", *(name for name, text in prompts.items() if text)]
    cases = [
        (name, pair, kind(("system",) * bool(name) + roles, (*said, *pair), opened))
        for name in names
        for said in [(prompts[name],) if name else ()]
        for pair in texts
    ]
    reply = rendered(template, special_tokens, [probe for _, _, probe in cases], SECONDS)
    if reply["dated"]:
        raise _refused("it writes today's date")
    found = reply["texts"]
    pieces = {
        name: _pieces(text, pair, reply["error"])
        for (name, pair, _), text in zip(cases, found, strict=True)
        if pair == texts[0]
    }
    for trim in (False, True):
        made = TextMessages(pieces, trim)
        wrong = [
            pair
            for (name, pair, _), text in zip(cases, found, strict=True)
            if made.render(name, pair) != text
        ]
        if not wrong:
            return made
    raise _refused(f"it has a way of its own with {shown(' | '.join(wrong[0]))}")


def _pieces(text: str | None, marks: Sequence[str], error: str) -> list[str]:
    """The text before, between and behind the marks."""
    if text is None:
        raise _refused(error)
    pieces = []
    for mark in marks:
        if text.count(mark) != 1:
            raise _refused(f"it does not show the texts of {len(marks)} as they stand, once each")
        piece, _, text = text.partition(mark)
        pieces.append(piece)
    return [*pieces, text]


def _refused(reason: str) -> UnsupportedError:
    return UnsupportedError(
        f"the chat template cannot stand around texts: {reason}", "TEMPLATE_REFUSED"
    )
