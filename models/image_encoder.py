"""Assemble an image encoder, with the text tower that some have. Knows no architecture."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any

import torch
from torch import nn

from satchel.checkpoints.checkpoint import Checkpoint
from satchel.checkpoints.sentence import SentenceModules
from satchel.checkpoints.sentence_steps import VECTOR, Unit
from satchel.checkpoints.sentence_texts import Settings, Transformer
from satchel.models import weights
from satchel.models.encoder import ReferenceEncoder, Tower
from satchel.models.labels import saved_by
from satchel.models.sentence_head import ending
from satchel.models.vision_config import PairConfig, Size
from satchel.runtime.errors import CheckpointError, UnsupportedError, shown
from satchel.runtime.task import TASKS

TASK_OF = {  # the end of a name in `architectures` -> task
    "ForSemanticSegmentation": "image-segment",
    "ForDepthEstimation": "depth-estimation",
    "ForObjectDetection": "object-detection",
}
# Behind the towers of a pair, whose vectors meet at unit length.
MEETING = SentenceModules(steps=(Unit(),), first=Transformer(output=VECTOR, vectors=True))


def assemble(
    module: ModuleType,
    config: Any,
    checkpoint: Checkpoint,
    task: str | None,
    image_size: Size | None,
    progress: Callable[[Iterable[Any]], Iterable[Any]],
) -> ReferenceEncoder:
    """The towers of `checkpoint` for `task` (None: the one it was made for) with their weights.

    `module` is that of the architecture, `image_size` the height and width that preprocessing makes.
    What compares texts and images beside the graphs is in ``module.facts``.
    """
    if not checkpoint.tensors:
        raise CheckpointError(f"{shown(checkpoint.source)} holds no weights", "CKPT_WEIGHTS")
    task = task or _declared_task(checkpoint, module)
    pair = isinstance(config, PairConfig)
    scored = bool(TASKS[task].scores) if task in TASKS else False
    labelled = scored and "labels" in TASKS[task].needs
    sentence = None if scored else _sentence(checkpoint, pair)
    named = weights.unwrapped(checkpoint.tensors)
    tensors = module.sanitize(named, config, task, image_size)
    with torch.device("meta"):
        towers = module.towers(config, task, image_size)
    cut = sentence is not None and _put_behind(towers, sentence, pair, tensors)
    weights.assign(nn.ModuleDict(towers), tensors, progress)
    text = config.text if "text" in towers else None
    context = text.max_position_embeddings if text else 0
    facts = module.facts(named, config) if text else {}
    settings = sentence.settings if sentence is not None else Settings()
    return ReferenceEncoder(
        architecture=str(checkpoint.config["model_type"]),
        task=task,
        towers={name: tower.eval() for name, tower in towers.items()},
        hidden_size=(config.vision if pair else config).hidden_size,
        vocab_size=text.vocab_size if text else 0,
        context=context,
        max_length=_max_length(checkpoint, context, facts),
        labels=config.labels if labelled else None,
        normalized=sentence is not None and sentence.normalize and not cut,
        similarity=settings.similarity,
        prompts=settings.prompts,
        default_prompt=settings.default_prompt,
        facts=facts,
        notes=_notes(checkpoint, facts),
    )


def _sentence(checkpoint: Checkpoint, pair: bool) -> SentenceModules | None:
    """The modules behind the towers: those of the folder or, of a pair alone, that to unit length."""
    sentence = checkpoint.sentence
    if sentence is None:
        return MEETING if pair else None
    if sentence.first.vectors != pair or sentence.output != VECTOR or sentence.leaves_out_prompts:
        raise UnsupportedError(
            f"modules.json: around {checkpoint.config['model_type']}, "
            f"{'pooler_output of its towers' if pair else 'last_hidden_state'} is to become "
            f"{VECTOR}, with the tokens of prompts"
        )
    return sentence


def _put_behind(
    towers: dict[str, Tower], sentence: SentenceModules, pair: bool, tensors: weights.Tensors
) -> bool:
    """Put the modules behind the head of each of a pair's towers, in the place of another's head, and
    their weights among `tensors`; returns whether only the first part of a vector is kept."""
    cut = False
    for role, tower in towers.items():
        size = int(tower.outputs["embedding" if pair else "last_hidden_state"][-1])
        first, kept = sentence.first.output, sentence.settings.truncate
        with torch.device("meta"):
            made = ending(sentence.steps, first, size, VECTOR, kept)
        if not pair:
            tower.head = nn.Identity()
        batch = tower.outputs["last_hidden_state"][0]
        tower.end, tower.outputs["embedding"] = made.module, [batch, made.width]
        tensors |= {f"{role}.end.{name}": tensor for name, tensor in made.tensors.items()}
        cut = made.cut
    return cut


def _max_length(checkpoint: Checkpoint, context: int, facts: dict[str, Any]) -> int:
    """The tokens a text is cut to: the whole context, unless a folder of modules says less."""
    if not context:
        return context
    if facts["pad_to_context"] and _pads_before(checkpoint):
        raise UnsupportedError(
            f"{shown(checkpoint.source)}: texts would be filled up before their start, where this model "
            'reads their end; tokenizer_config.json has to say padding_side = "right"'
        )
    if checkpoint.sentence is None:
        return context
    length = checkpoint.text_length(context)
    masked = "attention_mask" in (checkpoint.tokenizer_config.get("model_input_names") or ())
    if facts["pad_to_context"] and (masked or length != context):
        cause = "model_input_names = attention_mask" if masked else f"a length of {length} tokens"
        raise UnsupportedError(
            f"{shown(checkpoint.source)}: {cause} is not supported for "
            f"{checkpoint.config['model_type']}, which reads texts filled up to {context} tokens, "
            "padding and all"
        )
    return length


def _pads_before(checkpoint: Checkpoint) -> bool:
    """Whether the library fills texts up before their start, as the class of SigLIP 2 does unasked."""
    said = checkpoint.tokenizer_config
    own = checkpoint.config.get("model_type") == "siglip2"
    own = own or str(said.get("tokenizer_class")).startswith("Siglip2Tokenizer")
    return bool(said.get("padding_side", "left" if own else "right") == "left")


def _notes(checkpoint: Checkpoint, facts: dict[str, Any]) -> tuple[str, ...]:
    """A remark where the library itself would read a text otherwise beside others than alone."""
    sentence = checkpoint.sentence
    if sentence is None or not facts.get("pad_to_context") or sentence.first.filled:
        return ()
    return (
        f"texts are filled up to {facts['context']} tokens, as the model was trained; the folder lacks "
        "processing_kwargs with padding = 'max_length', without which sentence-transformers fills "
        "them up to the longest of a batch",
    )


def _declared_task(checkpoint: Checkpoint, module: ModuleType) -> str:
    """The task that `architectures` names, the module's first where it names none or modules follow."""
    made_by = saved_by(checkpoint.config)
    ended = next((task for end, task in TASK_OF.items() if made_by.endswith(end)), None)
    if ended is not None:
        return ended
    classifies = made_by.endswith(("ForImageClassification", "ForImageClassificationWithTeacher"))
    return "image-classify" if classifies and not checkpoint.sentence else str(module.TASKS[0])
