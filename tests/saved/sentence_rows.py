"""Rows of sentence encoders and cross-encoders: the modules of a folder, and what it is made of.

Plain data, since other versions read it too: see `tests.saved.save_sentences`.
"""

from __future__ import annotations

from typing import Any

Row = dict[str, Any]
TRUNK: tuple[str, Row] = ("Transformer", {})
WIDTH = {"word_embedding_dimension": 32}


def pooled(mode: str, *rest: tuple[str, Row]) -> list[tuple[str, Row]]:
    """A trunk, a pooling, and what follows."""
    return [TRUNK, ("Pooling", WIDTH | {"pooling_mode": mode}), *rest]


def dense(width: int, wider: int, act: str) -> tuple[str, Row]:
    return (
        "Dense",
        {"in_features": width, "out_features": wider, "activation_function": act},
    )


UNIT: tuple[str, Row] = ("Normalize", {})
SENTENCES: list[Row] = [
    {"name": "mean", "of": "bert-base", "modules": pooled("mean", UNIT)},
    {"name": "plain", "of": "bert-base", "modules": pooled("mean")},
    {"name": "cls", "of": "roberta-base", "modules": pooled("cls", UNIT)},
    {"name": "max", "of": "distilbert-base", "modules": pooled("max")},
    {"name": "mpnet", "of": "mpnet-base", "modules": pooled("mean", UNIT)},
    {"name": "xlm", "of": "xlm-roberta-base", "modules": pooled("mean", UNIT)},
    {"name": "weighted", "of": "bert-base", "modules": pooled("weightedmean")},
    {"name": "root", "of": "albert-base", "modules": pooled("mean_sqrt_len_tokens")},
    {"name": "last", "of": "bert-base", "modules": pooled("lasttoken")},
    {
        "name": "dense",
        "of": "bert-base",
        "modules": pooled("mean", dense(32, 24, "Tanh"), UNIT),
    },
    {
        "name": "dense-identity",
        "of": "bert-base",
        "modules": pooled("cls", dense(32, 48, "ReLU"), dense(48, 8, "Identity")),
    },
    {
        "name": "prompts",
        "of": "bert-base",
        "modules": pooled("mean", UNIT),
        "options": {
            "prompts": {"query": "query: ", "passage": "passage: "},
            "default_prompt_name": "query",
        },
    },
    {"name": "short", "of": "bert-base", "modules": pooled("mean", UNIT), "max_seq_length": 16},
    {
        "name": "lower",
        "of": "bert-base",
        "modules": [("Transformer", {"do_lower_case": True, "max_seq_length": 32}),
                    ("Pooling", WIDTH | {"pooling_mode": "mean"})],
    },
    {
        "name": "truncated",
        "of": "bert-base",
        "modules": pooled("mean", UNIT),
        "options": {"truncate_dim": 8},
    },
    {
        "name": "dot",
        "of": "bert-base",
        "modules": pooled("cls"),
        "options": {"similarity_fn_name": "dot"},
    },
    {"name": "dropout", "of": "bert-base", "modules": pooled("mean", ("Dropout", {"dropout": 0.2}))},
    {
        "name": "layer-norm",
        "of": "bert-base",
        "modules": pooled("mean", ("LayerNorm", {"dimension": 32})),
    },
    {
        "name": "early-unit",
        "of": "bert-base",
        "modules": pooled("mean", UNIT, dense(32, 8, "Identity")),
    },
    {
        "name": "no-prompt",
        "of": "bert-base",
        "modules": [TRUNK, ("Pooling", WIDTH | {"pooling_mode": "mean", "include_prompt": False})],
        "options": {"prompts": {"query": "query: "}, "default_prompt_name": "query"},
    },
    {
        "name": "static",
        "of": "bert-base",
        "modules": [("StaticEmbedding", {"embedding_dim": 32})],
    },
]  # fmt: skip
CROSS_ENCODERS: list[Row] = [
    {"name": "cross-one", "of": "bert-one"},
    {"name": "cross-one-identity", "of": "bert-one", "activation": "Identity"},
    {
        "name": "cross-one-sigmoid",
        "of": "roberta-one",
        "activation": "Sigmoid",
        "options": {"max_length": 64},  # without, the library reads beyond the positions
    },
    {"name": "cross-three", "of": "bert-labels"},
    {"name": "cross-three-identity", "of": "bert-labels", "activation": "Identity"},
    {"name": "cross-short", "of": "bert-one", "options": {"max_length": 16}},
    {"name": "cross-xlm", "of": "xlm-roberta-one", "options": {"max_length": 64}},
    {"name": "cross-electra", "of": "electra-one"},
    {"name": "cross-modern", "of": "modernbert-one"},
]
