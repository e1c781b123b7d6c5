"""What bundles of one checkpoint read to be compared: windows, lines, pictures, sounds.

Knows no figure. Every kind of bundle has its own samples and its own answer to them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from satchel.lines import count_lines, read_lines
from satchel.measure import fidelity
from satchel.progress import Stage
from satchel.runtime.audio import sample_sources
from satchel.runtime.encoder_session import batches, made_inputs
from satchel.runtime.errors import UsageError, shown
from satchel.runtime.filter_banks import sample_frames
from satchel.runtime.text import CHARACTERS_PER_TOKEN, tokenizing

if TYPE_CHECKING:
    from satchel.runtime import Model

Array = NDArray[np.float32]
LIMITS = {"windows": fidelity.WINDOWS, "targets": 64, "lines": 1000}  # unless more are asked for
LEAST_TOKENS = 32  # of a text: the perplexity of fewer says nothing
TARGET_TOKENS, TARGETS_AT_ONCE = 64, 16
PICTURES, SOUNDS, WAVES = 32, 4, 16
WRITTEN = ", and what the reference writes for them"
FEW_TOKENS, FEW_TARGETS, FEW_BATCHES, FEW_PICTURES, FEW_SOUNDS = 128, 16, 8, 4, 1


@dataclass(frozen=True)
class Text:
    """A text to measure on, whole and in its `unit`s; `name` is what it is called in the report."""

    name: str
    whole: str
    lines: list[str]
    unit: str = "line"


@dataclass(frozen=True)
class Reading:
    """`answer(model, sample)` is float32 [rows, ...] for each of `samples`, which are `what`.

    `few` are what one reads to look at every layer, and `few_are` says what; `role` is the graph that
    reads, of bundles that have several for one task each.
    """

    what: str
    samples: list[Any]
    few_are: str
    few: list[Any]
    answer: Callable[[Any, Any], Array]
    role: str = ""


def shipped() -> Text:
    """The text that comes with the package, and its sentences."""
    return Text("the shipped text", fidelity.shipped_text(), fidelity.sentences(), "sentence")


def text_file(path: Path) -> Text:
    """A person's text; UsageError where it is empty or not UTF-8."""
    count_lines(path)
    lines = list(read_lines(path))
    return Text(shown(path), "\n".join(lines), [line for line in lines if line.strip()])


def readings(model: Model, text: Text | None, limit: int | None, stage: Stage) -> list[Reading]:
    """What bundles like `model` read: one reading, or one per tower of texts and images.

    Without a `text` it is the shipped one; `limit` bounds windows and lines. Raises UsageError where
    there is too little text, or none is read.
    """
    kinds = model.samples
    if text is not None and not LIMITS.keys() & kinds.values():
        raise UsageError(f"--text: a bundle made for {shown(model.manifest.task)} reads no text")
    if unread := set(kinds.values()) - READERS.keys():
        raise UsageError(
            f"a bundle that reads {shown(min(unread))} is measured at its export alone: "
            "satchel quality without --reference and --text shows how it did"
        )
    text = text or shipped()
    if not text.lines:
        raise UsageError(f"{text.name} holds nothing but blank lines", "EMPTY_PROMPT")
    return [
        READERS[kind](model, role, text, limit or LIMITS.get(kind, 0), stage)
        for role, kind in kinds.items()
    ]


def _windows(model: Any, role: str, text: Text, limit: int, stage: Stage) -> Reading:
    """Windows of a decoder's text, each read from an empty cache."""
    size = min(fidelity.WINDOW, model.manifest.context)
    beginning = text.whole[: CHARACTERS_PER_TOKEN * size * limit]
    with tokenizing(beginning, size * limit):
        windows = fidelity.text_windows(model.tokenizer, beginning, model.manifest.context, limit)
    if (count := sum(map(len, windows))) < LEAST_TOKENS:
        raise UsageError(
            f"{text.name} is too short: {count} tokens; a perplexity needs {LEAST_TOKENS}"
        )
    return Reading(
        f"{_count(windows, 'window')} of up to {size} tokens, the beginning of {text.name}",
        windows,
        f"the first {FEW_TOKENS} tokens of each",
        [window[:FEW_TOKENS] for window in windows[: fidelity.WINDOWS]],
        lambda model, ids: model.decoder.logits(ids),
    )


def _targets(model: Any, role: str, text: Text, limit: int, stage: Stage) -> Reading:
    """Lines as sources, with the targets that `model` writes for them, token by token the likeliest."""
    longest = model.encoder.context
    sources = [model.encode(line)[:longest] for line in _spread(text.lines, limit)]
    what = _some(sources, text) + WRITTEN
    return _written(model, sources, what, stage)


def _sounds(model: Any, role: str, text: Text, limit: int, stage: Stage) -> Reading:
    """Sounds made for the purpose, and what `model` writes for them."""
    sources = sample_sources(model.audio, SOUNDS)
    what = f"{SOUNDS} sounds of tones and noise{WRITTEN}"
    return _written(model, sources, what, stage, FEW_SOUNDS)


