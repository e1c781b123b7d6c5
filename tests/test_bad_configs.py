"""Every config.json that lies, or asks for what satchel cannot do, is refused by key and value.

The weights are never read: a refusal of config.json comes before any of the weights.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

import satchel.cli.main
from satchel import models
from satchel.checkpoints.folder import load_folder
from satchel.models.architectures import of_family
from tests import damage as d
from tests.outcome import refuse

pytest_plugins = "tests.places"
U, C = "UNSUPPORTED", "CKPT_CONFIG"
LIES: dict[str, d.Case] = {
    "uneven heads": (d.config(num_attention_heads=5, head_dim=None), C, "num_attention_heads = 5"),
    "uneven key-value heads": (
        d.config(num_key_value_heads=3),
        C,
        "num_key_value_heads = 3 does not divide",
    ),
    "no layers": (d.config(num_hidden_layers=0), C, "num_hidden_layers = 0 is outside 1..512"),
    "layers negative": (d.config(num_hidden_layers=-1), C, "num_hidden_layers = -1"),
    "layers huge": (d.config(num_hidden_layers=10**9), C, "num_hidden_layers = 1000000000"),
    "vocabulary huge": (d.config(vocab_size=2**40), C, "vocab_size = 1099511627776"),
    "vocabulary other than in the weights": (
        d.config(vocab_size=321),
        "CKPT_WEIGHTS",
        "[320, 64], config.json says [321",
    ),
    "width other than in the weights": (d.config(hidden_size=128), "CKPT_WEIGHTS", "misshapen"),
    "more layers than in the weights": (d.config(num_hidden_layers=2), "CKPT_WEIGHTS", "missing"),
    "head size odd": (d.config(head_dim=17), U, "head size 17"),
    "head size 0": (d.config(head_dim=0), C, "head_dim = 0"),
    "too few positions": (d.config(max_position_embeddings=32), U, "max_position_embeddings = 32"),
    "float for int": (d.config(num_hidden_layers=1.0), C, "num_hidden_layers = 1.0 is not a int"),
    "text for int": (d.config(hidden_size="64"), C, "hidden_size = '64' is not a int"),
    "bool for int": (d.config(num_attention_heads=True), C, "num_attention_heads = True"),
    "int for bool": (d.config(tie_word_embeddings=1), C, "tie_word_embeddings = 1"),
    "text for float": (d.config(rms_norm_eps="tiny"), C, "rms_norm_eps = 'tiny'"),
    "null for int": (d.config(hidden_size=None), C, "lacks hidden_size"),
    "keys absent": (d.config(vocab_size=..., hidden_size=...), C, "lacks vocab_size, hidden_size"),
    "list for int": (d.config(hidden_size=[64]), C, "hidden_size = '[64]'"),
    "norm eps 0": (d.config(rms_norm_eps=0), C, "rms_norm_eps = 0"),
    "norm eps negative": (d.config(rms_norm_eps=-1e-6), C, "rms_norm_eps = -1e-06"),
    "layer types that are no texts": (
        d.of_type("qwen2", layer_types=[{}], tie_word_embeddings=False),
        C,
        "layer_types",
    ),
    "more layer types than layers": (
        d.of_type("qwen2", layer_types=["full_attention"] * 2),
        C,
        "2 entries",
    ),
    "sliding window absent": (d.of_type("qwen2", layer_types=["sliding_attention"]), C, "is None"),
    "sliding window 0": (d.of_type("mistral", sliding_window=0), C, "sliding_window = 0"),
    "sliding window negative": (d.of_type("phi3", sliding_window=-1), C, "sliding_window = -1"),
    "width given twice": (d.of_type("gpt2", hidden_size=8), C, "n_embd = 64 but hidden_size = 8"),
    "layers given twice": (d.of_type("gpt2", num_hidden_layers=7), C, "num_hidden_layers = 7"),
    "rope theta given twice": (
        d.of_type("gpt_neox", rope_theta=5.0),
        C,
        "rope_theta = 5.0 but rotary_emb_base = 10000.0",
    ),
    "rotated share given twice": (
        d.of_type("gpt_neox", rotary_pct=1.0, partial_rotary_factor=0.5),
        C,
        "partial_rotary_factor = 0.5 but rotary_pct = 1.0",
    ),
    "norm eps NaN": (d.config(rms_norm_eps=float("nan")), C, "rms_norm_eps = nan is not finite"),
    "rope theta -inf": (d.config(rope_parameters=None, rope_theta=-float("inf")), C, "not finite"),
    "vocabulary of hundreds of digits": (d.config(vocab_size=10**399), C, "is too large"),
    "soft cap of scores": (
        d.of_type("gemma2", attn_logit_softcapping=0.0),
        C,
        "attn_logit_softcapping = 0; expected more than 0",
    ),
    "soft cap of logits": (
        d.of_type("gemma2", final_logit_softcapping=-1.0),
        C,
        "final_logit_softcapping = -1; expected more than 0",
    ),
    "vocabulary infinite": (d.config(vocab_size=float("inf")), C, "vocab_size = inf is not a int"),
    "norm eps too large": (d.config(rms_norm_eps=10**30), C, "is too large"),
    "rope theta infinite": (d.rope(rope_theta=float("inf")), C, "rope_theta = inf"),
    "rope theta NaN": (d.rope(rope_theta=float("nan")), C, "rope_theta = nan"),
    "rope theta of hundreds of digits": (d.rope(rope_theta=10**400), C, "rope_theta"),
    "two no_rope_layers": (d.of_type("smollm3", no_rope_layers=[1, 1]), C, "no_rope_layers has 2"),
    "no_rope_layers of texts": (d.of_type("smollm3", no_rope_layers=["a"]), C, "no_rope_layers"),
    "no_rope_layer_interval 0": (
        d.of_type("smollm3", no_rope_layers=None, no_rope_layer_interval=0),
        C,
        "no_rope_layer_interval = 0",
    ),
    "sliding_window_pattern 0": (
        d.of_type("gemma3_text", layer_types=None, sliding_window_pattern=0),
        C,
        "sliding_window_pattern = 0",
    ),
    "query_pre_attn_scalar 0": (
        d.of_type("gemma2", query_pre_attn_scalar=0),
        C,
        "query_pre_attn_scalar = 0",
    ),
    "attention types of too many layers": (
        d.of_type("gpt_neo", attention_types=[[["global"], 10**9]]),
        C,
        "does not say global or local for 1 layers",
    ),
    "attention types of other kinds": (
        d.of_type("gpt_neo", attention_types=[[["round"], 1]]),
        C,
        "attention_types",
    ),
    "attention layers that follow from others": (
        d.of_type("gpt_neo", attention_layers=["local"]),
        C,
        "the two say the same",
    ),
    "window of nothing": (d.of_type("gpt_neo", window_size=0), C, "window_size = 0"),
    "rotation wider than a head": (d.of_type("gptj", rotary_dim=32), C, "factor = 2.0"),
    "attention of mpt a text": (d.of_type("mpt", attn_config="x"), C, "attn_config = 'x'"),
    "scale of mpt 0": (
        d.of_type("mpt", attn_config={"softmax_scale": 0.0}),
        C,
        "attn_config.softmax_scale = 0.0",
    ),
    "rope theta 0": (d.rope(rope_theta=0), C, "rope_theta = 0"),
    "rope theta a bool": (d.rope(rope_theta=True), C, "rope_theta = True"),
    "rope theta a list": (d.rope(rope_theta=[]), C, "rope_theta = '[]'"),
    "rope theta negative": (d.config(rope_parameters=None, rope_theta=-1), C, "rope_theta"),
    "rope scaling a list": (d.config(rope_scaling=["linear"]), C, "rope_scaling"),
    "rope factor absent": (d.rope(rope_type="linear"), C, "factor = None"),
    "rope factor below 1": (d.rope(rope_type="linear", factor=0.5), C, "factor = 0.5"),
    "rope factor a text": (d.rope(rope_type="yarn", factor="4"), C, "factor = '4'"),
    "rope factor 0 in the older style": (
        d.config(rope_parameters=None, rope_scaling={"type": "linear", "factor": 0}),
        C,
        "factor = 0",
    ),
    "original positions 0": (
        d.rope(rope_type="yarn", factor=4.0, original_max_position_embeddings=0),
        C,
        "original_max_position_embeddings = 0",
    ),
    "original positions a text": (
        d.rope(rope_type="llama3", factor=4.0, original_max_position_embeddings="64"),
        C,
        "original_max_position_embeddings = '64'",
    ),
    "llama3 frequency factors that are equal": (
        d.rope(rope_type="llama3", factor=4.0, low_freq_factor=4.0, high_freq_factor=4.0),
        C,
        "high_freq_factor",
    ),
    "beta_fast text": (d.rope(rope_type="yarn", factor=4.0, beta_fast="32"), C, "beta_fast = '32'"),
    "beta_slow 0": (d.rope(rope_type="yarn", factor=4.0, beta_slow=0), C, "beta_slow = 0"),
    "truncate a text": (d.rope(rope_type="yarn", factor=4.0, truncate="no"), C, "truncate = 'no'"),
    "mscale a list": (d.rope(rope_type="yarn", factor=4.0, mscale=[1]), C, "mscale = '[1]'"),
    "attention factor negative": (
        d.rope(rope_type="yarn", factor=4.0, attention_factor=-1),
        C,
        "attention_factor = -1",
    ),
    "longrope factors too few": (d.longrope(long_factor=[1.0] * 7), C, "7 factors for 8"),
    "longrope factors that are texts": (d.longrope(long_factor=["2"] * 8), C, "long_factor"),
    "longrope factors 0": (d.longrope(short_factor=[0.0] * 8), C, "short_factor"),
    "longrope factors in one text": (d.longrope(short_factor="12345678"), C, "short_factor"),
    "longrope original positions 1": (d.longrope(original_max_position_embeddings=1), C, "= 1"),
    "rope type given twice": (d.rope(type="linear", rope_type="yarn", factor=2.0), C, "'linear'"),
    "rope given in two styles": (
        d.config(rope_scaling={"type": "linear", "factor": 2.0}),
        C,
        "rope_scaling and rope_parameters differ",
    ),
    "rotation beyond the head": (d.rope(partial_rotary_factor=2.0), C, "= 2.0"),
    "rope parameters of a layer type a number": (
        d.of_type("gemma3_text", rope_parameters={"full_attention": 3, "sliding_attention": {}}),
        C,
        "rope parameters = 3",
    ),
}
UNSUPPORTED: dict[str, d.Case] = {
    "model type unknown": (
        d.config(model_type="mamba"),
        U,
        "model_type 'mamba' is unknown; known: llama",
    ),
    "model type absent": (d.config(model_type=...), U, "model_type None"),
    "model type a list": (d.config(model_type=["llama"]), U, "model_type"),
    "model type with escapes": (
        d.config(model_type="\x1b[2J\n\x07" + "x" * 5000),
        U,
        "'\\x1b[2J\\n",
    ),
    "activation unknown": (d.config(hidden_act="swiglu"), U, "hidden_act 'swiglu'"),
    "attention in chunks": (
        d.config(attention_chunk_size=8),
        U,
        "--ignore-config-key 'attention_chunk_size'",
    ),
    "sliding window with escapes": (d.config(sliding_window="\x1b[2J" + "v" * 900), U, "'\\x1b[2J"),
    "attention that is not causal": (d.config(is_causal=False), U, "'is_causal' = False"),
    "layers with a config of their own": (
        d.config(per_layer_config={"0": {"intermediate_size": 32}}),
        U,
        "'per_layer_config'",
    ),
    "sliding window in llama": (d.config(sliding_window=5), U, "'sliding_window' = 5"),
    "sliding layers in llama": (d.config(layer_types=["sliding_attention"]), U, "'layer_types'"),
    "bidirectional attention": (
        d.of_type("gemma2", use_bidirectional_attention=True),
        U,
        "'use_bidirectional",
    ),
    "cross attention": (
        d.of_type("gpt2", add_cross_attention=True),
        U,
        "'add_cross_attention'",
    ),
    "pruned heads": (d.of_type("gpt2", pruned_heads={"0": [1]}), U, "'pruned_heads'"),
    "encoder beside the decoder": (d.config(is_encoder_decoder=True), U, "'is_encoder_decoder'"),
    "unknown layers of qwen2": (d.of_type("qwen2", layer_types=["chunked"]), U, "layer_types has"),
    "unknown layers of gemma2": (d.of_type("gemma2", layer_types=["mamba"]), U, "layer_types has"),
    "llama rotated in part": (d.config(partial_rotary_factor=0.5), U, "'partial_rotary_factor'"),
    "llama rotated in part by its rope parameters": (
        d.rope(partial_rotary_factor=0.5),
        U,
        "partial_rotary_factor = 0.5; this architecture rotates whole heads",
    ),
    "phi3 rotated in part": (
        d.rope("phi3", partial_rotary_factor=0.5),
        U,
        "8 of 16 channels",
    ),
    "phi3 not rotated": (d.rope("phi3", partial_rotary_factor=1e-3), U, "0 of 16 channels"),
    "gpt_neox rotated in part": (
        d.of_type("gpt_neox", rope_parameters=None, rotary_pct=0.3),
        U,
        "4 of 16 channels",
    ),
    "norms of queries and keys": (d.of_type("phi", qk_layernorm=True), U, "'qk_layernorm' = True"),
    "falcon of both kinds": (
        d.of_type("falcon", new_decoder_architecture=True, parallel_attn=False),
        U,
        "new_decoder_architecture = True with parallel_attn = False",
    ),
    "bloom that adds what is normed": (
        d.of_type("bloom", apply_residual_connection_post_layernorm=True),
        U,
        "'apply_residual_connection_post_layernorm' = True",
    ),
    "opt without biases": (d.of_type("opt", enable_bias=False), U, "'enable_bias' = False"),
    "gptj with a base of its own": (d.of_type("gptj", rope_theta=5000.0), U, "'rope_theta'"),
    "mpt without positions": (
        d.of_type("mpt", attn_config={"alibi": False}),
        U,
        "attn_config.alibi = False is not supported",
    ),
    "mpt with other slopes": (
        d.of_type("mpt", attn_config={"alibi_bias_max": 16}),
        U,
        "attn_config.alibi_bias_max = 16",
    ),
    "mpt with bounds": (
        d.of_type("mpt", attn_config={"clip_qkv": 6.0}),
        U,
        "attn_config.clip_qkv = 6.0",
    ),
    "mpt with wider MLPs": (d.of_type("mpt", expansion_ratio=2), U, "'expansion_ratio' = 2"),
    "head size 24": (d.of_type("qwen3", head_dim=24), U, "head size 24"),
    "rope type unknown": (d.rope(rope_type="wavy"), U, "rope type 'wavy'"),
    "rope type a list": (d.rope(rope_type=["yarn"]), U, "rope type"),
    "rope type unknown in the older style": (
        d.config(rope_parameters=None, rope_scaling={"type": "waves", "factor": 2.0}),
        U,
        "rope type 'waves'",
    ),
    "rope by layer type": (d.config(rope_parameters={"full_attention": {}}), U, "'full_attention'"),
}
OPTIONS: dict[str, tuple[tuple[str, ...], str, str]] = {
    "context_0": (("--context", "0"), U, "--context 0 is outside 64..256"),
    "context_1": (("--context", "1"), U, "--context 1 is outside 64..256"),
    "context_63": (("--context", "63"), U, "--context 63"),
    "context_negative": (("--context", "-5"), U, "--context -5"),
    "context_large": (("--context", "257"), U, "--context 257"),
    "profile": (
        ("--profile", "int2"),
        "USAGE",
        "--profile 'int2' is unknown; known: int8, int8-portable, int4, fp32",
    ),
    "task": (
        ("--task", "transcribe"),
        "USAGE",
        "--task 'transcribe' does not fit a decoder-only model; use generate",
    ),
    "revision": (("--revision", "main"), "USAGE", "--revision applies to hub ids"),
    "ignored_key_of_ours": (("--ignore-config-key", "x"), U, "'attention_chunk_size'"),
}
# What makes no difference to the mathematics passes, as does what it is neutral about.
HARMLESS = {
    "cosmetic": d.config(torch_dtype="float16", use_cache=False, id2label={"0": "a"}, top_k=50),
    "neutral": d.config(sliding_window=None, is_causal=True, pruned_heads={}),
    "neutral_list": d.config(layer_types=["full_attention"]),
    "both_styles_alike": d.config(
        rope_scaling={"rope_type": "default", "rope_theta": 10000.0},
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
    ),
    "type_twice": d.rope(type="linear", rope_type="linear", factor=2.0),
    "unread": d.config(
        num_local_experts=8,
        residual_multiplier=0.22,
        attn_logit_softcapping=50.0,
        final_logit_softcapping=30.0,
        use_mrope=False,
        sliding_window_size=4096,
        interpolate_factor=1,
        full_attn_mod=1,
        lm_head_bias=False,
        eos_token_ids=[1, 2],
        **{"\x1b[2J" + "k" * 900: "v" * 900},
    ),
    "any_number": d.config(
        frobnicate=float("nan"),
        wobble=-float("inf"),
        model_max_length=int(1e30),
        more_digits=10**3000,
    ),
    "code_beside_a_known_type": d.config(auto_map={"AutoModel": "modeling_x.Model"}),
    "older_neox": d.both(
        d.of_type("gpt_neox", num_attention_heads=1, rope_parameters=None),
        d.config(rotary_pct=0.25, partial_rotary_factor=0.25, rotary_emb_base=1e4, rope_theta=1e4),
    ),
    "rope_of_another_kind": d.rope(mrope_section=[16, 24, 24], factor=0.5, beta_fast="x"),
    "dynamic": d.config(rope_parameters=None, rope_scaling={"type": "dynamic", "factor": 2.0}),
    "integer_for_float": d.config(rope_parameters=None, rope_theta=10000),
}


ROTATED_IN_PART: dict[str, dict[str, Any]] = {  # by default, of heads that are wider than ours
    "gpt_neox": {"rotary_pct": 1.0},
    "phi": {"partial_rotary_factor": 1.0},
    "stablelm": {"partial_rotary_factor": 1.0},
    "gptj": {"rotary_dim": 16},
    "codegen": {"rotary_dim": 16},
    "nemotron": {"head_dim": 32},
}


@pytest.mark.parametrize("name", LIES | UNSUPPORTED)
def test_config_is_refused(name: str, place: Path, capfd: Any) -> None:
    damage, code, words = (LIES | UNSUPPORTED)[name]
    damage(place / "checkpoint")
    refuse(capfd, place, code, words)


@pytest.mark.parametrize("name", OPTIONS)
def test_option_is_refused(name: str, place: Path, capfd: Any) -> None:
    options, code, words = OPTIONS[name]
    if "ignored" in name:
        d.config(attention_chunk_size=1)(place / "checkpoint")
    refuse(capfd, place, code, words, options=options)


@pytest.mark.parametrize("name", HARMLESS)
def test_harmless_config_is_read(name: str, place: Path) -> None:
    HARMLESS[name](place / "checkpoint")
    checkpoint = load_folder(place / "checkpoint")
    module = importlib.import_module(f"satchel.models.{checkpoint.config['model_type']}")
    module.Config.from_dict(checkpoint.config)
    if checkpoint.config["model_type"] == "llama":
        models.build(checkpoint)


@pytest.mark.parametrize("model_type", of_family("decoder"))
def test_the_tables_begin_with_a_good_config(model_type: str, place: Path, capfd: Any) -> None:
    """Or every case would be refused for something else: here only the weights are llama's."""
    d.of_type(model_type)(place / "checkpoint")
    if model_type in ROTATED_IN_PART:
        d.config(rope_parameters=None, **ROTATED_IN_PART[model_type])(place / "checkpoint")
    if model_type in ("llama", "mistral", "smollm3", "granite", "ministral"):
        models.build(load_folder(place / "checkpoint"))
        return
    refuse(capfd, place, "CKPT_WEIGHTS")


def test_ignored_key_exports(place: Path) -> None:
    d.config(attention_chunk_size=1, alibi=True)(place / "checkpoint")
    ignored = ["--ignore-config-key", "attention_chunk_size", "--ignore-config-key", "alibi"]
    arguments = ["export", str(place / "checkpoint"), str(place / "new"), "--profile", "fp32"]
    assert satchel.cli.main.main([*arguments, *ignored, "--context", "64"]) == 0
    assert satchel.load(place / "new").manifest.context == 64
