"""Every text encoder and head: transformers = our tower, and the tower leaves as few nodes."""

from __future__ import annotations

import logging
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from satchel import models
from satchel.checkpoints.folder import load_folder
from satchel.models.encoder import ReferenceEncoder, Tower
from satchel.models.ops import OPSET
from satchel.runtime.errors import CheckpointError, SatchelError, UnsupportedError, UsageError
from tests.encoder_cases import CASES, HEADED
from tests.tiny import VOCAB, edit_config
from tests.tiny_encoders import HEADS, POSITIONS, save_encoder


def build(folder: Path, task: str | None = None) -> ReferenceEncoder:
    return models.build_encoder(load_folder(folder), task)


def some_inputs(tower: Tower, length: int, rows: int = 3) -> dict[str, Tensor]:
    """Random ids without the padding token's, and types of two segments where they are an input."""
    inputs = {"input_ids": torch.randint(2, VOCAB, (rows, length))}
    if "token_type_ids" in tower.input_names:
        inputs["token_type_ids"] = (torch.arange(length) > length // 3).long().repeat(rows, 1)
    return inputs


def parted(inputs: dict[str, Tensor], separator: int) -> None:
    """Part ids into question and text by three separators, as for Longformer, each row elsewhere."""
    ids = inputs["input_ids"]
    ids[ids == separator] += 1
    length = ids.shape[1]
    for row, question in zip(ids, (length // 3, 0, length // 2), strict=True):
        row[[question, question + 1, length - 1]] = separator


def expected_outputs(theirs: Any, task: str, inputs: dict[str, Tensor]) -> list[Tensor]:
    """States and answer of transformers' model."""
    with torch.inference_mode():
        answer = theirs(**inputs, output_hidden_states=True)
        states = theirs.base_model(**inputs).last_hidden_state
    if theirs.config.model_type == "longformer":  # with the tokens that see the whole text
        states = answer.hidden_states[-1]
    if task == "embed":
        return [states, nn.functional.normalize(states.mean(1), dim=-1)]
    if task == "answer":
        return [states, torch.stack([answer.start_logits, answer.end_logits], -1)]
    return [states, answer.logits]


def assert_same(found: list[Tensor], expected: list[Tensor]) -> None:
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.shape == theirs.shape
        scale = theirs.abs().max().item()
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), atol=1e-4 * scale)


@pytest.mark.parametrize(("name", "task"), HEADED)
def test_tower_equals_transformers(name: str, task: str, tmp_path: Path) -> None:
    model_type, overrides = CASES[name]
    theirs = save_encoder(tmp_path, model_type, task, **overrides)
    model = build(tmp_path)
    tower = model.towers["encoder"]
    assert (model.task, model.architecture) == (task, model_type)
    asks = (model_type, task) == ("longformer", "answer")
    for length in (5 if asks else 1, 6 if asks else 2, 17, min(model.context, 300)):
        inputs = some_inputs(tower, length)
        if asks:
            parted(inputs, theirs.config.sep_token_id)
        with torch.inference_mode():
            found = tower(*inputs.values())
        assert_same(found, expected_outputs(theirs, task, inputs))
        assert length == 1 or found[-1].std() > 0.01  # equal answers alone would prove nothing
        sizes: dict[int | str, int] = {"batch": 3, "length": length}
        axes = [[sizes.get(axis, axis) for axis in axes] for axes in tower.outputs.values()]
        assert axes == [list(output.shape) for output in found]


def test_inputs_are_ids_and_types_where_texts_come_in_pairs(tmp_path: Path) -> None:
    for task in HEADS:
        save_encoder(tmp_path / task, "bert", task)
        names = build(tmp_path / task).towers["encoder"].input_names
        assert ("token_type_ids" in names) == (task in ("classify", "answer"))


@pytest.mark.parametrize(
    ("model_type", "positions"),
    [("bert", POSITIONS), ("roberta", POSITIONS - 2), ("mpnet", 398), ("modernbert", POSITIONS)],
)
def test_context_is_what_positions_allow(model_type: str, positions: int, tmp_path: Path) -> None:
    save_encoder(tmp_path, model_type)
    model = build(tmp_path)
    assert (model.context, model.max_length) == (positions, positions)
    assert (model.hidden_size, model.vocab_size) == (64, VOCAB)
    assert model.notes and model.normalized and model.labels is None


def test_any_checkpoint_embeds(tmp_path: Path) -> None:
    theirs = save_encoder(tmp_path, "bert", "fill-mask")
    tower = build(tmp_path, "embed").towers["encoder"]
    inputs = some_inputs(tower, 11)
    with torch.inference_mode():
        assert_same(tower(*inputs.values()), expected_outputs(theirs, "embed", inputs))


def test_pretraining_checkpoints(tmp_path: Path) -> None:
    save_encoder(tmp_path / "bert", "bert", "fill-mask")
    edit_config(tmp_path / "bert", architectures=["BertForPreTraining"])
    assert build(tmp_path / "bert").task == "fill-mask"
    save_encoder(tmp_path / "electra", "electra")
    edit_config(tmp_path / "electra", architectures=["ElectraForPreTraining"])
    with pytest.raises(UnsupportedError, match="--task embed exports its states"):
        build(tmp_path / "electra")
    assert build(tmp_path / "electra", "embed").task == "embed"


def test_names_of_older_checkpoints(tmp_path: Path) -> None:
    """Norms as TensorFlow named them, a counter among the weights, keys of older configurations."""
    from safetensors.torch import load_file, save_file

    theirs = save_encoder(tmp_path, "bert", "fill-mask")
    older = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("Norm.bias", "Norm.beta"): value
        for name, value in load_file(tmp_path / "model.safetensors").items()
    }
    older["bert.embeddings.position_ids"] = torch.arange(POSITIONS)[None]
    older["cls.seq_relationship.weight"] = torch.zeros(2, 64)
    older["cls.predictions.decoder.weight"] = older[
        "bert.embeddings.word_embeddings.weight"
    ].clone()
    save_file(older, tmp_path / "model.safetensors")
    edit_config(tmp_path, position_embedding_type="absolute", pooler_type="first_token_transform")
    tower = build(tmp_path).towers["encoder"]
    inputs = some_inputs(tower, 9)
    with torch.inference_mode():
        assert_same(tower(*inputs.values()), expected_outputs(theirs, "fill-mask", inputs))


