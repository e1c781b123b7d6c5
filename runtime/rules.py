"""What a manifest must say as a whole: fields that go with its task, and sizes that agree.

A manifest edited by hand is refused by the field that no longer fits, before a session is made. Types
are `strict.py`'s.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any

from satchel.runtime.errors import BundleError, shown
from satchel.runtime.manifest import (
    BOXES,
    CACHE_DTYPES,
    LABELS,
    MANIFEST,
    PARTS,
    PROMPT_MASK,
    SOURCE,
    TARGET,
    WORDS,
    Entities,
    Graph,
    Labels,
    Manifest,
    MultiVector,
    Speech,
    TextInput,
    Translation,
)
from satchel.runtime.task import PAGE_TASKS, TASKS

SIZE_LIMIT = 1 << 31
MOST_TOKENS = 1000  # of a second of speech
SCORES = ("softmax", "sigmoid", "identity")
SIMILARITIES = ("cosine", "dot", "euclidean", "manhattan")
VERSION = re.compile(r"\d+\.\d+(\.\d+)?")
ABOUT_TASKS = frozenset[str]().union(*(task.needs | task.may for task in TASKS.values()))


def check(manifest: Manifest) -> None:
    """Raise BundleError, naming the field, where a manifest contradicts itself."""
    _check_task(manifest)
    _check_sizes(manifest)
    if not VERSION.fullmatch(manifest.onnxruntime):
        raise _wrong("onnxruntime", manifest.onnxruntime, "a version, such as 1.30")
    _check_tokens(manifest)
    if manifest.text is not None:
        _check_text(manifest.text, manifest)
    if manifest.multi_vector is not None:
        _check_multi_vector(manifest.multi_vector, manifest)
    if manifest.entities is not None:
        _check_entities(manifest.entities)
    if manifest.labels is not None:
        _check_labels(manifest.labels)
    if manifest.seq2seq is not None:
        _check_seq2seq(manifest)
    for role, graph in manifest.graphs.items():
        if manifest.family == "encoder":
            _check_tower(role, graph, manifest)
    if manifest.cache is not None:
        _check_cache(manifest)


def _wrong(name: str, value: object, expected: str) -> BundleError:
    return BundleError(f"{MANIFEST}: {name} = {shown(value)}; expected {expected}")


def _check_task(manifest: Manifest) -> None:
    """Task, family, roles of graphs and the fields that depend on the task go together."""
    families = {task.family for task in TASKS.values()}
    if manifest.family not in families:
        raise BundleError(f"{MANIFEST}: family {shown(manifest.family)} is unknown to this satchel")
    task = TASKS.get(manifest.task)
    if task is None or task.family != manifest.family:
        known = [name for name, one in TASKS.items() if one.family == manifest.family]
        raise _wrong("task", manifest.task, f"of the family {manifest.family}: {', '.join(known)}")
    if manifest.graphs.keys() != task.roles:
        roles = ", ".join(manifest.graphs) or "none"
        raise _wrong("graphs", roles, f"{', '.join(sorted(task.roles))} for {manifest.task}")
    for name in sorted(ABOUT_TASKS):
        given = getattr(manifest, name) is not None
        if given and name not in task.needs | task.may:
            raise BundleError(
                f"{MANIFEST}: {name} has no place in a bundle made for {manifest.task}"
            )
        if not given and name in task.needs:
            raise BundleError(f"{MANIFEST}: a bundle made for {manifest.task} lacks {name}")


def _check_sizes(manifest: Manifest) -> None:
    """Sizes are possible."""
    cache, sizes = manifest.cache, {}
    if manifest.reads_text:
        sizes = {"context": manifest.context, "vocab_size": manifest.vocab_size}
    if cache is not None:
        sizes |= {"layers": cache.layers, "kv_heads": cache.kv_heads, "head_dim": cache.head_dim}
    if manifest.seq2seq is not None:
        sizes["source_context"] = manifest.seq2seq.source_context
    for name, size in sizes.items():
        if not 0 < size < SIZE_LIMIT:
            raise _wrong(name, size, f"1..{SIZE_LIMIT - 1}")
    if cache is not None and cache.spare not in (0, 1):
        raise _wrong("spare", cache.spare, "0 or 1")
    if cache is not None and cache.windows:
        few = [window for window in cache.windows if window is not None and window < 1]
        if few or len(cache.windows) != cache.layers or cache.spare:
            expected = f"a window or null for each of {cache.layers} layers, and no spare position"
            raise _wrong("windows", cache.windows, expected)


def _check_tokens(manifest: Manifest) -> None:
    tokens = manifest.tokens
    named: list[tuple[str, list[int | None]]] = [
        ("bos", [tokens.bos]),
        ("eos", [*tokens.eos]),
        ("pad", [tokens.pad]),
        ("mask", [tokens.mask]),
    ]
    for name, ids in named:
        _check_ids(f"tokens: {name}", ids, manifest.vocab_size)


def _check_ids(name: str, ids: Iterable[int | None], vocab_size: int) -> None:
    for index in ids:
        if index is not None and not 0 <= index < vocab_size:
            raise BundleError(
                f"{MANIFEST}: {name}: id {shown(index)} is outside 0..{vocab_size - 1}"
            )


def _check_text(text: TextInput, manifest: Manifest) -> None:
    if not 1 <= text.max_length <= manifest.context:
        raise _wrong("max_length", text.max_length, f"1..{manifest.context}")
    if text.similarity not in SIMILARITIES:
        raise _wrong("similarity", text.similarity, ", ".join(SIMILARITIES))
    if text.default_prompt is not None and text.default_prompt not in text.prompts:
        raise _wrong("default_prompt", text.default_prompt, "the name of one of the prompts")
    _check_ids("pad_to_context", [text.pad_to_context], manifest.vocab_size)


def _check_multi_vector(told: MultiVector, manifest: Manifest) -> None:
    most = manifest.context if manifest.text is None else manifest.text.max_length
    for name, length in (
        ("query_length", told.query_length),
        ("document_length", told.document_length),
    ):
        if not 1 <= length <= most:
            raise _wrong(name, length, f"1..{most}")
    if not 0 <= told.expand_to <= told.query_length or bool(told.expand_to) != (
        told.expand_with is not None
    ):
        raise _wrong(
            "expand_to", told.expand_to, "0 without expand_with, or up to query_length with it"
        )
    _check_ids("multi_vector", [told.expand_with, *told.skipped], manifest.vocab_size)
    if not set(told.skipped_in) <= {"query", "document"}:
        raise _wrong("skipped_in", told.skipped_in, "some of query, document")


def _check_entities(told: Entities) -> None:
    for name in ("longest", "most_words"):
        if not 1 <= getattr(told, name) < SIZE_LIMIT:
            raise _wrong(name, getattr(told, name), f"1..{SIZE_LIMIT - 1}")
    if not told.mark or not told.separator or told.mark == told.separator:
        raise _wrong("separator", told.separator, "another token than mark")


def _check_labels(labels: Labels) -> None:
    if labels.scores not in SCORES:
        raise _wrong("scores", labels.scores, ", ".join(SCORES))
    if not labels.names:
        raise _wrong("labels", labels.names, "names")


def _check_tower(role: str, graph: Graph, manifest: Manifest) -> None:
    """An encoder's graph takes what the manifest prepares, and answers what the task asks."""
    sizes = {port.name: port.axes for port in [*graph.inputs, *graph.outputs]}
    batch = None  # any number of inputs, but for sounds and images of any size: of those it is one
    side: Any = ...  # of what stands for places of an image
    if role == "image":
        assert manifest.image is not None
        height, width = _pair(manifest.image.get("size"))
        if manifest.image.get("size") is None:
            batch, side, height, width = 1, None, None, None
        _check_axes(sizes, "pixel_values", [batch, 3, height, width])
    elif role == "sound":
        batch = 1
        rows = _row(manifest.audio or {})
        _check_axes(sizes, *(("input_features", rows) if rows else ("input_values", [batch, None])))
    else:
        batch, paged = 1 if manifest.entities else None, manifest.task in PAGE_TASKS.values()
        _check_axes(sizes, "input_ids", [batch, None])
        for name, fits in ((PROMPT_MASK, manifest.task == "embed"), (BOXES, paged)):
            if name in sizes and not fits:
                raise BundleError(
                    f"{MANIFEST}: the input {name} has no place in a bundle made for {manifest.task}"
                )
        if PROMPT_MASK in sizes:
            _check_axes(sizes, PROMPT_MASK, [None, None])
        if paged:
            _check_axes(sizes, BOXES, [None, None, 4])
    if TASKS[manifest.task].scores == "objects":  # of patches, or of the queries alone
        states = sizes.get("last_hidden_state", [])
        side = ... if any(isinstance(axis, int) for axis in states[1:2]) else None
    _check_axes(sizes, "last_hidden_state", [batch, side if role == "image" else None, ...])
    task, name = TASKS[manifest.task], "embedding"
    axes: list[Any] = [batch, ...]
    if manifest.entities is not None:
        for place in (WORDS, LABELS):
            _check_axes(sizes, place, [1, None])
        name, axes = "logits", [1, None, None, manifest.entities.longest]
    elif task.scores == "distances":
        name, axes = "depth", [batch, side, side]
    elif task.scores:
        labels = manifest.labels.names if manifest.labels is not None else []
        count = task.width(len(labels), manifest.vocab_size)
        places = {"areas": [..., ...], "objects": [...]}.get(task.scores, [None])  # or tokens
        if task.scores == "objects":
            _check_axes(sizes, "boxes", [batch, ..., 4])
        name, axes = "logits", [batch, *(places if task.per_token else []), count]
    elif task.per_token:
        axes = [batch, None, ...]
    elif name not in sizes:
        return  # an image's vector may be one of its states
    _check_axes(sizes, name, axes)
    if graph.outputs[-1].name != name:
        raise BundleError(f"{MANIFEST}: the last output of {role} is not {name}", "BUNDLE_IO")


