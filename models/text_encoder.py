"""Assemble a text encoder: trunk, head and what the checkpoint says of both. Knows no architecture."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from satchel.checkpoints.checkpoint import Checkpoint
from satchel.checkpoints.sentence import SentenceModules
from satchel.checkpoints.sentence_steps import TOKENS, VECTOR
from satchel.checkpoints.tensors import LazyTensor
from satchel.models import weights
from satchel.models.decoder_trunk import LastTokenTower
from satchel.models.encoder import Axes, ExpandedTower, PromptedTower, ReferenceEncoder, Tower
from satchel.models.encoder_config import EncoderConfig
from satchel.models.heads import HeadShape, ScoreHead, SpladeHead
from satchel.models.layers import Embedding
from satchel.models.sentence_head import Ending, ending
from satchel.models.text_task import FEATURES, is_tied, labels_for, modules_for, task_of
from satchel.models.weights import Tensors
from satchel.runtime.errors import CheckpointError, UnsupportedError, shown
from satchel.runtime.manifest import BOXES, PROMPT_MASK, Labels
from satchel.runtime.task import TASKS

BIAS = "head.out.bias"
WORDS = "trunk.embeddings.word_embeddings.weight"
BY_LENGTHS = (  # those whose attention leaves out what stands behind a length
    "bert roberta xlm-roberta distilbert mpnet electra albert modernbert".split()  # noqa: SIM905
)
POSITIONS = "trunk.embeddings.position_embeddings.weight"
TYPES = "trunk.embeddings.token_type_embeddings.weight"
EVERY_TYPE = "trunk.embeddings.every_type"


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
        if self.sentence.logit_score is not None and self.task == "classify":
            return "classify"
        output = FEATURES.get(self.task)
        return None if output is not None and self.sentence.output == output else self.task

    @property
    def typed(self) -> bool:
        """Whether token types are an input; else every token is of the first type."""
        pairs = TASKS[self.task].pairs and not self.config.boxed
        return self.config.token_types > 1 and pairs

    @property
    def prompted(self) -> bool:
        """Whether an input marks the tokens of a prompt: where pooling leaves them out."""
        read = self.sentence.first.messages is None  # of those no prompt is left out
        asked = self.task == "embed" and self.head is None and read
        return asked and self.sentence.leaves_out_prompts

    @property
    def hides(self) -> bool:
        """Whether queries are filled up with tokens that the others do not look at."""
        lengths = self.sentence.lengths
        filled = self.task == "multi-vector" and lengths.expand_to is not None
        return filled and not lengths.attend

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
    model: Any,
    config: Any,
    checkpoint: Checkpoint,
    task: str | None,
    progress: Callable[[Iterable[Any]], Iterable[Any]],
) -> ReferenceEncoder:
    """Build the tower of `checkpoint` for `task` (None: the one it was made for) with its weights.

    `model` is an architecture's, of an EncoderConfig, and makes the trunk; or what `decoder_trunk` makes
    of a decoder's. Raises UnsupportedError for a task whose head the checkpoint does not have.
    """
    if checkpoint.sentence is not None and checkpoint.sentence.first.vectors:
        raise UnsupportedError(
            f"modules.json takes {VECTOR} of {checkpoint.config['model_type']}, which only gives states"
        )
    tensors = model.sanitize(weights.unwrapped(checkpoint.tensors), config)
    if not tensors:
        raise CheckpointError(f"{shown(checkpoint.source)} holds no weights", "CKPT_WEIGHTS")
    shapes = model.heads(config)
    task = task_of(checkpoint, task, config, shapes, tensors)
    sentence, notes = modules_for(checkpoint, task)
    plan = Plan(config, task, shapes, labels_for(checkpoint, task), sentence)
    if plan.hides and checkpoint.config["model_type"] not in BY_LENGTHS:
        raise UnsupportedError(
            f"query_expansion without attend is not supported by {checkpoint.config['model_type']}; "
            f"known: {', '.join(BY_LENGTHS)}"
        )
    if plan.tied:
        tensors = weights.tied(tensors, WORDS, plan.out)
        plan = dataclasses.replace(plan, apart=plan.out in tensors)
    end = _ending(plan)
    return ReferenceEncoder(
        architecture=str(checkpoint.config["model_type"]),
        task=task,
        towers={"encoder": _tower(model, plan, end, tensors, progress)},
        hidden_size=config.hidden_size,
        vocab_size=config.vocab_size,
        context=config.positions,
        max_length=checkpoint.text_length(config.positions),
        labels=plan.labels,
        normalized=task == "embed" and end is not None and sentence.normalize and not end.cut,
        similarity=sentence.settings.similarity,
        prompts=sentence.settings.prompts,
        default_prompt=sentence.settings.default_prompt,
        notes=notes + _apart(plan) + _without_bias(plan, tensors),
    )


def _ending(plan: Plan) -> Ending | None:
    """The modules of sentence-transformers as a head, where they are the head."""
    if plan.head is not None:
        return None
    sentence, output = plan.sentence, str(plan.sentence.output)
    kept = sentence.settings.truncate if plan.task == "embed" else None
    with torch.device("meta"):
        return ending(sentence.steps, TOKENS, plan.config.hidden_size, output, kept)


def _tower(
    model: Any,
    plan: Plan,
    end: Ending | None,
    tensors: Tensors,
    progress: Callable[[Iterable[Any]], Iterable[Any]],
) -> Tower:
    """Trunk and head with their weights; `tensors` are under ``trunk.`` or the names of heads."""
    config, shape = plan.config, plan.shapes.get(plan.head or "")
    with torch.device("meta"):
        trunk = model(config, plan.typed)
        if shape is not None and shape.leading is not None:
            trunk.leading = shape.leading
        words = trunk.embeddings.word_embeddings if plan.tied else None
        head = _score_head(plan, tensors, words) if end is None else _sentence_head(plan, end)
    typed = ("token_type_ids",) if plan.typed else ()
    prompted = (PROMPT_MASK,) if plan.prompted else ()
    boxed = (BOXES,) if config.boxed else ()
    skipped = shape.skipped if shape is not None else None
    kind = PromptedTower if prompted else ExpandedTower if plan.hides else Tower
    kind = kind if skipped is None else LastTokenTower
    tower = kind(
        trunk,
        head.module,
        input_names=("input_ids", *typed, *boxed, *prompted),
        hidden_size=config.hidden_size,
        answer_name=head.answer,
        answer_axes=head.axes,
    )
    if isinstance(tower, LastTokenTower) and skipped is not None:
        tower.skipped = skipped
    heads = [name for shape in plan.shapes.values() for name in shape.names()]
    rest = weights.without(tensors, [*heads, *model.unused])
    if config.token_types and not plan.typed:
        rest = fold_types(rest, config)
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


def _score_head(plan: Plan, tensors: Tensors, words: Embedding | None) -> Head:
    config, task = plan.config, str(plan.head)
    shape = plan.shapes[task]
    labels = plan.labels.names if plan.labels is not None else []
    rows = TASKS[task].width(len(labels), config.vocab_size)
    taken = {
        name: tensors[source]
        for name, sources in shape.sources(plan.bias_tied).items()
        for source in reversed(sources)
        if source in tensors
    }
    out = taken.get("head.out.weight")
    if out is not None and out.shape[0] != rows:
        raise CheckpointError(
            f"{shape.out} has {out.shape[0]} rows but config.json means {rows} for {task}",
            "CKPT_WEIGHTS",
        )
    if task == "fill-mask" and shape.has_bias:
        taken.setdefault(BIAS, LazyTensor((rows,), lambda: torch.zeros(rows)))
    width = config.embedding_width if task == "fill-mask" else config.hidden_size
    parts = (shape, config.hidden_size, width, rows, config.eps, words)
    splade = plan.sentence.splade
    if splade is not None:
        return Head(
            SpladeHead(splade, plan.sentence.settings.active, *parts),
            "embedding",
            ["batch", rows],
            taken,
        )
    module = ScoreHead(*parts)
    axes: Axes = ["batch", rows] if shape.pooling else ["batch", "length", rows]
    return Head(module, "logits", axes, taken)


def _sentence_head(plan: Plan, made: Ending) -> Head:
    if plan.labels is not None and len(plan.labels.names) != made.width:
        plan.labels.names[:] = [f"LABEL_{index}" for index in range(made.width)]
    name = "logits" if plan.task == "classify" else "embedding"
    tensors = {f"head.{key}": tensor for key, tensor in made.tensors.items()}
    axes: Axes = ["batch", *(["length"] if TASKS[plan.task].per_token else []), made.width]
    return Head(made.module, name, axes, tensors)


def fold_types(tensors: Tensors, config: EncoderConfig) -> Tensors:
    """Add the first token type, which every token has, to the positions: one addition less. Where the
    blocks tell the positions, it stays a row of its own."""
    rest = dict(tensors)
    positions, types = rest.get(POSITIONS), rest.pop(TYPES, None)
    if types is None or types.shape != (config.token_types, config.embedding_width):
        actual = "missing" if types is None else f"{list(types.shape)}"
        raise CheckpointError(
            f"weights do not fit the model: {TYPES} is {actual}, config.json says "
            f"{[config.token_types, config.embedding_width]}",
            "CKPT_WEIGHTS",
        )
    if not config.learned_positions:
        rest[EVERY_TYPE] = LazyTensor((types.shape[1],), lambda: types.load()[0])
    elif positions is not None:
        rest[POSITIONS] = LazyTensor(positions.shape, lambda: positions.load() + types.load()[0])
    return rest
