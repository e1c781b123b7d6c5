"""Labels that a model was not made for: does a text entail what is said of each? Knows no graph.

A classifier of inference is asked of every label (Yin et al., 2019), as transformers' pipeline asks it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from satchel.runtime.errors import UsageError, shown
from satchel.runtime.items import listed
from satchel.runtime.manifest import Labels
from satchel.runtime.scores import Classification, activated
from satchel.runtime.task_model import TaskModel, for_its_task

Array = NDArray[np.float32]
TEMPLATE = "This example is {}."
PLACE = "{}"  # where a label stands in a template


def hypotheses(labels: Any, template: Any) -> list[str]:
    """What is asked of each label. Raises UsageError for labels or a template that ask nothing."""
    if isinstance(labels, str) or not isinstance(labels, Sequence) or not labels:
        raise UsageError(f"labels = {shown(labels)}; expected a list of texts, one at least")
    for index, label in enumerate(labels):
        if not isinstance(label, str) or not label.strip() or label in labels[:index]:
            raise UsageError(f"labels: {shown(label)} is no text, or stands there twice")
    if not isinstance(template, str) or PLACE not in template:
        raise UsageError(
            f"template = {shown(template)}; expected a text with {PLACE} for the label"
        )
    return [template.replace(PLACE, label) for label in labels]


def entailment(names: Sequence[str]) -> tuple[int, int]:
    """The place of the label that says yes among a classifier's, and of the one that says no.

    As in transformers' pipeline that is the first, or the last where the first says yes.
    """
    yes = next((i for i, name in enumerate(names) if name.lower().startswith("entail")), None)
    if yes is None or len(names) < 2:
        raise UsageError(
            "zero-shot needs a classifier of inference, with a label of entailment and another; this "
            f"bundle has {shown(', '.join(names), 120)}",
            "WRONG_TASK",
        )
    return yes, len(names) - 1 if yes == 0 else 0


def weighed(
    labels: Sequence[str], logits: Array, names: Sequence[str], multi_label: bool
) -> Classification:
    """The labels of a text by their logits [labels, names], likeliest first.

    Their scores add up to 1; with `multi_label`, or where there is but one, each is a yes against its no.
    """
    yes, no = entailment(names)
    if multi_label or len(labels) == 1:
        scores = activated(logits[:, [no, yes]], "softmax")[:, 1]
    else:
        scores = activated(logits[:, yes], "softmax")
    order = np.argsort(-scores, kind="stable").tolist()
    named = {labels[index]: float(scores[index]) for index in order}
    best = labels[order[0]]
    return Classification(best, named[best], named)


class ZeroShot(TaskModel):
    """The method that asks a classifier of inference."""

    def _labels(self) -> Labels:
        raise NotImplementedError

    def _text_logits(
        self, items: Sequence[Any], prompt: str | None = None, whole_pair: bool = False
    ) -> list[Array]:
        raise NotImplementedError

    @overload
    def zero_shot(
        self, texts: str, labels: Sequence[str], *, template: str = ..., multi_label: bool = ...
    ) -> Classification: ...

    @overload
    def zero_shot(
        self,
        texts: list[str],
        labels: Sequence[str],
        *,
        template: str = ...,
        multi_label: bool = ...,
    ) -> list[Classification]: ...

    @for_its_task
    def zero_shot(
        self,
        texts: Any,
        labels: Sequence[str],
        *,
        template: str = TEMPLATE,
        multi_label: bool = False,
    ) -> Any:
        """A Classification of a text by `labels` of one's own, likeliest first, or a list of them.

        A classifier of inference says whether the text entails the `template` with each label in it. With
        `multi_label` several may be right. Where a pair is too long, the text is cut.
        """
        asked, names = hypotheses(labels, template), self._labels().names
        entailment(names)
        single, items = isinstance(texts, str), listed("texts", texts)
        pairs = [(text, hypothesis) for text in items for hypothesis in asked]
        logits = self._text_logits(pairs, whole_pair=True)
        found = [
            weighed(labels, np.stack(logits[start : start + len(asked)]), names, multi_label)
            for start in range(0, len(pairs), len(asked))
        ]
        return found[0] if single else found
