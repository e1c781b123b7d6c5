"""The text encoders that are compared with transformers: model types, and what differs in a case."""

from __future__ import annotations

from typing import Any

from tests.tiny_encoders import HEADS, WITHOUT

LINEAR = {"rope_type": "linear", "factor": 2.0, "rope_theta": 500.0}
BIASES = ("norm_bias", "attention_bias", "mlp_bias", "classifier_bias")
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "bert": ("bert", {}),
    "bert-untied": ("bert", {"type_vocab_size": 1, "tie_word_embeddings": False}),
    "bert-relu": ("bert", {"hidden_act": "relu", "layer_norm_eps": 1e-3}),
    "roberta": ("roberta", {}),
    "roberta-types": ("roberta", {"pad_token_id": 0, "type_vocab_size": 3}),
    "xlm-roberta": ("xlm-roberta", {}),
    "distilbert": ("distilbert", {}),
    "mpnet": ("mpnet", {}),
    "modernbert": ("modernbert", {}),
    "modernbert-mean": (
        "modernbert",
        {
            "classifier_pooling": "mean",
            "classifier_activation": "relu",
            "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
            "decoder_bias": False,
            **dict.fromkeys(BIASES, True),
        },
    ),
    "electra": ("electra", {}),
    "electra-wide": ("electra", {"embedding_size": 64}),
    "albert": ("albert", {}),
    "albert-groups": (
        "albert",
        {
            "num_hidden_layers": 4,
            "num_hidden_groups": 2,
            "inner_group_num": 2,
            "embedding_size": 64,
        },
    ),
    "deberta": ("deberta", {}),
    "deberta-near": ("deberta", {"pos_att_type": "p2c", "max_relative_positions": 20}),
    "deberta-absolute": (
        "deberta",
        {
            "relative_attention": False,
            "position_biased_input": True,
            "type_vocab_size": 2,
            "pooler_hidden_act": "tanh",
            "tie_word_embeddings": False,
        },
    ),
    "deberta-newer-head": ("deberta", {"legacy": False, "tie_word_embeddings": False}),
    "deberta-v2": ("deberta-v2", {}),
    "deberta-v2-apart": (
        "deberta-v2",
        {
            "share_att_key": False,
            "norm_rel_ebd": "none",
            "position_buckets": -1,
            "position_biased_input": True,
            "type_vocab_size": 2,
        },
    ),
    "deberta-v2-conv": (
        "deberta-v2",
        {"conv_kernel_size": 3, "conv_act": "gelu", "pos_att_type": "c2p", "legacy": False},
    ),
    "camembert": ("camembert", {}),
    "xlm-roberta-xl": ("xlm-roberta-xl", {"type_vocab_size": 2}),
    "nomic_bert": ("nomic_bert", {}),
    "nomic_bert-heads": ("nomic_bert", {"head_dim": 32, "rope_parameters": LINEAR}),
    "gte": ("gte", {}),
    "gte-untyped": ("gte", {"type_vocab_size": 0, "hidden_act": "silu"}),
    "jina_embeddings_v3": ("jina_embeddings_v3", {}),
    "eurobert": ("eurobert", {}),
    "eurobert-biased": (
        "eurobert",
        {
            "num_key_value_heads": 1,
            "attention_bias": True,
            "mlp_bias": True,
            "classifier_pooling": "bos",
            "tie_word_embeddings": True,
        },
    ),
    "eurobert-mean": ("eurobert", {"classifier_pooling": "mean", "rms_norm_eps": 1e-2}),
    "roformer": ("roformer", {}),
    "roformer-wide": ("roformer", {"embedding_size": None, "hidden_act": "relu"}),
    "esm": ("esm", {}),
    "esm-absolute": (
        "esm",
        {
            "position_embedding_type": "absolute",
            "emb_layer_norm_before": True,
            "token_dropout": False,
        },
    ),
    "convbert": ("convbert", {}),
    "convbert-groups": (
        "convbert",
        {"num_groups": 2, "embedding_size": 64, "head_ratio": 8, "hidden_act": "relu"},
    ),
    "longformer": ("longformer", {}),
    "longformer-wide": ("longformer", {"attention_window": 300, "type_vocab_size": 2}),
}
HEADED = [  # every case with every task for which transformers has a class
    (name, task)
    for name, (model_type, _) in CASES.items()
    for task in HEADS
    if task not in WITHOUT.get(model_type, ())
]
