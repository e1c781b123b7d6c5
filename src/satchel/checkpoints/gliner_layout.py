"""A folder of the library gliner: gliner_config.json in place of config.json. Knows no model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from satchel.checkpoints.files import regular
from satchel.checkpoints.strict_json import read_json
from satchel.checkpoints.tensors import some
from satchel.runtime.errors import CheckpointError, UnsupportedError, shown

FILE, MODEL_TYPE, ENCODER = "gliner_config.json", "gliner", "encoder_config"
SAVES = "GLiNER.from_pretrained, then save_pretrained with safe_serialization=True"
KINDS = (None, MODEL_TYPE, "gliner_uni_encoder_span")
DEFAULTS: dict[
    str, Any
] = {  # as the library has them; what a file may say of each is of the same type
    "hidden_size": 512,
    "max_width": 12,
    "max_len": 384,
    "num_rnn_layers": 1,
    "vocab_size": -1,
    "class_token_index": -1,
    "embed_ent_token": True,
    "ent_token": "<<ENT>>",
    "sep_token": "<<SEP>>",
}
LIMITS = {
    "hidden_size": (2, 1 << 16),
    "max_width": (1, 1 << 10),
    "max_len": (1, 1 << 16),
    "num_rnn_layers": (0, 16),
    "vocab_size": (-1, 1 << 20),
    "class_token_index": (0, 1 << 20),
}
SUPPORTED: dict[str, tuple[Any, ...]] = {  # where another value makes another model
    "span_mode": ("markerV0",),
    "subtoken_pooling": ("first",),
    "words_splitter_type": ("whitespace",),
    "fuse_layers": (False,),
    "post_fusion_schema": ("", None),
    "span_encoder_config": (None,),
    "precomputed_prompts_mode": (None, False),
    "represent_spans": (False, None),
    "labels_encoder": (None,),
    "labels_decoder": (None,),
    "relations_layer": (None,),
}
TRAINING = frozenset(  # says nothing of what is answered
    [
        *("model_name", "name", "dropout", "fine_tune", "num_post_fusion_layers", "max_types"),
        *(
            "max_neg_type_ratio",
            "token_loss_coef",
            "span_loss_coef",
            "neg_spans_ratio",
            "model_type",
        ),
        *("id_to_classes", "_attn_implementation", "transformers_version", "dtype", "torch_dtype"),
    ]
)


def is_gliner(folder: Path) -> bool:
    """Whether `folder` is one of the library's."""
    return regular(folder, FILE) is not None


def gliner_config(folder: Path) -> tuple[dict[str, Any], tuple[str, ...]]:
    """What its configuration says, complete and checked, and what to tell the user of it.

    Raises UnsupportedError for what makes another model, CheckpointError for what makes none.
    """
    path = regular(folder, FILE)
    assert path is not None
    raw = read_json(path)
    if raw.get("model_type") not in KINDS:
        raise UnsupportedError(
            f"{FILE}: model_type {shown(raw['model_type'])} is not supported; of GLiNER satchel reads "
            "gliner_uni_encoder_span, with the span_mode markerV0"
        )
    for key, known in SUPPORTED.items():
        if raw.get(key, known[0]) not in known:
            raise UnsupportedError(
                f"{FILE}: {key} = {shown(raw[key])} is not supported; known: {shown(known[0])}"
            )
    values = {key: raw.get(key, default) for key, default in DEFAULTS.items()}
    for key, default in DEFAULTS.items():
        low, high = LIMITS.get(key, (0, 0))
        value = values[key]
        if type(value) is not type(default) or (key in LIMITS and not low <= value <= high):
            expected = f"{low}..{high}" if key in LIMITS else type(default).__name__
            raise CheckpointError(
                f"{FILE}: {key} = {shown(value)}; expected {expected}", "CKPT_CONFIG"
            )
    if values["hidden_size"] % 2:
        raise CheckpointError(
            f"{FILE}: hidden_size = {values['hidden_size']} is odd", "CKPT_CONFIG"
        )
    encoder = raw.get(ENCODER)
    if not isinstance(encoder, dict):
        raise UnsupportedError(
            f"{FILE} has no {ENCODER}, only the model_name {shown(raw.get('model_name'))}; load and save "
            f"it once with a newer gliner ({SAVES})"
        )
    encoder = {"model_type": "deberta-v2", **encoder}
    known_keys = DEFAULTS.keys() | SUPPORTED.keys() | TRAINING | {ENCODER}
    unread = sorted(raw.keys() - known_keys)
    notes = (f"{FILE}: {some(unread)}: not read",) if unread else ()
    return values | {"model_type": MODEL_TYPE, ENCODER: encoder}, notes