def _pair(size: Any) -> tuple[Any, Any]:
    return (size[0], size[1]) if isinstance(size, list) and len(size) == 2 else (0, 0)


def _row(audio: dict[str, Any]) -> list[Any]:
    """Axes of rows of energies; none where a sound is heard as samples."""
    width = [audio.get(name) for name in ("mels", "stacked") if name in audio]
    if not width:
        return []
    return [1, None, math.prod(width) if all(type(size) is int for size in width) else 0]


def _check_axes(sizes: dict[str, list[int | str]], name: str, expected: list[Any]) -> None:
    """Axes of an input or output: a size, any name (None), or any size (...)."""
    axes = sizes.get(name)
    fits = axes is not None and len(axes) == len(expected)
    for axis, wanted in zip(axes or [], expected, strict=False):
        named = isinstance(axis, str)
        fits &= named if wanted is None else not named if wanted is ... else axis == wanted
    if not fits:
        raise BundleError(
            f"{MANIFEST}: {shown(name)} has axes {shown(axes)}, which do not go with the rest",
            "BUNDLE_IO",
        )


def _check_seq2seq(manifest: Manifest) -> None:
    assert manifest.seq2seq is not None
    if not 0 <= manifest.seq2seq.start < manifest.vocab_size:
        raise BundleError(
            f"{MANIFEST}: seq2seq = {shown(manifest.seq2seq)} has no first id of targets"
        )
    if manifest.seq2seq.prompt_starts and manifest.image is None:
        raise _wrong("prompt_starts", True, "false, of a bundle whose targets have no prompts")
    if manifest.translation is not None:
        _check_translation(manifest.translation, manifest.vocab_size)
    if manifest.speech is not None:
        _check_speech(manifest.speech, manifest)
    if manifest.image is not None:
        ports = {port.name: port.axes for port in manifest.graphs["encoder"].inputs}
        _check_axes(ports, "pixel_values", [1, 3, *_pair(manifest.image.get("size"))])


