"""An adapter that peft saved (LoRA: Hu et al., 2022): what it changes of a checkpoint's weights.

To a weight [outputs, inputs] it adds the product of B [outputs, rank] and A [rank, inputs], scaled.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from satchel.checkpoints.checkpoint import Checkpoint
from satchel.checkpoints.config_keys import kind_of
from satchel.checkpoints.files import read_tensors, refuse_pickles, regular
from satchel.checkpoints.lora_config import FILE, LoraConfig, read_config
from satchel.checkpoints.tensors import LazyTensor, some
from satchel.runtime.errors import CheckpointError, StorageError, UnsupportedError, shown

WEIGHTS = "adapter_model.safetensors"
SAVES = "peft: save_pretrained, which writes safetensors"
PREFIX = "base_model.model."
PARTS = {  # how the name of a tensor ends -> which part of a layer it is
    ".lora_A.weight": "first",
    ".lora_B.weight": "last",
    ".lora_B.bias": "bias",
    ".lora_magnitude_vector": "lengths",
    ".lora_magnitude_vector.weight": "lengths",
}
OUTER = re.compile(r"^((model|language_model|transformer|backbone)\.)+")  # classes and files differ
TURNED = {"gpt2": ("c_attn", "c_proj", "c_fc")}  # layers that are stored as [inputs, outputs]


@dataclass
class LowRank:
    """What is added to one weight; `lengths` of rows and `bias` only where they were trained."""

    first: LazyTensor  # A [rank, inputs]
    last: LazyTensor  # B [outputs, rank]
    scale: float
    turned: bool  # the weight is stored as [inputs, outputs]
    bias: LazyTensor | None = None
    lengths: LazyTensor | None = None

    @property
    def rank(self) -> int:
        return self.first.shape[0]

    def change(self) -> Tensor:
        """float32 [outputs, inputs]."""
        return self.last.load() @ self.first.load() * self.scale

    def stored(self, change: Tensor) -> Tensor:
        """The change, or a whole weight, as the file of the checkpoint has it, and back."""
        return change.T if self.turned else change


@dataclass
class Lora:
    """An adapter, by the names of the checkpoint's weights."""

    name: str
    sha256: str
    layers: dict[str, LowRank] = field(default_factory=dict)
    whole: dict[str, LazyTensor] = field(default_factory=dict)  # in place of the checkpoint's
    notes: tuple[str, ...] = ()


