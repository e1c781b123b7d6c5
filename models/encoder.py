"""The encoder-only family: text or an image in; states, a vector or scores out. Knows no architecture.

A `Tower` is what becomes one graph. It is a trunk (embeddings and blocks) with a head; pooling and
heads are inside the graph, so that an app gets the answer and not the states. Texts of one batch have
one length, which is why no graph has a padding mask.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from satchel.runtime.manifest import Labels

Axes = list[int | str]

TASKS = (
    "embed",
    "classify",
    "tokens",
    "answer",
    "fill-mask",
    "image-embed",
    "image-classify",
    "text-image-embed",
)


class Tower(nn.Module):
    """A trunk and its head: one graph.

    `trunk` maps the inputs to states [batch, length, hidden]; `head` maps those to the answer, or is
    None where the states are the answer. `answer_axes` are the head's output axes, its name
    `answer_name` ("embedding" or "logits"). `end`, where there is one, goes on from the head's answer.
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
        self.end: nn.Module | None = None
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


@dataclass(frozen=True)
class ReferenceEncoder:
    """A built encoder and what its graphs cannot say.

    `context` is the number of tokens a text may have, `max_length` the number it is cut to. `prompts`
    go before a text, `default_prompt` names the one to use unasked. `notes` are remarks for the user.
    """

    architecture: str
    task: str
    towers: dict[str, Tower]
    hidden_size: int
    vocab_size: int
    context: int
    max_length: int
    labels: Labels | None = None
    normalized: bool = False
    similarity: str = "cosine"
    prompts: dict[str, str] = field(default_factory=dict)
    default_prompt: str | None = None
    facts: dict[str, Any] = field(default_factory=dict)  # what compares texts with images
    notes: tuple[str, ...] = ()