def _check_translation(told: Translation, vocab_size: int) -> None:
    ids = [*told.languages.values(), *told.prefix, *told.suffix, told.unknown or 0]
    names = {told.source_lang, told.target_lang} - {None}
    if (
        any(index not in range(vocab_size) for index in ids if index not in (SOURCE, TARGET))
        or told.target not in ("forced", "start", SOURCE)
        or not names <= told.languages.keys()
    ):
        raise BundleError(f"{MANIFEST}: translation = {shown(told)} contradicts itself")


def _check_speech(speech: Speech, manifest: Manifest) -> None:
    ids = [*speech.languages.values(), *speech.tasks.values()]
    assert manifest.seq2seq is not None
    positions = manifest.seq2seq.source_context
    if speech.no_timestamps is not None:
        ids += [speech.no_timestamps, speech.no_timestamps + 1 + positions]
    _check_ids("speech", ids, manifest.vocab_size)
    if bool(speech.languages) != bool(speech.tasks) or (
        speech.tasks and speech.task not in speech.tasks
    ):
        raise BundleError(f"{MANIFEST}: speech: task = {shown(speech.task)} has no id")
    if not manifest.tokens.eos:
        raise BundleError(f"{MANIFEST}: tokens: no id ends a window's text")
    for name in ("max_new_tokens", "max_length"):
        bound = manifest.generation.get(name, 1)
        if type(bound) is not int or bound < 1:
            raise _wrong(f"generation.{name}", bound, "a count of ids")
    if speech.timestamps and speech.no_timestamps is None:
        raise BundleError(f"{MANIFEST}: speech: timestamps are wanted of a model that has none")
    if speech.language is not None and speech.language not in speech.languages:
        raise BundleError(f"{MANIFEST}: speech: language = {shown(speech.language)} has no id")
    if speech.tokens_per_second is not None and not 0 < speech.tokens_per_second <= MOST_TOKENS:
        raise _wrong(
            "tokens_per_second", speech.tokens_per_second, f"above 0, {MOST_TOKENS} at most"
        )
    if speech.latest_start is not None and not 0 <= speech.latest_start < SIZE_LIMIT:
        raise _wrong("latest_start", speech.latest_start, "a count of steps")


