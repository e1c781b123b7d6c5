"""A checkpoint becomes a bundle: the one place that walks through all rooms.

What differs between families is a recipe (`pack_decoder`, `pack_encoder`, `pack_seq2seq`): which
graphs, what the manifest says of them, and how they are proven.
"""

from __future__ import annotations

import dataclasses
import shutil
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx_ir as ir
from torch import nn

import satchel
from satchel import improve
from satchel.export import publish
from satchel.export.check import Check, distance, tolerance
from satchel.export.graph import trace
from satchel.export.writer import Stored, write_graph
from satchel.models.architectures import architecture
from satchel.models.checkpoint import Checkpoint
from satchel.own_texts import read_texts
from satchel.pack_decoder import DecoderRecipe
from satchel.pack_encoder import EncoderRecipe
from satchel.pack_seq2seq import Seq2seqRecipe
from satchel.pack_speech import SpeechRecipe
from satchel.progress import Stage, quiet
from satchel.quantize import cache8, steps
from satchel.quantize.calibrate import Moments, Statistics, watched
from satchel.quantize.lower import layer_names, lower
from satchel.quantize.profile import Profile, matches, named
from satchel.quantize.rotate import obstacle, rotate
from satchel.quantize.smooth import smooth
from satchel.quantize.tune import tune as tuned
from satchel.recipe import Recipe, Wishes
from satchel.runtime import sealed
from satchel.runtime.bundle import TOKENIZER, Bundle, open_bundle, sha256_of
from satchel.runtime.errors import FidelityError, UsageError, shown
from satchel.runtime.manifest import MANIFEST, File, Graph, Manifest, Source
from satchel.source import open_source

FREE = 0.004  # mean divergence that an int8 cache may cost, unless it was asked for
SMALL = 1 << 28  # bytes that are worth no second reading of the calibration
RECIPES: dict[str, Any] = {
    "decoder": DecoderRecipe,
    "encoder": EncoderRecipe,
    "encoder-decoder": Seq2seqRecipe,
}


@dataclass(frozen=True)
class Made:
    """A bundle whose manifest is still to be written."""

    draft: Manifest
    files: dict[str, File]
    checks: list[Check]
    figures: dict[str, Any]

    @property
    def short(self) -> tuple[bool, bool]:
        """Whether it fails a check, and whether it misses an aim."""
        return improve.short(self.checks, self.figures["quality"])


@dataclass(frozen=True)
class Packed:
    """What an export made: the manifest, its checks, and remarks for the user."""

    folder: Path
    manifest: Manifest
    checks: list[Check]
    notes: list[str]


def pack(
    source: str | Path,
    out: str | Path,
    *,
    profile: str | Path | Profile = "int8",
    context: int | None = None,
    task: str | None = None,
    force: bool = False,
    overwrite: bool = False,
    revision: str | None = None,
    ignored_keys: Collection[str] = (),
    calibration: str | Path | None = None,
    quality_text: str | Path | None = None,
    keep_fp32: Collection[str] = (),
    tune: float | None = None,
    cache: str | None = None,
    stage: Stage = quiet,
) -> Packed:
    """Export `source` (a Hugging Face folder, a .gguf file or a hub id) to the bundle folder `out`.

    Ends with the fidelity checks; if one fails, FidelityError is raised and nothing is written,
    unless `force` keeps the bundle and marks it unverified. Nothing half-written is ever visible.
    """
    chosen, out = named(profile).keeping(keep_fp32).caching(cache), Path(out)
    own = read_texts("--calibration", calibration), read_texts("--quality-text", quality_text)
    wishes = Wishes(context, task, ignored_keys, *own)
    publish.check_target(out, Path(source), overwrite)
    checkpoint = open_source(str(source), revision)
    recipe = _recipe(checkpoint, wishes, stage)
    with publish.staged(out) as folder:
        chosen, checks, statistics = _prepared(recipe, chosen.among(recipe.graphs), stage)
        if cache is None:
            chosen = _with_free_cache(recipe, chosen, statistics)
        if tune is not None:
            chosen = _tuned(recipe, chosen, statistics, tune, stage)
        traced = {}
        for role in stage("tracing the graph")(list(recipe.graphs)):
            part = recipe.graphs[role]
            traced[role] = trace(part.module, part.inputs, part.outputs)
        _check_asked(chosen.asked, traced)
        draft = _draft(recipe, checkpoint, chosen)
        checks += _exact_checks(recipe, traced, draft, folder, stage)

        def made(profile: Profile) -> Made:
            form = _with_cache(_draft(recipe, checkpoint, profile), profile, statistics)
            files = _write(recipe, traced, profile, statistics, folder, stage)
            proof, figures = recipe.prove(Bundle(folder, form), profile.name == "fp32", stage)
            return Made(form, files, proof, figures)

        default = chosen.name == "int8" and tune is None and not force
        bundle = _improved(recipe, chosen, statistics, made, stage) if default else made(chosen)
        checks += bundle.checks
        failed = [item.words() for item in checks if not item.passed]
        if failed and not force:
            remarks = "".join(f" ({note})" for note in recipe.notes if "--quality-text" in note)
            raise FidelityError(
                f"{len(failed)} of {len(checks)} checks failed: {', '.join(failed)}; "
                f"--force keeps the bundle, marked unverified{remarks}"
            )
        parity = {"checks": [item.to_dict() for item in checks]}
        manifest = dataclasses.replace(
            bundle.draft, files=bundle.files, parity=parity, verified=not failed, **bundle.figures
        )
        (folder / MANIFEST).write_bytes(sealed.written(manifest).encode("utf-8"))
        open_bundle(folder, stage("reading back"))
    return Packed(out, manifest, checks, recipe.notes)


