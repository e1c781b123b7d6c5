"""Which keys of config.json matter: those that some release of transformers reads for a model type.

config_keys.json lists them; `python -m tests.config_keys` makes it from the sources of those releases.
A key that is not listed changes nothing, whatever it says.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from satchel.checkpoints.tensors import some

CONTENT = json.loads(Path(__file__).with_suffix(".json").read_text("utf-8"))
# Keys that are read and say nothing about the forward pass of any model: training, bookkeeping, tokens,
# generation. What satchel itself takes from them (labels, special tokens, defaults) it checks elsewhere.
COSMETIC = frozenset(
    f"""{CONTENT["generation"]}
    _attn_implementation _attn_implementation_autoset _attn_implementation_internal
    _attn_was_changed _auto_class _commit_hash _experts_implementation
    _experts_implementation_internal _name_or_path _original_object_hash _output_attentions
    _post_init_done _pre_quantization_dtype architectures attention_dropout attn_implementation
    auto_map base_model_ep_plan base_model_pp_plan base_model_tp_plan chunk_size_feed_forward
    classifier_dropout distributed_config dtype end_n_top experts_implementation features_only
    finetuning_task gradient_checkpointing has_no_defaults_at_init hidden_dropout id2label
    init_std initializer_factor initializer_range is_composition is_decoder label2id loss_type
    model_name model_type name_or_path num_labels prefix pretraining_tp problem_type return_dict
    sep_token_id start_n_top summary_activation summary_first_dropout summary_last_dropout
    summary_proj_to_labels summary_type summary_use_proj task_specific_params tf_legacy_loss
    token tokenizer_class torch_dtype torchscript use_auth_token use_bfloat16 use_return_dict
    xla_device""".split()
)

# Keys that are read, with the values that change nothing where an architecture has no such field.
NEUTRAL: dict[str, tuple[Any, ...]] = {
    "add_adapter": (False,),
    "add_cross_attention": (False,),
    "is_causal": (True,),
    "is_encoder_decoder": (False,),
    "is_heterogeneous": (False,),
    "layer_types": ("full_attention",),
    "partial_rotary_factor": (1,),
    "pruned_heads": ({},),
    "tie_encoder_decoder": (False,),
    "use_bidirectional_attention": (False,),
    "use_weighted_layer_sum": (False,),
}
HERE = frozenset(  # keys that no model reads and satchel does
    ["_num_labels", "sbert_ce_default_activation_function", "sentence_transformers"]
)

OF_OTHER_CODE = {  # model_type, position_embedding_type of files that are not transformers' -> kind
    ("bert", "alibi"): "jina_bert",
    ("xlm-roberta", "rotary"): "jina_xlm_roberta",
}


def kind_of(config: dict[str, Any]) -> Any:
    """The model_type, or our name of what another code makes of a model_type that transformers has."""
    kind, placed = config.get("model_type"), config.get("position_embedding_type")
    if isinstance(kind, str) and isinstance(placed, str):
        return OF_OTHER_CODE.get((kind, placed), kind)
    return kind


def is_known(model_type: Any) -> bool:
    """Whether `model_type` is one whose keys are listed."""
    return isinstance(model_type, str) and model_type in CONTENT["model_types"]


@cache
def keys_read(model_type: str) -> frozenset[str]:
    """The keys that transformers may read for `model_type`, one of those in config_keys.json.

    Raises LookupError for an architecture whose keys were not listed yet.
    """
    own = CONTENT["model_types"].get(model_type)
    if own is None:
        raise LookupError(
            f"config_keys.json lacks {model_type}; python -m tests.config_keys lists it"
        )
    return frozenset(f"{CONTENT['every']} {CONTENT['generation']} {own}".split())


def is_neutral(key: str, value: Any, neutral: dict[str, tuple[Any, ...]]) -> bool:
    """Whether `value` leaves the mathematics as they are without `key`."""
    if value is None:
        return True
    known = neutral.get(key, ())
    if isinstance(value, list):
        return bool(known) and all(item in known for item in value)
    return value in known


def remarks(config: dict[str, Any]) -> tuple[str, ...]:
    """What a user should hear of a config.json."""
    kind = kind_of(config)
    if not is_known(kind):
        return ()
    notes = []
    if config.get("auto_map"):
        notes.append(
            f"config.json names code of its own (auto_map): not run; built as model_type {kind}"
        )
    unread = sorted(config.keys() - keys_read(kind) - HERE)
    if unread:
        notes.append(
            f"config.json: {some(unread)}: read by no {kind} of transformers, so by none here"
        )
    rope = config.get("rope_parameters") or config.get("rope_scaling")
    said = rope if isinstance(rope, dict) else {}
    fixed = kind == "hunyuan_v1_dense" and said.get("alpha")
    if "dynamic" in (said.get("rope_type"), said.get("type")) and not fixed:
        notes.append(
            "config.json: rope type dynamic stretches what is beyond max_position_embeddings = "
            f"{config.get('max_position_embeddings')}, where this bundle ends"
        )
    return tuple(notes)
