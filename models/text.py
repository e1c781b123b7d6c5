"""Assemble a text encoder: trunk, head and what the checkpoint says of both. Knows no architecture."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import torch
from torch import nn

from satchel.models import weights
from satchel.models.checkpoint import Checkpoint, LazyTensor
from satchel.models.encoder import Axes, EncoderModel, Labels, Tower
from satchel.models.encoder_config import EncoderConfig
from satchel.models.files import read_tensors
from satchel.models.heads import HeadShape, ScoreHead, SentenceHead, SpladeHead
from satchel.models.labels import PRETRAINED, declared_task, read_labels, saved_by
from satchel.models.layers import Embedding
from satchel.models.sentence import SentenceModules, pooled_anyhow
from satchel.models.sentence_steps import SCORES, TOKENS, VECTOR, Dense, Norm, Pooling
from satchel.models.weights import Tensors
from satchel.runtime.errors import CheckpointError, UnsupportedError, UsageError, shown

TASKS = ("embed", "classify", "tokens", "answer", "fill-mask")
PAIR_TASKS = ("classify", "answer")  # those whose input may be two texts
ASSUMED = "the checkpoint does not say how to pool: mean of the states, to unit length"
BIAS = "head.out.bias"
WORDS = "trunk.embeddings.word_embeddings.weight"
POSITIONS = "trunk.embeddings.position_embeddings.weight"
TYPES = "trunk.embeddings.token_type_embeddings.weight"


@dataclass(frozen=True)
class Head:
    """A head to be loaded: the module, its answer, and its tensors by their names in the tower."""

    module: nn.Module
    answer: str
    axes: Axes
    tensors: Tensors


@dataclass(frozen=True)
class Plan:
    """What is to be built: an architecture's parts and the task chosen for a checkpoint."""

    config: EncoderConfig
    task: str
    shapes: dict[str, HeadShape]  # by task
    labels: Labels | None
    sentence: SentenceModules
    apart: bool = False  # whether the file has a head beside the table that config.json ties it to

    @property
    def head(self) -> str | None:
        """The task whose head the tower has; None where modules of sentence-transformers are the head."""
        if self.sentence.splade is not None and self.task == "embed":
            return "fill-mask"
        output = SCORES if self.task == "classify" else VECTOR
        asked = self.task == "embed" or self.task == "classify"
        return None if asked and self.sentence.output == output else self.task

    @property
    def typed(self) -> bool:
        """Whether token types are an input; else every token is of the first type."""
        return self.config.token_types > 1 and self.task in PAIR_TASKS

    @property
    def tied(self) -> bool:
        """Whether the head's last layer has the weight of the word embeddings."""
        return self.head is not None and is_tied(self.config, self.head) and not self.apart

    @property
    def out(self) -> str:
        """The weight of the last layer of the head that scores words, as a checkpoint names it."""
        return f"{self.shapes['fill-mask'].out}.weight"

    @property
    def bias_tied(self) -> bool:
        """Whether the bias of the head's last layer may have another name."""
        return self.head is not None and is_tied(self.config, self.head)


def assemble(
    module: ModuleType,
    config: EncoderConfig,
    checkpoint: Checkpoint,
    task: str | None,
    progress: Callable[[Iterable[Any]], Iterable[Any]],
) -> EncoderModel:
    """Build the tower of `checkpoint` for `task` (None: the one it was made for) with its weights.

    `module` is an architecture: its Model is the trunk. Raises UnsupportedError for a task whose head
    the checkpoint does not have.
    """
    tensors = module.Model.sanitize(weights.unwrapped(checkpoint.tensors), config)
    if not tensors:
        raise CheckpointError(f"{shown(checkpoint.source)} holds no weights", "CKPT_WEIGHTS")
    shapes = module.Model.heads(config)
    task = _task(checkpoint, task, config, shapes, tensors)
    sentence, notes = _sentence(checkpoint, task)
    plan = Plan(config, task, shapes, _labels(checkpoint, task), sentence)
    if plan.tied:
        tensors = weights.tied(tensors, WORDS, plan.out)
        plan = dataclasses.replace(plan, apart=plan.out in tensors)
    return EncoderModel(
        architecture=str(checkpoint.config["model_type"]),
        task=task,
        towers={"encoder": _tower(module.Model, plan, tensors, progress)},
        hidden_size=config.hidden_size,
        vocab_size=config.vocab_size,
        context=config.positions,
        max_length=_max_length(checkpoint, config.positions),
        labels=plan.labels,
        normalized=task == "embed" and sentence.normalize and not _cut(plan),
        similarity=sentence.settings.similarity,
        lower_case=sentence.first.lower_case,
        prompts=sentence.settings.prompts,
        default_prompt=sentence.settings.default_prompt,
        notes=notes + _apart(plan) + _without_bias(plan, tensors),
    )