def _recipe(checkpoint: Checkpoint, wishes: Wishes, stage: Stage) -> Recipe:
    found = architecture(checkpoint)
    kind = SpeechRecipe if found.reads == "sound" else RECIPES[found.family]
    recipe: Recipe = kind.of(checkpoint, wishes, stage)
    recipe.notes.extend(checkpoint.notes)
    return recipe


def _prepared(
    recipe: Recipe, chosen: Profile, stage: Stage
) -> tuple[Profile, list[Check], dict[str, Statistics]]:
    """Bring the reference model into the form that rounds best, and say what its layers are given."""
    checks, before = [], recipe.answer() if chosen.rotated else None
    if before is not None:
        parts = dict.fromkeys(recipe.parts.values())  # two graphs may come from one model
        reasons = {reason for part in parts if (reason := obstacle(part)) is not None}
        recipe.notes.extend(f"residual streams are not rotated: {each}" for each in sorted(reasons))
        changes = [change for part in parts for change in rotate(part)]
        chosen = chosen.turned(changes)
        if changes:
            moved = distance(recipe.answer(), before)
            checks.append(Check("rotated against the checkpoint", moved, tolerance(before)))
    statistics: dict[str, Statistics] = {}
    smoothed = False
    for role, part in recipe.parts.items() if chosen.calibrated else ():
        same = [statistics[other] for other in statistics if recipe.parts[other] is part]
        if same:
            statistics[role] = same[0]
        else:
            statistics[role] = _observed(recipe, role, part, chosen, stage)
            smoothed |= smooth(part, statistics[role])
    return dataclasses.replace(chosen, smoothed=smoothed), checks, statistics