def _read_pictures(model: Any, role: str, text: Text, limit: int, stage: Stage) -> Reading:
    """Pictures made for the purpose, and what `model` writes for them."""
    what = f"{SOUNDS} pictures of coloured squares{WRITTEN}"
    return _written(model, model.sources(SOUNDS), what, stage, FEW_SOUNDS)


def _written(
    model: Any, sources: list[Any], what: str, stage: Stage, few: int = FEW_TARGETS
) -> Reading:
    groups = [
        sources[start : start + TARGETS_AT_ONCE]
        for start in range(0, len(sources), TARGETS_AT_ONCE)
    ]
    pairs = [
        pair
        for group in stage("writing targets")(groups)
        for pair in zip(group, _greedy(model, group), strict=True)
    ]

    def answer(model: Any, pair: tuple[Any, list[int]]) -> Array:
        source, target = pair
        logits: Array = model.decoder.reading(model.encoder([source])).logits(target[:-1])
        return logits

    return Reading(what, pairs, f"{_count(pairs[:few], 'source')} and targets", pairs[:few], answer)


def _greedy(model: Any, sources: Sequence[Any]) -> list[list[int]]:
    """The likeliest target of each source, from its first id to its end."""
    manifest = model.manifest
    run = model.decoder.reading(model.encoder(sources)).start(len(sources))
    targets = [[manifest.seq2seq.start] for _ in sources]
    logits = run.prefill(targets)
    for _ in range(min(TARGET_TOKENS, manifest.context) - 1):
        chosen = logits.argmax(1)
        going = False
        for target, token in zip(targets, chosen.tolist(), strict=True):
            if len(target) == 1 or target[-1] not in manifest.tokens.eos:
                target.append(token)
                going = True
        if not going:
            break
        logits = run.step(chosen.astype(np.int64))
    return targets


def _lines(model: Any, role: str, text: Text, limit: int, stage: Stage) -> Reading:
    """Lines of an encoder's text, those of one length together."""
    names = model.graphs[role].input_names
    lines = _spread(text.lines, limit)
    groups = model.preparation.together(lines)
    rows = [model.preparation.row_of(*group) for group in groups]
    samples = []
    for batch in batches(map(len, rows)):
        ids = np.array([rows[index] for index in batch], np.int64)
        samples.append(made_inputs(ids, names))
    few = [
        {name: value[: max(1, FEW_TOKENS // value.shape[1])] for name, value in sample.items()}
        for sample in _spread(samples, FEW_BATCHES)
    ]
    count = sum(len(sample["input_ids"]) for sample in few)
    return Reading(
        _some(lines, text),
        samples,
        f"{count} of them",
        few,
        lambda model, inputs: model.graphs[role](inputs),
        role,
    )


def _pictures(model: Any, role: str, text: Text, limit: int, stage: Stage) -> Reading:
    """Pictures made for the purpose."""
    form = model.image_format
    samples = [{"pixel_values": form.pixels(one)[None]} for one in form.pictures(PICTURES)]
    return Reading(
        f"{PICTURES} pictures of coloured squares",
        samples,
        f"{FEW_PICTURES} of them",
        samples[:FEW_PICTURES],
        lambda model, inputs: model.graphs[role](inputs),
        role,
    )


def _waves(model: Any, role: str, text: Text, limit: int, stage: Stage) -> Reading:
    """Sounds made for the purpose, which the graph reads one by one."""
    name = model.audio.input_name
    samples = [{name: sound[None]} for sound in sample_frames(model.audio, WAVES)]
    return Reading(
        f"{WAVES} sounds of tones and noise",
        samples,
        f"{FEW_SOUNDS} of them",
        samples[:FEW_SOUNDS],
        lambda model, inputs: model.graphs[role](inputs),
        role,
    )


READERS: dict[str, Callable[[Any, str, Text, int, Stage], Reading]] = {  # by kind of samples
    "windows": _windows,
    "targets": _targets,
    "sounds": _sounds,
    "lines": _lines,
    "pictures": _pictures,
    "waves": _waves,
    "read pictures": _read_pictures,
}


def _spread(items: Sequence[Any], count: int) -> list[Any]:
    """At most so many items, spread over all of them."""
    count = min(count, len(items))
    return [items[index * len(items) // count] for index in range(count)]


def _some(items: Sequence[Any], text: Text) -> str:
    """How much of a text is read."""
    many = _count(text.lines, text.unit)
    if len(items) == len(text.lines):
        return f"{many} of {text.name}"
    return f"{len(items):,} of the {many} of {text.name}"


def _count(items: Sequence[Any], name: str) -> str:
    return f"{len(items):,} {name}" + ("s" if len(items) != 1 else "")
