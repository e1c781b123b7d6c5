"""What a sentence-transformers folder says about turning states into a vector. Knows no architecture.

modules.json lists a transformer or a table of words, then what is made of its states; a
cross-encoder's may end with the transformer. Unknown modules are refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from satchel.checkpoints.files import regular
from satchel.checkpoints.sentence_steps import (
    READERS,
    SCORES,
    TOKENS,
    VECTOR,
    Dense,
    LogitScore,
    Norm,
    Pooling,
    Scored,
    Splade,
    Step,
    Unit,
    read_step,
)
from satchel.checkpoints.sentence_texts import (
    MODEL,
    PYLATE,
    Lengths,
    Settings,
    Transformer,
    read_settings,
    read_transformer,
)
from satchel.checkpoints.strict_json import read_json_list
from satchel.runtime.errors import CheckpointError, UnsupportedError, shown

STATIC = "StaticEmbedding"
FIRST = ("Transformer", "MLMTransformer", "CLIPModel", STATIC)
MULTI = ("MultiVectorEncoder", PYLATE)  # those that give a vector of every token
KINDS = ("SentenceTransformer", "CrossEncoder", "SparseEncoder", *MULTI)
ALIASES = {"pylate.models.Dense.Dense": "sentence_transformers.models.Dense"}
# A module of Jina embeddings v3: a Transformer that is told which adapter to use.
CHOOSING, TRANSFORMER = "custom_st.Transformer", "sentence_transformers.models.Transformer"
SUB_FOLDER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class SentenceModules:
    """The modules after the first, how texts are prepared for that, and what the vectors are for."""

    steps: tuple[Step, ...] = ()
    place: str = ""  # sub-folder of the first module
    static: bool = False  # the first is a table of words
    first: Transformer = field(default_factory=Transformer)
    settings: Settings = field(default_factory=Settings)
    scored: Scored | None = None  # which token vectors are the answer, where they are

    @property
    def lengths(self) -> Lengths:
        """How long queries and documents are read, where token vectors are the answer."""
        pylate = self.settings.pylate
        return pylate.lengths if pylate is not None else self.first.lengths

    @property
    def output(self) -> str | None:
        """The feature that is the answer; None where the transformer's own head gives it."""
        written = {step.target for step in self.steps}
        if self.first.vectors:
            written.add(self.first.output)
        if self.settings.kind == "CrossEncoder":
            return SCORES if SCORES in written else None
        if self.scored is not None:
            return TOKENS
        return VECTOR if VECTOR in written else None

    @property
    def splade(self) -> Splade | None:
        """How masked words become the vector, in a folder of that kind."""
        return next((step for step in self.steps if isinstance(step, Splade)), None)

    @property
    def logit_score(self) -> LogitScore | None:
        """How a decoder's logits become the score of a pair, in a folder of that kind."""
        return next((step for step in self.steps if isinstance(step, LogitScore)), None)

    @property
    def leaves_out_prompts(self) -> bool:
        """Whether there are prompts, and pooling is to leave their tokens out."""
        pooling = (step for step in self.steps if isinstance(step, Pooling))
        return any(self.settings.prompts.values()) and not all(step.prompts for step in pooling)

    @property
    def changes_states(self) -> bool:
        """Whether a module changes the states of tokens before they are pooled."""
        return any(step.target == TOKENS for step in self.steps)

    @property
    def normalize(self) -> bool:
        """Whether the last that is done to the vector is to bring it to unit length."""
        last = next((step for step in reversed(self.steps) if step.target == VECTOR), None)
        return isinstance(last, Unit)

    @property
    def files(self) -> list[Path]:
        """The weight files of the modules."""
        return [step.file for step in self.steps if step.file is not None]


MEAN = (Pooling(source=TOKENS), Unit())  # what is assumed where nothing is said


def read_sentence(folder: Path) -> SentenceModules | None:
    """The modules of a sentence-transformers folder, None if it is none.

    Raises UnsupportedError for a module or an option that cannot be followed.
    """
    path = regular(folder, "modules.json")
    if path is None:
        return None
    modules = [_module(entry) for entry in read_json_list(path)]
    (kind, place), *rest = modules or [("", "")]
    listed = shown(", ".join(kind for kind, _ in modules))
    if kind not in FIRST or any(other in FIRST for other, _ in rest):
        raise UnsupportedError(
            f"modules.json lists {listed}; supported is one of {', '.join(FIRST)}, then any of "
            f"{', '.join(READERS)}"
        )
    settings = read_settings(folder)
    if settings.kind not in KINDS:
        raise UnsupportedError(
            f"config_sentence_transformers.json: model_type {shown(settings.kind)} is not "
            f"supported; known: {', '.join(KINDS)}"
        )
    static = kind == STATIC
    first = Transformer() if static else read_transformer(folder, place, kind)
    read = [step for kind, place in rest if (step := read_step(folder, kind, place)) is not None]
    if settings.kind in MULTI:
        return _multi(read, SentenceModules((), place, static, first, settings), listed)
    steps = _reached(read, VECTOR if static else first.output)
    if static:
        steps = [Pooling(source=TOKENS), *steps]
    if first.lengths != Lengths() or any(isinstance(step, Scored) for step in steps):
        raise UnsupportedError(
            f"modules.json lists {listed}: query_length, document_length, query_expansion and "
            f"MultiVectorMask are supported in a MultiVectorEncoder alone, not in a {settings.kind}"
        )
    _check(steps, first, listed)
    sentence = SentenceModules(tuple(steps), place, static, first, settings)
    if settings.kind == "CrossEncoder" and sentence.leaves_out_prompts:
        raise UnsupportedError(
            "Pooling that leaves out the prompt's tokens (include_prompt false) is not supported in a "
            f"CrossEncoder with prompts {shown(settings.prompts)}"
        )
    if settings.active is not None and sentence.splade is None:
        raise UnsupportedError(
            f"{MODEL}: max_active_dims = {settings.active} is supported with SpladePooling alone"
        )
    return sentence


