"""The key sets of published decoders, encoder-decoders and image encoders, as in `published`."""

from __future__ import annotations

from tests.saved.published import (
    BASE_CLASS,
    DECODER,
    FROM_CONFIG,
    IDS,
    IMAGES,
    LEFTOVERS,
    LONGROPE,
    SENTENCEPIECE,
    SHAPE,
    STACKS,
    T5,
    TOWER,
    Keys,
    of_model,
)

DECODERS: dict[str, Keys] = {
    "smollm2-instruct": {
        "row": "llama-gpt2",
        "model": {"tie_word_embeddings": True},
        "dtype": "bfloat16",
        "config": DECODER | {
            "architectures": ["LlamaForCausalLM"], "attention_bias": False, "is_llama_config": True,
            "mlp_bias": False, "pad_token_id": ..., "pretraining_tp": 1, "rope_interleaved": False,
            "rope_scaling": None, "rope_theta": 100000, "tie_word_embeddings": True,
            "transformers.js_config": {"kv_cache_dtype": {"q4f16": "float16", "fp16": "float16"}},
        },
        "tokenizer": {
            "add_prefix_space": False, "additional_special_tokens": ["<|endoftext|>"],
            "bos_token": ..., "clean_up_tokenization_spaces": False, "eos_token": ...,
            "model_max_length": 8192, "pad_token": ..., "tokenizer_class": "GPT2Tokenizer",
            "unk_token": ..., "vocab_size": 49152,
        },
        "generation": FROM_CONFIG,
    },
    "llama-3.2-instruct": {
        "row": "llama-fast",
        "model": {"tie_word_embeddings": True},
        "dtype": "bfloat16",
        "config": DECODER | {
            "architectures": ["LlamaForCausalLM"], "attention_bias": False, "head_dim": ...,
            "mlp_bias": False, "pretraining_tp": 1, "rope_theta": 500000.0,
            "rope_scaling": {"factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
                             "original_max_position_embeddings": 64, "rope_type": "llama3"},
            "tie_word_embeddings": True,
        },
        "tokenizer": {
            "bos_token": ..., "clean_up_tokenization_spaces": True, "eos_token": ...,
            "model_input_names": ["input_ids", "attention_mask"], "model_max_length": 131072,
            "tokenizer_class": "PreTrainedTokenizerFast",
        },
        "generation": IDS | {"do_sample": True, "temperature": 0.6, "top_p": 0.9,
                             "transformers_version": "4.45.0.dev0"},
    },
    "mistral-7b-v0.1": {
        "row": "mistral",
        "config": DECODER | {"architectures": ["MistralForCausalLM"], "rope_theta": 10000.0,
                             "sliding_window": 16, "tie_word_embeddings": False},
        "tokenizer": SENTENCEPIECE,
        "generation": FROM_CONFIG,
    },
    "qwen2.5-instruct": {
        "row": "qwen2",
        "model": {"tie_word_embeddings": True},
        "config": DECODER | {
            "architectures": ["Qwen2ForCausalLM"], "max_window_layers": 21, "rms_norm_eps": 1e-06,
            "rope_theta": 1000000.0, "sliding_window": 32768, "tie_word_embeddings": True,
            "use_mrope": False, "use_sliding_window": False,
        },
        "tokenizer": {
            "add_bos_token": False, "add_prefix_space": False, "additional_special_tokens": [],
            "bos_token": None, "clean_up_tokenization_spaces": False, "eos_token": ...,
            "errors": "replace", "model_max_length": 131072, "pad_token": ...,
            "split_special_tokens": False, "tokenizer_class": "Qwen2Tokenizer", "unk_token": None,
        },
        "generation": IDS | {"do_sample": True, "pad_token_id": ..., "repetition_penalty": 1.1,
                             "temperature": 0.7, "top_k": 20, "top_p": 0.8},
    },
    "qwen3": {
        "row": "qwen3",
        "model": {"tie_word_embeddings": True},
        "config": DECODER | {
            "architectures": ["Qwen3ForCausalLM"], "attention_bias": False, "head_dim": ...,
            "max_window_layers": 28, "rms_norm_eps": 1e-06, "rope_scaling": None,
            "rope_theta": 1000000, "sliding_window": None, "tie_word_embeddings": True,
            "use_sliding_window": False,
        },
        "tokenizer": {
            "add_bos_token": False, "add_prefix_space": False, "bos_token": None,
            "clean_up_tokenization_spaces": False, "eos_token": ..., "errors": "replace",
            "model_max_length": 131072, "pad_token": ..., "split_special_tokens": False,
            "tokenizer_class": "Qwen2Tokenizer", "unk_token": None,
        },
        "generation": IDS | {"do_sample": True, "pad_token_id": ..., "temperature": 0.6,
                             "top_k": 20, "top_p": 0.95},
    },
    "gemma-2": {
        "row": "gemma2",
        "dtype": "bfloat16",
        "config": DECODER | {
            "architectures": ["Gemma2ForCausalLM"], "attention_bias": False,
            "attn_logit_softcapping": 50.0, "cache_implementation": "hybrid",
            "final_logit_softcapping": 30.0, "head_dim": ..., "hidden_act": "gelu_pytorch_tanh",
            "hidden_activation": "gelu_pytorch_tanh", "pad_token_id": ...,
            "query_pre_attn_scalar": ..., "rms_norm_eps": 1e-06, "rope_theta": 10000.0,
            "sliding_window": 16,
        },
        "tokenizer": SENTENCEPIECE | {"tokenizer_class": "GemmaTokenizer", "pad_token": ...},
        "generation": FROM_CONFIG | {"cache_implementation": "hybrid", "pad_token_id": ...},
    },
    "gemma-3-it": {
        "row": "gemma3_text",
        "dtype": "bfloat16",
        "config": DECODER | {
            "architectures": ["Gemma3ForCausalLM"], "attention_bias": False,
            "attn_logit_softcapping": None, "cache_implementation": "hybrid",
            "final_logit_softcapping": None, "head_dim": ..., "hidden_activation":
            "gelu_pytorch_tanh", "pad_token_id": ..., "query_pre_attn_scalar": ...,
            "rms_norm_eps": 1e-06, "rope_local_base_freq": 10000, "rope_scaling": None,
            "rope_theta": 1000000, "sliding_window": 16, "sliding_window_pattern": 6,
        },
        "tokenizer": SENTENCEPIECE | {"tokenizer_class": "GemmaTokenizer", "pad_token": ...},
        "generation": IDS | {"cache_implementation": "hybrid", "do_sample": True,
                             "pad_token_id": ..., "top_k": 64, "top_p": 0.95},
    },
    "phi-3-mini": {
        "row": "phi3",
        "config": DECODER | {
            "_name_or_path": "Phi-3-mini-4k-instruct", "architectures": ["Phi3ForCausalLM"],
            "auto_map": {"AutoConfig": "configuration_phi3.Phi3Config",
                         "AutoModelForCausalLM": "modeling_phi3.Phi3ForCausalLM"},
            "attention_bias": False, "embd_pdrop": 0.0, "original_max_position_embeddings": 64,
            "pad_token_id": ..., "resid_pdrop": 0.0, "rope_scaling": None, "rope_theta": 10000.0,
            "sliding_window": 2047, "tie_word_embeddings": False,
        },
        "tokenizer": SENTENCEPIECE | {"padding_side": "left", "model_max_length": 4096},
        "generation": FROM_CONFIG | {"pad_token_id": ...},
    },
    "phi-3-mini-128k": {
        "row": "phi3",
        "config": DECODER | {
            "architectures": ["Phi3ForCausalLM"],
            "auto_map": {"AutoConfig": "configuration_phi3.Phi3Config",
                         "AutoModelForCausalLM": "modeling_phi3.Phi3ForCausalLM"},
            "attention_bias": False, "embd_pdrop": 0.0, "original_max_position_embeddings": 64,
            "pad_token_id": ..., "resid_pdrop": 0.0, "rope_scaling": LONGROPE,
            "rope_theta": 10000.0, "sliding_window": 262144, "tie_word_embeddings": False,
        },
        "tokenizer": SENTENCEPIECE | {"padding_side": "left", "model_max_length": 131072},
        "generation": FROM_CONFIG | {"pad_token_id": ...},
    },
    "pythia": {
        "row": "gpt_neox",
        "config": {key: value for key, value in DECODER.items() if key not in (
            "attention_dropout", "num_key_value_heads", "rms_norm_eps")} | {
            "architectures": ["GPTNeoXForCausalLM"], "hidden_act": "gelu", "layer_norm_eps": 1e-05,
            "rotary_emb_base": 10000, "rotary_pct": 0.25, "tie_word_embeddings": False,
            "use_parallel_residual": True,
        },
        "tokenizer": {"add_prefix_space": False, "bos_token": ..., "eos_token": ...,
                      "name_or_path": "EleutherAI/gpt-neox-20b", "special_tokens_map_file": "/x",
                      "tokenizer_class": "GPTNeoXTokenizer", "unk_token": "<|endoftext|>"},
    },
    "gpt2": {
        "row": "gpt2-base",
        "config": of_model("model_type", "vocab_size", "n_embd", "n_head", "n_layer", "n_positions")
        | IDS | {
            "activation_function": "gelu_new", "architectures": ["GPT2LMHeadModel"],
            "attn_pdrop": 0.1, "embd_pdrop": 0.1, "initializer_range": 0.02,
            "layer_norm_epsilon": 1e-05, "n_ctx": 1024, "resid_pdrop": 0.1,
            "summary_activation": None, "summary_first_dropout": 0.1,
            "summary_proj_to_labels": True, "summary_type": "cls_index", "summary_use_proj": True,
            "task_specific_params": {"text-generation": {"do_sample": True, "max_length": 50}},
        },
        "tokenizer": {"model_max_length": 1024},
        "generation": FROM_CONFIG,
    },
}  # fmt: skip
ENCODER_DECODERS: dict[str, Keys] = {
    "t5-small": {"row": "t5", "config": T5, "tokenizer": {"model_max_length": 512}},
    "flan-t5-small": {
        "row": "t5",
        "model": {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False},
        "config": T5 | {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False},
        "tokenizer": of_model("eos_token", "pad_token", "unk_token") | {
            "extra_ids": 100, "model_max_length": 512, "name_or_path": "google/t5-v1_1-small",
            "sp_model_kwargs": {}, "special_tokens_map_file": "/x",
            "tokenizer_class": "T5Tokenizer",
        },
        "generation": {"_from_model_config": True, "decoder_start_token_id": 0, "eos_token_id": 1,
                       "pad_token_id": 0, "transformers_version": "4.27.0.dev0"},
    },
    "bart-large-cnn": {
        "row": "bart",
        "config": STACKS | LEFTOVERS | {
            "activation_function": "gelu", "architectures": ["BartForConditionalGeneration"],
            "early_stopping": True, "force_bos_token_to_be_generated": True,
            "forced_bos_token_id": 0, "forced_eos_token_id": 2, "gradient_checkpointing": False,
            "length_penalty": 2.0, "max_length": 24, "min_length": 6, "no_repeat_ngram_size": 3,
            "num_beams": 4, "output_past": True, "prefix": " ", "replacing_rate": 0,
            "scale_embedding": False, "static_position_embeddings": False,
            "student_decoder_layers": None, "student_encoder_layers": None,
            "task_specific_params": {"summarization": {"length_penalty": 2.0, "num_beams": 4}},
        },
        "tokenizer": {"model_max_length": 1024},
        "generation": {
            "_from_model_config": True, "bos_token_id": 0, "decoder_start_token_id": 2,
            "early_stopping": True, "eos_token_id": 2, "forced_bos_token_id": 0,
            "forced_eos_token_id": 2, "length_penalty": 2.0, "max_length": 24, "min_length": 6,
            "no_repeat_ngram_size": 3, "num_beams": 4, "pad_token_id": 1,
        },
    },
    "opus-mt-en-de": {
        "row": "marian",
        "model": {"scale_embedding": True, "activation_function": "swish"},
        "config": STACKS | LEFTOVERS | {
            "activation_function": "swish", "architectures": ["MarianMTModel"],
            "bad_words_ids": "pad", "decoder_vocab_size": ..., "forced_eos_token_id": 0,
            "max_length": 128, "normalize_embedding": False, "num_beams": 4,
            "scale_embedding": True, "share_encoder_decoder_embeddings": True,
            "static_position_embeddings": True,
        },
        "tokenizer": {"target_lang": "de", "source_lang": "en"},
        "generation": of_model("pad_token_id", "decoder_start_token_id") | {
            "bad_words_ids": "pad", "bos_token_id": 0, "eos_token_id": 0, "forced_eos_token_id": 0,
            "max_length": 128, "num_beams": 4, "renormalize_logits": True,
            "_from_model_config": True,
        },
    },
    "nllb-200": {
        "row": "nllb",
        "config": STACKS | {
            "activation_function": "relu", "architectures": ["M2M100ForConditionalGeneration"],
            "max_length": 100, "scale_embedding": True, "tokenizer_class": "NllbTokenizer",
        },
        "generation": of_model("pad_token_id", "decoder_start_token_id") | IDS | {
            "_from_model_config": True, "max_length": 100},
    },
    "whisper-tiny": {
        "row": "whisper",
        "config": {key: STACKS[key] for key in STACKS if key not in (
            "max_position_embeddings", "classifier_dropout")} | of_model(
            "max_source_positions", "max_target_positions", "num_mel_bins", "begin_suppress_tokens",
        ) | {
            "activation_function": "gelu", "architectures": ["WhisperForConditionalGeneration"],
            "forced_decoder_ids": [[1, 702], [2, 706], [3, 710]], "max_length": 64,
            "scale_embedding": False, "suppress_tokens": [1, 2, 7, 8],
        },
        "files": {"preprocessor_config.json": {
            "chunk_length": 2, "feature_extractor_type": "WhisperFeatureExtractor",
            "feature_size": 16, "hop_length": 160, "n_fft": 400, "n_samples": 32000,
            "nb_max_frames": 200, "padding_side": "right", "padding_value": 0.0,
            "processor_class": "WhisperProcessor", "return_attention_mask": False,
            "sampling_rate": 16000,
        }},
    },
}  # fmt: skip
IMAGE_ENCODERS: dict[str, Keys] = {
    "clip-vit-base-patch32": {
        "row": "clip",
        "config": {
            "_commit_hash": None, "architectures": ["CLIPModel"], "initializer_factor": 1.0,
            "logit_scale_init_value": 2.6592, "model_type": "clip", "projection_dim": ...,
            "text_config": TOWER | of_model("max_position_embeddings", "vocab_size") | {
                "bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 1,
                "model_type": "clip_text_model"},
            "text_config_dict": None, "torch_dtype": "float32", "transformers_version": None,
            "vision_config": TOWER | of_model("image_size", "patch_size") | {
                "bos_token_id": None, "eos_token_id": None, "pad_token_id": None,
                "model_type": "clip_vision_model"},
            "vision_config_dict": None,
        },
        "files": {"preprocessor_config.json": IMAGES | {
            "crop_size": 40, "do_center_crop": True, "resample": 3, "size": 40,
            "feature_extractor_type": "CLIPFeatureExtractor"}},
    },
    "siglip-base": {
        "row": "siglip",
        "config": {
            "architectures": ["SiglipModel"], "initializer_factor": 1.0, "model_type": "siglip",
            "text_config": of_model(*TOWER.keys() - BASE_CLASS.keys() - {
                "dropout", "initializer_factor", "initializer_range", "projection_dim"},
                "vocab_size", "max_position_embeddings", "model_type"),
            "torch_dtype": "float32", "transformers_version": "4.37.0.dev0",
            "vision_config": of_model(*TOWER.keys() - BASE_CLASS.keys() - {
                "dropout", "initializer_factor", "initializer_range", "projection_dim"},
                "image_size", "patch_size", "model_type"),
        },
        "files": {"preprocessor_config.json": IMAGES | {
            "do_rescale": True, "image_processor_type": "SiglipImageProcessor",
            "processor_class": "SiglipProcessor", "resample": 3, "rescale_factor": 1 / 255,
            "size": {"height": 40, "width": 40}}},
    },
    "vit-base-patch16-224": {
        "row": "vit",
        "config": {key: value for key, value in SHAPE.items() if key not in (
            "vocab_size", "max_position_embeddings")} | of_model("image_size", "patch_size") | {
            "architectures": ["ViTForImageClassification"], "attention_probs_dropout_prob": 0.0,
            "hidden_act": "gelu", "hidden_dropout_prob": 0.0, "initializer_range": 0.02,
            "id2label": {"0": "tench", "1": "goldfish", "2": "crane"}, "layer_norm_eps": 1e-12,
            "label2id": {"tench": 0, "goldfish": 1, "crane": 2}, "num_channels": 3,
            "qkv_bias": True,
        },
        "files": {"preprocessor_config.json": IMAGES | {"size": 40}},
    },
    "dinov2-small": {
        "row": "dinov2",
        "config": of_model(
            "model_type", "hidden_size", "num_hidden_layers", "num_attention_heads", "image_size",
            "patch_size") | {
            "apply_layernorm": True, "architectures": ["Dinov2Model"],
            "attention_probs_dropout_prob": 0.0, "drop_path_rate": 0.0, "hidden_act": "gelu",
            "hidden_dropout_prob": 0.0, "initializer_range": 0.02, "layer_norm_eps": 1e-06,
            "layerscale_value": 1.0, "mlp_ratio": 4, "num_channels": 3,
            "out_features": ["stage2"], "out_indices": [2], "qkv_bias": True,
            "reshape_hidden_states": True, "stage_names": ["stem", "stage1", "stage2"],
            "torch_dtype": "float32", "transformers_version": "4.32.0.dev0",
            "use_swiglu_ffn": False,
        },
        "files": {"preprocessor_config.json": {
            "crop_size": {"height": 40, "width": 40}, "do_center_crop": True,
            "do_convert_rgb": True, "do_normalize": True, "do_rescale": True, "do_resize": True,
            "image_mean": [0.485, 0.456, 0.406], "image_processor_type": "BitImageProcessor",
            "image_std": [0.229, 0.224, 0.225], "resample": 3, "rescale_factor": 1 / 255,
            "size": {"shortest_edge": 46}}},
    },
}  # fmt: skip
