"""Assemble an encoder of words with boxes on a page: a text encoder under tasks of its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any

from satchel.checkpoints.checkpoint import Checkpoint
from satchel.models import text_encoder
from satchel.models.encoder import ReferenceEncoder
from satchel.models.labels import declared_task, saved_by
from satchel.runtime.errors import UnsupportedError, UsageError, shown
from satchel.runtime.manifest import NOWHERE
from satchel.runtime.task import PAGE_TASKS

NO_IMAGES = (
    "the bundle reads words and boxes, no images: a model that was trained with images may answer "
    "otherwise than with them"
)
OF_SPECIAL_TOKENS = ("cls_token_box", "sep_token_box")  # that of padding changes nothing


def assemble(
    module: ModuleType,
    config: Any,
    checkpoint: Checkpoint,
    task: str | None,
    progress: Callable[[Iterable[Any]], Iterable[Any]],
) -> ReferenceEncoder:
    """The tower of `checkpoint`, whose inputs are ids and boxes, for a task of `PAGE_TASKS`.

    Raises UnsupportedError for a head that has no such task, and for boxes of special tokens.
    """
    text_tasks = {page: text for text, page in PAGE_TASKS.items()}
    known = ", ".join(text_tasks)
    if task is not None and task not in text_tasks:
        raise UsageError(f"--task {shown(task)} does not fit a model of pages; known: {known}")
    if declared_task(checkpoint.config) not in PAGE_TASKS:
        raise UnsupportedError(
            f"config.json: architectures = {shown(saved_by(checkpoint.config))}: of model_type "
            f"{checkpoint.config['model_type']} satchel exports heads for {known}"
        )
    for key in OF_SPECIAL_TOKENS:
        box = checkpoint.tokenizer_config.get(key, [*NOWHERE])
        if box != [*NOWHERE]:
            raise UnsupportedError(
                f"tokenizer_config.json: {key} = {shown(box)}; satchel gives special tokens {[*NOWHERE]}"
            )
    text_task = None if task is None else text_tasks[task]
    made = text_encoder.assemble(module.Model, config, checkpoint, text_task, progress)
    notes = (*made.notes, NO_IMAGES) if config.visual_embed else made.notes
    return dataclasses.replace(made, task=PAGE_TASKS[made.task], notes=notes)
