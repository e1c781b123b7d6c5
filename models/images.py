"""Assemble an image encoder, with the text tower that some have. Knows no architecture."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any

import torch
from torch import nn

from satchel.models import weights
from satchel.models.checkpoint import Checkpoint
from satchel.models.encoder import EncoderModel
from satchel.models.vision_config import PairConfig, Size
from satchel.runtime.errors import CheckpointError, shown


def assemble(
    module: ModuleType,
    config: Any,
    checkpoint: Checkpoint,
    task: str | None,
    image_size: Size | None,
    progress: Callable[[Iterable[Any]], Iterable[Any]],
) -> EncoderModel:
    """The towers of `checkpoint` for `task` (None: the one it was made for) with their weights.

    `module` is that of the architecture, `image_size` the height and width that preprocessing makes.
    What compares texts and images beside the graphs is in ``module.facts``.
    """
    if not checkpoint.tensors:
        raise CheckpointError(f"{shown(checkpoint.source)} holds no weights", "CKPT_WEIGHTS")
    task = task or _declared_task(checkpoint.config, module)
    with torch.device("meta"):
        towers = module.towers(config, task, image_size)
    named = weights.unwrapped(checkpoint.tensors)
    tensors = module.sanitize(named, config, task, image_size)
    weights.assign(nn.ModuleDict(towers), tensors, progress)
    pair = isinstance(config, PairConfig)
    text = config.text if "text" in towers else None
    context = text.max_position_embeddings if text else 0
    return EncoderModel(
        architecture=str(checkpoint.config["model_type"]),
        task=task,
        towers={name: tower.eval() for name, tower in towers.items()},
        hidden_size=(config.vision if pair else config).hidden_size,
        vocab_size=text.vocab_size if text else 0,
        context=context,
        max_length=context,
        labels=config.labels if task == "image-classify" else None,
        normalized=pair and task != "image-classify",
        facts=module.facts(named, config) if text else {},
    )


def _declared_task(config: dict[str, Any], module: ModuleType) -> str:
    """The task that `architectures` names, the module's first where it names none."""
    names = config.get("architectures")
    classifies = isinstance(names, list) and str(names[:1]).endswith("ForImageClassification']")
    return "image-classify" if classifies else str(module.TASKS[0])
