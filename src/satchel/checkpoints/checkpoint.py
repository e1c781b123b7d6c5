"""A checkpoint as the rest of satchel sees it, whatever file it came from. Knows no architecture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from satchel.checkpoints.sentence import SentenceModules
from satchel.checkpoints.tensors import LazyTensor


@dataclass(frozen=True)
class Checkpoint:
    """Everything a source says about one model; nothing in it was executed.

    `config` has the keys of Hugging Face's config.json and `tensors` its weight names, also when the
    source is a GGUF file.
    """

    source: str
    config: dict[str, Any]
    tensors: Mapping[str, LazyTensor]
    tokenizer: dict[str, Any] | None = None  # the content of tokenizer.json
    tokenizer_files: Mapping[str, Path] = field(default_factory=dict)  # from which one is made
    tokenizer_is_whole: bool = False  # no other file says how it reads texts
    tokenizer_config: dict[str, Any] = field(default_factory=dict)
    generation_config: dict[str, Any] | None = None  # None where there is no such file
    preprocessor_config: dict[str, Any] = field(default_factory=dict)  # of images or sounds
    preprocessor_file: str = "preprocessor_config.json"  # where that stands
    chat_template: str | None = None
    licence: str | None = None
    sha256: str = ""
    sentence: SentenceModules | None = None  # of a sentence-transformers folder
    notes: tuple[str, ...] = ()  # what a user should hear of the files

    @property
    def generation(self) -> dict[str, Any]:
        """How texts are meant to be generated: generation_config.json and nothing else, however little it
        says. As in transformers, where there is none, config.json and that of its decoder."""
        if self.generation_config is not None:
            return self.generation_config
        inner = self.config.get("decoder")
        outer = {key: value for key, value in self.config.items() if value is not None}
        return {**inner, **outer} if isinstance(inner, dict) else self.config

    def text_length(self, context: int) -> int:
        """The tokens an encoder's text is cut to: what modules say replaces the tokenizer's files."""
        length = self.sentence.first.max_length if self.sentence is not None else None
        if length is None:
            length = self.tokenizer_config.get(
                "model_max_length", self.tokenizer_config.get("max_len")
            )
        if not isinstance(length, int | float) or length < 1:
            return context
        return int(min(context, length))
