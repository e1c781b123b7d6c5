"""The functions that a text may call, and what holds it to them. Knows no model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tokenizers import Tokenizer

from satchel.runtime.chat_format import NO_TOOLS
from satchel.runtime.errors import UnsupportedError, UsageError, shown
from satchel.runtime.grammar import Grammar
from satchel.runtime.tool_formats import FORMATS, ToolFormat
from satchel.runtime.tool_function import Function
from satchel.runtime.tool_grammar import tool_grammar
from satchel.runtime.tool_reader import ToolReader

Choice = str | Mapping[str, Any]


@dataclass(frozen=True)
class ToolUse:
    """Functions, the form of a text that has to call some, and the special tokens that a reader sees."""

    form: ToolFormat
    functions: Sequence[Function]
    grammar: Grammar | None
    marks: Mapping[int, str]

    @property
    def tools(self) -> list[dict[str, Any]]:
        """As a chat template takes them."""
        return [function.tool for function in self.functions]

    def reader(self) -> ToolReader:
        """What finds the calls in one text."""
        return ToolReader(self.form, {function.name for function in self.functions})


def tool_use(
    format_name: str | None,
    tokenizer: Tokenizer,
    tools: Sequence[Mapping[str, Any]],
    choice: Choice = "auto",
    parallel: bool = True,
    answer: Grammar | None = None,
) -> ToolUse | None:
    """How a text uses tools; None where `choice` is "none". `answer` is the form of a text without calls.

    Raises UnsupportedError where the bundle has no format of tools, UsageError for what makes no sense.
    """
    functions = [Function.of(tool, number) for number, tool in enumerate(tools, 1)]
    names = [function.name for function in functions]
    if len(set(names)) < len(names):
        raise UsageError(f"two tools have one name: {shown(', '.join(names))}")
    chosen = _chosen(choice, names)
    if chosen == "none":
        return None
    if format_name is None:
        raise UnsupportedError(NO_TOOLS)
    form = FORMATS[format_name]
    if answer is not None and (form.shape == "whole" or answer.kind != "JSON schema"):
        raise UsageError(
            f"a form of the answer ({answer.kind}) does not go with tools in the format {format_name}"
        )
    called = [one for one in functions if chosen in ("auto", "required", one.name)]
    grammar = tool_grammar(form, tokenizer, called, chosen == "auto", parallel, answer)
    return ToolUse(form, functions, grammar, form.tokens(tokenizer))


def _chosen(choice: Choice, names: Sequence[str]) -> str:
    match choice:
        case {"type": "function", "function": {"name": str(name)}} if name in names:
            return name
        case {"type": "function", "function": {"name": str(name)}}:
            raise UsageError(f"tool_choice names {shown(name)}, which is not among the tools")
        case "auto" | "none":
            return str(choice) if names else "none"
        case "required" if names:
            return "required"
        case "required":
            raise UsageError('tool_choice "required" needs tools')
    raise UsageError(
        f'tool_choice = {shown(choice)}; expected "none", "auto", "required" or a function'
    )
