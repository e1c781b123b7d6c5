"""From a checkpoint's tensors to a model's parameters. Knows names and shapes, no architecture.

All steps work on LazyTensors, so that only one layer's source tensors are in memory at a time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from satchel.checkpoints.tensors import LazyTensor, some
from satchel.runtime.errors import CheckpointError, shown

Tensors = dict[str, LazyTensor]
IGNORED = re.compile(  # counters, masks and frequencies that older files hold
    r"(rotary_emb\.inv_freq|\.masked_bias|\.causal_mask|attn\.bias|attention\.bias|\.position_ids"
    r"|embeddings\.token_type_ids)$|^multiple_choice_head\."  # and a second head of GPT-2
)
WRAPPED = ("module.", "_orig_mod.")  # what parallel training and compilation put before every name
HEADS = ("lm_head.weight", "embed_out.weight", "lm_head.bias", "logits_bias")


def rename(tensors: Mapping[str, LazyTensor], rules: Iterable[tuple[str, str]]) -> Tensors:
    """Apply the regular-expression `rules` in order to every name."""
    renamed = {}
    for name, tensor in tensors.items():
        for pattern, replacement in rules:
            name = re.sub(pattern, replacement, name)
        renamed[name] = tensor
    return renamed


def unwrapped(tensors: Mapping[str, LazyTensor]) -> Tensors:
    """`tensors` without the prefixes of training wrappers, where they stand before every name."""
    named = dict(tensors)
    while named and any(all(name.startswith(wrap) for name in named) for wrap in WRAPPED):
        named = {name.partition(".")[2]: tensor for name, tensor in named.items()}
    return named


def prefixed(tensors: Mapping[str, LazyTensor], prefix: str) -> Tensors:
    """`tensors` as a class with a head names them: those of the base class lack the `prefix`."""
    if any(name.startswith(prefix) for name in tensors):
        return dict(tensors)
    return {name if name in HEADS else prefix + name: tensor for name, tensor in tensors.items()}


def without(tensors: Tensors, heads: Iterable[str]) -> Tensors:
    """`tensors` less those of heads, which a task either takes by name or has no use for."""
    names = tuple(heads)
    prefixes = tuple(f"{name}." for name in names)
    return {
        name: tensor
        for name, tensor in tensors.items()
        if name not in names and not name.startswith(prefixes)
    }


def fuse(tensors: Tensors, parts: tuple[str, ...], whole: str) -> Tensors:
    """Concatenate along the outputs, e.g. q_proj, k_proj and v_proj into qkv_proj, where present.

    Raises CheckpointError where the last two parts, key and value or gate and up, differ in shape.
    """
    fused = dict(tensors)
    for name in tensors:
        stem, _, kind = name.rpartition(f"{parts[0]}.")
        sources = [f"{stem}{part}.{kind}" for part in parts]
        if name == sources[0] and all(source in tensors for source in sources):
            shapes = [tensors[source].shape for source in sources]
            # Their sum alone would not tell one that is too long from the other that is too short.
            if shapes[-1] != shapes[-2] or shapes[0][1:] != shapes[-1][1:] or () in shapes:
                listed = ", ".join(f"{shown(s, 60)} {list(tensors[s].shape)}" for s in sources)
                raise CheckpointError(f"weights do not fit together: {listed}", "CKPT_WEIGHTS")
            fused[f"{stem}{whole}.{kind}"] = concat([fused.pop(source) for source in sources])
    return fused


def fuse_llama(tensors: Mapping[str, LazyTensor]) -> Tensors:
    """The two fusions of llama-shaped blocks."""
    fused = fuse(dict(tensors), ("q_proj", "k_proj", "v_proj"), "qkv_proj")
    return fuse(fused, ("gate_proj", "up_proj"), "gate_up_proj")


def by_role(tensors: Mapping[str, LazyTensor], groups: int, head_dim: int) -> Tensors:
    """Rows of `qkv_proj`, ordered group, head, channel, become all queries, all keys and all values.

    The heads of a group are the queries that share a key and a value, then that key and that value.
    """

    def apart(packed: Tensor) -> Tensor:
        heads = packed.unflatten(0, (groups, -1, head_dim))
        parts = (heads[:, :-2], heads[:, -2:-1], heads[:, -1:])
        return torch.cat([part.flatten(0, 2) for part in parts])

    return transform(tensors, r"\.qkv_proj\.", apart)


def tied(tensors: Mapping[str, LazyTensor], table: str, head: str) -> Tensors:
    """`tensors` of a model whose `head` has the weight of its `table`: one, under the table's name.

    Where a file has both and they differ, both stay: as transformers 5 has it, they are not tied then.
    """
    kept = dict(tensors)
    if head in kept and (table not in kept or equal(kept[head], kept[table])):
        kept.setdefault(table, kept[head])
        del kept[head]
    return kept


def untied(head: str, table: str) -> str:
    """The note of a head that config.json ties and the file does not."""
    return (
        f"config.json ties {head} to {table}, but the checkpoint has two that differ: "
        "they stay apart, as in transformers 5"
    )


def equal(a: LazyTensor | None, b: LazyTensor | None) -> bool:
    """Whether two weights are the same numbers."""
    if a is None or b is None:
        return False
    return a.shape == b.shape and torch.equal(a.load(), b.load())


def known(tensors: Mapping[str, Tensor]) -> Tensors:
    """Tensors that no file holds, as if one did."""

    def held(tensor: Tensor) -> LazyTensor:
        return LazyTensor(tuple(tensor.shape), lambda: tensor)

    return {name: held(tensor) for name, tensor in tensors.items()}


def concat(parts: list[LazyTensor]) -> LazyTensor:
    rows = sum(part.shape[0] for part in parts)
    return LazyTensor((rows, *parts[0].shape[1:]), lambda: torch.cat([p.load() for p in parts]))


def transform(
    tensors: Mapping[str, LazyTensor], pattern: str, function: Callable[[Tensor], Tensor]
) -> Tensors:
    """Apply `function` to the tensors whose name matches `pattern`; shapes follow it."""

    def apply(tensor: LazyTensor) -> LazyTensor:
        try:
            shape = tuple(function(torch.empty(tensor.shape, device="meta")).shape)
        except RuntimeError:
            return tensor  # of a shape that `assign` will refuse by name
        return LazyTensor(shape, lambda: function(tensor.load()).contiguous())

    return {
        name: apply(tensor) if re.search(pattern, name) else tensor
        for name, tensor in tensors.items()
    }


def scaled(tensors: Mapping[str, LazyTensor], pattern: str, factor: float) -> Tensors:
    """`tensors` with those multiplied whose name matches `pattern`."""
    return transform(tensors, pattern, lambda weight: weight * factor)


def half_split(
    tensors: Mapping[str, LazyTensor], pattern: str, width: int, rotated: int
) -> Tensors:
    """`tensors` with the rows of each head of `width` in the order in which our rotation turns them.

    For what makes, or norms, queries and keys of which neighbouring channels turn together: of the first
    `rotated` the even ones come first, then the odd ones. A score sums over channels in any order.
    """
    return transform(tensors, pattern, lambda rows: in_halves(rows, width, rotated))


def in_halves(rows: Tensor, width: int, rotated: int) -> Tensor:
    """Rows [heads * width, ...] in that order."""
    order = [*range(0, rotated, 2), *range(1, rotated, 2), *range(rotated, width)]
    return rows.unflatten(0, (-1, width))[:, order].flatten(0, 1)


def zero_biases(tensors: Mapping[str, LazyTensor], pattern: str) -> Tensors:
    """`tensors` with a bias of zeros beside each weight that matches `pattern`."""
    more = {
        name.removesuffix("weight") + "bias": constant(tensor.shape, 0.0)
        for name, tensor in tensors.items()
        if re.search(pattern, name)
    }
    return more | dict(tensors)


def constant(shape: tuple[int, ...], value: float) -> LazyTensor:
    """A tensor of one number."""
    return LazyTensor(shape, lambda: torch.full(shape, value))


def assign(
    model: nn.Module,
    tensors: Mapping[str, LazyTensor],
    progress: Callable[[Iterable[Any]], Iterable[Any]],
    saved_by: str = "",
) -> None:
    """Load every parameter of `model` (built on the meta device), strictly.

    Raises one CheckpointError with all missing, surplus and misshapen names. `saved_by` is the class that
    wrote the checkpoint, to be named where all but the head is there.
    """
    tensors = {name: tensor for name, tensor in tensors.items() if not IGNORED.search(name)}
    expected = {name: tuple(value.shape) for name, value in model.named_parameters()}
    _check_fit(expected, {name: tensor.shape for name, tensor in tensors.items()}, saved_by)
    for name in progress(list(expected)):
        tensor = tensors[name].load()
        if not torch.isfinite(tensor).all():
            count = int((~torch.isfinite(tensor)).sum())
            raise CheckpointError(
                f"weight {shown(name)} holds {count} values that are not finite", "CKPT_NONFINITE"
            )
        owner, _, attribute = name.rpartition(".")
        parameter = nn.Parameter(tensor, requires_grad=False)
        setattr(model.get_submodule(owner), attribute, parameter)


def _check_fit(
    expected: Mapping[str, tuple[int, ...]], actual: Mapping[str, tuple[int, ...]], saved_by: str
) -> None:
    problems = {
        "missing": sorted(expected.keys() - actual.keys()),
        "unexpected": sorted(actual.keys() - expected.keys()),
        "misshapen": [n for n in expected if n in actual and actual[n] != expected[n]],
    }
    kinds = {kind: names for kind, names in problems.items() if names}
    if not kinds:
        return
    count = 5 - len(kinds)  # names of each kind, so that the line stays one
    listed = [f"{len(names)} {kind}: {some(names, count)}" for kind, names in kinds.items()]
    for name in problems["misshapen"][:1]:
        listed[-1] += f" ({list(actual[name])}, config.json says {list(expected[name])})"
    if list(kinds) == ["missing"] and set(problems["missing"]) <= set(HEADS):
        listed.append(
            f"{shown(saved_by or 'the base class')} has no head and config.json ties none to the "
            "embeddings; save the model from the class that generates"
        )
    raise CheckpointError(f"weights do not fit the model: {'; '.join(listed)}", "CKPT_WEIGHTS")
