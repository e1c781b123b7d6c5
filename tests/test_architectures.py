"""Every architecture: transformers = our reference model = the exported graph."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import satchel
from satchel import models
from satchel.checkpoints.folder import load_folder
from tests.tiny import VOCAB, save_checkpoint

GEMMA = {"head_dim": 32, "query_pre_attn_scalar": 24, "num_hidden_layers": 4, "sliding_window": 8}
GPT2 = {"num_key_value_heads": 4}
HALF = {"num_attention_heads": 2, "partial_rotary_factor": 0.5}  # 16 of 32 channels turn
LONGROPE = {
    "rope_type": "longrope",
    "rope_theta": 10000.0,
    "short_factor": [1.0 + i / 8 for i in range(8)],
    "long_factor": [2.0 + i for i in range(8)],
    "original_max_position_embeddings": 64,
}


def rope(kind: str, **parameters: Any) -> dict[str, Any]:
    return {"rope_parameters": {"rope_type": kind, "rope_theta": 10000.0, **parameters}}


MULTIPLIED = {
    "embedding_multiplier": 12.0,
    "attention_multiplier": 0.125,
    "residual_multiplier": 0.22,
    "logits_scaling": 1.5,
}
GROWING = {  # beyond the first 16 positions
    "head_dim": 32,
    **rope(
        "yarn",
        factor=16.0,
        original_max_position_embeddings=16,
        mscale=1.0,
        mscale_all_dim=1.0,
        llama_4_scaling_beta=0.4,
    ),
}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("llama", {"tie_word_embeddings": False}),
    "llama-tied": ("llama", {"tie_word_embeddings": True}),
    "llama-biases": ("llama", {"attention_bias": True, "mlp_bias": True, "head_dim": 32}),
    "llama-linear": ("llama", rope("linear", factor=4.0)),
    "llama-llama3": (
        "llama",
        rope(
            "llama3",
            factor=8.0,
            low_freq_factor=1.0,
            high_freq_factor=4.0,
            original_max_position_embeddings=64,
        ),
    ),
    "llama-yarn": ("llama", rope("yarn", factor=4.0, original_max_position_embeddings=64)),
    "mistral": ("mistral", {"sliding_window": 8}),
    "mistral-full": ("mistral", {"sliding_window": None}),
    "qwen2": ("qwen2", {}),
    "qwen2-windows": (
        "qwen2",
        {"use_sliding_window": True, "sliding_window": 8, "max_window_layers": 1},
    ),
    "qwen3": ("qwen3", {"head_dim": 32}),
    "qwen3-bias": ("qwen3", {"head_dim": 16, "attention_bias": True, "tie_word_embeddings": True}),
    "smollm3": ("smollm3", {"num_hidden_layers": 3, "no_rope_layers": [1, 0, 1]}),
    "smollm3-interval": ("smollm3", {"num_hidden_layers": 4}),
    "gemma2": ("gemma2", GEMMA),
    "gemma3_text": ("gemma3_text", GEMMA | {"sliding_window_pattern": 2}),
    "phi3": ("phi3", {}),
    "phi3-window": ("phi3", {"sliding_window": 8}),
    "phi3-longrope": (
        "phi3",
        {
            "rope_parameters": LONGROPE | {"partial_rotary_factor": 0.5},
            "original_max_position_embeddings": 64,
            "num_attention_heads": 2,
        },
    ),
    "olmo2": ("olmo2", {}),
    "olmo2-wide": ("olmo2", {"num_key_value_heads": 4, "attention_bias": True}),
    "gpt2": ("gpt2", GPT2),
    "gpt2-scaled": ("gpt2", GPT2 | {"scale_attn_by_inverse_layer_idx": True}),
    "gpt_neox": (
        "gpt_neox",
        {
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 10000.0,
                "partial_rotary_factor": 0.5,
            },
            "num_attention_heads": 2,
        },
    ),
    "gpt_neox-serial": (
        "gpt_neox",
        {
            "use_parallel_residual": False,
            "num_attention_heads": 1,
            "num_key_value_heads": 1,
            "attention_bias": False,
        },
    ),
    "gemma": ("gemma", {"head_dim": 32}),
    "gemma3": ("gemma3", GEMMA | {"sliding_window_pattern": 2}),
    "granite": ("granite", MULTIPLIED | {"tie_word_embeddings": True}),
    "granite-biases": ("granite", MULTIPLIED | {"attention_bias": True, "mlp_bias": True}),
    "olmo3": ("olmo3", {"num_hidden_layers": 4, "sliding_window": 8}),
    "ministral": (
        "ministral",
        {
            "sliding_window": 8,
            "layer_types": ["sliding_attention", "full_attention"],
            "head_dim": 16,
        },
    ),
    "ministral3": ("ministral3", GROWING),
    "ministral3-short": ("ministral3", {"head_dim": 32}),
    "mistral3": ("mistral3", GROWING),
    "mistral3-mistral": ("mistral3", {"inside": "mistral", "tie_word_embeddings": False}),
    "exaone4": ("exaone4", {"num_hidden_layers": 4, "sliding_window": 8}),
    "exaone4-full": (
        "exaone4",
        {"sliding_window": None, "layer_types": ["full_attention"] * 2, "head_dim": 32},
    ),
    "hunyuan_v1_dense": (
        "hunyuan_v1_dense",
        {"head_dim": 32, "attention_bias": True, **rope("dynamic", alpha=1000.0, factor=1.0)},
    ),
    "ernie4_5": ("ernie4_5", {"head_dim": 32, "use_bias": True}),
    "arcee": ("arcee", {}),
    "arcee-biases": ("arcee", {"attention_bias": True, "mlp_bias": True}),
    "apertus": ("apertus", {}),
    "apertus-plain": ("apertus", {"hidden_act": "relu2", "attention_bias": True}),
    "helium": ("helium", {"head_dim": 16, "attention_bias": True}),
    "glm": ("glm", {"head_dim": 32}),
    "glm4": ("glm4", {"head_dim": 32}),
    "cohere": ("cohere", {"logit_scale": 0.5}),
    "cohere-norms": ("cohere", {"logit_scale": 0.5, "use_qk_norm": True, "attention_bias": True}),
    "cohere2": ("cohere2", {"logit_scale": 0.5, "num_hidden_layers": 4, "sliding_window": 8}),
    "nemotron": ("nemotron", {"head_dim": 32, "mlp_bias": True, "attention_bias": True}),
    "phi": ("phi", HALF),
    "starcoder2": ("starcoder2", {"sliding_window": 8}),
    "starcoder2-plain": ("starcoder2", {"use_bias": False, "tie_word_embeddings": False}),
    "stablelm": ("stablelm", HALF),
    "stablelm-parallel": ("stablelm", HALF | {"use_parallel_residual": True, "use_qkv_bias": True}),
    "falcon": ("falcon", {}),
    "falcon-new": ("falcon", {"new_decoder_architecture": True, "num_kv_heads": 2}),
    "falcon-one-norm": (
        "falcon",
        {"new_decoder_architecture": True, "num_kv_heads": 2, "num_ln_in_parallel_attn": 1},
    ),
    "falcon-alibi": (
        "falcon",
        {"alibi": True, "bias": True, "multi_query": False, "parallel_attn": False},
    ),
    "gpt_bigcode": ("gpt_bigcode", {}),
    "gpt_bigcode-heads": ("gpt_bigcode", {"multi_query": False}),
    "opt": ("opt", {"ffn_dim": 96}),
    "opt-narrow": (
        "opt",
        {"ffn_dim": 96, "do_layer_norm_before": False, "word_embed_proj_dim": 32},
    ),
    "gptj": ("gptj", {"rotary_dim": 16, "num_attention_heads": 2}),
    "codegen": ("codegen", {"rotary_dim": 16, "num_attention_heads": 2}),
    "gpt_neo": (
        "gpt_neo",
        {"window_size": 8, "attention_types": [[["global", "local"], 1]]},
    ),
    "bloom": ("bloom", {}),
    "bloom-odd": ("bloom", {"num_attention_heads": 6, "hidden_size": 96}),
    "mpt": ("mpt", {"max_seq_len": 256}),
    "mpt-scaled": (
        "mpt",
        {"max_seq_len": 256, "n_heads": 6, "d_model": 96, "attn_config": {"softmax_scale": 0.5}},
    ),
}


@pytest.fixture(scope="module", params=CASES)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """(name, checkpoint folder, transformers model) of one architecture."""
    model_type, overrides = CASES[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    return request.param, folder, save_checkpoint(folder, model_type, **overrides)


@pytest.fixture(scope="module")
def bundle(case: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    name, folder, _ = case
    out = tmp_path_factory.mktemp("bundles") / name
    satchel.pack(folder, out, profile="fp32")
    return satchel.load(out)


def expected_logits(model: Any, ids: list[int]) -> np.ndarray:
    with torch.inference_mode():
        return model(torch.tensor([ids])).logits[0].numpy()


def some_ids(length: int, seed: int = 0) -> list[int]:
    return np.random.default_rng(seed).integers(0, VOCAB, length).tolist()


def test_reference_model_equals_transformers(case: Any) -> None:
    _, folder, theirs = case
    ours, _ = models.build(load_folder(folder))
    ids = some_ids(50)
    with torch.inference_mode():
        found = ours(torch.tensor([ids]))[0].numpy()
    expected = expected_logits(theirs, ids)
    assert np.abs(expected).max() > 1  # a model whose logits are all alike would prove nothing
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_graph_equals_transformers(case: Any, bundle: Any) -> None:
    ids = some_ids(50)
    np.testing.assert_allclose(bundle.logits(ids), expected_logits(case[2], ids), atol=1e-3)


def test_greedy_tokens_equal_transformers(case: Any, bundle: Any) -> None:
    prompt = some_ids(7, seed=1)
    steps = 50 if bundle.manifest.context == 64 else 64
    with torch.inference_mode():
        theirs = case[2].generate(
            torch.tensor([prompt]), max_new_tokens=steps, do_sample=False, eos_token_id=-1
        )
    ours = bundle.generate(prompt, max_new_tokens=steps)
    assert ours.tokens == theirs[0, len(prompt) :].tolist()
    assert ours.finish_reason == "length"


def test_ragged_batch_equals_singles(bundle: Any) -> None:
    prompts = [some_ids(length, seed=length) for length in (3, 17, 9, 1)]
    together = bundle.generate(prompts, max_new_tokens=16)
    assert [row.tokens for row in together] == [
        bundle.generate(prompt, max_new_tokens=16).tokens for prompt in prompts
    ]


def test_step_by_step_equals_one_prefill(bundle: Any) -> None:
    ids = some_ids(40, seed=2)
    whole, run = bundle.logits(ids), bundle.decoder.start()
    run.append(ids[:5])
    for position, token in enumerate(ids[5:], 5):
        logits = run.step(np.array([token]), np.ones(1, bool))
        np.testing.assert_allclose(logits[0], whole[position], atol=1e-3)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_weights_are_read_exactly(dtype: torch.dtype, tmp_path: Path) -> None:
    theirs = save_checkpoint(tmp_path, "llama", dtype)
    ours, _ = models.build(load_folder(tmp_path))
    ids = some_ids(20)
    with torch.inference_mode():
        found = ours(torch.tensor([ids]))[0].numpy()
    np.testing.assert_allclose(found, expected_logits(theirs, ids), atol=1e-3)


@pytest.mark.parametrize(("asked", "context", "length"), [(None, 64, 40), (256, 256, 100)])
def test_longrope_has_the_factors_of_its_context(
    asked: int | None, context: int, length: int, tmp_path: Path
) -> None:
    theirs = save_checkpoint(tmp_path, "phi3", **CASES["phi3-longrope"][1])
    ours, found = models.build(load_folder(tmp_path), asked)
    assert found == context
    ids = some_ids(length)
    with torch.inference_mode():
        logits = ours(torch.tensor([ids]))[0].numpy()
    np.testing.assert_allclose(logits, expected_logits(theirs, ids), atol=1e-3)


def test_export_says_which_factors_of_longrope_a_bundle_has(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "in", "phi3", **CASES["phi3-longrope"][1])
    for context, words in ((None, "the short factors"), (128, "the long factors for every text")):
        made = satchel.pack(
            tmp_path / "in", tmp_path / f"out{context}", profile="fp32", context=context
        )
        assert words in " ".join(made.notes)