def _check_cache(manifest: Manifest) -> None:
    """The decoder's graph, and an encoder's beside it, have the tensors that `cache` promises."""
    cache = manifest.cache
    assert cache is not None
    if cache.dtype not in CACHE_DTYPES:
        known = " or ".join(CACHE_DTYPES)
        raise BundleError(f"{MANIFEST}: a decoder needs a cache of {known}, not {shown(cache)}")
    sizes = [cache.kv_heads, cache.head_dim]
    crossing = ["cross.{}."] if manifest.family == "encoder-decoder" else []
    own = {"decoder": ["past_key_values.{}.", "present.{}.", *crossing], "encoder": crossing}
    for role, graph in manifest.graphs.items():
        axes = {port.name: port.axes for port in [*graph.inputs, *graph.outputs]}
        dtypes = {port.name: port.dtype for port in [*graph.inputs, *graph.outputs]}
        promised = {"logits": [manifest.vocab_size]} if role == "decoder" else {}
        for layer in range(cache.layers):
            here = {f"{p.format(layer)}{part}": sizes for p in own[role] for part in PARTS}
            promised |= here
            if not here.keys() <= axes.keys():
                break
        for name, expected in promised.items():
            if axes.get(name, [])[1::2] != expected:
                raise BundleError(
                    f"{MANIFEST}: {shown(name)} has axes {shown(axes.get(name))}, whereas "
                    f"vocab_size and cache ask for {expected}",
                    "BUNDLE_IO",
                )
            if not name.startswith(("logits", "cross")) and dtypes[name] != cache.dtype:
                raise BundleError(
                    f"{MANIFEST}: {shown(name)} is {shown(dtypes[name])}, cache {cache.dtype}",
                    "BUNDLE_IO",
                )
        kept = sum(name.startswith("past_key_values.") for name in axes)
        if role == "decoder" and kept != len(PARTS) * cache.layers:
            raise _wrong("layers", cache.layers, f"{kept // len(PARTS)}, as the graph has")
