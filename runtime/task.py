"""Which methods fit the task a bundle was made for. Knows no model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from satchel.runtime.bundle import Bundle
from satchel.runtime.errors import UsageError, shown

METHODS = {  # task -> the methods of a bundle made for it
    "generate": ("generate", "stream", "chat", "chat_stream", "score", "logits"),
    "text-to-text": ("generate", "stream", "translate", "logits"),
    "transcribe": ("transcribe", "transcribe_stream", "detect_language"),
    "embed": ("embed", "hidden_states"),
    "classify": ("classify", "rank", "hidden_states"),
    "tokens": ("tokens", "hidden_states"),
    "answer": ("answer", "answers", "hidden_states"),
    "fill-mask": ("fill_mask", "hidden_states"),
    "image-embed": ("embed_images", "image_hidden_states"),
    "image-classify": ("classify_images", "image_hidden_states"),
    "text-image-embed": ("embed", "embed_images", "hidden_states", "image_hidden_states"),
}
ALL_METHODS = frozenset(name for names in METHODS.values() for name in names)


class TaskError(UsageError, AttributeError):
    """A method that does not fit the bundle's task; to `hasattr` it is simply not there.

    `method` and `fitting`, the methods that fit, are for those who know them by other names.
    """

    default_code = "WRONG_TASK"
    method: str = ""
    task: str = ""
    fitting: tuple[str, ...] = ()


class TaskModel:
    """A loaded bundle. A method of another task is not there: asking for it raises TaskError, which names
    those that fit."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self.manifest = bundle.manifest

    def __getattribute__(self, name: str) -> Any:
        if name in ALL_METHODS:
            object.__getattribute__(self, "require")(name)
        return object.__getattribute__(self, name)

    def __dir__(self) -> list[str]:
        others = ALL_METHODS - set(METHODS.get(self.manifest.task, ()))
        return sorted(set(super().__dir__()) - others)

    def __repr__(self) -> str:
        manifest = self.manifest
        facts = [manifest.architecture, manifest.task, *self._facts()]
        facts += [
            str(manifest.quantization.get("name")),
            f".../{self.bundle.folder.resolve().name}",
        ]
        return f"<{type(self).__name__} {shown(', '.join(facts), 160)[1:-1]}>"

    def _facts(self) -> list[str]:
        """What else tells models of this kind apart."""
        return [f"context {self.manifest.context}"]

    def __reduce_ex__(self, protocol: Any) -> Any:  # what pickle, copy and deepcopy ask
        raise UsageError(
            f"a loaded model cannot be pickled or copied: threads share it, and another process loads "
            f"{shown(self.bundle.folder)} itself"
        )

    def require(self, method: str) -> None:
        """Raise TaskError unless `method` fits the bundle's task."""
        task = self.manifest.task
        fitting = METHODS.get(task, ())
        if method not in fitting:
            error = TaskError(
                f"{method} does not fit a bundle made for {shown(task)}; use {either(fitting)}"
            )
            error.method, error.task, error.fitting = method, task, fitting
            raise error


def either(names: Sequence[str]) -> str:
    """Names as a choice: a, b or c."""
    *most, last = names or ("a newer satchel",)
    return f"{', '.join(most)} or {last}" if most else last
