"""A checkpoint becomes a bundle: the one place that walks through all rooms.

What differs between families is a recipe, in the modules beside this: which graphs, what the manifest
says of them, and how they are proven.
"""

from __future__ import annotations

import dataclasses
import shutil
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx_ir as ir

from satchel.checkpoints import adapters, lora
from satchel.checkpoints.checkpoint import Checkpoint
from satchel.checkpoints.source import open_source
from satchel.export import publish
from satchel.export.check import Check
from satchel.export.graph import trace
from satchel.export.writer import Stored, write_graph
from satchel.models.architectures import architecture, family
from satchel.models.layers import Attention
from satchel.packing.decoder_recipe import DecoderRecipe
from satchel.packing.encoder_recipe import EncoderRecipe
from satchel.packing.entity_recipe import EntityRecipe
from satchel.packing.image_text_recipe import ImageTextRecipe
from satchel.packing.library_class import opened_by
from satchel.packing.own_images import find_images
from satchel.packing.own_texts import read_texts
from satchel.packing.recipe import ExportOptions, Recipe
from satchel.packing.seq2seq_recipe import Seq2seqRecipe
from satchel.packing.sound_recipe import SoundRecipe
from satchel.packing.speech_recipe import SpeechRecipe, WaveSpeechRecipe
from satchel.progress import Stage, quiet
from satchel.quantize import cache8, improve, pad_odd_tokens
from satchel.quantize.lower import layer_names, lower
from satchel.quantize.prepare import Prepared, prepare
from satchel.quantize.profile import Profile, matches, named
from satchel.runtime import kernels, sealed
from satchel.runtime.bundle import TOKENIZER, Bundle, open_bundle, sha256_of
from satchel.runtime.cache import ROOM
from satchel.runtime.errors import FidelityError, UsageError, shown
from satchel.runtime.fingerprint import FIELD, fingerprint, gives_vectors
from satchel.runtime.manifest import MANIFEST, File, Graph, Manifest, Source
from satchel.version import __version__

RECIPES: dict[str, Any] = {
    "decoder": DecoderRecipe,
    "encoder": EncoderRecipe,
    "encoder-decoder": Seq2seqRecipe,
}
READING: dict[str, dict[str, Any]] = {  # by what is read, if not text alone
    "sound": {"encoder": SoundRecipe, "encoder-decoder": SpeechRecipe},
    "labels": {"encoder": EntityRecipe},
    "images": {"encoder": EncoderRecipe, "encoder-decoder": ImageTextRecipe},
}
OF_WAVES = ("moonshine",)  # modules of speech models that hear samples


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
    adapter: str | None = None,
    merge_lora: str | Path | None = None,
    force: bool = False,
    overwrite: bool = False,
    revision: str | None = None,
    ignored_keys: Collection[str] = (),
    calibration: str | Path | None = None,
    quality_text: str | Path | None = None,
    keep_fp32: Collection[str] = (),
    tune: float | None = None,
    cache: str | None = None,
    open_layers: bool = False,
    library_class: str | None = None,
    stage: Stage = quiet,
) -> Packed:
    """Export `source` (a Hugging Face folder, a .gguf file or a hub id) to the bundle folder `out`.

    `merge_lora` is a folder saved by peft, whose adapter goes into the weights first. With `open_layers`
    a decoder's bundle takes adapters later (`satchel.packing.convert_lora`).
    `calibration` is a file of texts, or for a model that sees a folder of images, a fourth of which its
    quality is measured on; `quality_text` a file of texts.
    `library_class` names the class of sentence-transformers that the bundle stands in for: where a folder
    lists no modules, what that class assumes is assumed. Raises FidelityError where a check fails, unless
    `force` keeps the bundle, marked unverified. A bundle appears whole or not at all.
    """
    chosen, out = named(profile).keeping(keep_fp32).caching(cache), Path(out)
    if calibration is not None and not chosen.calibrated:
        raise UsageError(f"--calibration has no effect with --profile {chosen.name}")
    images = find_images("--calibration", calibration)
    texts = read_texts("--calibration", calibration if images is None else None)
    own = texts, read_texts("--quality-text", quality_text), images
    publish.check_target(out, Path(source), overwrite)
    opened = adapters.merged(open_source(str(source), revision), adapter)
    checkpoint = lora.merged(opened, merge_lora)
    if library_class is not None:
        checkpoint, made_for = opened_by(library_class, checkpoint)
        task = task or made_for
    recipe = _recipe(checkpoint, ExportOptions(context, task, ignored_keys, *own), stage)
    _check_windows(chosen, recipe)
    if images is not None:
        chosen = dataclasses.replace(chosen, convolved=True)
    if open_layers:
        chosen = _opened(chosen, recipe)
    with publish.staged(out) as folder:
        prepared = prepare(recipe, chosen.among(recipe.graphs), cache is not None, tune, stage)
        traced = _traced(recipe, stage)
        _check_asked(prepared.profile.asked, traced)
        work = _Work(recipe, checkpoint, prepared, traced, folder, stage)
        checks = prepared.checks + work.exact_checks()
        default = prepared.profile.name == "int8" and tune is None and not force
        made = work.improved() if default else work.made(prepared.profile)
        own_checks, own_kernels = work.on_own_kernels(made)
        checks += made.checks + own_checks
        failed = _failed(checks, recipe.notes, force)
        manifest = made.manifest(checks, own_kernels, verified=not failed)
        (folder / MANIFEST).write_bytes(sealed.written(manifest).encode("utf-8"))
        open_bundle(folder, stage("reading back"))
    return Packed(out, manifest, checks, recipe.notes)