def open_lora(folder: str | Path, checkpoint: Checkpoint) -> Lora:
    """The adapter in `folder`, which peft saved, for the weights of `checkpoint`.

    Raises CheckpointError or UnsupportedError where it was made for another model, says what cannot be
    done, or is damaged.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise StorageError(f"{shown(folder)} is no folder; expected one saved by peft")
    path = regular(folder, WEIGHTS)
    if path is None:
        refuse_pickles(folder, SAVES)
        raise CheckpointError(f"{shown(folder)} has no {WEIGHTS}; expected a folder saved by peft")
    tensors = read_tensors([path])
    parts, whole = _sorted(tensors)
    names = _Names(checkpoint)
    modules = {module: names.weight(module) for module in parts}
    config = read_config(folder, [*modules, *names.beside(modules)])
    _check_targets(config, modules)
    digest = hashlib.sha256(path.read_bytes() + (folder / FILE).read_bytes())
    lora = Lora(folder.resolve().name, digest.hexdigest(), notes=_remarks(config, checkpoint))
    for module, weight in modules.items():
        turned = module.rpartition(".")[2] in TURNED.get(str(kind_of(checkpoint.config)), ())
        lora.layers[weight] = _layer(module, parts[module], config, turned)
        _check_shape(module, lora.layers[weight], checkpoint.tensors[weight])
    for name, tensor in whole.items():
        lora.whole[names.whole(name)] = _finite(name, tensor)
    if not lora.layers:
        raise CheckpointError(f"{WEIGHTS} changes no layer: it has no lora_A and lora_B")
    return lora


def merged(checkpoint: Checkpoint, folder: str | Path | None) -> Checkpoint:
    """`checkpoint` with the adapter of a folder in its weights, as peft merges it; as it is without one.

    Raises what `open_lora` does, and UnsupportedError for a bias of a layer that has none.
    """
    if folder is None:
        return checkpoint
    lora = open_lora(folder, checkpoint)
    tensors = dict(checkpoint.tensors)
    for name, tensor in lora.whole.items():
        if tensor.shape != tensors[name].shape:
            raise CheckpointError(
                f"{WEIGHTS}: {shown(name)} has the shape {list(tensor.shape)}, the checkpoint's "
                f"{list(tensors[name].shape)}: it was trained on another model, or a larger vocabulary",
                "CKPT_WEIGHTS",
            )
        tensors[name] = tensor
    for name, layer in lora.layers.items():
        tensors[name] = _changed(tensors[name], layer)
        if layer.bias is not None:
            bias = name.removesuffix("weight") + "bias"
            if bias not in tensors:
                raise UnsupportedError(f"{WEIGHTS} has a bias for {shown(name)}, which has none")
            tensors[bias] = _sum(tensors[bias], layer.bias, layer.scale)
    both = hashlib.sha256(f"{checkpoint.sha256} {lora.sha256}".encode()).hexdigest()
    return dataclasses.replace(
        checkpoint,
        source=f"{checkpoint.source} with {lora.name}",
        tensors=tensors,
        sha256=both,
        notes=checkpoint.notes + lora.notes,
    )


def _changed(weight: LazyTensor, layer: LowRank) -> LazyTensor:
    """A weight, as it is stored, with what is added to it."""

    def load() -> Tensor:
        changed = layer.stored(weight.load()) + layer.change()
        if layer.lengths is not None:
            changed *= (layer.lengths.load() / changed.norm(dim=1))[:, None]
        return layer.stored(changed).contiguous()

    return LazyTensor(weight.shape, load)


def _sum(bias: LazyTensor, more: LazyTensor, scale: float) -> LazyTensor:
    return LazyTensor(bias.shape, lambda: bias.load() + more.load() * scale)


class _Names:
    """The names of a checkpoint's weights for those of a model's modules, which begin otherwise."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint
        self.weights = {OUTER.sub("", name): name for name in checkpoint.tensors}

    def weight(self, module: str) -> str:
        """The weight of a module; CheckpointError where there is none."""
        return self._found(f"{module}.weight")

    def whole(self, name: str) -> str:
        """The weight that another takes the place of."""
        found = self._found(name)
        tables = ("embed_tokens", "wte", "lm_head", "embed_in", "embed_out", "word_embeddings")
        if any(table in name for table in tables) and self._tied():
            raise UnsupportedError(
                f"{WEIGHTS} has {shown(name)}, and the checkpoint's head is tied to its table; merge "
                "it with peft (merge_and_unload, then save_pretrained) and export the result"
            )
        return found

    def beside(self, modules: Iterable[str]) -> list[str]:
        """Names of the checkpoint's other linear layers and tables, as the adapter would call them."""
        known = {OUTER.sub("", module) for module in modules}
        outer = next((OUTER.match(module) for module in modules), None)
        return [
            (outer[0] if outer else "") + stem
            for name, full in self.weights.items()
            if name.endswith(".weight") and len(self.checkpoint.tensors[full].shape) == 2
            if (stem := name.removesuffix(".weight")) not in known
        ]

    def _found(self, name: str) -> str:
        found = self.weights.get(OUTER.sub("", name))
        if found is None:
            raise CheckpointError(
                f"{WEIGHTS} changes {shown(name)}, which {shown(self.checkpoint.source)} has not: it "
                "was made for another model",
                "CKPT_WEIGHTS",
            )
        return found

    def _tied(self) -> bool:
        return not any(name.startswith(("lm_head", "embed_out")) for name in self.weights)


