"""A file of right answers, and how often a bundle's own are others. Knows no graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from satchel.lines import count_lines, read_lines
from satchel.measure.error_rate import nearest
from satchel.measure.reading import Text
from satchel.runtime.bundle import Progress
from satchel.runtime.errors import UsageError, shown
from satchel.runtime.manifest import Manifest

AT_ONCE = 32  # sources answered together
TASKS = {"classify": "label<TAB>text", "text-to-text": "source<TAB>target"}
COUNTED = {
    "classify": "an answer is wrong unless the likeliest label is the line's",
    "text-to-text": (
        "an answer is wrong unless it is, word by word, one of its source's targets; errors of "
        "words are those put in, left out or replaced, against the nearest target and per word of it"
    ),
}


@dataclass(frozen=True)
class Case:
    """What is asked, a text or a pair of texts, and every answer that is right."""

    asked: str | tuple[str, ...]
    right: list[str]


@dataclass(frozen=True)
class Answers:
    """A bundle's answers to cases: which are wrong, and for texts the wrong words of all `words`."""

    answers: list[str]
    wrong: list[bool]
    wrong_words: int | None = None
    words: int | None = None

    def figures(self) -> dict[str, float]:
        """Counts and rates."""
        count, wrong = len(self.wrong), sum(self.wrong)
        figures: dict[str, float] = {"count": count, "wrong": wrong, "error_rate": wrong / count}
        if self.words is not None and self.wrong_words is not None:
            rate = self.wrong_words / max(1, self.words)
            figures |= {"words": self.words, "wrong_words": self.wrong_words}
            figures |= {"word_error_rate": rate}
        return figures


def read_cases(path: Path, manifest: Manifest) -> list[Case]:
    """The cases of a file for bundles like that; UsageError names the line that is none.

    Targets of one source may stand on several lines.
    """
    task = manifest.task
    if task not in TASKS:
        fitting = " or ".join(TASKS)
        raise UsageError(f"--labels is for bundles made for {fitting}; this one is for {task}")
    names = manifest.labels.names if manifest.labels is not None else []
    if task == "classify" and len(names) < 2:
        raise UsageError("--labels: this bundle scores texts and has no labels to choose from")
    count_lines(path)
    cases: dict[Any, list[str]] = {}
    for number, line in enumerate(read_lines(path), 1):
        if line.strip():
            fields, where = line.split("\t"), f"{shown(path)}: line {number}"
            asked, right = _labelled(fields, names, where) if names else _target(fields, where)
            key = asked if task == "text-to-text" else (number, asked)
            cases.setdefault(key, []).append(right)
    if not cases:
        raise UsageError(f"{shown(path)} holds nothing but blank lines", "EMPTY_PROMPT")
    if task == "classify":
        return [Case(asked, right) for (_, asked), right in cases.items()]
    return [Case(asked, right) for asked, right in cases.items()]


def as_text(cases: Sequence[Case], path: Path) -> Text:
    """What is asked, as a text to compare bundles on."""
    asked = [case.asked if isinstance(case.asked, str) else " ".join(case.asked) for case in cases]
    return Text(shown(path), "\n".join(asked), asked, "source")


def _target(fields: list[str], where: str) -> tuple[str, str]:
    if len(fields) != 2 or not fields[0].strip():
        raise UsageError(f"{where} is not {TASKS['text-to-text']}")
    return fields[0], fields[1]


def _labelled(
    fields: list[str], names: Sequence[str], where: str
) -> tuple[str | tuple[str, ...], str]:
    """A text, or a pair of texts with a tab between them, behind its label."""
    if len(fields) not in (2, 3) or not all(field.strip() for field in fields):
        raise UsageError(f"{where} is not {TASKS['classify']}")
    label, *texts = fields
    if label not in names:
        known = ", ".join(map(shown, names[:8])) + (", ..." if len(names) > 8 else "")
        raise UsageError(f"{where}: label {shown(label, 40)} is unknown; known: {known}")
    return texts[0] if len(texts) == 1 else tuple(texts), label


def answer(model: Any, cases: Sequence[Case], progress: Progress) -> Answers:
    """What `model` answers, as it does unasked, and what of it is wrong."""
    classify = model.manifest.task == "classify"
    order = sorted(range(len(cases)), key=lambda index: _length(cases[index].asked))
    answers = [""] * len(cases)
    for start in progress(range(0, len(order), AT_ONCE)):
        chosen = order[start : start + AT_ONCE]
        asked = [cases[index].asked for index in chosen]
        given = model.classify(asked) if classify else model.generate(asked)
        for index, one in zip(chosen, given, strict=True):
            answers[index] = one.label if classify else one.text
    if classify:
        pairs = zip(answers, cases, strict=True)
        return Answers(answers, [label not in case.right for label, case in pairs])
    scored = [
        nearest(text.split(), [right.split() for right in case.right])
        for text, case in zip(answers, cases, strict=True)
    ]
    edits, lengths = np.array(scored).sum(0).tolist()
    return Answers(answers, [fewest > 0 for fewest, _ in scored], edits, lengths)


def _length(asked: str | tuple[str, ...]) -> int:
    return len(asked) if isinstance(asked, str) else sum(map(len, asked))


def differences(own: Answers, other: Answers) -> dict[str, int]:
    """How many answers are the same, and how many only one of the two has wrong."""
    pairs = list(zip(own.wrong, other.wrong, strict=True))
    return {
        "same": sum(a == b for a, b in zip(own.answers, other.answers, strict=True)),
        "only_here_wrong": sum(a and not b for a, b in pairs),
        "only_reference_wrong": sum(b and not a for a, b in pairs),
    }
