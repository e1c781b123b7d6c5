"""Assemble an encoder of sound: trunk, head, and its labels if it has any. Knows no architecture."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from satchel.checkpoints.checkpoint import Checkpoint
from satchel.models import weights
from satchel.models.encoder import ReferenceEncoder, Tower
from satchel.models.labels import saved_by
from satchel.models.layers import Linear
from satchel.models.sound import SoundTrunk
from satchel.models.sound_config import HearingConfig
from satchel.models.weights import Tensors
from satchel.runtime.errors import CheckpointError, UnsupportedError, UsageError, shown
from satchel.runtime.task import TASKS

EMBED, LETTERS, CLASSIFY = "audio-embed", "ctc", "audio-classify"
WEIGHTS = "layer_weights"
MADE_FOR = {  # the end of a name in `architectures` -> task
    "ForCTC": LETTERS,
    "ForSequenceClassification": CLASSIFY,
    "ForPreTraining": EMBED,
    "Model": EMBED,
}
HEADS = {  # task -> parts of its head in a checkpoint, by the names that they have here
    EMBED: {},
    LETTERS: {"lm_head": "head"},
    CLASSIFY: {
        "projector": "head.projector",
        "classifier": "head.classifier",
        WEIGHTS: f"head.{WEIGHTS}",
    },
}
OF_HEADS = re.compile(
    r"^(lm_head|projector|classifier|layer_weights|tdnn|objective|feature_extractor)\b"
)


class MeanState(nn.Module):
    """The mean of all states."""

    def forward(self, states: Tensor) -> Tensor:
        return states.mean(1)


class SoundClassifier(nn.Module):
    """Scores [batch, labels] of the mean of projected states; `layers` are how many it weighs, if any."""

    def __init__(self, size: int, width: int, labels: int, layers: int | None) -> None:
        super().__init__()
        self.projector, self.classifier = Linear(size, width), Linear(width, labels)
        if layers is not None:
            self.layer_weights = nn.Parameter(torch.empty(layers))

    def forward(self, states: Tensor) -> Tensor:
        return self.classifier(self.projector(states).mean(1))


class WeighingTower(Tower):
    """A tower whose head reads the states of all layers, each with its weight."""

    trunk: SoundTrunk
    head: SoundClassifier

    def forward(self, *inputs: Tensor) -> list[Tensor]:
        every = self.trunk.every(*inputs)
        mixed = every[0] * self.head.layer_weights[0]
        for index, states in enumerate(every[1:], 1):
            mixed = mixed + states * self.head.layer_weights[index]
        return [every[-1], self.head(mixed)]


def assemble(
    module: ModuleType,
    config: HearingConfig,
    checkpoint: Checkpoint,
    task: str | None,
    progress: Callable[[Iterable[Any]], Iterable[Any]],
) -> ReferenceEncoder:
    """The tower of `checkpoint` for `task` (None: the one it was made for) with its weights.

    `module` is an architecture: its Model is the trunk.
    """
    if checkpoint.sentence is not None:
        raise UnsupportedError(
            f"modules.json: {shown(checkpoint.source)} is a sentence-transformers model of sounds, "
            "which satchel does not read; export the folder of the model itself"
        )
    if not checkpoint.tensors:
        raise CheckpointError(f"{shown(checkpoint.source)} holds no weights", "CKPT_WEIGHTS")
    tensors = module.Model.sanitize(weights.unwrapped(checkpoint.tensors), config)
    chosen = _task(checkpoint, task, tensors)
    with torch.device("meta"):
        tower = _tower(module, config, chosen)
    weights.assign(tower, _with_head(tensors, chosen, config), progress)
    return ReferenceEncoder(
        architecture=str(checkpoint.config["model_type"]),
        task=chosen,
        towers={"sound": tower.eval()},
        hidden_size=config.states_size,
        vocab_size=(config.vocab_size or 0) if chosen == LETTERS else 0,
        context=0,
        max_length=0,
        labels=config.labels if chosen == CLASSIFY else None,
        facts=dict(config.facts),
    )


def _task(checkpoint: Checkpoint, asked: str | None, tensors: Tensors) -> str:
    """The task asked for, or the one the checkpoint was made for; refused if it has no such head."""
    saved = saved_by(checkpoint.config) or "Model"
    declared = next((task for end, task in MADE_FOR.items() if saved.endswith(end)), None)
    if asked is not None and asked not in HEADS:
        raise UsageError(f"--task {shown(asked)} is unknown here; known: {', '.join(HEADS)}")
    task = asked or declared
    if task is None:
        raise UnsupportedError(
            f"config.json: architectures = {shown(saved)} has no head that satchel exports; "
            f"--task {EMBED} exports its states"
        )
    lacking = [f"{name}.weight" for name in HEADS[task] if name != WEIGHTS]
    lacking = [name for name in lacking if name not in tensors]
    if task != EMBED and (task != declared or lacking):
        reason = f"was saved as {shown(saved)}" if task != declared else f"lacks {lacking[0]}"
        raise UnsupportedError(f"{shown(checkpoint.source)} has no head for {task}: it {reason}")
    return task


def _tower(module: ModuleType, config: HearingConfig, task: str) -> Tower:
    size, batch = config.states_size, 1
    trunk, kind = module.Model(config), Tower
    head: nn.Module = MeanState()
    axes: list[int | str] = [batch, size]
    if task == LETTERS:
        if config.vocab_size is None or not 1 <= config.vocab_size <= 1 << 20:
            raise CheckpointError(f"config.json: vocab_size = {config.vocab_size}", "CKPT_CONFIG")
        head, axes = Linear(size, config.vocab_size), [batch, "length", config.vocab_size]
    elif task == CLASSIFY:
        layers = config.num_hidden_layers + 1 if config.use_weighted_layer_sum else None
        if layers is not None:
            config.check_weighing()
            kind = WeighingTower
        count = len(config.labels.names)
        head = SoundClassifier(size, config.classifier_proj_size, count, layers)
        axes = [batch, count]
    tower = kind(
        trunk,
        head,
        input_names=(config.input_name,),
        hidden_size=size,
        answer_name="logits" if TASKS[task].scores else "embedding",
        answer_axes=axes,
    )
    tower.outputs["last_hidden_state"] = [batch, "length", size]
    return tower


def _with_head(tensors: Tensors, task: str, config: HearingConfig) -> Tensors:
    """`tensors` with those of the task's head under our names, and without other heads."""
    parts = dict(HEADS[task])
    if not config.use_weighted_layer_sum:
        parts.pop(WEIGHTS, None)
    kept = {}
    for name, tensor in tensors.items():
        part, dot, kind = name.partition(".")
        if part in parts:
            kept[f"{parts[part]}{dot}{kind}"] = tensor
        elif not OF_HEADS.search(name):
            kept[name] = tensor
    return weights.transform(kept, r"^head\.layer_weights$", lambda x: x.softmax(-1))