def _tower(
    model: Any, plan: Plan, tensors: Tensors, progress: Callable[[Iterable[Any]], Iterable[Any]]
) -> Tower:
    """Trunk and head with their weights; `tensors` are under ``trunk.`` or the names of heads."""
    config = plan.config
    with torch.device("meta"):
        trunk = model(config, plan.typed)
        words = trunk.embeddings.word_embeddings
        head = _sentence_head(plan) if plan.head is None else _score_head(plan, tensors, words)
    tower = Tower(
        trunk,
        head.module,
        input_names=("input_ids", "token_type_ids") if plan.typed else ("input_ids",),
        hidden_size=config.hidden_size,
        answer_name=head.answer,
        answer_axes=head.axes,
    )
    heads = [name for shape in plan.shapes.values() for name in shape.names()]
    rest = _without(tensors, [*heads, *model.unused])
    if config.token_types and not plan.typed:
        rest = _fold_types(rest, config)
    weights.assign(tower, rest | head.tensors, progress)
    return tower.eval()


def _apart(plan: Plan) -> tuple[str, ...]:
    """A note where the file has a head of its own and config.json ties it."""
    return (weights.untied(plan.out, WORDS.removeprefix("trunk.")),) if plan.apart else ()


def _without_bias(plan: Plan, tensors: Tensors) -> tuple[str, ...]:
    """A note where the scores of words get no bias because there is none under the right name."""
    shape = plan.shapes.get(plan.task)
    if plan.task != "fill-mask" or shape is None or not shape.has_bias:
        return ()
    names = shape.sources(plan.bias_tied)[BIAS]
    if any(name in tensors for name in names):
        return ()
    return (
        f"the checkpoint has no {names[0]}: the scores of words get no bias, as in transformers",
    )


def is_tied(config: EncoderConfig, task: str) -> bool:
    """Whether the last layer of a task's head has the weight of the word embeddings."""
    return task == "fill-mask" and config.tie_word_embeddings


def _task(
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
            f"that satchel knows; --task chooses one of {', '.join(TASKS)}"
        )
    chosen = task or str(declared)
    if chosen == PRETRAINED:
        chosen = "fill-mask"
        if _lacking(config, chosen, shapes, tensors):
            raise UnsupportedError(
                f"config.json: architectures = {shown(saved_by(checkpoint.config))} has no "
                "head that satchel exports; --task embed exports its states"
            )
    if chosen not in TASKS:
        raise UsageError(f"--task {shown(chosen)} is unknown here; known: {', '.join(TASKS)}")
    if chosen == "embed":
        return chosen
    other = declared in TASKS and declared not in ("embed", chosen)
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
    return {VECTOR: "embed", SCORES: "classify"}.get(str(output))


def _sentence(checkpoint: Checkpoint, task: str) -> tuple[SentenceModules, tuple[str, ...]]:
    """How texts are prepared and what is made of their states, and what had to be assumed.

    Modules and prompts are for the task that the folder was made for; others read texts alone.
    """
    sentence = checkpoint.sentence or SentenceModules()
    if task == "embed" and sentence.output != VECTOR:
        return pooled_anyhow(sentence), (ASSUMED,)
    crossing = sentence.settings.kind == "CrossEncoder"
    if task == "embed" or (task == "classify" and crossing):
        return sentence, ()
    return SentenceModules(first=sentence.first), ()


def _labels(checkpoint: Checkpoint, task: str) -> Labels | None:
    if task not in ("classify", "tokens"):
        return None
    return read_labels(checkpoint.config, task, checkpoint.sentence)


def _max_length(checkpoint: Checkpoint, context: int) -> int:
    """The tokens a text is cut to: what modules say replaces what the tokenizer's files say."""
    sentence, config = checkpoint.sentence, checkpoint.tokenizer_config
    said = sentence.first.max_length if sentence is not None else None
    if said is None:
        said = config.get("model_max_length", config.get("max_len"))
    if not isinstance(said, int | float) or said < 1:
        return context
    return int(min(context, said))


