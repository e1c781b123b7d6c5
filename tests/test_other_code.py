"""Text encoders in the layouts of the code that is published beside their weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

import satchel
from satchel import models
from satchel.checkpoints.adapters import merged
from satchel.checkpoints.config_keys import remarks
from satchel.checkpoints.folder import load_folder
from satchel.models.jina_bert import falling
from satchel.runtime.errors import CheckpointError, SatchelError, UnsupportedError, UsageError
from tests.loading import load_as
from tests.tiny import VOCAB, edit_config
from tests.tiny_encoders import POSITIONS
from tests.tiny_other_code import MADE, TASKS, save_other

ADAPTER = {"jina_xlm_roberta": TASKS[1]}
REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "experts": ("nomic_bert", {"moe_every_n_layers": 2}, "moe_every_n_layers"),
    "biases": ("nomic_bert", {"qkv_proj_bias": True}, "qkv_proj_bias"),
    "part": ("nomic_bert", {"rotary_emb_fraction": 0.5}, "rotary_emb_fraction"),
    "act": ("nomic_bert", {"activation_function": "gelu"}, "activation_function"),
    "two sizes": ("nomic_bert", {"hidden_size": 32}, "the two say the same"),
    "logarithm": ("new", {"logn_attention_scale": True}, "logn_attention_scale"),
    "positions": ("new", {"position_embedding_type": "absolute"}, "position_embedding_type"),
    "mixed": ("new", {"rope_scaling": {"type": "ntk", "factor": 2.0, "mixed_b": 0.6}}, "mixed_b"),
    "norms": ("new", {"layer_norm_type": "rms_norm"}, "layer_norm_type"),
    "gate": ("jina_bert", {"feed_forward_type": "swiglu"}, "feed_forward_type"),
    "cut": ("jina_xlm_roberta", {"truncate_dim": 32}, "truncate_dim"),
    "width": ("neobert", {"intermediate_size": 64}, "misshapen"),
}


def build(folder: Path, kind: str, task: str | None = "embed") -> Any:
    return models.build_encoder(merged(load_folder(folder), ADAPTER.get(kind)), task)


@pytest.mark.parametrize("kind", MADE)
def test_states(kind: str, tmp_path: Path) -> None:
    states = save_other(tmp_path, kind)
    model = build(tmp_path, kind)
    tower = model.towers["encoder"]
    assert (model.context, tower.input_names) == (POSITIONS, ("input_ids",))
    for length in (1, 2, 17, POSITIONS):
        ids = torch.randint(2, VOCAB, (3, length))
        with torch.inference_mode():
            expected, found = states(ids, torch.zeros_like(ids)), tower(ids)[0]
        assert (found - expected).abs().max() < 1e-4 * expected.abs().max()


@pytest.mark.parametrize("kind", MADE)
def test_all_keys_are_known(kind: str, tmp_path: Path) -> None:
    save_other(tmp_path, kind)
    config = json.loads((tmp_path / "config.json").read_text())
    of_nobody = {"dim_head", "summary_type"} & config.keys()
    notes = " ".join(note for note in remarks(config) if "auto_map" not in note)
    assert "auto_map" in " ".join(remarks(config))
    assert all(f"'{key}'" in notes for key in of_nobody - {"summary_type"})
    assert notes.count("'") == 2 * ("dim_head" in of_nobody)


@pytest.mark.parametrize("name", REFUSED)
def test_refused_by_name(name: str, tmp_path: Path) -> None:
    kind, changes, words = REFUSED[name]
    save_other(tmp_path, kind)
    edit_config(tmp_path, **changes)
    with pytest.raises(SatchelError, match=words):
        build(tmp_path, kind)


def test_an_adapter_is_chosen_by_name(tmp_path: Path) -> None:
    save_other(tmp_path / "in", "jina_xlm_roberta")
    with pytest.raises(UnsupportedError, match=r"--adapter chooses from 'retrieval\.query', "):
        satchel.pack(tmp_path / "in", tmp_path / "out", profile="fp32")
    with pytest.raises(UsageError, match="--adapter 'x' is unknown here; known: 'retrieval"):
        satchel.pack(tmp_path / "in", tmp_path / "out", profile="fp32", adapter="x")
    plain, first, second = (
        merged(load_folder(tmp_path / "in"), name).tensors for name in ("none", TASKS[0], TASKS[1])
    )
    name = "roberta.encoder.layers.0.mlp.fc1.weight"
    assert len({float(it[name].load().sum()) for it in (plain, first, second)}) == 3
    original = load_file(tmp_path / "in" / "model.safetensors")[
        "roberta.encoder.layers.0.mlp.fc1.parametrizations.weight.original"
    ]
    assert torch.equal(plain[name].load(), original)


def test_adapters_that_do_not_fit(tmp_path: Path) -> None:
    save_other(tmp_path / "in", "jina_xlm_roberta")
    edit_config(tmp_path / "in", lora_adaptations=[*TASKS, "more"])
    with pytest.raises(CheckpointError, match="which do not fit"):
        merged(load_folder(tmp_path / "in"), "more")
    edit_config(tmp_path / "in", lora_adaptations=None)
    with pytest.raises(CheckpointError, match="expected the adapters' names"):
        merged(load_folder(tmp_path / "in"), "more")
    save_other(tmp_path / "in", "neobert")
    with pytest.raises(UsageError, match="has none"):
        satchel.pack(tmp_path / "in", tmp_path / "out", profile="fp32", adapter="more")


def test_words_of_neobert(tmp_path: Path) -> None:
    states = save_other(tmp_path, "neobert")
    model = build(tmp_path, "neobert", None)
    held = load_file(tmp_path / "model.safetensors")
    ids = torch.randint(2, VOCAB, (2, 9))
    with torch.inference_mode():
        expected = states(ids, ids) @ held["decoder.weight"].T + held["decoder.bias"]
        found = model.towers["encoder"](ids)[1]
    assert model.task == "fill-mask"
    assert (found - expected).abs().max() < 1e-4 * expected.abs().max()


def test_types_and_labels_of_jina(tmp_path: Path) -> None:
    """A reranker of that kind: pairs of texts, pooled as BERT's are."""
    states = save_other(tmp_path, "jina_bert")
    held = load_file(tmp_path / "model.safetensors")
    held |= {"classifier.weight": torch.randn(1, 64), "classifier.bias": torch.randn(1)}
    save_file(held, tmp_path / "model.safetensors")
    edit_config(tmp_path, architectures=["JinaBertForSequenceClassification"], num_labels=1)
    model = build(tmp_path, "jina_bert", None)
    ids = torch.randint(2, VOCAB, (2, 9))
    types = (torch.arange(9) > 4).long().repeat(2, 1)
    with torch.inference_mode():
        first = states(ids, types)[:, 0]
        pooled = torch.tanh(first @ held["pooler.dense.weight"].T + held["pooler.dense.bias"])
        expected = pooled @ held["classifier.weight"].T + held["classifier.bias"]
        found = model.towers["encoder"](ids, types)[1]
    assert (found - expected).abs().max() < 1e-4 * expected.abs().max()


