"""The encoder-only family: text or an image in; states, a vector or scores out. Knows no architecture.

A `Tower` becomes one graph: a trunk (embeddings and blocks) with a head, pooling included.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from satchel.runtime.manifest import Labels

Axes = list[int | str]


class Tower(nn.Module):
    """A trunk and its head: one graph.

    `trunk` maps the inputs to states [batch, length, hidden]; `head` maps those to the answer (None: the
    states are the answer), with axes `answer_axes` and the name `answer_name`, "embedding" or "logits".
    """

    def __init__(
        self,
        trunk: nn.Module,
        head: nn.Module | None,
        *,
        input_names: tuple[str, ...],
        hidden_size: int,
        answer_name: str = "",
        answer_axes: Axes | None = None,
    ) -> None:
        super().__init__()
        self.trunk = trunk
        self.head = head
        self.end: nn.Module | None = None  # goes on from the head's answer
        self.input_names = input_names
        self.outputs: dict[str, Axes] = {"last_hidden_state": ["batch", "length", hidden_size]}
        if head is not None:
            self.outputs[answer_name] = list(answer_axes or [])

    def forward(self, *inputs: Tensor) -> list[Tensor]:
        """The outputs, in the order of `outputs`; int64 ids [batch, length] or float32 pixels
        [batch, channels, height, width]."""
        states = self.trunk(*inputs)
        if self.head is None:
            return [states]
        answer = self.answer(states, *inputs)
        return [states, answer if self.end is None else self.end(answer)]

    def answer(self, states: Tensor, *inputs: Tensor) -> Tensor:
        """What the head makes of the states."""
        assert self.head is not None
        answer: Tensor = self.head(states)
        return answer


class PromptedTower(Tower):
    """A tower whose last input marks the tokens of a prompt, which the vector leaves out."""

    def forward(self, *inputs: Tensor) -> list[Tensor]:
        *read, left_out = inputs
        states = self.trunk(*read)
        assert self.head is not None
        return [states, self.head(states, left_out)]


class ExpandedTower(Tower):
    """A tower that reads queries filled up with the id `filler`, which other tokens do not look at.

    Whoever knows the tokenizer sets it.
    """

    filler = -1

    def forward(self, *inputs: Tensor) -> list[Tensor]:
        ids = inputs[0]
        places = torch.arange(1, ids.shape[1] + 1)
        lengths = torch.where(ids != self.filler, places, 0).amax(1).to(torch.int32)
        states = self.trunk(ids, lengths=lengths)
        assert self.head is not None
        return [states, self.head(states)]


@dataclass(frozen=True)
class ReferenceEncoder:
    """A built encoder and what its graphs cannot say."""

    architecture: str
    task: str
    towers: dict[str, Tower]
    hidden_size: int
    vocab_size: int
    context: int  # tokens that a text may have
    max_length: int  # tokens that a text is cut to
    labels: Labels | None = None
    normalized: bool = False
    similarity: str = "cosine"
    prompts: dict[str, str] = field(default_factory=dict)  # by name, they go before a text
    default_prompt: str | None = None  # the name of the one to use unasked
    facts: dict[str, Any] = field(default_factory=dict)  # what compares texts with images
    notes: tuple[str, ...] = ()  # remarks for the user
