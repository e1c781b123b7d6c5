"""Every encoder-decoder architecture: transformers = our reference model = the exported graphs."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
import transformers

import satchel
from satchel import models
from satchel.checkpoints.folder import load_folder
from satchel.export.check import tolerance
from satchel.measure import graph_layers
from satchel.models.seq2seq import Context
from tests.loading import load_as
from tests.tiny import VOCAB
from tests.tiny_seq2seq import GEMMA, START, pair, save_seq2seq

GATED = {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "t5": ("t5", {}),
    "t5-own-head": ("t5", GATED | {"own_head": True, "num_heads": 3}),
    "mt5": ("mt5", {"own_head": True}),
    "umt5": ("umt5", {"relative_attention_max_distance": 40}),
    "longt5": ("longt5", {"feed_forward_proj": "gated-gelu"}),
    "bart": ("bart", {}),
    "led": ("led", {"logits_bias": True}),
    "mbart": ("mbart", {"scale_embedding": True}),
    "marian": ("marian", {"scale_embedding": True, "logits_bias": True}),
    "pegasus": ("pegasus", {"logits_bias": True}),
    "m2m_100": ("m2m_100", {}),
    "blenderbot": ("blenderbot", {"logits_bias": True}),
    "blenderbot-small": ("blenderbot-small", {"scale_embedding": True}),
    "bert-bert": ("encoder-decoder", {}),
    "t5gemma": ("t5gemma", {}),
    "bert-roberta": ("encoder-decoder", pair("bert", "roberta", tie_word_embeddings=False)),
}
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {  # in eager mode alone
    "t5-gated": ("t5", GATED),
    "t5-wide-heads": ("t5", {"d_kv": 32, "relative_attention_max_distance": 20}),
    "bart-untied": ("bart", {"tie_word_embeddings": False}),
    "roberta-roberta": ("encoder-decoder", pair("roberta")),
    "m2m_100-unscaled": ("m2m_100", {"scale_embedding": False, "pad_token_id": 3}),
    "t5gemma-own-head": ("t5gemma", {"own_head": True, "tie_word_embeddings": False}),
    "t5gemma-of-two-sizes": (
        "t5gemma",
        {
            "encoder": GEMMA | {"hidden_size": 96, "num_key_value_heads": 4, "sliding_window": 40},
            "decoder": GEMMA | {"head_dim": 32, "attention_bias": True},
        },
    ),
    "t5gemma-uncapped": (
        "t5gemma",
        {name: GEMMA | {"attn_logit_softcapping": None} for name in ("encoder", "decoder")},
    ),
}
SOURCE, TARGET = 150, 140  # tokens, beyond T5's farthest distance


@pytest.fixture(scope="module", params=CASES)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """(checkpoint folder, transformers model) of one architecture."""
    model_type, overrides = (CASES | VARIANTS)[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    return folder, save_seq2seq(folder, model_type, **overrides)


@pytest.fixture(scope="module")
def bundle(case: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    out = tmp_path_factory.mktemp("bundles") / "bundle"
    satchel.pack(case[0], out, profile="fp32")
    return satchel.load(out)


def some_ids(length: int, seed: int = 0) -> list[int]:
    """Ids of which none is a padding token's, which transformers' M2M-100 gives no position."""
    return np.random.default_rng(seed).integers(4, VOCAB, length).tolist()


def expected_logits(model: Any, source: list[int], target: list[int]) -> np.ndarray:
    with torch.inference_mode():
        found = model(input_ids=torch.tensor([source]), decoder_input_ids=torch.tensor([target]))
    return found.logits[0].numpy()


def close(found: Any, expected: Any) -> None:
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance(np.asarray(expected)))


@pytest.mark.parametrize("case", CASES | VARIANTS, indirect=True)
def test_reference_model_equals_transformers(case: Any) -> None:
    folder, theirs = case
    reference, _ = models.build_seq2seq(load_folder(folder))
    lengths = torch.tensor([SOURCE, 47], dtype=torch.int32)
    mask = (torch.arange(SOURCE) < lengths[:, None]).long()
    sources = torch.tensor([some_ids(SOURCE), some_ids(SOURCE, 1)])
    sources[~mask.bool()] = theirs.config.pad_token_id
    targets = torch.tensor([some_ids(TARGET, 2), some_ids(TARGET, 3)])
    with torch.inference_mode():
        states = reference.encoder(sources, Context(lengths=lengths))
        cross = reference.read(sources, lengths)
        logits = reference(targets, Context(lengths=lengths, cross=cross))
        expected = theirs(input_ids=sources, attention_mask=mask, decoder_input_ids=targets)
    assert expected.logits.abs().max() > 1  # logits that are all alike would prove nothing
    real = mask.bool().numpy()
    close(states.numpy()[real], expected.encoder_last_hidden_state.numpy()[real])
    close(logits.numpy(), expected.logits.numpy())


def test_graphs_equal_transformers(case: Any, bundle: Any) -> None:
    source, target = some_ids(SOURCE), some_ids(TARGET)
    found = bundle.logits(source, target)
    close(found, expected_logits(case[1], source, [START, *target]))


def test_greedy_tokens_equal_transformers(case: Any, bundle: Any) -> None:
    source = some_ids(21, seed=1)
    with torch.inference_mode():
        theirs = case[1].generate(
            torch.tensor([source]),
            attention_mask=torch.ones(1, len(source)),
            max_new_tokens=32,
            do_sample=False,
            eos_token_id=-1,
        )
    ours = bundle.generate(source, max_new_tokens=32)
    assert ours.tokens == theirs[0, 1:].tolist()
    assert (ours.finish_reason, ours.prompt_tokens) == ("length", 21)


def test_ragged_batch_equals_singles(bundle: Any) -> None:
    sources = [some_ids(length, seed=length) for length in (3, 40, 9, 1)]
    together = bundle.generate(sources, max_new_tokens=16)
    alone = [bundle.generate(source, max_new_tokens=16) for source in sources]
    assert [row.tokens for row in together] == [row.tokens for row in alone]
    for row, one in zip(together, alone, strict=True):
        close(row.logprobs, one.logprobs)


def test_step_by_step_equals_one_prefill(bundle: Any) -> None:
    source, ids = some_ids(30), [START, *some_ids(40, seed=2)]
    decoder = bundle.decoder.reading(bundle.encoder([source]))
    whole, run = decoder.logits(ids), decoder.start()
    run.append(ids[:5])
    for position, token in enumerate(ids[5:], 5):
        close(run.step(np.array([token]), np.ones(1, bool))[0], whole[position])


def test_rows_of_one_source_share_it(bundle: Any) -> None:
    sources = [some_ids(12), some_ids(31, 1)]
    targets = [[START, *some_ids(length, length)] for length in (4, 9, 1, 6, 2, 9)]
    decoder = bundle.decoder.reading(bundle.encoder(sources))
    run = decoder.start(6)
    assert decoder.sources.values["cross.0.key"].shape()[0] == 2
    found = [run.prefill(targets).copy()]
    steps = np.array(some_ids(6))
    found.append(run.step(steps, np.ones(6, bool)).copy())
    for row, target in enumerate(targets):
        source = sources[row // 3]
        one = bundle.logits(source, [*target[1:], int(steps[row])])
        close(np.array([logits[row] for logits in found]), one[-2:])


def test_rows_may_all_go_on_from_one_source(bundle: Any) -> None:
    """The other source is let go, and what was bound to both of them is not used again."""
    sources = [some_ids(12), some_ids(31, 1)]
    run = bundle.decoder.reading(bundle.encoder(sources)).start(2)
    run.prefill([[START], [START]])
    run.reorder(np.array([1, 1]), np.zeros(2, np.int64))
    expected = bundle.logits(sources[1], [5])[1]
    for row in run.step(np.array([5, 5])):
        close(row, expected)


def operators(folder: Path, role: str) -> Counter[str]:
    graph = onnx.load(folder / f"{role}.onnx", load_external_data=False).graph
    return Counter(node.op_type for node in graph.node)


@pytest.mark.parametrize(
    ("model_type", "norm", "transposed", "nodes"),
    [
        ("t5", "SkipSimplifiedLayerNormalization", 1, 42),  # the position bias
        ("bart", "SkipLayerNormalization", 0, 34),
    ],
)
def test_a_step_touches_no_key_of_the_source(
    model_type: str, norm: str, transposed: int, nodes: int, tmp_path: Path
) -> None:
    """Nothing but attention reads the cross keys and values, so that no step copies them."""
    save_seq2seq(tmp_path / "checkpoint", model_type)
    satchel.pack(tmp_path / "checkpoint", tmp_path / "bundle", profile="fp32")
    graph = onnx.load(tmp_path / "bundle/decoder.onnx", load_external_data=False).graph
    readers = Counter(
        node.op_type for node in graph.node for name in node.input if name.startswith("cross.")
    )
    assert readers == {"MultiHeadAttention": 4}
    counts = operators(tmp_path / "bundle", "decoder")
    assert counts["GroupQueryAttention"] == counts["MultiHeadAttention"] == 2
    assert counts[norm] >= 6
    assert counts["Transpose"] == transposed
    del counts["FusedMatMul"], counts["Add"]  # and the biases of the linear layers
    assert counts.total() <= nodes, counts


@pytest.mark.parametrize("profile", ["fp32", "int8"])
def test_a_tied_table_is_stored_once(profile: str, tmp_path: Path) -> None:
    save_seq2seq(tmp_path / "checkpoint", "t5", vocab_size=8192)
    out = tmp_path / "bundle"
    satchel.pack(tmp_path / "checkpoint", out, profile=profile, force=True)
    size = sum(path.stat().st_size for path in out.glob("*.data"))
    table = 8192 * 64 * (4 if profile == "fp32" else 1)
    assert table < size < 1.9 * table
    places = set()
    for role in ("encoder", "decoder"):
        graph = onnx.load(out / f"{role}.onnx", load_external_data=False).graph
        for tensor in graph.initializer:
            entry = {pair.key: pair.value for pair in tensor.external_data}
            if entry and int(entry["length"]) == table:
                places.add((entry["location"], entry["offset"]))
    assert len(places) == 1
    assert places.pop()[0] == "encoder.onnx.data"
    if profile == "int8":  # its embeddings are columns of what the head multiplies by
        decoder = onnx.load(out / "decoder.onnx", load_external_data=False)
        embedding, head = (
            graph_layers.find(decoder)["decoder.embeddings.words", use] for use in (0, 1)
        )
        assert embedding.is_table and len(embedding.inputs) == 1
        assert set(embedding.nodes[0].input) & {name for one in head.nodes for name in one.input}


def test_int8_is_the_same_alone_and_in_a_batch(tmp_path: Path) -> None:
    save_seq2seq(tmp_path / "checkpoint", "t5")
    satchel.pack(tmp_path / "checkpoint", tmp_path / "bundle", force=True)
    model = load_as(satchel.Seq2seqModel, tmp_path / "bundle", threads=1)
    sources = [some_ids(length, seed=length) for length in (3, 40, 9)]
    target = [START, *some_ids(10)]
    together = model.decoder.reading(model.encoder(sources)).start(3).prefill([target] * 3)
    for row, source in enumerate(sources):
        np.testing.assert_array_equal(together[row], model.logits(source, target[1:])[-1])


def test_the_manifest_says_how_a_search_is_meant(tmp_path: Path) -> None:
    source = tmp_path / "checkpoint"
    save_seq2seq(source, "t5", num_decoder_layers=1, num_layers=1)
    advice = {
        "decoder_start_token_id": 3,
        "num_beams": 4,
        "max_length": 12,
        "min_length": 0,
        "length_penalty": 0.6,
        "early_stopping": "never",
        "no_repeat_ngram_size": 3,
        "forced_eos_token_id": 1,
        "bad_words_ids": [[7]],
    }
    (source / "generation_config.json").write_text(json.dumps(advice))
    packed = satchel.pack(source, tmp_path / "bundle", profile="fp32", context=100)
    manifest = packed.manifest
    assert manifest.seq2seq is not None and manifest.seq2seq.start == advice.pop(
        "decoder_start_token_id"
    )
    assert advice.pop("min_length") == 0  # off
    assert manifest.generation == advice
    assert (manifest.context, manifest.seq2seq.source_context) == (100, 4096)
    found = load_as(satchel.Seq2seqModel, tmp_path / "bundle").generate([1, 2])
    assert (len(found.tokens), found.finish_reason) == (11, "length")  # the start counts


@pytest.mark.parametrize("model_type", ["mbart", "marian"])
def test_what_generation_config_recommends_is_done(model_type: str, tmp_path: Path) -> None:
    theirs = save_seq2seq(tmp_path / "checkpoint", model_type)
    sources = torch.tensor([some_ids(20), some_ids(20, 1)])
    plain = {"max_new_tokens": 9, "do_sample": False, "eos_token_id": -1}
    first, end = 260, 261
    advice = transformers.GenerationConfig(
        decoder_start_token_id=START,
        pad_token_id=0,
        eos_token_id=end,
        num_beams=3,
        max_length=12,
        forced_bos_token_id=first,
        forced_eos_token_id=end,
        bad_words_ids=[
            [token] for token in set(theirs.generate(sources, **plain)[:, 1:].flatten().tolist())
        ],
    )
    advice.save_pretrained(tmp_path / "checkpoint")
    satchel.pack(tmp_path / "checkpoint", tmp_path / "bundle", profile="fp32")
    model = load_as(satchel.Seq2seqModel, tmp_path / "bundle")
    found = model.generate(sources.tolist())
    expected = theirs.generate(sources, generation_config=advice)
    assert [[START, *row.tokens, end] for row in found] == expected.tolist()
    assert all(row.tokens[0] == first and row.finish_reason == "eos" for row in found)


def test_an_encoder_leaves_the_cores_to_its_decoder(bundle: Any) -> None:
    stopping = "session.force_spinning_stop"
    options = bundle.encoder.session.get_session_options()
    assert options.get_session_config_entry(stopping) == "1"
    with pytest.raises(RuntimeError):  # not set
        bundle.decoder.session.get_session_options().get_session_config_entry(stopping)
