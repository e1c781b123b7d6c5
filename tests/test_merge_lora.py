"""Adapters of peft in the weights of an export: the same logits as peft's, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import satchel
from satchel import models
from satchel.checkpoints.folder import load_folder
from satchel.checkpoints.lora import merged
from satchel.checkpoints.name_patterns import matched
from satchel.cli.main import main
from satchel.runtime.errors import CheckpointError, SatchelError
from tests.tiny import save_checkpoint
from tests.tiny_lora import CONFIG, FILE, edit_lora, edit_tensors, save_lora

IDS = [[5, 9, 200, 31, 7, 7, 64, 2]]
ALL = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
BIASED: dict[str, Any] = {"attention_bias": True, "tie_word_embeddings": False}
KINDS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "some layers": ("llama", {}, {"target_modules": ["q_proj", "v_proj"]}),
    "all layers": ("qwen3", {"head_dim": 16}, {"target_modules": "all-linear"}),
    "in one projection": ("phi3", {}, {"target_modules": ["qkv_proj", "gate_up_proj"]}),
    "turned": ("gpt2", {}, {"target_modules": ["c_attn", "c_proj", "c_fc"]}),
    "neighbours turn": ("gptj", {"rotary_dim": 16}, {"target_modules": ["q_proj", "k_proj"]}),
    "root of the rank": ("llama", {}, {"target_modules": ALL, "use_rslora": True, "lora_alpha": 5}),
    "patterns": (
        "llama",
        {},
        {
            "target_modules": r"model\.layers\.\d\.(self_attn|mlp)\.(q|up|down)_proj",
            "rank_pattern": {"layers.1.mlp.up_proj": 2, "q_proj": 8},
            "alpha_pattern": {r"layers\.\d\.mlp\..*": 3},
        },
    ),
    "one layer": ("llama", {}, {"target_modules": ALL, "layers_to_transform": [1]}),
    "named layers": (
        "llama",
        {},
        {"target_modules": ALL, "layers_to_transform": 0, "layers_pattern": "layers"},
    ),
    "without one": ("llama", {}, {"target_modules": ALL, "exclude_modules": ["down_proj"]}),
    "lengths": ("llama", {}, {"target_modules": ALL, "use_dora": True}),
    "lengths, turned": ("gpt2", {}, {"target_modules": ["c_attn", "c_proj"], "use_dora": True}),
    "biases": ("llama", BIASED, {"target_modules": ALL[:4], "bias": "all", "lora_bias": True}),
    "biases beside": ("llama", BIASED, {"target_modules": ["q_proj"], "bias": "lora_only"}),
    "whole weights": (
        "llama",
        {"tie_word_embeddings": False},
        {"target_modules": ["q_proj", "lm_head"], "modules_to_save": ["embed_tokens", "norm"]},
    ),
}


def logits_of(folder: Path, lora: Path | None) -> np.ndarray[Any, Any]:
    model, _ = models.build(merged(load_folder(folder), lora), 64)
    with torch.inference_mode():
        return np.asarray(model(torch.tensor(IDS))[0])


def peft_logits(model: Any) -> np.ndarray[Any, Any]:
    with torch.inference_mode():
        return np.asarray(model(torch.tensor(IDS)).logits[0])


@pytest.mark.parametrize("kind", KINDS)
def test_logits_are_those_of_peft(kind: str, tmp_path: Path) -> None:
    model_type, sizes, settings = KINDS[kind]
    save_checkpoint(tmp_path / "base", model_type, **sizes)
    expected = peft_logits(save_lora(tmp_path / "base", tmp_path / "lora", **settings))
    plain = logits_of(tmp_path / "base", None)
    found = logits_of(tmp_path / "base", tmp_path / "lora")
    scale = np.abs(expected).max()
    assert np.abs(plain - expected).max() > 1e-2 * scale, "the adapter changes nothing"
    np.testing.assert_allclose(found, expected, atol=2e-5 * scale, rtol=0)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("merge") / "base"
    save_checkpoint(folder, "llama")
    return folder


@pytest.fixture
def lora(base: Path, tmp_path: Path) -> Path:
    save_lora(base, tmp_path / "lora", target_modules=["q_proj", "v_proj"])
    return tmp_path / "lora"


def test_a_bundle_has_no_trace_but_its_source(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = save_lora(base, tmp_path / "lora", target_modules=ALL)
    out = tmp_path / "bundle"
    options = ["--profile", "fp32", "--merge-lora", str(tmp_path / "lora")]
    assert main(["export", str(base), str(out), *options]) == 0
    bundle: Any = satchel.load(out)
    expected = peft_logits(model)
    np.testing.assert_allclose(
        bundle.logits(IDS[0]), expected, atol=5e-5 * np.abs(expected).max(), rtol=0
    )
    assert bundle.manifest.source.name == "base with lora"
    assert bundle.manifest.source.sha256 != load_folder(base).sha256
    assert sorted(path.name for path in out.iterdir()) == sorted(
        [*bundle.manifest.files, "manifest.json"]
    )
    capsys.readouterr()


def first(tensors: dict[str, torch.Tensor], ending: str) -> str:
    return next(name for name in sorted(tensors) if name.endswith(ending))


def put(ending: str, make: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[Path], None]:
    """Another tensor in place of the first whose name ends so."""

    def change(tensors: dict[str, torch.Tensor]) -> None:
        name = first(tensors, ending)
        tensors[name] = make(tensors[name])

    return lambda folder: edit_tensors(folder, change)


def renamed(ending: str, new: str) -> Callable[[Path], None]:
    def change(tensors: dict[str, torch.Tensor]) -> None:
        name = first(tensors, ending)
        tensors[name.replace(ending, new)] = tensors.pop(name)

    return lambda folder: edit_tensors(folder, change)


def said(**changes: Any) -> Callable[[Path], None]:
    return lambda folder: edit_lora(folder, **changes)


def nan(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.index_fill(0, torch.tensor([1]), torch.nan)


WRONG: dict[str, tuple[Callable[[Path], Any], str]] = {
    "no configuration": (lambda f: (f / CONFIG).unlink(), "has no adapter_config.json"),
    "no weights": (lambda f: (f / FILE).unlink(), "has no adapter_model.safetensors"),
    "pickle": (lambda f: (f / FILE).rename(f / "adapter_model.bin"), "pickled weights"),
    "cut weights": (lambda f: (f / FILE).write_bytes((f / FILE).read_bytes()[:99]), "is cut off"),
    "another kind": (said(peft_type="IA3"), "peft_type 'IA3'; expected LORA"),
    "unknown key": (said(future={"x": 1}), "'future' = \"{'x': 1}\" is not supported"),
    "replicated": (said(layer_replication=[[0, 2]]), "'layer_replication' = .* is not supported"),
    "trained tokens": (said(trainable_token_indices=[3]), "'trainable_token_indices' = "),
    "other start": (said(init_lora_weights="pissa"), "init_lora_weights = 'pissa' changes the"),
    "rank 0": (said(r=0), "r = 0; expected a rank from 1"),
    "rank as text": (said(r="4"), "r = '4'; expected"),
    "no alpha": (said(lora_alpha=None), "lora_alpha = None; expected a number"),
    "alpha nan": (said(lora_alpha=float("nan")), "lora_alpha = nan; expected a number"),
    "bias": (said(bias="some"), "bias = 'some'; expected none, all, lora_only"),
    "pattern of texts": (said(rank_pattern={"q_proj": "x"}), "rank_pattern = .*; expected numbers"),
    "no regular expression": (said(target_modules="(("), r"'\(\(' is no regular expression"),
    "no targets": (said(target_modules=None), "target_modules = None; expected names"),
    "layers": (said(layers_to_transform=["x"]), "layers_to_transform = .*; expected numbers"),
    "layers' list": (said(layers_pattern="(a"), "layers_pattern = .*; expected names of lists"),
    "another rank": (
        said(r=8),
        r"'model.*' has the shape \[4, 64\]; adapter_config.json says rank 8",
    ),
    "fewer targets": (
        said(target_modules=["q_proj"]),
        "changes .*v_proj.*, which .* does not target",
    ),
    "more targets": (
        said(target_modules=["q_proj", "v_proj", "o_proj"]),
        "lacks .*o_proj.*, which .* targets",
    ),
    "lengths": (said(use_dora=True), "lacks lora_magnitude_vector"),
    "no B": (renamed(".lora_B.weight", ".lora_C.weight"), "lora_C.weight' is not supported"),
    "half": (
        lambda f: edit_tensors(f, lambda t: t.pop(first(t, "q_proj.lora_B.weight"))),
        "'model.layers.0.self_attn.q_proj' lacks lora_B",
    ),
    "no prefix": (
        renamed(
            "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight", "x.lora_A.weight"
        ),
        "does not begin with base_model.model.",
    ),
    "another model": (
        lambda f: edit_tensors(
            f, lambda t: [t.update({n.replace("self_attn", "attn"): t.pop(n)}) for n in list(t)]
        ),
        "changes 'model.layers.0.attn.*', which 'base' has not: it was made for another model",
    ),
    "another width": (
        put("q_proj.lora_A.weight", lambda t: t[:, :32]),
        r"do not fit its weight \[64, 64\]",
    ),
    "another height": (
        put("v_proj.lora_B.weight", lambda t: t.repeat(2, 1)),
        "do not fit its weight",
    ),
    "not a matrix": (put("q_proj.lora_A.weight", lambda t: t[..., None]), "do not fit its weight"),
    "whole numbers": (put("q_proj.lora_A.weight", lambda t: t.int()), "is I32; satchel reads"),
    "not a number": (put("q_proj.lora_B.weight", nan), "holds values that are not finite"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_gets_one_line(case: str, base: Path, lora: Path, tmp_path: Path) -> None:
    damage, expected = WRONG[case]
    damage(lora)
    with pytest.raises(SatchelError, match=expected) as caught:
        satchel.pack(base, tmp_path / "out", profile="fp32", merge_lora=lora)
    assert len(str(caught.value)) <= 600 and "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_table_that_is_tied_to_the_head_is_refused(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "base", "llama", tie_word_embeddings=True)
    settings: dict[str, Any] = {
        "target_modules": ["q_proj"],
        "modules_to_save": ["embed_tokens"],
    }
    save_lora(tmp_path / "base", tmp_path / "lora", **settings)
    with pytest.raises(SatchelError, match="head is tied to its table"):
        merged(load_folder(tmp_path / "base"), tmp_path / "lora")


def test_a_larger_vocabulary_is_refused(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "base", "llama", tie_word_embeddings=False)
    save_lora(tmp_path / "base", tmp_path / "lora", target_modules=["q_proj", "lm_head"])
    put("lm_head.base_layer.weight", lambda t: torch.cat([t, t[:1]]))(tmp_path / "lora")
    with pytest.raises(CheckpointError, match="another model, or a larger vocabulary"):
        merged(load_folder(tmp_path / "base"), tmp_path / "lora")


def test_no_folder(base: Path, tmp_path: Path) -> None:
    with pytest.raises(SatchelError, match="is no folder; expected one saved by peft"):
        satchel.pack(base, tmp_path / "out", merge_lora=tmp_path / "gone")


def test_an_expression_that_never_ends_is_stopped() -> None:
    with pytest.raises(CheckpointError, match=r"takes longer than 0\.3 s to match"):
        matched(["(a+)+b"], ["a" * 64], "a file", seconds=0.3)


def test_a_note_where_the_base_has_another_name(base: Path, lora: Path) -> None:
    edit_lora(lora, base_model_name_or_path="owner/other")
    assert any("trained on 'owner/other'" in note for note in merged(load_folder(base), lora).notes)
