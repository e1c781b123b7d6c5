"""A checkpoint becomes a bundle: the one place that walks through all rooms."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import torch
from tokenizers import Tokenizer

import satchel
from satchel import models
from satchel.export import check, publish, signature
from satchel.export.chat import compile_template
from satchel.export.check import Check
from satchel.export.graph import trace_decoder
from satchel.export.tokenizer import (
    bundle_tokenizer,
    generation_defaults,
    special_token_texts,
    special_tokens,
)
from satchel.export.writer import write_graph
from satchel.models.checkpoint import Checkpoint
from satchel.models.decoder import Decoder
from satchel.models.source import open_source
from satchel.progress import Stage, quiet
from satchel.quantize import quality
from satchel.quantize.lower import lower
from satchel.quantize.profile import Profile, profile
from satchel.runtime import bundle as contract
from satchel.runtime.bundle import Bundle, Manifest
from satchel.runtime.decoder import Decoder as GraphDecoder
from satchel.runtime.errors import FidelityError, UnsupportedError, UsageError, shown
from satchel.runtime.session import open_session

GRAPH_FILE = "decoder.onnx"
TASKS = {"generate": "decoder"}
DEFAULT_CONTEXT = 32768  # longer rotary tables are only made when asked for
CHECK_TOKENS = 48
MAX_MEAN_KL, MIN_TOP1, MAX_PERPLEXITY_RATIO = 0.05, 0.85, 1.03


@dataclass(frozen=True)
class Packed:
    """What an export made: the manifest, its checks, and remarks for the user."""

    folder: Path
    manifest: Manifest
    checks: list[Check]
    notes: list[str]


@dataclass(frozen=True)
class Model:
    """A reference model with what the graph cannot know."""

    reference: Decoder
    context: int
    tokenizer: bytes
    probe_ids: list[int]  # the shipped text in this model's tokens

    def logits(self, ids: Sequence[int]) -> np.ndarray[Any, np.dtype[np.float32]]:
        """float32 [length, vocab] by the reference model."""
        with torch.inference_mode():
            result: np.ndarray[Any, Any] = self.reference(torch.tensor([list(ids)]))[0].numpy()
        return result


def pack(
    source: str | Path,
    out: str | Path,
    *,
    precision: str = "int8",
    context: int | None = None,
    task: str | None = None,
    force: bool = False,
    overwrite: bool = False,
    revision: str | None = None,
    ignored_keys: Collection[str] = (),
    stage: Stage = quiet,
) -> Packed:
    """Export `source` (a Hugging Face folder, a .gguf file or a hub id) to the bundle folder `out`.

    Ends with the fidelity checks; if one fails, FidelityError is raised and nothing is written,
    unless `force` keeps the bundle and marks it unverified. Nothing half-written is ever visible.
    """
    chosen, out = profile(precision), Path(out)
    if task is not None and task not in TASKS:
        raise UsageError(f"--task {shown(task)} is unknown; known: {', '.join(TASKS)}")
    publish.check_target(out, Path(source), overwrite)
    notes: list[str] = []
    checkpoint = open_source(str(source), revision)
    model = _build(checkpoint, context, ignored_keys, notes, stage)
    with publish.staged(out) as folder:
        graph = _trace(model, stage)
        draft = _draft(model, checkpoint, chosen, notes)
        checks = _exact_checks(graph, model, draft, folder, stage)
        files = _write(graph, model, chosen, folder, stage)
        proof = _prove(Bundle(folder, draft), model, chosen, checks, stage)
        failed = [item.name for item in checks if not item.passed]
        if failed and not force:
            raise FidelityError(
                f"{len(failed)} of {len(checks)} checks failed: {', '.join(failed)}; "
                "--force keeps the bundle, marked unverified"
            )
        manifest = dataclasses.replace(draft, files=files, verified=not failed, **proof)
        (folder / contract.MANIFEST).write_text(manifest.to_json(), "utf-8")
        contract.open_bundle(folder, stage("reading back"))
    return Packed(out, manifest, checks, notes)


def _build(
    checkpoint: Checkpoint,
    context: int | None,
    ignored_keys: Collection[str],
    notes: list[str],
    stage: Stage,
) -> Model:
    reference, positions = models.build(
        checkpoint, context, DEFAULT_CONTEXT, ignored_keys, stage("loading weights")
    )
    limit = reference.config.max_position_embeddings
    if context is None and positions < limit:
        notes.append(f"context is {positions} of the model's {limit}; --context N for more")
    vocab_size = reference.config.vocab_size
    tokenizer = bundle_tokenizer(checkpoint, vocab_size)
    ids = Tokenizer.from_buffer(tokenizer).encode(quality.shipped_text()).ids
    if len(ids) <= CHECK_TOKENS:
        raise UnsupportedError("the tokenizer makes almost no tokens of an English text")
    return Model(reference, positions, tokenizer, list(ids))


def _trace(model: Model, stage: Stage) -> ir.Model:
    for _ in stage("tracing the graph")([None]):
        graph = trace_decoder(model.reference)
    return graph


def _draft(model: Model, checkpoint: Checkpoint, chosen: Profile, notes: list[str]) -> Manifest:
    """The manifest without files and proof."""
    config = model.reference.config
    cache = contract.CacheGeometry(config.num_hidden_layers, config.kv_heads, config.head_size)
    geometry = (cache.layers, cache.kv_heads, cache.head_dim)
    graph = contract.Graph(
        GRAPH_FILE,
        signature.decoder_inputs(*geometry),
        signature.decoder_outputs(*geometry, config.vocab_size),
    )
    return Manifest(
        family=model.reference.family,
        architecture=str(checkpoint.config["model_type"]),
        task="generate",
        context=model.context,
        vocab_size=config.vocab_size,
        graphs={"decoder": graph},
        files={},
        tokens=special_tokens(checkpoint, model.tokenizer, config.vocab_size),
        source=contract.Source(checkpoint.source, checkpoint.sha256, checkpoint.licence),
        cache=cache,
        generation=generation_defaults(checkpoint),
        chat=_chat(checkpoint, notes),
        quantization=chosen.to_dict(),
        satchel_version=satchel.__version__,
    )


def _chat(checkpoint: Checkpoint, notes: list[str]) -> dict[str, Any] | None:
    if checkpoint.chat_template is None:
        return None
    chat, reason = compile_template(checkpoint.chat_template, special_token_texts(checkpoint))
    if reason:
        notes.append(f"the chat template stays Jinja, for Python only: {reason}")
    return chat.to_dict()


def _exact_checks(
    graph: ir.Model, model: Model, draft: Manifest, folder: Path, stage: Stage
) -> list[Check]:
    """The traced graph in float32 against the reference model, whatever the profile."""
    exact = folder / "exact"
    exact.mkdir()
    try:
        copied = graph.clone()
        lower(copied, profile("fp32"))
        write_graph(copied, exact / GRAPH_FILE, stage("writing the float32 graph"))
        decoder = _open(Bundle(exact, draft))
        for _ in stage("checking the float32 graph")([None]):
            return check.parity(model.logits, decoder, model.probe_ids[:CHECK_TOKENS])
    finally:
        shutil.rmtree(exact)
    raise AssertionError


def _write(
    graph: ir.Model, model: Model, chosen: Profile, folder: Path, stage: Stage
) -> dict[str, contract.File]:
    """Write the bundle's files but the manifest."""
    lower(graph, chosen, stage("lowering the layers"))
    hashes = write_graph(graph, folder / GRAPH_FILE, stage("writing the graph"))
    (folder / contract.TOKENIZER).write_bytes(model.tokenizer)
    hashes[contract.TOKENIZER] = contract.sha256_of(folder / contract.TOKENIZER)
    return {
        name: contract.File((folder / name).stat().st_size, digest)
        for name, digest in sorted(hashes.items())
    }


