"""What a class of sentence-transformers makes of a checkpoint that leaves things unsaid."""

from __future__ import annotations

from dataclasses import replace

from satchel.checkpoints.checkpoint import Checkpoint
from satchel.checkpoints.sentence import SentenceModules
from satchel.checkpoints.sentence_steps import TOKENS, Pooling, Splade
from satchel.checkpoints.sentence_texts import Settings, Transformer
from satchel.models.architectures import architecture
from satchel.runtime.errors import UnsupportedError, UsageError, shown

UNASKED = {"query": "", "document": ""}  # prompts that the library has in any case
ASSUMED = {  # class -> the task, and the modules of a folder that lists none
    "SentenceTransformer": (
        "embed",
        SentenceModules((Pooling(source=TOKENS),), settings=Settings(prompts=UNASKED)),
    ),
    "CrossEncoder": ("classify", SentenceModules(settings=Settings(kind="CrossEncoder"))),
    "SparseEncoder": (
        "embed",
        SentenceModules(
            (Splade(source=TOKENS, summed=False, twice=False),),
            first=Transformer(task="fill-mask"),
            settings=Settings(kind="SparseEncoder", prompts=UNASKED, similarity="dot"),
        ),
    ),
}


def opened_by(name: str, checkpoint: Checkpoint) -> tuple[Checkpoint, str | None]:
    """The checkpoint as the class `name` would open it, and the task of its bundle (None: its own).

    Raises UnsupportedError for a folder that another class wrote, and for models that none of them opens.
    """
    if name not in ASSUMED:
        raise UsageError(f"library_class = {shown(name)} is unknown; known: {', '.join(ASSUMED)}")
    sentence = checkpoint.sentence
    if sentence is not None:
        if sentence.settings.kind != name:
            raise UnsupportedError(
                f"{shown(checkpoint.source)} was saved by {sentence.settings.kind}, not by {name}"
            )
        return checkpoint, None
    entry = architecture(checkpoint)
    if (entry.family, entry.reads) != ("encoder", "text"):
        raise UnsupportedError(
            f"{shown(checkpoint.source)} has no modules.json, and its model_type "
            f"{shown(checkpoint.config['model_type'])} is no text encoder: {name} does not open it"
        )
    task, assumed = ASSUMED[name]
    return replace(checkpoint, sentence=assumed), task
