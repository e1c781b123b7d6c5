"""Every config.json that lies, or asks for what satchel cannot do, is refused by key and value.

The weights are never read: a refusal of config.json comes before any of the weights.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

import satchel.cli
from satchel import models
from satchel.models.architectures import of_family
from satchel.models.folder import load_folder
from tests import damage as d
from tests.outcome import refuse

pytest_plugins = "tests.places"
U, C = "UNSUPPORTED", "CKPT_CONFIG"
LIES: dict[str, d.Case] = {
    "a16_heads": (d.config(num_attention_heads=5, head_dim=None), C, "num_attention_heads = 5"),
    "a16_kv_heads": (d.config(num_key_value_heads=3), C, "num_key_value_heads = 3 does not divide"),
    "a16_layers_0": (d.config(num_hidden_layers=0), C, "num_hidden_layers = 0 is outside 1..512"),
    "a16_layers_negative": (d.config(num_hidden_layers=-1), C, "num_hidden_layers = -1"),
    "a16_layers_huge": (d.config(num_hidden_layers=10**9), C, "num_hidden_layers = 1000000000"),
    "a16_vocab_huge": (d.config(vocab_size=2**40), C, "vocab_size = 1099511627776"),
    "a16_vocab_other": (
        d.config(vocab_size=321),
        "CKPT_WEIGHTS",
        "[320, 64], config.json says [321",
    ),
    "a16_hidden_other": (d.config(hidden_size=128), "CKPT_WEIGHTS", "misshapen"),
    "a16_layers_other": (d.config(num_hidden_layers=2), "CKPT_WEIGHTS", "missing"),
    "a16_head_dim_odd": (d.config(head_dim=17), U, "head size 17"),
    "a16_head_dim_0": (d.config(head_dim=0), C, "head_dim = 0"),
    "a16_positions": (d.config(max_position_embeddings=32), U, "max_position_embeddings = 32"),
    "a16_float": (d.config(num_hidden_layers=1.0), C, "num_hidden_layers = 1.0 is not a int"),
    "a16_string": (d.config(hidden_size="64"), C, "hidden_size = '64' is not a int"),
    "a16_bool": (d.config(num_attention_heads=True), C, "num_attention_heads = True"),
    "a16_number_for_bool": (d.config(tie_word_embeddings=1), C, "tie_word_embeddings = 1"),
    "a16_string_for_float": (d.config(rms_norm_eps="tiny"), C, "rms_norm_eps = 'tiny'"),
    "a16_null": (d.config(hidden_size=None), C, "lacks hidden_size"),
    "a16_absent": (d.config(vocab_size=..., hidden_size=...), C, "lacks vocab_size, hidden_size"),
    "a16_list": (d.config(hidden_size=[64]), C, "hidden_size = '[64]'"),
    "a16_eps_0": (d.config(rms_norm_eps=0), C, "rms_norm_eps = 0"),
    "a16_eps_negative": (d.config(rms_norm_eps=-1e-6), C, "rms_norm_eps = -1e-06"),
    "a16_layer_kinds": (
        d.of_type("qwen2", layer_types=[{}], tie_word_embeddings=False),
        C,
        "layer_types",
    ),
    "a16_layer_kinds_count": (
        d.of_type("qwen2", layer_types=["full_attention"] * 2),
        C,
        "2 entries",
    ),
    "a16_window_absent": (d.of_type("qwen2", layer_types=["sliding_attention"]), C, "is None"),
    "a16_window_0": (d.of_type("mistral", sliding_window=0), C, "sliding_window = 0"),
    "a16_window_negative": (d.of_type("phi3", sliding_window=-1), C, "sliding_window = -1"),
    "a16_width_twice": (d.of_type("gpt2", hidden_size=8), C, "n_embd = 64 but hidden_size = 8"),
    "a16_layers_twice": (d.of_type("gpt2", num_hidden_layers=7), C, "num_hidden_layers = 7"),
    "a16_theta_twice": (
        d.of_type("gpt_neox", rope_theta=5.0),
        C,
        "rope_theta = 5.0 but rotary_emb_base = 10000.0",
    ),
    "a16_rotation_twice": (
        d.of_type("gpt_neox", rotary_pct=1.0, partial_rotary_factor=0.5),
        C,
        "partial_rotary_factor = 0.5 but rotary_pct = 1.0",
    ),
    "a16_nan": (d.config(rms_norm_eps=float("nan")), C, "rms_norm_eps = nan is not finite"),
    "a16_infinity": (d.config(rope_parameters=None, rope_theta=-float("inf")), C, "not finite"),
    "a16_digits": (d.config(vocab_size=10**399), C, "is too large"),
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
    "a16_more_digits": (d.config(vocab_size=float("inf")), C, "vocab_size = inf is not a int"),
    "a16_long_float": (d.config(rms_norm_eps=10**30), C, "is too large"),
    "a18_theta_infinite": (d.rope(rope_theta=float("inf")), C, "rope_theta = inf"),
    "a18_theta_nan": (d.rope(rope_theta=float("nan")), C, "rope_theta = nan"),
    "a18_theta_digits": (d.rope(rope_theta=10**400), C, "rope_theta"),
    "a16_nope_count": (d.of_type("smollm3", no_rope_layers=[1, 1]), C, "no_rope_layers has 2"),
    "a16_nope_kinds": (d.of_type("smollm3", no_rope_layers=["a"]), C, "no_rope_layers"),
    "a16_nope_interval": (
        d.of_type("smollm3", no_rope_layers=None, no_rope_layer_interval=0),
        C,
        "no_rope_layer_interval = 0",
    ),
    "a16_window_pattern": (
        d.of_type("gemma3_text", layer_types=None, sliding_window_pattern=0),
        C,
        "sliding_window_pattern = 0",
    ),
    "a16_attention_scale": (
        d.of_type("gemma2", query_pre_attn_scalar=0),
        C,
        "query_pre_attn_scalar = 0",
    ),
    "a18_theta": (d.rope(rope_theta=0), C, "rope_theta = 0"),
    "a18_theta_bool": (d.rope(rope_theta=True), C, "rope_theta = True"),
    "a18_theta_null": (d.rope(rope_theta=[]), C, "rope_theta = '[]'"),
    "a18_theta_top": (d.config(rope_parameters=None, rope_theta=-1), C, "rope_theta"),
    "a18_not_an_object": (d.config(rope_scaling=["linear"]), C, "rope_scaling"),
    "a18_factor_absent": (d.rope(rope_type="linear"), C, "factor = None"),
    "a18_factor_small": (d.rope(rope_type="linear", factor=0.5), C, "factor = 0.5"),
    "a18_factor_text": (d.rope(rope_type="yarn", factor="4"), C, "factor = '4'"),
    "a18_old_style": (
        d.config(rope_parameters=None, rope_scaling={"type": "linear", "factor": 0}),
        C,
        "factor = 0",
    ),
    "a18_original": (
        d.rope(rope_type="yarn", factor=4.0, original_max_position_embeddings=0),
        C,
        "original_max_position_embeddings = 0",
    ),
    "a18_original_text": (
        d.rope(rope_type="llama3", factor=4.0, original_max_position_embeddings="64"),
        C,
        "original_max_position_embeddings = '64'",
    ),
    "a18_frequencies": (
        d.rope(rope_type="llama3", factor=4.0, low_freq_factor=4.0, high_freq_factor=4.0),
        C,
        "high_freq_factor",
    ),
    "a18_beta": (d.rope(rope_type="yarn", factor=4.0, beta_fast="32"), C, "beta_fast = '32'"),
    "a18_beta_0": (d.rope(rope_type="yarn", factor=4.0, beta_slow=0), C, "beta_slow = 0"),
    "a18_truncate": (d.rope(rope_type="yarn", factor=4.0, truncate="no"), C, "truncate = 'no'"),
    "a18_mscale": (d.rope(rope_type="yarn", factor=4.0, mscale=[1]), C, "mscale = '[1]'"),
    "a18_attention_factor": (
        d.rope(rope_type="yarn", factor=4.0, attention_factor=-1),
        C,
        "attention_factor = -1",
    ),
    "a18_factors_count": (d.longrope(long_factor=[1.0] * 7), C, "7 factors for 8"),
    "a18_factors_text": (d.longrope(long_factor=["2"] * 8), C, "long_factor"),
    "a18_factors_0": (d.longrope(short_factor=[0.0] * 8), C, "short_factor"),
    "a18_factors_not_a_list": (d.longrope(short_factor="12345678"), C, "short_factor"),
    "a18_original_1": (d.longrope(original_max_position_embeddings=1), C, "= 1"),
    "a18_two_types": (d.rope(type="linear", rope_type="yarn", factor=2.0), C, "'linear'"),
    "a18_two_styles": (
        d.config(rope_scaling={"type": "linear", "factor": 2.0}),
        C,
        "rope_scaling and rope_parameters differ",
    ),
    "a18_rotation_beyond_the_head": (d.rope(partial_rotary_factor=2.0), C, "= 2.0"),
    "a18_layer_kinds": (
        d.of_type("gemma3_text", rope_parameters={"full_attention": 3, "sliding_attention": {}}),
        C,
        "rope parameters = 3",
    ),
}
UNSUPPORTED: dict[str, d.Case] = {
    "a17_model_type": (
        d.config(model_type="bloom"),
        U,
        "model_type 'bloom' is unknown; known: llama",
    ),
    "a17_model_type_absent": (d.config(model_type=...), U, "model_type None"),
    "a17_model_type_list": (d.config(model_type=["llama"]), U, "model_type"),
    "a17_model_type_escapes": (
        d.config(model_type="\x1b[2J\n\x07" + "x" * 5000),
        U,
        "'\\x1b[2J\\n",
    ),
    "a17_activation": (d.config(hidden_act="swiglu"), U, "hidden_act 'swiglu'"),
    "a17_chunks": (
        d.config(attention_chunk_size=8),
        U,
        "--ignore-config-key 'attention_chunk_size'",
    ),
    "a17_value_escapes": (d.config(sliding_window="\x1b[2J" + "v" * 900), U, "'\\x1b[2J"),
    "a17_not_causal": (d.config(is_causal=False), U, "'is_causal' = False"),
    "a17_layers_of_their_own": (
        d.config(per_layer_config={"0": {"intermediate_size": 32}}),
        U,
        "'per_layer_config'",
    ),
    "a17_window": (d.config(sliding_window=5), U, "'sliding_window' = 5"),
    "a17_layer_types": (d.config(layer_types=["sliding_attention"]), U, "'layer_types'"),
    "a17_bidirectional": (
        d.of_type("gemma2", use_bidirectional_attention=True),
        U,
        "'use_bidirectional",
    ),
    "a17_cross_attention": (
        d.of_type("gpt2", add_cross_attention=True),
        U,
        "'add_cross_attention'",
    ),
    "a17_pruned_heads": (d.of_type("gpt2", pruned_heads={"0": [1]}), U, "'pruned_heads'"),
    "a17_encoder": (d.config(is_encoder_decoder=True), U, "'is_encoder_decoder'"),
    "a17_layer_kinds": (d.of_type("qwen2", layer_types=["chunked"]), U, "layer_types has"),
    "a17_layer_kinds_gemma": (d.of_type("gemma2", layer_types=["mamba"]), U, "layer_types has"),
    "a17_partial_rotation": (d.config(partial_rotary_factor=0.5), U, "'partial_rotary_factor'"),
    "a17_partial_rotation_new": (
        d.rope(partial_rotary_factor=0.5),
        U,
        "partial_rotary_factor = 0.5; this architecture rotates whole heads",
    ),
    "a17_partial_rotation_phi3": (
        d.rope("phi3", partial_rotary_factor=0.5),
        U,
        "8 of 16 channels",
    ),
    "a17_no_rotation": (d.rope("phi3", partial_rotary_factor=1e-3), U, "0 of 16 channels"),
    "a17_partial_rotation_neox": (
        d.of_type("gpt_neox", rope_parameters=None, rotary_pct=0.3),
        U,
        "4 of 16 channels",
    ),
    "a17_head_size": (d.of_type("qwen3", head_dim=24), U, "head size 24"),
    "a18_type": (d.rope(rope_type="wavy"), U, "rope type 'wavy'"),
    "a18_type_list": (d.rope(rope_type=["yarn"]), U, "rope type"),
    "a18_old_type": (
        d.config(rope_parameters=None, rope_scaling={"type": "waves", "factor": 2.0}),
        U,
        "rope type 'waves'",
    ),
    "a18_per_layer": (d.config(rope_parameters={"full_attention": {}}), U, "'full_attention'"),
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
        ("--task", "classify"),
        "USAGE",
        "--task 'classify' does not fit a decoder-only model; use generate",
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
    if model_type == "gpt_neox":
        d.config(rope_parameters=None, rotary_pct=1.0)(place / "checkpoint")
    if model_type in ("llama", "mistral"):
        models.build(load_folder(place / "checkpoint"))
        return
    refuse(capfd, place, "CKPT_WEIGHTS")


def test_ignored_key_exports(place: Path) -> None:
    d.config(attention_chunk_size=1, alibi=True)(place / "checkpoint")
    ignored = ["--ignore-config-key", "attention_chunk_size", "--ignore-config-key", "alibi"]
    arguments = ["export", str(place / "checkpoint"), str(place / "new"), "--profile", "fp32"]
    assert satchel.cli.main([*arguments, *ignored, "--context", "64"]) == 0
    assert satchel.load(place / "new").manifest.context == 64
