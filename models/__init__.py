"""Checkpoint on disk to PyTorch reference model: a builder per family."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable, Collection, Iterable
from types import ModuleType
from typing import Any

import torch

from satchel.models import images, weights
from satchel.models.checkpoint import Checkpoint
from satchel.models.decoder import Decoder
from satchel.models.encoder import EncoderModel
from satchel.models.labels import check_generates, saved_by
from satchel.models.seq2seq import Seq2seq
from satchel.models.tables import HEAD, WORDS
from satchel.models.text import assemble
from satchel.runtime.errors import CheckpointError, UnsupportedError, shown

EMBEDDING = "model.embed_tokens.weight"
ARCHITECTURES = {  # model_type -> module with Config and Model
    "llama": "llama",
    "mistral": "mistral",
    "qwen2": "qwen2",
    "qwen3": "qwen3",
    "smollm3": "smollm3",
    "gemma2": "gemma2",
    "gemma3_text": "gemma3_text",
    "phi3": "phi3",
    "gpt2": "gpt2",
    "gpt_neox": "gpt_neox",
}
ENCODERS = {  # model_type -> module with Config and Model, the trunk
    "bert": "bert",
    "roberta": "roberta",
    "xlm-roberta": "xlm_roberta",
    "distilbert": "distilbert",
    "mpnet": "mpnet",
    "modernbert": "modernbert",
    "electra": "electra",
    "albert": "albert",
    "static-embedding": "static",
}
SEQ2SEQ = {  # likewise, Model being both stacks
    "t5": "t5",
    "mt5": "mt5",
    "bart": "bart",
    "mbart": "mbart",
    "marian": "marian",
    "pegasus": "pegasus",
    "m2m_100": "m2m_100",
    "encoder-decoder": "encoder_decoder",
    "whisper": "whisper",
}
SOUND = frozenset(["whisper"])  # of them, those that hear
IMAGES = {"vit": "vit", "dinov2": "dinov2", "clip": "clip", "siglip": "siglip"}  # likewise

ONE_TOWER = {  # model_type -> that of the checkpoint which holds the tower with its projection
    f"{pair}_{tower}_model": pair for pair in ("clip", "siglip") for tower in ("text", "vision")
}


def family(checkpoint: Checkpoint) -> str:
    """Which builder is for `checkpoint`: "decoder", "encoder" or "encoder-decoder"."""
    model_type = str(checkpoint.config.get("model_type"))
    if model_type in SEQ2SEQ:
        return Seq2seq.family
    return "encoder" if model_type in ENCODERS | IMAGES else "decoder"


def takes_images(checkpoint: Checkpoint) -> bool:
    """Whether an encoder `checkpoint` is of an architecture for images."""
    return checkpoint.config.get("model_type") in IMAGES


def takes_sound(checkpoint: Checkpoint) -> bool:
    """Whether an encoder-decoder `checkpoint` is of an architecture that hears."""
    return str(checkpoint.config.get("model_type")) in SOUND


def build(
    checkpoint: Checkpoint,
    context: int | None = None,
    default_context: int | None = None,
    ignored_keys: Collection[str] = (),
    progress: Callable[[Iterable[Any]], Iterable[Any]] = iter,
) -> tuple[Decoder, int]:
    """The reference model of `checkpoint` with its weights in float32, and its context.

    `context` is the number of positions to build for; None means all the model has, but no more than
    `default_context`. Raises CheckpointError or UnsupportedError with
    what is wrong, before any weight is read where config.json is to blame.
    """
    module = _architecture(checkpoint, ARCHITECTURES)
    _check_purpose(checkpoint)
    config = module.Config.from_dict(checkpoint.config, ignored_keys)
    positions = config.context(context, default_context)
    with torch.device("meta"):
        model: Decoder = module.Model(config, positions)
    tensors = _sanitized(module, checkpoint, config)
    if config.tie_word_embeddings:
        tensors = weights.tied(tensors, EMBEDDING, HEAD)
    if config.tie_word_embeddings and HEAD in tensors:
        config = dataclasses.replace(config, tie_word_embeddings=False)
        with torch.device("meta"):
            model = module.Model(config, positions)
        model.notes = (weights.untied(HEAD, EMBEDDING),)
    weights.assign(model, tensors, progress, saved_by(checkpoint.config))
    return model.eval(), positions


def build_encoder(
    checkpoint: Checkpoint,
    task: str | None = None,
    image_size: tuple[int, int] | None = None,
    ignored_keys: Collection[str] = (),
    progress: Callable[[Iterable[Any]], Iterable[Any]] = iter,
) -> EncoderModel:
    """The towers of an encoder `checkpoint` with their weights in float32.

    `task` is one of `satchel.models.encoder.TASKS`; None means the one the checkpoint was made for.
    `image_size` is the height and width that the checkpoint's preprocessing makes. Raises as `build`
    does.
    """
    module = _architecture(checkpoint, ENCODERS | IMAGES)
    config = module.Config.from_dict(checkpoint.config, ignored_keys)
    if checkpoint.config["model_type"] in IMAGES:
        return images.assemble(module, config, checkpoint, task, image_size, progress)
    return assemble(module, config, checkpoint, task, progress)


def build_seq2seq(
    checkpoint: Checkpoint,
    context: int | None = None,
    ignored_keys: Collection[str] = (),
    progress: Callable[[Iterable[Any]], Iterable[Any]] = iter,
) -> tuple[Seq2seq, int]:
    """The encoder-decoder model of `checkpoint` with its weights in float32, and its target context.

    `context` is the number of target positions to build for; None means all the model has. Raises as
    `build` does.
    """
    module = _architecture(checkpoint, SEQ2SEQ)
    _check_purpose(checkpoint)
    config = module.Config.from_dict(checkpoint.config, ignored_keys)
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
            f"{shown(checkpoint.config['model_type'])}; satchel embeds with {', '.join(ENCODERS)}"
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


def _architecture(checkpoint: Checkpoint, table: dict[str, str]) -> ModuleType:
    model_type = checkpoint.config.get("model_type")
    if isinstance(model_type, str) and model_type in ONE_TOWER:
        raise UnsupportedError(
            f"model_type {shown(model_type)} is one tower of two; satchel exports them from the "
            f"checkpoint of both, of model_type {ONE_TOWER[model_type]}"
        )
    if not isinstance(model_type, str) or model_type not in table:
        known = ", ".join(ARCHITECTURES | ENCODERS | SEQ2SEQ | IMAGES)
        raise UnsupportedError(f"model_type {shown(model_type)} is unknown; known: {known}")
    return importlib.import_module(f"satchel.models.{table[model_type]}")
