"""Decoders that score pairs by a word, and texts that are written as messages of a chat."""

from __future__ import annotations

import dataclasses

from tokenizers import Tokenizer

from satchel.checkpoints.checkpoint import Checkpoint
from satchel.checkpoints.sentence import SentenceModules
from satchel.checkpoints.sentence_steps import LOGITS, SCORES, LogitScore
from satchel.checkpoints.sentence_texts import Settings, Transformer
from satchel.models.encoder import ReferenceEncoder
from satchel.models.labels import saved_by
from satchel.runtime.errors import UnsupportedError
from satchel.runtime.text_messages import TextMessages
from satchel.tokenization.text_template import compile_messages
from satchel.tokenization.tokenizer import bundle_tokenizer, special_token_texts

YES, NO = "yes", "no"


def as_ranker(checkpoint: Checkpoint, task: str | None) -> tuple[Checkpoint, list[str]]:
    """A decoder that is to `classify` and has no modules, with those that sentence-transformers gives it
    then: the word yes over no, behind the chat template. And a note on it; others as they are."""
    made = checkpoint.sentence is not None or task != "classify"
    if made or not saved_by(checkpoint.config).endswith("ForCausalLM"):
        return checkpoint, []
    size = checkpoint.config.get("vocab_size")
    tokenizer = bundle_tokenizer(checkpoint, size if isinstance(size, int) else 0)
    yes, no = map(Tokenizer.from_buffer(tokenizer).token_to_id, (YES, NO))
    if yes is None or no is None:
        raise UnsupportedError(
            "the checkpoint has no head for classify, and no tokens yes and no to score pairs by"
        )
    messages = "auto" if checkpoint.chat_template is not None else None
    sentence = SentenceModules(
        steps=(LogitScore(source=LOGITS, target=SCORES, tokens=(yes, no)),),
        first=Transformer(task="text-generation", output=LOGITS, messages=messages),
        settings=Settings(kind="CrossEncoder"),
    )
    note = "no head for classify: pairs are scored by the next word, yes over no"
    return dataclasses.replace(checkpoint, sentence=sentence), [note]


def text_messages(checkpoint: Checkpoint, model: ReferenceEncoder) -> TextMessages | None:
    """How the model's texts are written, where as messages of a chat."""
    sentence = checkpoint.sentence
    asked = sentence is not None and model.task in ("embed", "classify")
    if not asked or sentence is None or sentence.first.messages is None:
        return None
    return compile_messages(
        checkpoint.chat_template,
        special_token_texts(checkpoint, usual=True),
        model.prompts,
        pairs=model.task == "classify",
        form=sentence.first.messages,
        opened=sentence.first.opened,
    )
