"""The form of a text that calls functions, in llguidance's Lark. Knows no model.

Marks that are tokens are put by their numbers, since a word of a grammar is never a special token.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from tokenizers import Tokenizer

from satchel.runtime.grammar import Grammar
from satchel.runtime.tool_formats import ARGS, ToolFormat
from satchel.runtime.tool_function import Function

KIND = "form of the tools"
TEXT = "TEXT: /(.|\\n)+/"


def tool_grammar(
    form: ToolFormat,
    tokenizer: Tokenizer,
    functions: Sequence[Function],
    free: bool,
    parallel: bool,
    answer: Grammar | None,
) -> Grammar | None:
    """Calls of some functions, with arguments of their schemas, `parallel` ones or one.

    Where calls are `free` there may be text, or instead of them an `answer`; None where nothing needs to
    be held then.
    """
    several = parallel or form.shape == "whole"  # which is one call anyway
    if free and several and answer is None and not any(one.strict for one in functions):
        return None
    lark = _Lark(form, tokenizer)
    if not free:
        start = lark.calls(parallel)
    elif answer is not None:
        start = f"{lark.calls(parallel)} | answer"
        lark.rules.append(f"answer: %json {answer.source}")
    else:
        start = lark.free(parallel)
    rules = [f"start: {start}", *lark.rules, *lark.functions(functions, free)]
    return Grammar(KIND, "\n".join(rules) + "\n")


class _Lark:
    """The pieces of one grammar."""

    def __init__(self, form: ToolFormat, tokenizer: Tokenizer) -> None:
        self.form = form
        self.marks = {mark: number for number, mark in form.tokens(tokenizer).items()}
        # Words that are tokens of their own may stand in a text, those that end it may not.
        added = tokenizer.get_added_tokens_decoder().items()
        self.words = [
            number for number, one in added if not one.special and one.content not in self.marks
        ]
        self.rules: list[str] = []

    def mark(self, text: str) -> str:
        """A word of the format."""
        return f"<[{self.marks[text]}]>" if text in self.marks else _literal(text)

    def calls(self, parallel: bool) -> str:
        """One call, or with `parallel` some."""
        begin = [self.mark(self.form.begin)] if self.form.begin else []
        call = " ".join([*begin, self.behind(parallel)])
        if not parallel or self.form.shape in ("list", "whole"):
            return call
        self.rules.append(f"calls: {call}")
        return 'calls ("\\n"? calls)*'

    def behind(self, parallel: bool) -> str:
        """What comes behind the first mark."""
        end = [self.mark(self.form.end)] if self.form.end else []
        if self.form.shape == "each":
            return " ".join(['"\\n"? call "\\n"?', *end])
        if self.form.shape == "list":
            more = ' (", " call)*' if parallel else ""
            return " ".join([f'" "? "[" call{more} "]"', *end])
        return "call"

    def free(self, parallel: bool) -> str:
        """Text, in which calls may stand."""
        token = f" | <[{','.join(map(str, self.words))}]>" if self.words else ""
        self.rules += [TEXT, f"text: (TEXT{token})*"]
        if self.form.shape == "whole":
            self.rules.append("OTHER: /[^{ \\n]/")
            return f"call | (OTHER{token}) text"
        begin = self.form.begin
        if begin in self.marks:
            self.rules.append(f"opened: text {self.mark(begin)}")
        else:
            self.rules.append(f"opened[lazy]: TEXT? {_literal(begin)}")
        call = f"opened {self.behind(parallel)}"
        several = parallel and self.form.shape != "list"
        return f"({call})* text" if several else f"text | {call}"

    def functions(self, functions: Sequence[Function], free: bool) -> list[str]:
        """A rule of what a call is, and one for the arguments of each function."""
        put, rules = [], []
        for number, function in enumerate(functions):
            rules.append(f"args{number}: %json {json.dumps(function.schema(free))}")
            if self.form.shape == "named":
                put.append(f"{_literal(function.name)} {self.mark(ARGS)} args{number}")
            else:
                before = f'{{"name": "{function.name}", "{self.form.arguments}": '
                put.append(f'{_literal(before)} args{number} "}}"')
        return [f"call: {' | '.join(put)}", *rules]


def _literal(text: str) -> str:
    return json.dumps(text)
