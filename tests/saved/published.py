"""The key sets of published files, as facts: which keys they hold, and what those that matter say.

`...` stands for a value that follows from the tiny model (sizes, ids); "row" is what is saved, "model"
what its configuration differs in, and the rest says what the published files hold.
"""

from __future__ import annotations

from typing import Any

Keys = dict[str, Any]
NO_LIMIT = int(1e30)


def of_model(*names: str) -> Keys:
    """Keys whose values are the tiny model's."""
    return dict.fromkeys(names, ...)


IDS = of_model("bos_token_id", "eos_token_id")
SHAPE = of_model(
    "model_type", "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers",
    "num_attention_heads", "max_position_embeddings",
)  # fmt: skip
WRITTEN = {"torch_dtype": "float32", "transformers_version": "4.38.0", "use_cache": True}
DECODER = SHAPE | IDS | WRITTEN | {
    "attention_dropout": 0.0, "hidden_act": "silu", "initializer_range": 0.02,
    "num_key_value_heads": ..., "rms_norm_eps": 1e-05,
}  # fmt: skip
FROM_CONFIG = IDS | {"_from_model_config": True, "transformers_version": "4.38.0"}
BERT = SHAPE | WRITTEN | {
    "attention_probs_dropout_prob": 0.1, "gradient_checkpointing": False, "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1, "initializer_range": 0.02, "layer_norm_eps": 1e-12,
    "pad_token_id": ..., "position_embedding_type": "absolute", "type_vocab_size": 2,
}  # fmt: skip
SENTENCEPIECE = {
    "add_bos_token": True, "add_eos_token": False, "additional_special_tokens": [],
    "bos_token": ..., "clean_up_tokenization_spaces": False, "eos_token": ..., "legacy": True,
    "model_max_length": NO_LIMIT, "pad_token": None, "sp_model_kwargs": {},
    "spaces_between_special_tokens": False, "tokenizer_class": "LlamaTokenizer",
    "unk_token": ..., "use_default_system_prompt": False,
}  # fmt: skip
STACKS = of_model(
    "model_type", "vocab_size", "d_model", "encoder_layers", "decoder_layers",
    "encoder_attention_heads", "decoder_attention_heads", "encoder_ffn_dim", "decoder_ffn_dim",
    "max_position_embeddings", "bos_token_id", "eos_token_id", "pad_token_id",
    "decoder_start_token_id", "num_hidden_layers",
) | {
    "activation_dropout": 0.0, "attention_dropout": 0.0, "classifier_dropout": 0.0,
    "decoder_layerdrop": 0.0, "dropout": 0.1, "encoder_layerdrop": 0.0, "init_std": 0.02,
    "is_encoder_decoder": True, "torch_dtype": "float32", "transformers_version": "4.27.0.dev0",
    "use_cache": True,
}  # fmt: skip
LEFTOVERS = {  # of fairseq and of distillation
    "_num_labels": 3, "add_bias_logits": False, "add_final_layer_norm": False,
    "classif_dropout": 0.0, "normalize_before": False,
    "id2label": {"0": "LABEL_0", "1": "LABEL_1", "2": "LABEL_2"},
    "label2id": {"LABEL_0": 0, "LABEL_1": 1, "LABEL_2": 2},
}  # fmt: skip
T5 = of_model(
    "model_type", "vocab_size", "d_model", "d_kv", "d_ff", "num_layers", "num_decoder_layers",
    "num_heads", "decoder_start_token_id", "eos_token_id", "pad_token_id",
) | {
    "architectures": ["T5ForConditionalGeneration"], "dropout_rate": 0.1, "initializer_factor": 1.0,
    "is_encoder_decoder": True, "layer_norm_epsilon": 1e-06, "n_positions": 512,
    "output_past": True, "relative_attention_max_distance": 128,
    "relative_attention_num_buckets": 32, "use_cache": True,
    "task_specific_params": {
        "summarization": {"early_stopping": True, "max_length": 200, "min_length": 30,
                          "num_beams": 4, "prefix": "summarize: "},
    },
}  # fmt: skip
IMAGES = {
    "do_normalize": True, "do_resize": True, "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
}  # fmt: skip
# What every configuration wrote of its base class in 2022, below text_config and vision_config.
BASE_CLASS = {
    "_name_or_path": "", "add_cross_attention": False, "architectures": None,
    "bad_words_ids": None, "chunk_size_feed_forward": 0, "cross_attention_hidden_size": None,
    "decoder_start_token_id": None, "diversity_penalty": 0.0, "do_sample": False,
    "early_stopping": False, "encoder_no_repeat_ngram_size": 0, "exponential_decay_length_penalty":
    None, "finetuning_task": None, "forced_bos_token_id": None, "forced_eos_token_id": None,
    "id2label": {"0": "LABEL_0", "1": "LABEL_1"}, "is_decoder": False, "is_encoder_decoder": False,
    "label2id": {"LABEL_0": 0, "LABEL_1": 1}, "length_penalty": 1.0, "max_length": 20,
    "min_length": 0, "no_repeat_ngram_size": 0, "num_beam_groups": 1, "num_beams": 1,
    "num_return_sequences": 1, "output_attentions": False, "output_hidden_states": False,
    "output_scores": False, "prefix": None, "problem_type": None, "pruned_heads": {},
    "remove_invalid_values": False, "repetition_penalty": 1.0, "return_dict": True,
    "return_dict_in_generate": False, "sep_token_id": None, "task_specific_params": None,
    "temperature": 1.0, "tf_legacy_loss": False, "tie_encoder_decoder": False,
    "tie_word_embeddings": True, "tokenizer_class": None, "top_k": 50, "top_p": 1.0,
    "torch_dtype": None, "torchscript": False, "transformers_version": "4.24.0", "typical_p": 1.0,
    "use_bfloat16": False,
}  # fmt: skip
TOWER = BASE_CLASS | of_model(
    "hidden_size", "intermediate_size", "num_attention_heads", "num_hidden_layers",
) | {
    "attention_dropout": 0.0, "dropout": 0.0, "hidden_act": "quick_gelu", "initializer_factor": 1.0,
    "initializer_range": 0.02, "layer_norm_eps": 1e-05, "projection_dim": ...,
}  # fmt: skip
LONGROPE = {
    "type": "longrope",
    "short_factor": [1.0 + place / 8 for place in range(8)],
    "long_factor": [2.0 + place for place in range(8)],
}
TEXT_ENCODERS: dict[str, Keys] = {
    "bert-base-uncased": {
        "row": "bert-pretraining",
        "config": BERT | {"architectures": ["BertForMaskedLM"]},
        "tokenizer": {"do_lower_case": True, "model_max_length": 512},
    },
    "bert-base-cased": {
        "row": "bert-masked-of-pretraining",
        "config": BERT | {"architectures": ["BertForMaskedLM"]},
        "tokenizer": {"do_lower_case": False, "model_max_length": 512},
    },
    "roberta-base": {
        "row": "roberta",
        "config": BERT | IDS | {
            "architectures": ["RobertaForMaskedLM"], "layer_norm_eps": 1e-05, "type_vocab_size": 1,
        },
        "tokenizer": {"model_max_length": 512},
    },
    "xlm-roberta-base": {
        "row": "xlm-roberta-masked",
        "config": BERT | IDS | {
            "architectures": ["XLMRobertaForMaskedLM"], "layer_norm_eps": 1e-05,
            "type_vocab_size": 1, "output_past": True,
        },
        "tokenizer": {"model_max_length": 512},
    },
    "distilbert-sst2": {
        "row": "distilbert",
        "config": of_model(
            "model_type", "vocab_size", "dim", "hidden_dim", "n_heads", "n_layers",
            "max_position_embeddings", "pad_token_id",
        ) | {
            "activation": "gelu", "architectures": ["DistilBertForSequenceClassification"],
            "attention_dropout": 0.1, "dropout": 0.1, "finetuning_task": "sst-2",
            "id2label": {"0": "NEGATIVE", "1": "POSITIVE"}, "initializer_range": 0.02,
            "label2id": {"NEGATIVE": 0, "POSITIVE": 1}, "output_past": True, "qa_dropout": 0.1,
            "seq_classif_dropout": 0.2, "sinusoidal_pos_embds": False, "tie_weights_": True,
            "transformers_version": "4.5.0.dev0",
        },
        "tokenizer": {"model_max_length": 512, "do_lower_case": True},
    },
    "all-mpnet-base-v2": {
        "row": "mpnet-base",
        "config": {key: BERT[key] for key in BERT if key not in (
            "gradient_checkpointing", "position_embedding_type", "type_vocab_size", "use_cache")} | IDS
        | {"_name_or_path": "microsoft/mpnet-base", "architectures": ["MPNetForMaskedLM"],
           "layer_norm_eps": 1e-05, "relative_attention_num_buckets": 32},
        "tokenizer": {"do_lower_case": True, "bos_token": "<s>", "eos_token": "</s>",
                      "sep_token": "</s>", "cls_token": "<s>", "unk_token": "[UNK]",
                      "pad_token": "<pad>", "mask_token": ..., "tokenize_chinese_chars": True,
                      "strip_accents": None, "model_max_length": 512,
                      "special_tokens_map_file": None, "name_or_path": "microsoft/mpnet-base",
                      "tokenizer_class": "MPNetTokenizer"},
        "task": "embed",
    },
    "modernbert-base": {
        "row": "modernbert",
        "config": SHAPE | IDS | of_model("cls_token_id", "sep_token_id", "pad_token_id") | {
            "architectures": ["ModernBertForMaskedLM"], "attention_bias": False,
            "attention_dropout": 0.0, "classifier_activation": "gelu", "classifier_bias": False,
            "classifier_dropout": 0.0, "classifier_pooling": "mean", "decoder_bias": True,
            "deterministic_flash_attn": False, "embedding_dropout": 0.0,
            "global_attn_every_n_layers": 3, "global_rope_theta": 160000.0,
            "gradient_checkpointing": False, "hidden_activation": "gelu",
            "initializer_cutoff_factor": 2.0, "initializer_range": 0.02, "layer_norm_eps": 1e-05,
            "local_attention": 16, "local_rope_theta": 10000.0, "mlp_bias": False,
            "mlp_dropout": 0.0, "norm_bias": False, "norm_eps": 1e-05,
            "position_embedding_type": "absolute", "sparse_pred_ignore_index": -100,
            "sparse_prediction": False, "torch_dtype": "float32",
            "transformers_version": "4.47.0.dev0",
        },
        "tokenizer": of_model("cls_token", "mask_token", "pad_token", "sep_token", "unk_token") | {
            "clean_up_tokenization_spaces": True, "extra_special_tokens": {},
            "model_input_names": ["input_ids", "attention_mask"], "model_max_length": 8192,
            "tokenizer_class": "PreTrainedTokenizerFast",
        },
    },
    "ms-marco-minilm": {
        "row": "bert-one",
        "config": BERT | {
            "_name_or_path": "nreimers/MiniLM", "architectures": ["BertForSequenceClassification"],
            "id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}, "classifier_dropout": None,
            "sbert_ce_default_activation_function": "torch.nn.modules.linear.Identity",
        },
        "tokenizer": {"do_lower_case": True, "model_max_length": 512, "never_split": None,
                      "do_basic_tokenize": True, "tokenizer_class": "BertTokenizer"},
        "cross": True,
    },
    "electra-small-discriminator-embed": {
        "row": "electra-base",
        "config": BERT | {
            "architectures": ["ElectraModel"], "embedding_size": ..., "summary_activation": "gelu",
            "summary_last_dropout": 0.1, "summary_type": "first", "summary_use_proj": True,
        },
        "tokenizer": {"do_lower_case": True, "model_max_length": 512},
    },
    "albert-base-v2": {
        "row": "albert",
        "config": BERT | IDS | {
            "architectures": ["AlbertForMaskedLM"], "classifier_dropout_prob": 0.1,
            "down_scale_factor": 1, "embedding_size": ..., "gap_size": 0, "hidden_act": "gelu_new",
            "inner_group_num": 1, "net_structure_type": 0, "num_hidden_groups": 1,
            "num_memory_blocks": 0,
        },
        "tokenizer": {"model_max_length": 512},
    },
}  # fmt: skip
