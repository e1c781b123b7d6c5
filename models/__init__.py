"""Checkpoint on disk to PyTorch reference model: a builder per family."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterable
from types import ModuleType
from typing import Any

import torch

from satchel.checkpoints.checkpoint import Checkpoint
from satchel.models import gliner, image_encoder, page_encoder, sound_encoder, weights
from satchel.models.architectures import architecture, family, listed, of_family
from satchel.models.decoder import Decoder
from satchel.models.decoder_trunk import EMBEDDING, DecoderTrunk, TrunkConfig
from satchel.models.encoder import ReferenceEncoder
from satchel.models.labels import check_generates, saved_by
from satchel.models.seq2seq import Seq2seq
from satchel.models.tables import HEAD, WORDS
from satchel.models.text_encoder import assemble
from satchel.runtime.errors import CheckpointError, UnsupportedError, UsageError, shown

LONGEST = 32768  # positions of a decoder that is read as an encoder; more are made when asked for


def build(
    checkpoint: Checkpoint,
    context: int | None = None,
    default_context: int | None = None,
    ignored_keys: Collection[str] = (),
    progress: Callable[[Iterable[Any]], Iterable[Any]] = iter,
) -> tuple[Decoder, int]:
    """The reference model of `checkpoint` with its weights in float32, and its context in positions.

    `context` None means all the model has, at most `default_context`. Raises CheckpointError or
    UnsupportedError; where config.json is to blame, before any weight is read.
    """
    module = architecture(checkpoint, Decoder.family).load()
    _check_purpose(checkpoint)
    config = module.Config.from_dict(checkpoint.config, ignored_keys)
    if not config.causal:
        raise UnsupportedError(
            f"config.json: attention of this {shown(checkpoint.config['model_type'])} goes both ways, "
            "so it does not generate; --task embed exports it"
        )
    positions = config.context(context, default_context)
    tensors = _sanitized(module, checkpoint, config)
    notes = module.Model.notes
    if config.tie_word_embeddings:
        tensors = weights.tied(tensors, EMBEDDING, HEAD)
        if HEAD in tensors:
            notes += (weights.untied(HEAD, EMBEDDING),)
            config = dataclasses.replace(config, tie_word_embeddings=False)
    with torch.device("meta"):
        model: Decoder = module.Model(config, positions)
    model.notes = notes
    weights.assign(model, tensors, progress, saved_by(checkpoint.config))
    return model.eval(), positions


def build_encoder(
    checkpoint: Checkpoint,
    task: str | None = None,
    image_size: tuple[int, int] | None = None,
    ignored_keys: Collection[str] = (),
    progress: Callable[[Iterable[Any]], Iterable[Any]] = iter,
    context: int | None = None,
) -> ReferenceEncoder:
    """The towers of an encoder `checkpoint`, or of a decoder that is read as one, with their weights in
    float32.

    `task` is one of `satchel.runtime.task.TASKS`; None means the one the checkpoint was made for.
    `image_size` is the height and width that the checkpoint's preprocessing makes, `context` a decoder's
    positions as in `build`. Raises as `build` does.
    """
    reads = family(checkpoint, task) == "encoder"
    entry = architecture(checkpoint, None if reads else "encoder")
    module = entry.load()
    config = module.Config.from_dict(checkpoint.config, ignored_keys)
    if entry.family == Decoder.family:
        trunk = DecoderTrunk(module, checkpoint)
        return assemble(
            trunk, TrunkConfig(config, config.context(context, LONGEST)), checkpoint, task, progress
        )
    if context is not None:
        raise UsageError("--context is for models that write; encoders keep all their positions")
    if entry.reads == "labels":
        if task not in (None, "entities"):
            raise UnsupportedError(f"a GLiNER has no head for {shown(task)}; it finds entities")
        return gliner.assemble(config, checkpoint, progress)
    if entry.reads == "pages":
        return page_encoder.assemble(module, config, checkpoint, task, progress)
    if entry.reads == "sound":
        return sound_encoder.assemble(module, config, checkpoint, task, progress)
    if entry.reads == "images":
        return image_encoder.assemble(module, config, checkpoint, task, image_size, progress)
    return assemble(module.Model, config, checkpoint, task, progress)


def build_seq2seq(
    checkpoint: Checkpoint,
    context: int | None = None,
    ignored_keys: Collection[str] = (),
    progress: Callable[[Iterable[Any]], Iterable[Any]] = iter,
    image_size: tuple[int, int] | None = None,
) -> tuple[Seq2seq, int]:
    """The encoder-decoder model of `checkpoint` with its weights in float32, and its target context.

    `context` is the number of target positions to build for; None means all the model has. `image_size`
    is the height and width that the preprocessing of a model that reads images makes. Raises as `build`
    does.
    """
    entry = architecture(checkpoint, Seq2seq.family)
    module = entry.load()
    _check_purpose(checkpoint)
    config = module.Config.from_dict(checkpoint.config, ignored_keys)
    if entry.reads == "images":
        config = dataclasses.replace(config, image_size=image_size)
    positions = config.context(context)
    tensors = _sanitized(module, checkpoint, config)
    with torch.device("meta"):
        model: Seq2seq = module.Model(config, tensors.keys())
    weights.assign(model, tensors, progress, saved_by(checkpoint.config))
    if config.tied:
        apart = (name for name in model.ties if name in tensors)
        model.notes = tuple(weights.untied(name, WORDS) for name in apart)
    return model.eval(), positions


def _check_purpose(checkpoint: Checkpoint) -> None:
    """Refuse what was made of a generating architecture for another end."""
    if checkpoint.sentence is not None:
        raise UnsupportedError(
            f"modules.json: {shown(checkpoint.source)} is a sentence-transformers model around "
            f"{shown(checkpoint.config['model_type'])}; satchel embeds with "
            f"{listed(of_family('encoder', 'text'))}"
        )
    check_generates(checkpoint.config)


def _sanitized(module: ModuleType, checkpoint: Checkpoint, config: Any) -> weights.Tensors:
    """The checkpoint's tensors under the names of our model."""
    named = weights.unwrapped(checkpoint.tensors)
    if issubclass(module.Model, Decoder):
        named = weights.prefixed(named, module.Model.prefix)
    tensors: weights.Tensors = module.Model.sanitize(named, config)
    if not tensors:
        raise CheckpointError(f"{shown(checkpoint.source)} holds no weights", "CKPT_WEIGHTS")
    return tensors