def _multi(read: list[Step], sentence: SentenceModules, listed: str) -> SentenceModules:
    """The modules of a model that gives a vector of every token."""
    steps, settings = list(read), sentence.settings
    if settings.pylate is not None:  # it does these two itself
        scored = Scored(source=TOKENS, target=TOKENS, words=settings.pylate.skipped)
        steps += [scored, Unit(source=TOKENS, target=TOKENS)]
    # A layer that says nothing else is for tokens here.
    steps = [
        replace(step, source=TOKENS, target=TOKENS)
        if isinstance(step, Dense) and step.source == step.target == VECTOR
        else step
        for step in steps
        if not (isinstance(step, Unit) and step.source == VECTOR)
    ]
    masks = [step for step in steps if isinstance(step, Scored)]
    chain = tuple(step for step in steps if not isinstance(step, Scored))
    plain = all(
        isinstance(step, Dense | Norm | Unit) and step.source == step.target == TOKENS
        for step in chain
    )
    first = sentence.first
    plain = plain and first.task == "feature-extraction" and not first.vectors
    if not plain or len(masks) > 1 or sentence.static or first.output != TOKENS:
        raise UnsupportedError(
            f"modules.json lists {listed}; supported in a {settings.kind} is a Transformer, then Dense, "
            "LayerNorm and Normalize over token_embeddings and one MultiVectorMask"
        )
    if not masks and sentence.lengths.expand_to is not None:
        raise UnsupportedError(
            f"modules.json lists {listed}: query_expansion is supported with a MultiVectorMask"
        )
    masks = masks or [Scored(source=TOKENS, target=TOKENS, words=())]
    return replace(sentence, steps=chain, scored=masks[0])


def _module(entry: Any) -> tuple[str, str]:
    """(kind, sub-folder) of an entry of modules.json."""
    kind = entry.get("type") if isinstance(entry, dict) else None
    place = entry.get("path") if isinstance(entry, dict) else None
    if not isinstance(kind, str) or not isinstance(place, str):
        raise CheckpointError(f"modules.json: {shown(entry)} lacks type or path")
    if kind == CHOOSING and entry.get("kwargs") == ["task"]:
        kind = TRANSFORMER
    package, _, name = ALIASES.get(kind, kind).rpartition(".")
    known = (*FIRST, *READERS)
    if package.split(".")[0] != "sentence_transformers" or name not in known:
        raise UnsupportedError(
            f"modules.json: module {shown(kind)} is not supported; known: {', '.join(known)}"
        )
    place = place.removeprefix("./").rstrip("/")
    place = "" if place == "." else place
    if place and not SUB_FOLDER.fullmatch(place):
        raise CheckpointError(
            f"modules.json names {shown(place)}; expected a plain sub-folder", "CKPT_PATH"
        )
    return name, place


def _reached(steps: list[Step], first: str) -> list[Step]:
    """The steps whose source has been written. Without it a Normalize does nothing; others fail."""
    written, reached = {first}, []
    for step in steps:
        if step.source in written:
            reached.append(step)
            written.add(step.target)
        elif not isinstance(step, Unit):
            raise UnsupportedError(
                f"modules.json: {type(step).__name__} reads {shown(step.source)}, which no module "
                f"before it writes; they write {', '.join(map(shown, sorted(written)))}"
            )
    return reached


def _check(steps: list[Step], first: Transformer, listed: str) -> None:
    """What the modules make is what is supported."""
    follows = {"fill-mask": [Splade], "text-generation": [LogitScore]}
    scored = first.task != "feature-extraction"
    kinds = [type(step) for step in steps]
    own = any(kind in (Splade, LogitScore) for kind in kinds)
    if kinds != follows.get(first.task, []) if scored else own:
        raise UnsupportedError(
            f"modules.json lists {listed} with transformer_task {shown(first.task)}; fill-mask goes "
            "with SpladePooling alone, text-generation with LogitScore, sequence-classification with "
            "nothing more"
        )


def pooled_anyhow(sentence: SentenceModules | None) -> SentenceModules:
    """The modules for a folder that does not say how to pool: the mean, to unit length."""
    return replace(sentence or SentenceModules(), steps=MEAN, settings=Settings(), scored=None)