def _sorted(
    tensors: dict[str, LazyTensor],
) -> tuple[dict[str, dict[str, LazyTensor]], dict[str, LazyTensor]]:
    """Parts by module, and whole weights by name. Raises UnsupportedError for what is neither."""
    parts: dict[str, dict[str, LazyTensor]] = {}
    whole: dict[str, LazyTensor] = {}
    for full, tensor in tensors.items():
        name = full.removeprefix(PREFIX)
        if name == full:
            raise CheckpointError(f"{WEIGHTS}: {shown(full)} does not begin with {PREFIX}")
        ending = next((ending for ending in PARTS if name.endswith(ending)), None)
        if ending is not None:
            parts.setdefault(name.removesuffix(ending), {})[PARTS[ending]] = tensor
        elif name.endswith((".weight", ".bias")) and "lora_" not in name:
            whole[name.replace(".base_layer.", ".")] = tensor
        else:
            raise UnsupportedError(f"{WEIGHTS}: {shown(name)} is not supported")
    return parts, whole


def _check_targets(config: LoraConfig, modules: dict[str, str]) -> None:
    """The file has the modules that its configuration names, and no others."""
    more = sorted(modules.keys() - config.targets)
    if more:
        raise CheckpointError(f"{WEIGHTS} changes {some(more)}, which {FILE} does not target")
    less = sorted(config.targets - modules.keys())
    if less and not config.everything:
        raise CheckpointError(f"{WEIGHTS} lacks {some(less)}, which {FILE} targets")


def _layer(module: str, parts: dict[str, LazyTensor], config: LoraConfig, turned: bool) -> LowRank:
    missing = {"first": "lora_A", "last": "lora_B"}
    if config.directions:
        missing["lengths"] = "lora_magnitude_vector"
    for part, name in missing.items():
        if part not in parts:
            raise CheckpointError(f"{WEIGHTS}: {shown(module)} lacks {name}", "CKPT_WEIGHTS")
    if "lengths" in parts and not config.directions:
        raise CheckpointError(f"{WEIGHTS}: {shown(module)} has lengths; {FILE} says use_dora false")
    checked = {part: _finite(f"{module} {part}", tensor) for part, tensor in parts.items()}
    rank = config.ranks[module]
    if checked["first"].shape[:1] != (rank,):
        raise CheckpointError(
            f"{WEIGHTS}: lora_A of {shown(module)} has the shape {list(checked['first'].shape)}; "
            f"{FILE} says rank {rank}",
            "CKPT_WEIGHTS",
        )
    return LowRank(**checked, scale=config.scales[module], turned=turned)


def _check_shape(module: str, layer: LowRank, weight: LazyTensor) -> None:
    """The product of the factors is of the weight's shape; what goes with rows has a number of each."""
    first, last = layer.first.shape, layer.last.shape
    fits = len(first) == len(last) == 2 and last[1] == first[0]
    shape = (last[0], first[-1])
    rows = [part.shape for part in (layer.bias, layer.lengths) if part is not None]
    if (
        not fits
        or (shape[::-1] if layer.turned else shape) != weight.shape
        or set(rows) - {last[:1]}
    ):
        raise CheckpointError(
            f"{WEIGHTS}: lora_A {list(first)} and lora_B {list(last)} of {shown(module)} do not fit its "
            f"weight {list(weight.shape)}: it was made for another model",
            "CKPT_WEIGHTS",
        )


def _finite(name: str, tensor: LazyTensor) -> LazyTensor:
    def load() -> Tensor:
        numbers = tensor.load()
        if not torch.isfinite(numbers).all():
            raise CheckpointError(
                f"{WEIGHTS}: {shown(name)} holds values that are not finite", "CKPT_NONFINITE"
            )
        return numbers

    return LazyTensor(tensor.shape, load)


def _remarks(config: LoraConfig, checkpoint: Checkpoint) -> tuple[str, ...]:
    """What to say where the adapter was trained on something of another name."""
    if config.base is None or Path(config.base).name == checkpoint.source.rpartition("/")[2]:
        return ()
    return (
        f"{FILE} says that the adapter was trained on {shown(config.base)}; "
        f"it is added to {shown(checkpoint.source)}",
    )