def _recipe(checkpoint: Checkpoint, options: ExportOptions, stage: Stage) -> Recipe:
    entry = architecture(checkpoint)
    kind = READING.get(entry.reads, RECIPES)[family(checkpoint, options.task)]
    if entry.module in OF_WAVES:
        kind = WaveSpeechRecipe
    if options.images is not None and (entry.reads != "images" or kind is not EncoderRecipe):
        reads = f"{entry.reads} and writes" if entry.reads == "images" else entry.reads
        raise UsageError(
            f"--calibration is a folder, of images; this model reads {reads}: no image fixes its scales"
        )
    recipe: Recipe = kind.of(checkpoint, options, stage)
    recipe.notes.extend(checkpoint.notes)
    return recipe


def _check_windows(profile: Profile, recipe: Recipe) -> None:
    """A cache of windows is asked for where there are some that are shorter than all positions."""
    if profile.cache != cache8.WINDOWED:
        return
    modules = [part for model in recipe.parts.values() for part in model.modules()]
    windows = [part.heads.window for part in modules if isinstance(part, Attention)]
    context = recipe.facts()["context"]
    if not any(window is not None and window + ROOM < context for window in windows):
        raise UsageError(
            f"--cache {profile.cache}: no layer has a sliding window that is shorter, by {ROOM}, than "
            f"the {context} positions of the bundle; use int8"
        )


def _opened(profile: Profile, recipe: Recipe) -> Profile:
    """The profile of a bundle that takes adapters: a decoder's."""
    if not isinstance(recipe, DecoderRecipe):
        raise UsageError(
            "--adapters keeps the layers of a decoder open; --merge-lora FOLDER puts an adapter of peft "
            "into the weights of any model"
        )
    return dataclasses.replace(profile, opened=True)


def _traced(recipe: Recipe, stage: Stage) -> dict[str, ir.Model]:
    """The abstract graphs by role."""
    parts = recipe.graphs
    return {
        role: trace(parts[role].module, parts[role].inputs, parts[role].outputs)
        for role in stage("tracing the graph")(list(parts))
    }


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


def _failed(checks: list[Check], notes: list[str], force: bool) -> list[str]:
    """The checks that failed, in words. Raises FidelityError if there are any, but for `force`."""
    failed = [item.words() for item in checks if not item.passed]
    if failed and not force:
        remarks = "".join(f" ({note})" for note in notes if "--quality-text" in note)
        raise FidelityError(
            f"{len(failed)} of {len(checks)} checks failed: {', '.join(failed)}; "
            f"--force keeps the bundle, marked unverified{remarks}"
        )
    return failed


@dataclass(frozen=True)
class _Made:
    """A bundle whose manifest is still to be written."""

    draft: Manifest
    files: dict[str, File]
    checks: list[Check]
    figures: dict[str, Any]

    @property
    def short(self) -> tuple[bool, bool]:
        """Whether it fails a check, and whether it misses an aim."""
        return improve.short(self.checks, self.figures["quality"])

    def manifest(
        self, checks: list[Check], own_kernels: dict[str, Any], verified: bool
    ) -> Manifest:
        """The whole manifest, with all checks of the export."""
        parity = {"checks": [item.to_dict() for item in checks], **own_kernels}
        whole = dataclasses.replace(
            self.draft, files=self.files, parity=parity, verified=verified, **self.figures
        )
        if not gives_vectors(whole):
            return whole
        extra = whole.extra | {FIELD: fingerprint(whole)}
        return dataclasses.replace(whole, extra=extra)