def test_queries_that_are_normed_are_refused(tmp_path: Path) -> None:
    save_other(tmp_path, "jina_bert")
    held = load_file(tmp_path / "model.safetensors")
    held["encoder.layer.0.attention.self.layer_norm_q.weight"] = torch.ones(64)
    save_file(held, tmp_path / "model.safetensors")
    with pytest.raises(UnsupportedError, match="norms its queries and keys"):
        build(tmp_path, "jina_bert")


def test_slopes_for_any_count_of_heads() -> None:
    assert falling(8) == [2.0**-power for power in range(1, 9)]
    np.testing.assert_allclose(falling(12)[8:], [2.0**-power for power in (0.5, 1.5, 2.5, 3.5)])


def test_texts_that_would_turn_by_their_length_are_cut(tmp_path: Path) -> None:
    save_other(tmp_path, "nomic_bert")
    edit_config(tmp_path, rotary_scaling_factor=2.0, max_trained_positions=48)
    assert build(tmp_path, "nomic_bert").context == 48


@pytest.mark.parametrize("kind", MADE)
def test_a_sentence_transformers_folder(kind: str, tmp_path: Path) -> None:
    """modules.json as these folders have it: the mean, to unit length; texts in, vectors out."""
    states = save_other(tmp_path / "in", kind)
    first: dict[str, Any] = {"type": "sentence_transformers.models.Transformer"}
    if kind == "jina_xlm_roberta":
        first = {"type": "custom_st.Transformer", "kwargs": ["task"]}
    kinds = [
        first,
        *({"type": f"sentence_transformers.models.{it}"} for it in ("Pooling", "Normalize")),
    ]
    places = ["", "1_Pooling", "2_Normalize"]
    entries = [
        {"idx": index, "name": str(index), "path": place, **entry}
        for index, (place, entry) in enumerate(zip(places, kinds, strict=True))
    ]
    (tmp_path / "in" / "modules.json").write_text(json.dumps(entries))
    (tmp_path / "in" / "1_Pooling").mkdir()
    pooling = {"word_embedding_dimension": 64, "pooling_mode_mean_tokens": True}
    (tmp_path / "in" / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    packed = satchel.pack(
        tmp_path / "in", tmp_path / "out", profile="fp32", adapter=ADAPTER.get(kind)
    )
    assert packed.manifest.task == "embed"
    assert packed.manifest.text is not None and packed.manifest.text.normalized
    embedder = load_as(satchel.EncoderModel, tmp_path / "out", threads=1)
    tokenizer = Tokenizer.from_file(str(tmp_path / "out" / "tokenizer.json"))
    found = embedder.embed(["the dog sees the fox"])
    ids = torch.tensor([tokenizer.encode("the dog sees the fox").ids])
    with torch.inference_mode():
        mean = states(ids, torch.zeros_like(ids)).mean(1)
    expected = torch.nn.functional.normalize(mean, dim=-1).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-4)
