"""What a bundle can be made for: the one table of tasks. Knows no model."""

from __future__ import annotations

from dataclasses import dataclass

from satchel.runtime.errors import UsageError, shown


@dataclass(frozen=True)
class Task:
    """What bundles made for a task hold, and how they are asked."""

    family: str
    roles: frozenset[str]  # of its graphs
    needs: frozenset[str]  # fields of the manifest
    may: frozenset[str]  # fields of the manifest that it may have
    methods: tuple[str, ...]
    commands: tuple[str, ...]
    # An encoder's last output: the scores of "labels", "areas" (of each place of an image), "letters",
    # "objects" (labels or none, of each that is looked for), "words" or "ends" (of a span: where it
    # starts and where it ends), of the whole input or per token, or of "spans" by labels that are part of
    # the input; or the "distances" of an image's pixels; "" is a vector.
    scores: str
    per_token: bool
    pairs: bool  # whether an input may be two texts

    def width(self, labels: int, words: int) -> int:
        """How many scores there are side by side, of a model with so many labels and words."""
        widths = dict.fromkeys(("labels", "areas", "letters"), labels)
        return (widths | {"objects": labels + 1, "words": words, "ends": 2})[self.scores]


def _task(
    *,
    family: str,
    roles: str,
    needs: str,
    methods: str,
    commands: str,
    may: str = "",
    scores: str = "",
    per_token: bool = False,
    pairs: bool = False,
) -> Task:
    return Task(
        family,
        roles=frozenset(roles.split()),
        needs=frozenset(needs.split()),
        may=frozenset(may.split()),
        methods=tuple(methods.split()),
        commands=tuple(commands.split(", ")),
        scores=scores,
        per_token=per_token,
        pairs=pairs,
    )


TASKS = {
    "generate": _task(
        family="decoder",
        roles="decoder",
        needs="cache",
        may="chat",
        methods="generate stream chat chat_stream score logits",
        commands="generate, chat",
    ),
    "text-to-text": _task(
        family="encoder-decoder",
        roles="encoder decoder",
        needs="cache seq2seq",
        may="translation",
        methods="generate stream translate logits",
        commands="generate, translate",
    ),
    "transcribe": _task(
        family="encoder-decoder",
        roles="encoder decoder",
        needs="cache seq2seq speech audio",
        methods="transcribe transcribe_stream detect_language",
        commands="transcribe",
    ),
    "image-to-text": _task(
        family="encoder-decoder",
        roles="encoder decoder",
        needs="cache seq2seq image",
        methods="read_images read_image_stream",
        commands="read",
    ),
    "embed": _task(
        family="encoder",
        roles="encoder",
        needs="text",
        methods="embed embed_sparse hidden_states",
        may="chat",
        commands="embed TEXT",
    ),
    "classify": _task(
        family="encoder",
        roles="encoder",
        needs="text labels",
        may="chat",
        scores="labels",
        pairs=True,
        methods="classify zero_shot rank hidden_states",
        commands="classify TEXT, zero-shot, rank",
    ),
    "multi-vector": _task(
        family="encoder",
        roles="encoder",
        needs="text multi_vector",
        per_token=True,
        methods="token_vectors rank hidden_states",
        commands="token-vectors TEXT, rank",
    ),
    "tokens": _task(
        family="encoder",
        roles="encoder",
        needs="text labels",
        scores="labels",
        per_token=True,
        methods="tokens hidden_states",
        commands="tokens",
    ),
    "page-tokens": _task(
        family="encoder",
        roles="encoder",
        needs="text labels",
        scores="labels",
        per_token=True,
        methods="label_words page_states",
        commands="page",
    ),
    "page-classify": _task(
        family="encoder",
        roles="encoder",
        needs="text labels",
        scores="labels",
        methods="classify_page page_states",
        commands="page",
    ),
    "page-embed": _task(
        family="encoder",
        roles="encoder",
        needs="text",
        methods="embed_page page_states",
        commands="page",
    ),
    "entities": _task(
        family="encoder",
        roles="encoder",
        needs="text entities",
        scores="spans",
        methods="entities",
        commands="entities",
    ),
    "answer": _task(
        family="encoder",
        roles="encoder",
        needs="text",
        scores="ends",
        per_token=True,
        pairs=True,
        methods="answer answers hidden_states",
        commands="answer",
    ),
    "fill-mask": _task(
        family="encoder",
        roles="encoder",
        needs="text",
        scores="words",
        per_token=True,
        methods="fill_mask hidden_states",
        commands="fill-mask",
    ),
    "image-embed": _task(
        family="encoder",
        roles="image",
        needs="image",
        methods="embed_images image_hidden_states",
        commands="embed --image FILE",
    ),
    "image-classify": _task(
        family="encoder",
        roles="image",
        needs="image labels",
        scores="labels",
        methods="classify_images image_hidden_states",
        commands="classify --image FILE",
    ),
    "image-segment": _task(
        family="encoder",
        roles="image",
        needs="image labels",
        scores="areas",
        per_token=True,
        methods="segment_images image_hidden_states",
        commands="segment",
    ),
    "depth-estimation": _task(
        family="encoder",
        roles="image",
        needs="image",
        scores="distances",
        methods="estimate_depth image_hidden_states",
        commands="depth",
    ),
    "object-detection": _task(
        family="encoder",
        roles="image",
        needs="image labels",
        scores="objects",
        per_token=True,
        methods="detect_objects image_hidden_states",
        commands="detect",
    ),
    "ctc": _task(
        family="encoder",
        roles="sound",
        needs="audio labels",
        scores="letters",
        per_token=True,
        methods="transcribe sound_hidden_states",
        commands="transcribe",
    ),
    "audio-embed": _task(
        family="encoder",
        roles="sound",
        needs="audio",
        methods="embed_sounds sound_hidden_states",
        commands="embed --audio FILE",
    ),
    "audio-classify": _task(
        family="encoder",
        roles="sound",
        needs="audio labels",
        scores="labels",
        methods="classify_sounds sound_hidden_states",
        commands="classify --audio FILE",
    ),
    "text-image-embed": _task(
        family="encoder",
        roles="text image",
        needs="text image",
        methods="embed embed_images hidden_states image_hidden_states",
        commands="embed TEXT, embed --image FILE",
    ),
}
PAGE_TASKS = {  # a task of texts -> that of words with boxes on a page
    "tokens": "page-tokens",
    "classify": "page-classify",
    "embed": "page-embed",
}
TEXT_TASKS = tuple(  # of which any text encoder may have a head
    name
    for name, task in TASKS.items()
    if task.roles == {"encoder"} and name not in ("entities", *PAGE_TASKS.values())
)
ALL_METHODS = frozenset(name for task in TASKS.values() for name in task.methods)


class TaskError(UsageError, AttributeError):
    """A method that does not fit the bundle's task; to `hasattr` it is simply not there."""

    default_code = "WRONG_TASK"

    def __init__(self, method: str, task: str) -> None:
        *most, last = TASKS[task].methods
        fitting = f"{', '.join(most)} or {last}" if most else last
        super().__init__(f"{method} does not fit a bundle made for {shown(task)}; use {fitting}")
        self.task = task
