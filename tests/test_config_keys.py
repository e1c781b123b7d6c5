"""The keys of config.json: listed as transformers reads them, each classified, each acted on."""

from __future__ import annotations

import dataclasses
import json
import random
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from satchel.checkpoints.config_keys import CONTENT, COSMETIC, HERE, keys_read, remarks
from tests import config_table
from tests.answering import SUBJECTS
from tests.config_keys import DATA, LIKE, installed
from tests.config_keys import keys_read as keys_in_sources
from tests.config_table import BEGIN, BUILT, END, PAGE, classified, configuration
from tests.perturbed import changes, compared, differences

OWN = {"transformers_version", "model_type"}  # what the library writes of itself
NATIVE = [name for name in BUILT if name not in LIKE]  # those for which transformers has a class
PAIRS = {  # model types of two: the classes of their parts
    "encoder-decoder": (transformers.BertConfig, transformers.BertConfig),
    "vision-encoder-decoder": (transformers.ViTConfig, transformers.TrOCRConfig),
}
QUICK = ["llama", "gpt2", "bert-classify", "t5"]
PUBLISHED: dict[str, dict[str, Any]] = {  # keys of published files that no release reads
    "bert": {
        "_num_labels": 2,
        "directionality": "bidi",
        "pooler_fc_size": 768,
        "replacing_rate": 0.5,
        "student_hidden_size": 312,
        "gradient_checkpointing": False,
        "tie_weights_": True,
        "output_past": True,
        "pad_token_id": -1,
        "eos_token_ids": 0,
    },
    "qwen2": {
        "use_mrope": False,
        "sliding_window_size": 4096,
        "_attn_implementation_autoset": True,
    },
    "llama": {
        "interpolate_factor": 1,
        "full_attn_mod": 1,
        "lm_head_bias": False,
        "pad_token_id": -1,
    },
    "gpt2": {
        "n_ctx": 1024,
        "n_special": 0,
        "predict_special_tokens": True,
        "gradient_checkpointing": False,
    },
    "gpt_neox": {"rotary_pct": 0.25, "partial_rotary_factor": 0.25, "rope_theta": 10000},
    "phi": {"resid_pdrop": 0.1, "qk_layernorm": False, "rope_scaling": None},
    "falcon": {
        "apply_residual_connection_post_layernorm": False,
        "auto_map": {"AutoConfig": "configuration_falcon.FalconConfig"},
        "n_head": 71,
    },
    "gpt_bigcode": {
        "inference_runner": 0,
        "max_batch_size": None,
        "max_sequence_length": None,
        "pad_key_length": True,
        "pre_allocate_kv_cache": False,
        "validate_runner_input": True,
    },
    "opt": {"prefix": "</s>", "activation_dropout": 0.0, "_remove_final_layer_norm": False},
    "gptj": {"rotary": True, "scale_attn_weights": True, "gradient_checkpointing": False},
    "codegen": {"n_ctx": 2048, "scale_attn_weights": True, "gradient_checkpointing": False},
    "gpt_neo": {"gradient_checkpointing": False, "summary_type": "cls_index"},
    "bloom": {
        "n_embed": 64,
        "n_inner": None,
        "num_attention_heads": 8,
        "attention_softmax_in_fp32": True,
        "bias_dropout_fusion": True,
        "masked_softmax_fusion": True,
        "offset_alibi": 100,
        "pretraining_tp": 4,
        "seq_length": 2048,
        "skip_bias_add": True,
    },
    "mpt": {
        "init_config": {"name": "kaiming_normal_", "fan_mode": "fan_in"},
        "tokenizer_name": "EleutherAI/gpt-neox-20b",
        "learned_pos_emb": True,
        "norm_type": "low_precision_layernorm",
        "verbose": 0,
        "attn_config": {"alibi": True, "attn_impl": "triton", "attn_pdrop": 0, "clip_qkv": None},
    },
    "bart": {"static_position_embeddings": False, "extra_pos_embeddings": 2, "save_step": 66},
    "marian": {"add_bias_logits": False, "normalize_before": False, "add_final_layer_norm": False},
    "t5": {"output_past": True, "n_positions": 512, "gradient_checkpointing": False},
    "whisper": {"forced_decoder_ids": [[1, 50259]], "mask_time_prob": 0.05, "lang_to_id": {}},
}


@pytest.fixture(scope="module")
def read_here() -> dict[str, set[str]]:
    """The keys that the installed release reads."""
    return keys_in_sources(installed)