def _prove(
    bundle: Bundle, model: Model, chosen: Profile, checks: list[Check], stage: Stage
) -> dict[str, Any]:
    """Run the checks of the written graph, adding to `checks`; returns the manifest's proof."""
    decoder = _open(bundle)
    windows = quality.text_windows(model.probe_ids, model.context)
    exact = chosen.name == "fp32"
    for _ in stage("checking invariance")([None]):
        checks += check.invariance(decoder, model.probe_ids[:CHECK_TOKENS], exact)
    figures: dict[str, Any] = {}
    if not exact:
        measured = quality.measure(
            model.logits, decoder.logits, windows, stage("measuring quality")
        )
        figures = dataclasses.asdict(measured)
        ratio = measured.perplexity / measured.reference_perplexity
        checks += [
            Check("mean KL from float32", measured.mean_kl, MAX_MEAN_KL),
            Check("same likeliest token", measured.top1, MIN_TOP1, at_least=True),
            Check("perplexity over float32", ratio, MAX_PERPLEXITY_RATIO),
        ]
    return {
        "parity": {"checks": [item.to_dict() for item in checks]},
        "quality": figures,
        "probe": check.probe(model.logits, decoder, model.probe_ids),
    }


def _open(bundle: Bundle) -> GraphDecoder:
    return GraphDecoder(open_session(bundle, "decoder"), bundle.manifest)