def _score_head(plan: Plan, tensors: Tensors, words: Embedding) -> Head:
    config, task = plan.config, str(plan.head)
    shape = plan.shapes[task]
    rows = {"answer": 2, "fill-mask": config.vocab_size}.get(task, 0)
    rows = len(plan.labels.names) if plan.labels is not None else rows
    found = {
        name: tensors[source]
        for name, sources in shape.sources(plan.bias_tied).items()
        for source in reversed(sources)
        if source in tensors
    }
    out = found.get("head.out.weight")
    if out is not None and out.shape[0] != rows:
        raise CheckpointError(
            f"{shape.out} has {out.shape[0]} rows but config.json means {rows} for {task}",
            "CKPT_WEIGHTS",
        )
    if task == "fill-mask" and shape.has_bias:
        found.setdefault(BIAS, LazyTensor((rows,), lambda: torch.zeros(rows)))
    width = config.embedding_width if task == "fill-mask" else config.hidden_size
    parts = (shape, config.hidden_size, width, rows, config.eps, words if plan.tied else None)
    splade = plan.sentence.splade
    if splade is not None:
        return Head(SpladeHead(splade, *parts), "embedding", ["batch", rows], found)
    module = ScoreHead(*parts)
    axes: Axes = ["batch", rows] if shape.pooling else ["batch", "length", rows]
    return Head(module, "logits", axes, found)


def _sentence_head(plan: Plan) -> Head:
    sentence, output = plan.sentence, str(plan.sentence.output)
    widths = _widths(plan)
    tensors: Tensors = {}
    for index, step in enumerate(sentence.steps):
        loaded = read_tensors([step.file]).items() if step.file is not None else ()
        tensors |= {f"head.steps.{index}.{name}": tensor for name, tensor in loaded}
    width = widths[output]
    if plan.labels is not None and len(plan.labels.names) != width:
        plan.labels.names[:] = [f"LABEL_{index}" for index in range(width)]
    kept = sentence.settings.truncate if _cut(plan) else None
    module = SentenceHead(sentence.steps, output, kept)
    name = "embedding" if plan.task == "embed" else "logits"
    return Head(module, name, ["batch", kept or width], tensors)


def _widths(plan: Plan) -> dict[str, int]:
    """The width of each feature that the modules write; refused where one does not fit the next."""
    widths = {TOKENS: plan.config.hidden_size}
    for step in plan.sentence.steps:
        width = widths[step.source]
        expected = {Pooling: "width", Dense: "in_features", Norm: "width"}.get(type(step))
        said = getattr(step, expected) if expected else None
        if said not in (None, width):
            raise CheckpointError(
                f"{type(step).__name__} is for {said} numbers, but {step.source} has {width}"
            )
        if isinstance(step, Pooling):
            width *= len(step.modes)
        widths[step.target] = step.out_features if isinstance(step, Dense) else width
    return widths


def _cut(plan: Plan) -> bool:
    """Whether only the first numbers of a vector are kept."""
    kept = plan.sentence.settings.truncate
    if kept is None or plan.task != "embed" or plan.head is not None:
        return False
    return kept < _widths(plan)[VECTOR]


def _without(tensors: Tensors, heads: Iterable[str]) -> Tensors:
    """`tensors` less those of heads, which a task either takes by name or has no use for."""
    names = tuple(heads)
    prefixes = tuple(f"{name}." for name in names)
    return {
        name: tensor
        for name, tensor in tensors.items()
        if name not in names and not name.startswith(prefixes)
    }


def _fold_types(tensors: Tensors, config: EncoderConfig) -> Tensors:
    """Add the first token type, which every token has, to the positions: one addition less."""
    rest = dict(tensors)
    positions, types = rest.get(POSITIONS), rest.pop(TYPES, None)
    if types is None or types.shape != (config.token_types, config.embedding_width):
        found = "missing" if types is None else f"{list(types.shape)}"
        raise CheckpointError(
            f"weights do not fit the model: {TYPES} is {found}, config.json says "
            f"{[config.token_types, config.embedding_width]}",
            "CKPT_WEIGHTS",
        )
    if positions is not None:
        rest[POSITIONS] = LazyTensor(positions.shape, lambda: positions.load() + types.load()[0])
    return rest