@pytest.mark.parametrize("model_type", NATIVE)
def test_every_key_of_the_installed_release_is_listed(model_type: str, read_here: Any) -> None:
    """A newer release may read keys that are not: `python -m tests.config_keys` lists them."""
    listed = keys_read(model_type)
    assert read_here["every"] | read_here["generation"] | read_here[model_type] <= listed
    made = transformers.CONFIG_MAPPING[model_type]
    names = {field.name for field in dataclasses.fields(made)}
    names |= made.attribute_map.keys() | set(made.attribute_map.values())
    assert {name for name in names if not name.startswith("_")} <= listed


@pytest.mark.parametrize("model_type", BUILT)
def test_every_key_is_classified_once(model_type: str) -> None:
    found = classified(model_type)
    assert set.union(*found.values()) == keys_read(model_type)
    assert sum(map(len, found.values())) == len(keys_read(model_type))
    own = configuration(model_type).cosmetic - COSMETIC
    listed = set.union(*(set(keys_read(name)) for name in BUILT))
    assert own <= listed  # a key that nobody reads needs no mention


@pytest.mark.parametrize("model_type", NATIVE)
def test_a_default_configuration_of_the_installed_release_is_read(model_type: str) -> None:
    made = transformers.CONFIG_MAPPING[model_type]
    if model_type in PAIRS:
        reader, writer = (kind() for kind in PAIRS[model_type])
        raw = made(encoder=reader, decoder=writer).to_dict()
    else:
        raw = made().to_dict()
    configuration(model_type).values(raw | {"model_type": model_type})


@pytest.mark.parametrize("model_type", PUBLISHED)
def test_keys_of_published_files_change_nothing(model_type: str) -> None:
    kind, extra = configuration(model_type), PUBLISHED[model_type]
    raw = transformers.CONFIG_MAPPING[model_type]().to_dict()
    if model_type == "gpt_neox":
        raw |= {"num_attention_heads": 24, "rope_parameters": None}
    fields = kind.keys()
    assert kind.from_dict(raw | extra) == dataclasses.replace(
        kind.from_dict(raw), **{fields[key]: extra[key] for key in fields.keys() & extra}
    )


def test_the_page_says_what_the_code_does() -> None:
    page = PAGE.read_text("utf-8")
    assert page.partition(BEGIN)[2].partition(END)[0] == config_table.table(), (
        "run python -m tests.config_table"
    )


def test_a_user_hears_of_keys_that_nobody_reads() -> None:
    assert remarks({"model_type": "llama", "hidden_size": 8, **dict.fromkeys(HERE, 1)}) == ()
    code, unread = remarks({"model_type": "llama", "auto_map": {"AutoModel": "x.Y"}, "wobble": 1})
    assert "auto_map" in code and "model_type llama" in code
    assert "'wobble'" in unread and "llama" in unread
    (dynamic,) = remarks({"model_type": "llama", "rope_scaling": {"type": "dynamic", "factor": 2}})
    assert "max_position_embeddings" in dynamic
    assert remarks({"model_type": "unheard-of", "auto_map": {}}) == ()


def test_an_architecture_without_its_keys_says_how_to_list_them() -> None:
    with pytest.raises(LookupError, match=r"lacks unheard-of; python -m tests\.config_keys"):
        keys_read("unheard-of")


def test_the_list_is_written_where_it_is_read() -> None:
    written = json.loads(DATA.read_text("utf-8"))
    assert written["model_types"] == CONTENT["model_types"]


def walked(name: str, folder: Path, most: int | None) -> None:
    """No change of a key makes us answer otherwise than transformers; `most` are tried, or all."""
    torch.set_num_threads(1)
    subject = SUBJECTS[name]
    subject.save(folder)
    assert compared(subject, folder) is None
    wanted = list(changes(folder))
    if most is not None:
        wanted = random.Random(name).sample(wanted, most)
    assert differences(subject, folder, iter(wanted)) == []


@pytest.mark.parametrize("name", QUICK)
def test_some_changed_keys_are_refused_or_answered_as_by_transformers(
    name: str, tmp_path: Path
) -> None:
    walked(name, tmp_path, 40)


@pytest.mark.slow
@pytest.mark.parametrize("name", SUBJECTS)
def test_changed_keys_are_refused_or_answered_as_by_transformers(name: str, tmp_path: Path) -> None:
    walked(name, tmp_path, None)
