"""Text of a given form: JSON of a schema, a regular expression, a Lark grammar. Knows no graph.

`llguidance` keeps the state and says which ids may come next; the others lose their chance before one is
chosen. So whatever chooses (greedy, sampling) can choose nothing else.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from satchel.runtime.drafter import Drafter, cost_along
from satchel.runtime.errors import UnsupportedError, UsageError, install, shown
from satchel.runtime.processors import Ids, Scores

LONGEST = 1 << 20  # characters of a grammar
MEMORY = 16  # ids after which a chance has forgotten most of what was
EMPTY = "the form leaves no text: it allows nothing, not even an end"


@dataclass(frozen=True)
class Grammar:
    """The form of a text. Made by `json_schema`, `regex` or `lark`."""

    kind: str
    source: str

    @classmethod
    def json_schema(cls, schema: dict[str, Any] | bool | str) -> Grammar:
        """JSON that fits a schema (draft 2020-12), an object or its JSON text."""
        if isinstance(schema, str):
            try:
                schema = json.loads(schema)
            except ValueError as error:
                raise UsageError(
                    f"the JSON schema is not JSON: {shown(error)}", "GRAMMAR"
                ) from None
        if not isinstance(schema, dict | bool):
            raise UsageError("a JSON schema is an object, true or false", "GRAMMAR")
        return cls("JSON schema", json.dumps(schema))

    @classmethod
    def regex(cls, pattern: str) -> Grammar:
        """A text that a regular expression matches as a whole (the syntax of Rust's `regex`)."""
        return cls("regular expression", pattern)

    @classmethod
    def lark(cls, grammar: str) -> Grammar:
        """A text of a grammar in llguidance's dialect of Lark."""
        return cls("Lark grammar", grammar)


class GrammarReader:
    """Grammars over one tokenizer. Making it reads the whole vocabulary: keep it.

    Raises UnsupportedError where llguidance is not installed.
    """

    def __init__(self, tokenizer: Tokenizer, vocab_size: int, eos: Sequence[int]) -> None:
        try:
            import llguidance
        except ModuleNotFoundError:
            raise UnsupportedError(
                f"texts of a given form need llguidance: {install('grammar')}"
            ) from None
        known = [token for token in eos if token < tokenizer.get_vocab_size()]
        if not known:
            raise UnsupportedError("the bundle's tokenizer has no token that ends a text")
        self._matcher = llguidance.LLMatcher
        size = max(vocab_size, tokenizer.get_vocab_size())
        self._tokenizer = llguidance.LLTokenizer(tokenizer.to_str(), size, known)

    def processor(self, grammar: Grammar) -> KeptForm:
        """What keeps one text to a grammar. Raises UsageError for one that cannot be kept to."""
        if len(grammar.source) > LONGEST:
            raise UsageError(
                f"the {grammar.kind} has {len(grammar.source)} characters; at most {LONGEST}"
            )
        made: dict[str, Callable[[str], str]] = {
            "JSON schema": self._matcher.grammar_from_json_schema,
            "regular expression": self._matcher.grammar_from_regex,
        }
        try:
            make = made.get(grammar.kind, self._matcher.grammar_from_lark)
            source = make(grammar.source)
            problem = self._matcher.validate_grammar(source, self._tokenizer)
        except ValueError as error:
            problem = str(error)
        if problem:
            raise UsageError(f"the {grammar.kind} cannot be kept to: {_first(problem)}", "GRAMMAR")
        return KeptForm(self._matcher(self._tokenizer, source), grammar)


class KeptForm:
    """Takes the chance from every id that does not fit. A Processor of one text, which it follows."""

    def __init__(self, matcher: Any, grammar: Grammar) -> None:
        self._matcher = matcher
        self._kind = grammar.kind
        self._read = 0  # new ids that the matcher has been told

    def ahead(self) -> KeptForm:
        """Another of the same state."""
        other = copy.copy(self)
        other._matcher = self._matcher.deep_copy()
        return other

    def __call__(self, scores: Scores, text: Ids, new: int) -> None:
        self._follow(text[len(text) - new :].tolist())
        mask = np.frombuffer(self._matcher.compute_bitmask(), np.uint8)
        if error := self._matcher.get_error():
            raise UsageError(f"the {self._kind} went wrong: {_first(error)}", "GRAMMAR")
        allowed = np.unpackbits(mask, count=len(scores), bitorder="little").view(np.bool_)
        if not allowed.any():
            raise UsageError(EMPTY, "GRAMMAR")
        scores[~allowed] = -np.inf

    def forced(self, new: list[int]) -> list[int]:
        """The ids that the form leaves no choice about, behind the new ids of its text."""
        self._follow(new)
        ids: list[int] = self._matcher.compute_ff_tokens()
        return ids

    def _follow(self, new: list[int]) -> None:
        if len(new) > self._read:
            self._matcher.consume_tokens(new[self._read :])
            self._read = len(new)


class Forced(Drafter):
    """Drafts what a form forces. A model may write the same letters in other ids: then they are wrong."""

    name = "forced"

    def __init__(self, form: KeptForm) -> None:
        self.form = form
        self.new: list[int] = []
        self.expected: list[int] = []
        self.chance = 0.9  # that an id is right, corrected by each

    def add(self, token: int) -> None:
        self.new.append(token)
        if self.expected:
            right = self.expected.pop(0) == token
            self.chance += (right - self.chance) / MEMORY
            if not right:
                self.expected.clear()

    def draft(self, most: int, ends: Collection[int] = ()) -> list[int]:
        ids = self.form.forced(self.new)
        end = next((place for place, token in enumerate(ids) if token in ends), len(ids))
        self.expected = ids[:end]
        chance, cost = 1.0, cost_along(len(self.new))
        for length, _ in enumerate(self.expected[: max(most, 0)]):
            chance *= self.chance
            if chance < cost:
                return self.expected[:length]
        return self.expected[: max(most, 0)]


def _first(text: str) -> str:
    """The first line of an error, short enough for one of ours."""
    return shown(text.strip().splitlines()[0] if text.strip() else text, 300)
