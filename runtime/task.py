"""Which methods fit the task a bundle was made for. Knows no model."""

from __future__ import annotations

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
    """A method that does not fit the bundle's task; to `hasattr` it is simply not there."""

    default_code = "WRONG_TASK"

    def __init__(self, method: str, task: str) -> None:
        fitting = METHODS.get(task, ())
        super().__init__(
            f"{method} does not fit a bundle made for {shown(task)}; use {_either(fitting)}"
        )
        self.task = task


def _either(names: tuple[str, ...]) -> str:
    *most, last = names or ("a newer satchel",)
    return f"{', '.join(most)} or {last}" if most else last