def _observed(
    recipe: Recipe, role: str, part: nn.Module, chosen: Profile, stage: Stage
) -> Statistics:
    """What the layers of a part are given."""

    def compensated(name: str) -> bool:
        return chosen.compensates(chosen.scheme(name, role))

    with watched(part) as statistics:
        recipe.feed(role, stage)
    weights = sum(parameter.nbytes for parameter in part.parameters())
    budget = max(weights // 2, SMALL)
    statistics.moment = Moments(part, lambda: recipe.feed(role, quiet), budget, compensated)
    return statistics


def _with_free_cache(recipe: Recipe, chosen: Profile, statistics: dict[str, Statistics]) -> Profile:
    """The profile with a float32 cache where keys and values in int8 would cost more than FREE."""
    seen = statistics.get("decoder")
    if not cache8.kept(chosen, seen):
        return chosen
    assert seen is not None
    before = recipe.answer()
    with cache8.rounding(recipe.parts["decoder"], seen.caches):
        cost = recipe.loss(before, recipe.answer())
    if cost <= FREE:
        return chosen
    recipe.notes.append(
        f"the cache stays float32: int8 would cost a divergence of {cost:.2g}; --cache int8 for that"
    )
    return dataclasses.replace(chosen, cache="float32")


def _tuned(
    recipe: Recipe, chosen: Profile, statistics: dict[str, Statistics], budget: float, stage: Stage
) -> Profile:
    """The profile with better schemes for the layers that cost most."""
    if not chosen.calibrated:
        raise UsageError(f"--tune has no effect with --profile {chosen.name}")
    if not budget > 0:
        raise UsageError(f"--tune {budget}; expected a loss above 0, such as 0.01")
    before = recipe.answer()

    def loss() -> float:
        return recipe.loss(before, recipe.answer())

    for role, part in recipe.parts.items():
        chosen = tuned(
            part, role, chosen, statistics[role], loss, budget, stage(f"measuring layers: {role}")
        )
    return chosen


def _improved(
    recipe: Recipe,
    chosen: Profile,
    statistics: dict[str, Statistics],
    made: Callable[[Profile], Made],
    stage: Stage,
) -> Made:
    """The bundle of a profile, with as few better schemes as it takes to pass the checks and to reach
    the aims; for aims alone no more than a part of the layers change."""
    bundle = made(chosen)
    failed, missed = bundle.short
    if not statistics or not (failed or missed):
        return bundle
    began = time.monotonic()
    for profile, share, remark in improve.better(recipe, chosen, statistics, stage):
        if share > improve.PART and not failed:
            break
        bundle = made(profile)
        fails, misses = bundle.short
        if not fails and (not misses or (failed and share >= improve.PART)):
            recipe.notes.append(f"{remark} ({time.monotonic() - began:.0f} s)")
            return bundle
    return bundle if failed else made(chosen)  # the aims would cost more than they are worth


def _check_asked(asked: dict[str, str], traced: dict[str, ir.Model]) -> None:
    """Every pattern that somebody asked for is that of a layer."""
    if not asked:
        return
    names = [name for graph in traced.values() for name in layer_names(graph)]
    for pattern, who in asked.items():
        if not any(matches(name, pattern) for name in names):
            some = ", ".join(shown(name, 60) for name in names[:4])
            named = "" if shown(pattern) in who else f" {shown(pattern)}:"
            raise UsageError(f"{who}:{named} no such layer; there are {some}, ...")


def _with_cache(draft: Manifest, chosen: Profile, statistics: dict[str, Statistics]) -> Manifest:
    """The manifest of a bundle whose cache is what `lower` makes of it."""
    seen = statistics.get("decoder")
    if draft.cache is None:
        return draft
    if steps.kept(chosen, seen):
        cache = dataclasses.replace(draft.cache, spare=steps.SPARE)
        return dataclasses.replace(draft, cache=cache)
    if not cache8.kept(chosen, seen):
        return draft
    graph = draft.graphs["decoder"]
    ports = dataclasses.replace(
        graph, inputs=cache8.ports(graph.inputs), outputs=cache8.ports(graph.outputs)
    )
    cache = dataclasses.replace(draft.cache, dtype="int8")
    return dataclasses.replace(draft, cache=cache, graphs=draft.graphs | {"decoder": ports})


def _draft(recipe: Recipe, checkpoint: Checkpoint, chosen: Profile) -> Manifest:
    """The manifest without files and proof."""
    graphs = {
        role: Graph(_file(role), part.inputs, part.outputs) for role, part in recipe.graphs.items()
    }
    return Manifest(
        architecture=str(checkpoint.config["model_type"]),
        graphs=graphs,
        files={},
        source=Source(checkpoint.source, checkpoint.sha256, checkpoint.licence),
        quantization=chosen.to_dict(recipe.graphs),
        satchel_version=satchel.__version__,
        **recipe.facts(),
    )


def _exact_checks(
    recipe: Recipe, traced: dict[str, ir.Model], draft: Manifest, folder: Path, stage: Stage
) -> list[Check]:
    """The traced graphs in float32 against the reference model, whatever the profile."""
    exact = folder / "exact"
    exact.mkdir()
    try:
        stored: Stored = {}
        for role, graph in traced.items():
            copied = graph.clone()
            lower(copied, named("fp32"), role)
            write_graph(copied, exact / _file(role), stored, stage("writing the float32 graph"))
        return recipe.exact_checks(Bundle(exact, draft))
    finally:
        shutil.rmtree(exact)


def _write(
    recipe: Recipe,
    traced: dict[str, ir.Model],
    chosen: Profile,
    statistics: dict[str, Statistics],
    folder: Path,
    stage: Stage,
) -> dict[str, File]:
    """Write the bundle's files but the manifest."""
    hashes: dict[str, str] = {}
    stored: Stored = {}
    for role, graph in traced.items():
        graph = graph.clone()  # it may be lowered again
        lower(graph, chosen, role, statistics.get(role), stage("lowering the layers"))
        hashes |= write_graph(graph, folder / _file(role), stored, stage("writing the graph"))
    if recipe.tokenizer is not None:
        (folder / TOKENIZER).write_bytes(recipe.tokenizer)
        hashes[TOKENIZER] = sha256_of(folder / TOKENIZER)
    return {
        name: File((folder / name).stat().st_size, digest)
        for name, digest in sorted(hashes.items())
    }


def _file(role: str) -> str:
    return f"{role}.onnx"