@dataclass(frozen=True)
class _Work:
    """Traced graphs that become a bundle in `folder`, perhaps more than once."""

    recipe: Recipe
    checkpoint: Checkpoint
    prepared: Prepared
    traced: dict[str, ir.Model]
    folder: Path
    stage: Stage

    def exact_checks(self) -> list[Check]:
        """The traced graphs in float32 against the reference model, whatever the profile."""
        exact = self.folder / "exact"
        exact.mkdir()
        try:
            stored: Stored = {}
            for role, graph in self.traced.items():
                copied = graph.clone()
                lower(copied, named("fp32"), role)
                progress = self.stage("writing the float32 graph")
                write_graph(copied, exact / _file(role), stored, progress)
            bundle = Bundle(exact, self._draft(self.prepared.profile), kernels=False)
            checks = self.recipe.exact_checks(bundle)
            if kernels.installed():
                own = dataclasses.replace(bundle, kernels=True)
                checks += _named_own(self.recipe.exact_checks(own))
            return checks
        finally:
            shutil.rmtree(exact)

    def made(self, profile: Profile) -> _Made:
        """The bundle of a profile: written, and proven."""
        draft = self._with_cache(self._draft(profile), profile)
        files = self._write(profile)
        checks, figures = self.recipe.prove(
            Bundle(self.folder, draft, kernels=False), profile.name == "fp32", self.stage
        )
        return _Made(draft, files, checks, figures)

    def on_own_kernels(self, made: _Made) -> tuple[list[Check], dict[str, Any]]:
        """The proof once more where our kernels are installed: its checks, and what the manifest's parity
        says of it. A bundle's own figures are those of ONNX Runtime's kernels, which are everywhere."""
        if not kernels.installed():
            return [], {}
        exact = made.draft.quantization.get("name") == "fp32"
        bundle = Bundle(self.folder, made.draft)
        checks, figures = self.recipe.prove(bundle, exact, self.stage)
        said = {"kernels": kernels.version(), "quality": figures["quality"]}
        return _named_own(checks), {"own_kernels": said}

    def improved(self) -> _Made:
        """The bundle of the prepared profile, with as few better schemes as it takes to pass the checks
        and to reach the aims; for aims alone no more than a part of the layers change."""
        chosen = self.prepared.profile
        bundle = self.made(chosen)
        failed, missed = bundle.short
        if not self.prepared.statistics or not (failed or missed):
            return bundle
        began = time.monotonic()
        for profile, share, remark in improve.better(self.recipe, self.prepared, self.stage):
            if share > improve.PART and not failed:
                break
            bundle = self.made(profile)
            fails, misses = bundle.short
            if not fails and (not misses or (failed and share >= improve.PART)):
                self.recipe.notes.append(f"{remark} ({time.monotonic() - began:.0f} s)")
                return bundle
        return bundle if failed else self.made(chosen)  # more than the aims are worth

    def _draft(self, profile: Profile) -> Manifest:
        """The manifest without files and proof."""
        graphs = {
            role: Graph(_file(role), part.inputs, part.outputs)
            for role, part in self.recipe.graphs.items()
        }
        checkpoint = self.checkpoint
        return Manifest(
            architecture=str(checkpoint.config["model_type"]),
            graphs=graphs,
            files={},
            source=Source(checkpoint.source, checkpoint.sha256, checkpoint.licence),
            quantization=profile.to_dict(self.recipe.graphs),
            satchel_version=__version__,
            **self.recipe.facts(),
        )

    def _with_cache(self, draft: Manifest, profile: Profile) -> Manifest:
        """The manifest of a bundle whose cache is what `lower` makes of it."""
        seen = self.prepared.statistics.get("decoder")
        if draft.cache is None:
            return draft
        if pad_odd_tokens.kept(profile, seen):
            cache = dataclasses.replace(draft.cache, spare=pad_odd_tokens.SPARE)
            return dataclasses.replace(draft, cache=cache)
        if not cache8.kept(profile, seen):
            return draft
        graph = draft.graphs["decoder"]
        ports = dataclasses.replace(
            graph, inputs=cache8.ports(graph.inputs), outputs=cache8.ports(graph.outputs)
        )
        windows = cache8.windows(profile, self.traced["decoder"].graph)
        cache = dataclasses.replace(draft.cache, dtype="int8", windows=windows)
        changed = dataclasses.replace(draft, cache=cache, graphs=draft.graphs | {"decoder": ports})
        if not windows:
            return changed
        return dataclasses.replace(
            changed, onnxruntime=cache8.RING_SINCE, required_features=[sealed.WINDOWS]
        )

    def _write(self, profile: Profile) -> dict[str, File]:
        """Write the bundle's files but the manifest."""
        hashes: dict[str, str] = {}
        stored: Stored = {}
        for role, graph in self.traced.items():
            graph = graph.clone()  # it may be lowered again
            seen = self.prepared.statistics.get(role)
            lower(graph, profile, role, seen, self.stage("lowering the layers"))
            progress = self.stage("writing the graph")
            hashes |= write_graph(graph, self.folder / _file(role), stored, progress)
        if self.recipe.tokenizer is not None:
            (self.folder / TOKENIZER).write_bytes(self.recipe.tokenizer)
            hashes[TOKENIZER] = sha256_of(self.folder / TOKENIZER)
        return {
            name: File((self.folder / name).stat().st_size, digest)
            for name, digest in sorted(hashes.items())
        }


def _named_own(checks: list[Check]) -> list[Check]:
    return [dataclasses.replace(item, name=f"{item.name}, own kernels") for item in checks]


def _file(role: str) -> str:
    return f"{role}.onnx"
