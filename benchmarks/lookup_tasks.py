"""Prompts for prompt lookup: some whose answers repeat them, and some with nothing to repeat."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from environment import TEXT

REPORT = """The comittee met on Tuesday to discuss the budget for the new library. Mrs. Alvarez said \
that the roof needs to be repaired befor the winter, and that the heating system is older than the \
building itself. Mr. Brandt asked whether the town could rent the hall of the school for the summer. \
After two hours the members agreed to ask three companies for an offer and to meet again in March."""
STORY = """The old lighthouse stood on the northern cliff for more than two hundred years. Every evening \
the keeper climbed the ninety-nine steps, lit the great lamp and wrote the weather into a book with a \
leather cover. When the storm of 1903 took the roof, the people of the vilage carried stones up the path \
for eleven days until the tower was whole again."""
CODE = """# Before: uses the name `items`
def total_price(items, rate):
    result = 0
    for item in items:
        if item.price > 0:
            result += item.price * item.count
    return result * (1 + rate)

# After: uses the name `goods`
"""
SHOP = "Inventory of the shop:\n" + "".join(
    f"- item {number}: {fruit}, price 10.00, in stock: yes\n"
    for number, fruit in enumerate(("apple", "pear", "plum", "cherry"), 1)
)
RECORDS = """[{"id": 1, "name": "Anna", "city": "Oslo", "active": true},
 {"id": 2, "name": "Ben", "city": "Rome", "active": true},
"""
INVOICES = """Convert each line.
1; Miller; Hamburg, Germany; paid
2; Smith; Hamburg, Germany; paid
3; Jones; Hamburg, Germany; paid

Converted:
1; Miller; Hamburg, Germany; open
"""
FIX = "Fix the typos in this text. Only output the corrected text.\n\n"
CORRECT = "Correct the spelling of this text and repeat it without other changes:\n\n"
QUESTIONS = (
    "What is the capital of France, and why should I visit it?",
    "Explain how a steam engine works.",
    "Write a short email to my boss asking for a day off.",
)
PASSAGES = {"story": 0, "news": 1, "facts": 4, "recipe": 8, "code": 12, "French": 14}  # of the text
LONG = 24  # passages in one prompt, some 2000 tokens


@dataclass(frozen=True)
class Task:
    """A prompt, and whether its answer has something `to_copy`."""

    name: str
    prompt: str
    to_copy: bool
    chat: bool = False
    options: dict[str, Any] = field(default_factory=dict)


def tasks() -> Iterator[Task]:
    """All of them, those with something to copy first."""
    yield Task("correct a report (chat)", FIX + REPORT, True, chat=True)
    yield Task("correct a story (chat)", CORRECT + STORY, True, chat=True)
    yield Task("rename a variable", CODE, True)
    yield Task("go on with a list", SHOP, True)
    yield Task("go on with JSON", RECORDS, True)
    yield Task("change a word per line", INVOICES, True)
    for question in QUESTIONS:
        yield Task(f"{' '.join(question.split()[:3])} ... (chat)", question, False, chat=True)
    passages = TEXT.read_text("utf-8").split("\n\n")
    for kind, place in PASSAGES.items():
        sampled = {"temperature": 1.0, "seed": place}
        yield Task(f"{kind}, sampled", passages[place], False, options=sampled)
    sampled = {"temperature": 1.0, "seed": 0}
    yield Task(f"{LONG} passages, sampled", "\n\n".join(passages[:LONG]), False, options=sampled)
    for kind in ("story", "facts"):
        unlike = {"no_repeat_ngram_size": 3}
        yield Task(f"{kind}, no 3 ids twice", passages[PASSAGES[kind]], False, options=unlike)
