"""An adapter of peft becomes one of a bundle with open layers: its factors in the bundle's basis.

Everything between a checkpoint and a graph is linear in a layer's weight. So a reference model whose
layers have their changes for weights is brought into the form of the bundle's, and factored again.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor

from satchel import models
from satchel.checkpoints.checkpoint import Checkpoint
from satchel.checkpoints.lora import Lora, merged, open_lora
from satchel.checkpoints.source import open_source
from satchel.checkpoints.tensors import LazyTensor, some
from satchel.export.check import Check
from satchel.measure import fidelity
from satchel.models.decoder import Decoder
from satchel.models.layers import Linear
from satchel.packing.decoder_recipe import quality_checks
from satchel.progress import Stage, quiet
from satchel.quantize.open_layers import FIRST, GROUP, LAST, SCALE, in_block
from satchel.quantize.rotate import rotate
from satchel.runtime import adapter
from satchel.runtime.bundle import TOKENIZER, open_bundle
from satchel.runtime.decoder_model import DecoderModel
from satchel.runtime.errors import CheckpointError, FidelityError, UnsupportedError, shown

LEAST = 1e-6  # of the largest singular value; less is rounding
FUSED = 3  # layers of a checkpoint at most that are one in a reference model


@dataclass(frozen=True)
class Converted:
    """What was made: checks against the merged model, remarks, and the rank of each changed layer."""

    checks: list[Check]
    notes: tuple[str, ...]
    ranks: dict[str, int]


def convert_lora(
    source: str,
    lora_folder: str | Path,
    bundle_folder: str | Path,
    out: str | Path,
    *,
    force: bool = False,
    revision: str | None = None,
    ignored_keys: Collection[str] = (),
    stage: Stage = quiet,
) -> Converted:
    """Write `out`, the adapter that peft saved in `lora_folder` for a bundle made of `source`.

    Raises CheckpointError or UnsupportedError for an adapter that the checkpoint or open layers cannot
    have, UsageError for a bundle without open layers, and FidelityError where the bundle with it is too
    far from the merged model, unless `force`.
    """
    bundle = open_bundle(bundle_folder, stage("checking files"))
    adapter.check_open(bundle.manifest)
    checkpoint = open_source(source, revision)
    if checkpoint.sha256 != bundle.manifest.source.sha256:
        raise CheckpointError(
            f"{shown(bundle_folder)} was not made of {shown(source)}: give the checkpoint it was made of"
        )
    lora = open_lora(lora_folder, checkpoint)
    _check_factors(lora)
    context = bundle.manifest.context
    changes, _ = models.build(_of_changes(checkpoint, lora), context, ignored_keys=ignored_keys)
    if bundle.manifest.quantization["rotated"]:
        rotate(changes)
    factors, ranks = _factored(changes, lora, stage)
    whole = merged(checkpoint, lora_folder)
    reference, _ = models.build(whole, context, ignored_keys=ignored_keys)
    with _published(Path(out)) as path:
        adapter.write(path, lora.name, bundle.manifest, factors)
        checks = _proof(DecoderModel(bundle).adapted(path), reference, stage)
        failed = [item.words() for item in checks if not item.passed]
        if failed and not force:
            raise FidelityError(
                f"{len(failed)} of {len(checks)} checks failed: {', '.join(failed)}; --force keeps the "
                "adapter, or export with --merge-lora"
            )
    return Converted(checks, lora.notes, ranks)


@contextmanager
def _published(out: Path) -> Iterator[Path]:
    """A file to write beside `out`, which it takes the place of when the block ends well."""
    path = out.with_name(f".{out.name}.tmp-{os.getpid()}")
    try:
        yield path
        path.replace(out)
    finally:
        path.unlink(missing_ok=True)


def _check_factors(lora: Lora) -> None:
    """Low-rank changes of layers in blocks are all that open layers take."""
    instead = "open layers do not take; export with --merge-lora"
    beside = [*lora.whole, *(name for name in lora.layers if not in_block(name))]
    if beside:
        raise UnsupportedError(
            f"{shown(lora.name)} changes {some(sorted(beside))}, which {instead}"
        )
    for name, layer in lora.layers.items():
        if layer.bias is not None or layer.lengths is not None:
            part = "a bias" if layer.bias is not None else "lengths (DoRA)"
            raise UnsupportedError(
                f"{shown(lora.name)} has {part} for {shown(name)}, which {instead}"
            )


def _of_changes(checkpoint: Checkpoint, lora: Lora) -> Checkpoint:
    """The checkpoint whose layers have what the adapter adds for weights: zeros where that is nothing."""
    tensors = dict(checkpoint.tensors)
    for name, tensor in checkpoint.tensors.items():
        if name in lora.layers:
            tensors[name] = _change(tensor.shape, lora, name)
        elif name.endswith(".weight") and len(tensor.shape) == 2 and in_block(name):
            tensors[name] = _zeros(tensor.shape)
    return dataclasses.replace(checkpoint, tensors=tensors)


def _change(shape: tuple[int, ...], lora: Lora, name: str) -> LazyTensor:
    layer = lora.layers[name]
    return LazyTensor(shape, lambda: layer.stored(layer.change()).contiguous())


def _zeros(shape: tuple[int, ...]) -> LazyTensor:
    return LazyTensor(shape, lambda: torch.zeros(shape))


def _factored(
    changes: Decoder, lora: Lora, stage: Stage
) -> tuple[dict[str, NDArray[np.float32]], dict[str, int]]:
    """The inputs of the graph, by name, and the rank of each layer that is changed."""
    factors, ranks = {}, {}
    most = FUSED * max(layer.rank for layer in lora.layers.values())
    layers = [
        (name, layer.weight.data)
        for name, layer in changes.named_modules()
        if isinstance(layer, Linear) and in_block(name)
    ]
    for name, change in stage("factoring the layers")(layers):
        if not change.any():
            continue
        last, first = low_rank(change, most)
        ranks[name] = len(first)
        factors[name + FIRST], factors[name + LAST] = grouped(last, first)
    return factors, ranks


def low_rank(change: Tensor, most: int) -> tuple[Tensor, Tensor]:
    """float64 B [outputs, rank] and A [rank, inputs] whose product is `change`, of a rank of at most
    `most` (randomised range finder: Halko et al., 2011)."""
    exact = change.double()
    generator = torch.Generator().manual_seed(0)
    width = min(most + 8, *exact.shape)
    seen = exact @ torch.randn(exact.shape[1], width, dtype=torch.float64, generator=generator)
    basis, _ = torch.linalg.qr(seen)
    left, sizes, right = torch.linalg.svd(basis.T @ exact, full_matrices=False)
    kept = sizes > LEAST * sizes[0]
    roots = sizes[kept].sqrt()
    return basis @ left[:, kept] * roots, roots[:, None] * right[kept]


def grouped(last: Tensor, first: Tensor) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A [groups, 1, inputs, 16] and B [groups, 1, 16, outputs] as the graph multiplies them."""
    groups = -(-len(first) // GROUP)
    spare = groups * GROUP - len(first)
    wide = torch.nn.functional.pad(first, (0, 0, 0, spare)) / SCALE
    high = torch.nn.functional.pad(last.T, (0, 0, 0, spare)) / SCALE
    a = wide.reshape(groups, 1, GROUP, -1).transpose(2, 3).contiguous().float().numpy()
    b = high.reshape(groups, 1, GROUP, -1).contiguous().float().numpy()
    return a, b


def _proof(model: DecoderModel, reference: Decoder, stage: Stage) -> list[Check]:
    """How the bundle with its adapter answers beside the merged model in float32."""
    tokenizer = Tokenizer.from_file(str(model.bundle.folder / TOKENIZER))
    ids = fidelity.text_windows(tokenizer, fidelity.shipped_text(), model.manifest.context)

    def expected(window: list[int]) -> NDArray[np.float32]:
        with torch.inference_mode():
            return reference(torch.tensor([window]))[0].numpy()

    windows = stage("measuring quality")(ids)
    checks, _ = quality_checks((one, expected(one), model.decoder.logits(one)) for one in windows)
    return checks
