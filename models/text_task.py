"""Which task a text encoder's checkpoint is built for, and what it says of that task. Builds nothing."""

from __future__ import annotations

from satchel.checkpoints.checkpoint import Checkpoint
from satchel.checkpoints.sentence import SentenceModules, pooled_anyhow
from satchel.checkpoints.sentence_steps import SCORES, TOKENS, VECTOR
from satchel.models.encoder_config import EncoderConfig
from satchel.models.heads import HeadShape
from satchel.models.labels import PRETRAINED, declared_task, read_labels, saved_by
from satchel.models.weights import Tensors
from satchel.runtime.errors import UnsupportedError, UsageError, shown
from satchel.runtime.manifest import Labels
from satchel.runtime.task import TASKS, TEXT_TASKS

ASSUMED = "the checkpoint does not say how to pool: mean of the states, to unit length"
FEATURES = {
    "embed": VECTOR,
    "classify": SCORES,
    "multi-vector": TOKENS,
}  # what modules make for a task


def is_tied(config: EncoderConfig, task: str) -> bool:
    """Whether the last layer of a task's head has the weight of the word embeddings."""
    return task == "fill-mask" and config.tie_word_embeddings


def task_of(
    checkpoint: Checkpoint,
    task: str | None,
    config: EncoderConfig,
    shapes: dict[str, HeadShape],
    tensors: Tensors,
) -> str:
    """The task asked for, or the one the checkpoint was made for; refused if it has no such head."""
    declared = declared_task(checkpoint.config)
    if task in (None, _made_for(checkpoint)) and _made_for(checkpoint) is not None:
        return str(_made_for(checkpoint))
    if task is None and declared is None:
        raise UnsupportedError(
            f"config.json: architectures = {shown(saved_by(checkpoint.config))} names no task "
            f"that satchel knows; --task chooses one of {', '.join(TEXT_TASKS)}"
        )
    chosen = task or str(declared)
    if chosen == PRETRAINED:
        chosen = "fill-mask"
        if _lacking(config, chosen, shapes, tensors):
            raise UnsupportedError(
                f"config.json: architectures = {shown(saved_by(checkpoint.config))} has no "
                "head that satchel exports; --task embed exports its states"
            )
    if chosen not in TEXT_TASKS:
        raise UsageError(f"--task {shown(chosen)} is unknown here; known: {', '.join(TEXT_TASKS)}")
    if chosen == "embed":
        return chosen
    if chosen not in shapes:
        modules = f"modules of a MultiVectorEncoder, which {chosen} needs"
        lacked = f"head for {chosen}: of model_type {checkpoint.config['model_type']} there is none"
        reason = lacked if TASKS[chosen].scores else modules
        raise UnsupportedError(f"{shown(checkpoint.source)} has no {reason}")
    other = declared in TEXT_TASKS and declared not in ("embed", chosen)
    lacking = _lacking(config, chosen, shapes, tensors)
    if other or lacking:
        reason = f"was made for {declared}" if other else f"lacks {', '.join(lacking)}"
        raise UnsupportedError(f"{shown(checkpoint.source)} has no head for {chosen}: it {reason}")
    return chosen


def _lacking(
    config: EncoderConfig, task: str, shapes: dict[str, HeadShape], tensors: Tensors
) -> list[str]:
    """The weights that a task's head needs and the checkpoint has not."""
    return [name for name in shapes[task].required(is_tied(config, task)) if name not in tensors]


def _made_for(checkpoint: Checkpoint) -> str | None:
    """The task that modules of sentence-transformers are for, where they are more than a transformer."""
    output = checkpoint.sentence.output if checkpoint.sentence is not None else None
    return next((task for task, feature in FEATURES.items() if feature == output), None)


def modules_for(checkpoint: Checkpoint, task: str) -> tuple[SentenceModules, tuple[str, ...]]:
    """How texts are prepared and what is made of their states, and what had to be assumed.

    Modules and prompts are for the task that the folder was made for; others read texts alone.
    """
    sentence = checkpoint.sentence or SentenceModules()
    if task == "embed" and sentence.output != VECTOR:
        return pooled_anyhow(sentence), (ASSUMED,)
    crossing = sentence.settings.kind == "CrossEncoder"
    if task in ("embed", "multi-vector") or (task == "classify" and crossing):
        return sentence, ()
    return SentenceModules(first=sentence.first), ()


def labels_for(checkpoint: Checkpoint, task: str) -> Labels | None:
    if TASKS[task].scores != "labels":
        return None
    config = checkpoint.config
    if checkpoint.sentence is not None and checkpoint.sentence.logit_score is not None:
        config = config | {"num_labels": 1, "id2label": None}  # whatever that of a decoder says
    return read_labels(config, task, checkpoint.sentence)
