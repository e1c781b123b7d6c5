"""Weights that do not fit their config.json, or are no numbers: one error, which lists them."""

from __future__ import annotations

import unicodedata
from operator import methodcaller
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from satchel import models
from satchel.checkpoints.folder import load_folder
from tests import damage as d
from tests.outcome import refuse
from tests.tiny import edit_config

pytest_plugins = "tests.places"

TENSORS: dict[str, d.Case] = {
    **{
        f"{value} in {name}": (
            d.tensors(**{name: d.spoilt(value)}),
            "CKPT_NONFINITE",
            "holds 1 values",
        )
        for value in (float("nan"), float("-inf"))
        for name in (
            "model__embed_tokens__weight",
            "L0__self_attn__q_proj__weight",
            "L0__mlp__down_proj__weight",
            "L0__input_layernorm__weight",
            "lm_head__weight",
        )
    },
    "number too large for float32": (
        d.tensors(lm_head__weight=lambda x: d.spoilt(1e39)(x.to(torch.float64))),
        "CKPT_NONFINITE",
        "lm_head.weight",
    ),
    **{
        f"weights of {dtype}": (
            d.tensors(lm_head__weight=methodcaller("to", dtype)),
            "UNSUPPORTED_DTYPE",
            "satchel reads BF16, F16, F32, F64",
        )
        for dtype in (torch.int64, torch.int8, torch.bool, torch.float8_e4m3fn, torch.float8_e5m2)
    },
    "missing, unexpected and misshapen together": (
        d.tensors(
            lm_head__weight=d.gone,
            ghost=lambda _: torch.ones(2),
            L0__mlp__down_proj__weight=lambda x: x.T,
        ),
        "CKPT_WEIGHTS",
        "1 missing: 'lm_head.weight'; 1 unexpected: 'ghost'; "
        "1 misshapen: 'model.layers.0.mlp.down_proj.weight' ([96, 64], config.json says [64, 96])",
    ),
    "unexpected name with escapes": (
        d.tensors(**{"\x1b[2J\n" + "x" * 500: lambda _: torch.ones(2)}),
        "CKPT_WEIGHTS",
        "1 unexpected: '\\x1b[2J",
    ),
    "unexpected names that differ in normalization": (
        d.tensors(
            **{
                unicodedata.normalize(form, "\u00e9"): lambda _: torch.ones(1)
                for form in ("NFC", "NFD")
            }
        ),
        "CKPT_WEIGHTS",
        "2 unexpected",
    ),
    "matrix transposed": (
        d.tensors(L0__mlp__down_proj__weight=lambda x: x.T),
        "CKPT_WEIGHTS",
        "[96, 64], config.json says [64, 96]",
    ),
    "heads of queries and keys swapped": (
        d.tensors(
            L0__self_attn__q_proj__weight=lambda x: x[:32],
            L0__self_attn__k_proj__weight=lambda x: torch.cat([x, x]),
        ),
        "CKPT_WEIGHTS",
        "k_proj",
    ),
    "keys of another width": (
        d.tensors(L0__self_attn__k_proj__weight=lambda x: x[:, :-1]),
        "CKPT_WEIGHTS",
        "k_proj",
    ),
    "gate and up of other widths": (
        d.tensors(
            L0__mlp__gate_proj__weight=lambda x: x[:90],
            L0__mlp__up_proj__weight=lambda x: torch.cat([x, x[:6]]),
        ),
        "CKPT_WEIGHTS",
        "up_proj",
    ),
    "scalar for a matrix": (
        d.tensors(L0__self_attn__q_proj__weight=lambda _: torch.tensor(1.0)),
        "CKPT_WEIGHTS",
        "q_proj",
    ),
    "three dimensions for a matrix": (
        d.tensors(model__embed_tokens__weight=lambda x: x[None]),
        "CKPT_WEIGHTS",
        "[1, 320, 64]",
    ),
    "norm without elements": (
        d.tensors(model__norm__weight=lambda _: torch.empty(0)),
        "CKPT_WEIGHTS",
        "[0]",
    ),
    "qwen2_without_its_biases": (
        d.of_type("qwen2", tie_word_embeddings=False),
        "CKPT_WEIGHTS",
        "1 missing: 'model.layers.0.self_attn.qkv_proj.bias'",
    ),
    "gpt_neox_heads": (
        d.both(
            d.of_type("gpt_neox", rotary_pct=1.0, rope_parameters=d.MISSING),
            d.tensors(
                gpt_neox__layers__0__attention__query_key_value__weight=lambda _: torch.ones(
                    100, 64
                )
            ),
        ),
        "CKPT_WEIGHTS",
        "missing",
    ),
}
TIED = "model.embed_tokens.weight"
SOUND = {  # harmless, however odd
    "no_generation_config": d.without("generation_config.json"),
    "rotation frequencies": d.tensors(L0__self_attn__rotary_emb__inv_freq=lambda _: torch.ones(8)),
    "other_pickles": d.wrote("training_args.bin", b"\x80\x04canary"),
    "null_key": d.config(sliding_window=None, frobnicate=None),
    "odd_card": d.wrote("README.md", b"---\nlicense: \xff\n---"),
    "link_inside": d.both(
        lambda folder: (folder / d.WEIGHTS).rename(folder / "w"), d.linked(d.WEIGHTS, "w")
    ),
    "header like a pickle": lambda folder: _padded_header(folder, lambda n: n & 0xFF == 0x80),
    "header like pickle protocol 5": lambda folder: _padded_header(folder, lambda n: n == 0x0580),
    "header like a zip": lambda folder: _padded_header(folder, lambda n: n == 0x4B50),
}


