"""Find the format of tools that a chat template has: what it writes of calls is read back.

Nothing is guessed from a model's name: the format is the one whose reader finds the calls in the
template's own text. Runs no template itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from satchel.runtime.messages import for_template
from satchel.runtime.tool_formats import FORMATS, ToolCall
from satchel.tokenization.chat_template import SECONDS, Probe, rendered

NAMES = ("Qz0xF", "Qz1xF")
CALL = ToolCall(NAMES[0], {"town": 'Zürich "x"', "days": [3, None]}, "Qz0xKQz1x")
RESULT = "Qz0xR"
SHOWN = ("<tool_call>", '"arguments"', "</tool_call>")  # how Hermes' form is explained


@dataclass(frozen=True)
class ToolProbe(Probe):
    """A question that two functions could answer, the call of one, and its result, as far as `turns`."""

    turns: int = 1

    @property
    def messages(self) -> list[dict[str, Any]]:
        function = {"name": CALL.name, "arguments": CALL.json}
        call = {"id": CALL.id, "type": "function", "function": function}
        said: list[dict[str, Any]] = [
            {"role": "user", "content": "Qz0xU"},
            {"role": "assistant", "content": "", "tool_calls": [call]},
            {"role": "tool", "content": RESULT, "tool_call_id": CALL.id, "name": CALL.name},
        ]
        return for_template(said[: self.turns], None)

    @property
    def tools(self) -> list[dict[str, Any]]:
        """The two functions."""
        schema = {"type": "object", "properties": {"town": {"type": "string"}}}
        return [
            {
                "type": "function",
                "function": {"name": name, "description": "Qz0xD", "parameters": schema},
            }
            for name in NAMES
        ]


def find_tools(
    template: str, special_tokens: Mapping[str, str], seconds: float = SECONDS
) -> tuple[str | None, bool]:
    """The format's name, None where there is none or it is not known, and whether calls have to stand in
    the content, because the template passes them over."""
    probes = [ToolProbe((), (), turns != 2, turns) for turns in (1, 2, 3)]
    asked, called, answered = rendered(template, special_tokens, probes, seconds)["texts"]
    if not asked or not called or not answered:
        return None, False
    if not all(name in asked for name in (*NAMES, "Qz0xD")) or RESULT not in answered:
        return None, False
    pairs = enumerate(zip(asked, called, strict=False))
    written = called[next((at for at, (a, b) in pairs if a != b), len(asked)) :]
    if CALL.name in written:
        return _writing(written), False
    explained = all(word in asked for word in SHOWN)
    return ("hermes", True) if explained else (None, False)


def _writing(text: str) -> str | None:
    """The format that such a text is in: it holds the call, and nothing of another form before it."""
    for name, form in FORMATS.items():
        at = text.find(form.begin) if form.begin else len(text) - len(text.lstrip())
        found = form.read(text[at:], NAMES) if at >= 0 else None
        if found is not None and found[0] == [CALL]:
            return name
    return None