@pytest.mark.parametrize("model_type", ["deberta", "deberta-v2"])
def test_masked_word_head_of_the_published_deberta(model_type: str, tmp_path: Path) -> None:
    """Its names are those of `legacy: false`, which config.json does not say."""
    from safetensors.torch import load_file, save_file

    theirs = save_encoder(tmp_path, model_type, "fill-mask", legacy=False)
    published = load_file(tmp_path / "model.safetensors") | {
        "deberta.embeddings.position_embeddings.weight": torch.zeros(POSITIONS, 64),
        "mask_predictions.dense.weight": torch.zeros(64, 64),
    }
    save_file(published, tmp_path / "model.safetensors")
    edit_config(tmp_path, legacy=..., z_steps=2, position_biased_input=False)
    tower = build(tmp_path).towers["encoder"]
    inputs = some_inputs(tower, 9)
    with torch.inference_mode():
        assert_same(tower(*inputs.values()), expected_outputs(theirs, "fill-mask", inputs))


REFUSED: dict[str, tuple[str, str, dict[str, Any], str | None, type[SatchelError], str]] = {
    "decoder": ("bert", "embed", {"is_decoder": True}, None, UnsupportedError, "is_decoder"),
    "relative": (
        "bert",
        "embed",
        {"position_embedding_type": "relative_key"},
        None,
        UnsupportedError,
        "relative_key",
    ),
    "key": ("bert", "embed", {"pruned_heads": {"0": [1]}}, None, UnsupportedError, "pruned_heads"),
    "act": ("bert", "embed", {"hidden_act": "mish"}, None, UnsupportedError, "mish"),
    "heads": (
        "bert",
        "embed",
        {"num_attention_heads": 7},
        None,
        CheckpointError,
        "does not divide",
    ),
    "buckets": (
        "mpnet",
        "embed",
        {"relative_attention_num_buckets": 64},
        None,
        UnsupportedError,
        "buckets",
    ),
    "layers": (
        "modernbert",
        "embed",
        {"layer_types": ["other"]},
        None,
        CheckpointError,
        "layer_types",
    ),
    "pooling": (
        "modernbert",
        "classify",
        {"classifier_pooling": "max"},
        None,
        UnsupportedError,
        "classifier_pooling",
    ),
    "buckets of distances": (
        "deberta-v2",
        "embed",
        {"position_buckets": 3},
        None,
        CheckpointError,
        "make no buckets",
    ),
    "kinds of distances": (
        "deberta",
        "embed",
        {"pos_att_type": "c2p|p2p"},
        None,
        UnsupportedError,
        "known: c2p, p2c",
    ),
    "narrow words": (
        "deberta-v2",
        "embed",
        {"embedding_size": 32},
        None,
        UnsupportedError,
        "embedding_size",
    ),
    "groups": (
        "deberta-v2",
        "embed",
        {"conv_kernel_size": 3, "conv_groups": 2},
        None,
        UnsupportedError,
        "conv_groups = 2",
    ),
    "types alone": (
        "deberta-v2",
        "embed",
        {"type_vocab_size": 2},
        None,
        UnsupportedError,
        "position_biased_input = False",
    ),
    "no head": ("bert", "embed", {}, "classify", UnsupportedError, "lacks pooler|lacks classifier"),
    "other head": ("bert", "tokens", {}, "classify", UnsupportedError, "was made for tokens"),
    "discriminator": ("electra", "embed", {}, "fill-mask", UnsupportedError, "generator"),
    "task": ("bert", "embed", {}, "translate", UsageError, "known: embed"),
    "purpose": (
        "bert",
        "embed",
        {"architectures": ["BertForMultipleChoice"]},
        None,
        UnsupportedError,
        "BertForMultipleChoice",
    ),
    "labels": (
        "bert",
        "classify",
        {"id2label": {"0": "no", "1": "yes"}},
        None,
        CheckpointError,
        "classifier has 3 rows but config.json means 2",
    ),
    "numbering": (
        "bert",
        "classify",
        {"id2label": {"1": "a", "2": "b", "3": "c"}},
        None,
        CheckpointError,
        "from 0",
    ),
    "problem": ("bert", "classify", {"problem_type": "ranking"}, None, UnsupportedError, "ranking"),
    "types": ("bert", "embed", {"type_vocab_size": 3}, None, CheckpointError, "token_type"),
    "sizes": ("bert", "embed", {"intermediate_size": 80}, None, CheckpointError, "misshapen"),
    "type": ("bert", "embed", {"model_type": "bart"}, None, UnsupportedError, "known: .*albert"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_by_name(name: str, tmp_path: Path) -> None:
    model_type, head, changes, task, error, words = REFUSED[name]
    save_encoder(tmp_path, model_type, head)
    edit_config(tmp_path, **changes)
    with pytest.raises(error, match=words):
        build(tmp_path, task)


@pytest.mark.parametrize(
    ("changes", "scores"),
    [
        ({}, "softmax"),
        ({"problem_type": "single_label_classification"}, "softmax"),
        ({"problem_type": "multi_label_classification"}, "sigmoid"),
        ({"problem_type": "regression"}, "identity"),
    ],
)
def test_labels(changes: dict[str, Any], scores: str, tmp_path: Path) -> None:
    save_encoder(tmp_path, "bert", "classify")
    edit_config(tmp_path, id2label={"0": "no", "2": "perhaps", "1": "yes"}, **changes)
    labels = build(tmp_path).labels
    assert labels is not None
    assert (labels.names, labels.scores) == (["no", "yes", "perhaps"], scores)


SIGMOID = "torch.nn.modules.activation.Sigmoid"


@pytest.mark.parametrize(
    ("changes", "scores"),
    [
        ({}, "sigmoid"),
        ({"problem_type": "regression"}, "identity"),
        ({"problem_type": "single_label_classification"}, "sigmoid"),
        ({"sentence_transformers": {"activation_fn": SIGMOID}}, "sigmoid"),
        ({"sbert_ce_default_activation_function": "torch.nn.modules.linear.Identity"}, "identity"),
        ({"problem_type": "multi_label_classification"}, "sigmoid"),
    ],
)
def test_one_label(changes: dict[str, Any], scores: str, tmp_path: Path) -> None:
    save_encoder(tmp_path, "bert", "classify", num_labels=1)
    edit_config(tmp_path, **changes)
    labels = build(tmp_path).labels
    assert labels is not None and labels.scores == scores


def traced_operators(tower: Tower) -> Counter[str]:
    """Operators of the exported graph, counted."""

    class Listed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.tower = tower

        def forward(self, inputs: list[Tensor]) -> list[Tensor]:
            return self.tower(*inputs)

    axes = {0: torch.export.Dim("batch"), 1: torch.export.Dim("length")}
    inputs = [torch.zeros(2, 6, dtype=torch.int64) for _ in tower.input_names]
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        program = torch.onnx.export(
            Listed().eval(),
            (inputs,),
            dynamo=True,
            opset_version=OPSET,
            dynamic_shapes=([axes] * len(inputs),),
            verbose=False,
        )
    assert program is not None
    return Counter(node.op_type for node in program.model.graph)


@pytest.mark.parametrize(
    ("model_type", "task", "layers", "norms", "other"),
    [
        ("bert", "embed", 2, 5, 11),
        ("bert", "classify", 2, 5, 10),
        ("mpnet", "embed", 2, 5, 19),
        ("modernbert", "fill-mask", 3, 6, 26),
        ("albert", "tokens", 2, 5, 8),
        ("deberta-v2", "embed", 2, 4, 71),
        ("gte", "tokens", 2, 4, 12),
        ("xlm-roberta-xl", "tokens", 2, 4, 9),
    ],
)
def test_graph_is_of_fused_operators(
    model_type: str, task: str, layers: int, norms: int, other: int, tmp_path: Path
) -> None:
    save_encoder(tmp_path, model_type, task)
    counts = traced_operators(build(tmp_path).towers["encoder"])
    assert counts.pop("MultiHeadAttention") == layers
    assert counts.pop("SkipLayerNormalization") == norms
    assert counts.pop("Gelu") == layers + (task == "fill-mask")
    assert counts.pop("RotaryEmbedding", 0) == {"modernbert": 6, "gte": 4}.get(model_type, 0)
    del counts["Linear"], counts["Embedding"]
    assert counts.total() <= other, counts