def _padded_header(folder: Path, wanted: Any) -> None:
    """Whose length, the file's first bytes, looks like the start of something else."""
    data = (folder / d.WEIGHTS).read_bytes()
    end = 8 + int.from_bytes(data[:8], "little")
    text = data[8:end].rstrip()
    length = next(n for n in range(len(text), 1 << 16) if wanted(n))
    d.header(text.ljust(length), data[end:])(folder)


@pytest.mark.parametrize("name", TENSORS)
def test_damage_is_refused(name: str, place: Path, capfd: Any) -> None:
    damage, code, words = TENSORS[name]
    damage(place / "checkpoint")
    refuse(capfd, place, code, words)


@pytest.mark.parametrize("name", SOUND)
def test_what_is_harmless_is_read(name: str, place: Path) -> None:
    SOUND[name](place / "checkpoint")
    models.build(load_folder(place / "checkpoint"))


def test_shards_of_transformers(place: Path) -> None:
    folder = place / "checkpoint"
    whole, _ = models.build(load_folder(folder))
    theirs = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    (folder / d.WEIGHTS).unlink()
    theirs.save_pretrained(folder, max_shard_size="100KB")
    assert len(list(folder.glob("*.safetensors"))) > 1
    parts, _ = models.build(load_folder(folder))
    ids = torch.tensor([[1, 2, 3]])
    torch.testing.assert_close(parts(ids), whole(ids), atol=0, rtol=0)


def test_every_tensor_is_needed(place: Path, capfd: Any) -> None:
    folder = place / "checkpoint"
    whole = load_file(folder / d.WEIGHTS)
    for name in whole:
        save_file({n: t for n, t in whole.items() if n != name}, folder / d.WEIGHTS)
        role = name.removesuffix(".weight").rpartition(".")[2].removesuffix("_proj")
        fused = {"q": "qkv", "k": "qkv", "v": "qkv", "gate": "gate_up", "up": "gate_up"}
        refuse(
            capfd,
            place,
            "CKPT_WEIGHTS",
            "missing: 'model" if "." in role else fused.get(role, role),
        )


@pytest.mark.parametrize("head", ["absent", "same", "different"])
@pytest.mark.parametrize("tie", [True, False, d.MISSING])
def test_a_head_tied_to_the_embedding_or_not(tie: Any, head: str, place: Path, capfd: Any) -> None:
    folder = place / "checkpoint"
    edit_config(folder, tie_word_embeddings=tie)
    found = load_file(folder / d.WEIGHTS)
    if head == "absent":
        del found["lm_head.weight"]
    elif head == "same":
        found["lm_head.weight"] = found[TIED].clone()
    save_file(found, folder / d.WEIGHTS)
    if tie is not True and head == "absent":
        refuse(capfd, place, "CKPT_WEIGHTS", "1 missing: 'lm_head.weight'")
    else:
        model, _ = models.build(load_folder(folder))
        tied = tie is True and head != "different"
        used = model.model.embed_tokens if tied else model.lm_head
        assert bool(model.notes) == (tie is True and not tied)
        torch.testing.assert_close(used.weight, found.get("lm_head.weight", found[TIED]))
