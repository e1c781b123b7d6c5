"""The rows of the matrix: an architecture, the class that is saved, and how.

A row is plain data, since other versions of transformers read it too: see `tests.saved.save_with`.
"""

from __future__ import annotations

from typing import Any

Row = dict[str, Any]
SMALL = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 128,
}
DECODER = SMALL | {"num_attention_heads": 2, "num_key_value_heads": 1}
GEMMA = DECODER | {
    "head_dim": 16, "query_pre_attn_scalar": 16, "sliding_window": 16, "tie_word_embeddings": True,
}  # fmt: skip
GPT2 = {"n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 128}
WIDTHS = {"d_model": 32}
T5 = WIDTHS | {"d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4, "start": "pad"}
BART = WIDTHS | {
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 48,
    "decoder_ffn_dim": 48,
    "max_position_embeddings": 128,
}
WHISPER = {key: value for key, value in BART.items() if key != "max_position_embeddings"} | {
    "num_mel_bins": 16,
    "max_source_positions": 100,
    "max_target_positions": 96,
    "begin_suppress_tokens": [220, 700],
    "decoder_start_token_id": 701,
}
CROSSING = {"is_decoder": True, "add_cross_attention": True}
IMAGE = {"image_size": 40, "patch_size": 8}
VISION = {key: SMALL[key] for key in SMALL if key != "max_position_embeddings"} | IMAGE
TEXT = SMALL | {"max_position_embeddings": 24}
PAIR = {"text_config": TEXT, "vision_config": VISION}
PICTURE = {"size": {"height": 40, "width": 40}}
CROPPED = {"size": {"shortest_edge": 40}, "crop_size": {"height": 40, "width": 40}}
LLAMA3 = {"bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>", "pad_token": "<|pad|>"}
MODERN = {
    "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]",
    "mask_token": "[MASK]",
}  # fmt: skip
CAUSAL, SEQ2SEQ, BASE = "AutoModelForCausalLM", "AutoModelForSeq2SeqLM", "AutoModel"
ROBERTA = SMALL | {"type_vocab_size": 1}


def _row(
    model_type: str, kind: str, tokenizer: str, vocabulary: str, config: Row, **more: Any
) -> Row:
    return {
        "name": model_type,
        "model_type": model_type,
        "kind": kind,
        "tokenizer": tokenizer,
        "vocabulary": vocabulary,
        "config": config,
        **more,
    }


FIRST: dict[str, Row] = {  # every architecture with the tokenizer that it is published with
    row["name"]: row
    for row in [
        _row("llama", CAUSAL, "LlamaTokenizer", "llama", DECODER),
        _row("mistral", CAUSAL, "LlamaTokenizer", "llama", DECODER | {"sliding_window": 16}),
        _row("qwen2", CAUSAL, "Qwen2Tokenizer", "gpt2", DECODER),
        _row("qwen3", CAUSAL, "Qwen2Tokenizer", "gpt2", DECODER | {"head_dim": 16}),
        _row(
            "smollm3", CAUSAL, "PreTrainedTokenizer", "gpt2", DECODER, tokenizer_options=LLAMA3
        ),
        _row("gemma2", CAUSAL, "GemmaTokenizer", "gemma", GEMMA),
        _row("gemma3_text", CAUSAL, "GemmaTokenizer", "gemma", GEMMA),
        _row("phi3", CAUSAL, "LlamaTokenizer", "llama", DECODER),
        _row("gpt2", CAUSAL, "GPT2Tokenizer", "gpt2", GPT2),
        _row(
            "gpt_neox", CAUSAL, "GPTNeoXTokenizer", "gpt2",
            SMALL | {"hidden_size": 64, "num_attention_heads": 1},
            tokenizer_options={"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>"},
        ),
        _row("bert", "AutoModelForMaskedLM", "BertTokenizer", "bert", SMALL),
        _row("roberta", "AutoModelForMaskedLM", "RobertaTokenizer", "roberta", ROBERTA),
        _row(
            "xlm-roberta", "AutoModelForSequenceClassification", "XLMRobertaTokenizer",
            "xlm-roberta", ROBERTA | {"num_labels": 3},
        ),
        _row(
            "distilbert", "AutoModelForSequenceClassification", "DistilBertTokenizer", "bert",
            {"dim": 32, "hidden_dim": 48, "n_layers": 2, "n_heads": 4, "num_labels": 2,
             "max_position_embeddings": 128},
        ),
        _row("mpnet", "AutoModelForMaskedLM", "MPNetTokenizer", "mpnet", SMALL),
        _row(
            "modernbert", "AutoModelForMaskedLM", "PreTrainedTokenizer", "gpt2",
            SMALL | {"local_attention": 16, "num_attention_heads": 2},
            tokenizer_options=MODERN, more_ids=["cls", "sep"],
        ),
        _row(
            "electra", "AutoModelForTokenClassification", "ElectraTokenizer", "bert",
            SMALL | {"embedding_size": 16, "num_labels": 3},
        ),
        _row(
            "albert", "AutoModelForMaskedLM", "AlbertTokenizer", "albert",
            SMALL | {"embedding_size": 16},
        ),
        _row("t5", SEQ2SEQ, "T5Tokenizer", "t5", T5),
        _row("mt5", SEQ2SEQ, "T5Tokenizer", "t5", T5),
        _row("bart", SEQ2SEQ, "BartTokenizer", "roberta", BART | {"start": "eos"}),
        _row("mbart", SEQ2SEQ, "MBartTokenizer", "xlm-roberta", BART | {"start": "eos"}),
        _row("marian", SEQ2SEQ, "MarianTokenizer", "marian", BART | {"start": "pad"}),
        _row("pegasus", SEQ2SEQ, "PegasusTokenizer", "t5", BART | {"start": "pad"}),
        _row("m2m_100", SEQ2SEQ, "M2M100Tokenizer", "m2m_100", BART | {"start": "eos"}),
        _row(
            "encoder-decoder", SEQ2SEQ, "BertTokenizer", "bert",
            {"encoder": SMALL | {"model_type": "bert"},
             "decoder": SMALL | {"model_type": "bert"} | CROSSING},
        ),
        _row(
            "whisper", "AutoModelForSpeechSeq2Seq", "WhisperTokenizer", "gpt2", WHISPER,
            processor=["WhisperProcessor", "WhisperFeatureExtractor"],
            processor_options={"feature_size": 16, "chunk_length": 2},
        ),
        _row(
            "vit", "AutoModelForImageClassification", "", "", VISION | {"num_labels": 3},
            processor=[None, "ViTImageProcessor"], processor_options=PICTURE,
        ),
        _row(
            "dinov2", BASE, "", "",
            {key: value for key, value in VISION.items() if key != "intermediate_size"},
            processor=[None, "BitImageProcessor"],
            processor_options=CROPPED,
        ),
        _row(
            "clip", BASE, "CLIPTokenizer", "clip", PAIR | {"projection_dim": 24},
            processor=["CLIPProcessor", "CLIPImageProcessor"], processor_options=CROPPED,
        ),
        _row(
            "siglip", BASE, "SiglipTokenizer", "t5", PAIR,
            processor=["SiglipProcessor", "SiglipImageProcessor"], processor_options=PICTURE,
        ),
    ]
}  # fmt: skip
DECODERS = list(FIRST)[:10]
ENCODERS = list(FIRST)[10:18]


def also(name: str, like: str, **changes: Any) -> Row:
    """A row like that of an architecture; `config` adds to its configuration, `...` takes away."""
    row = FIRST[like]
    config = row["config"] | changes.get("config", {})
    config = {key: value for key, value in config.items() if value is not ...}
    return row | {"name": name} | changes | {"config": config}


HEADS = {
    "base": BASE,
    "masked": "AutoModelForMaskedLM",
    "labels": "AutoModelForSequenceClassification",
    "tokens": "AutoModelForTokenClassification",
    "answers": "AutoModelForQuestionAnswering",
}
OTHER_CLASSES = [  # what else these architectures are saved from
    *(also(f"{name}-base", name, kind=BASE) for name in DECODERS),
    *(
        also(f"{name}-{head}", name, kind=kind, config={"num_labels": 2 + (head != "answers")})
        for name in ENCODERS
        for head, kind in HEADS.items()
        if kind != FIRST[name]["kind"]
    ),
    *(
        also(f"{name}-base", name, kind=BASE)
        for name in ("t5", "mt5", "bart", "mbart", "marian", "pegasus", "m2m_100", "whisper", "vit")
    ),
    also("dinov2-labels", "dinov2", kind="AutoModelForImageClassification"),
    also("clip-labels", "clip", kind="AutoModelForImageClassification"),
    also("siglip-labels", "siglip", kind="AutoModelForImageClassification"),
    also("bert-pretraining", "bert", kind="AutoModelForPreTraining"),
    also("electra-pretraining", "electra", kind="AutoModelForPreTraining"),
    also("albert-pretraining", "albert", kind="AutoModelForPreTraining"),
    *(
        also(f"{name}-one", name, kind=HEADS["labels"], config={"num_labels": 1})
        for name in ("bert", "roberta", "xlm-roberta", "electra", "modernbert")
    ),
    also("llama-labels", "llama", kind="AutoModelForSequenceClassification"),
    also("bert-masked-of-pretraining", "bert", kind="AutoModelForPreTraining",
         tokenizer_options={"do_lower_case": False}),
    also("bert-next", "bert", kind="AutoModelForNextSentencePrediction"),
    also("bart-labels", "bart", kind="AutoModelForSequenceClassification"),
    also("clip-text", "clip", kind="CLIPTextModelWithProjection", model_type="clip_text_model",
         config=TEXT | {"text_config": ..., "vision_config": ...}, processor=None),
]  # fmt: skip
FORMS = [  # how weights are stored
    *(
        also(f"{name}-{dtype}", name, dtype=dtype)
        for name in ("llama", "gemma2", "gpt2", "bert", "t5", "marian", "whisper", "clip")
        for dtype in ("float16", "bfloat16")
    ),
    *(
        also(f"{name}-sharded", name, shard="40KB")
        for name in ("llama", "gpt_neox", "modernbert", "bart", "whisper", "siglip")
    ),
    *(
        also(f"{name}-tied", name, config={"tie_word_embeddings": True})
        for name in ("llama", "mistral", "qwen2", "qwen3", "phi3", "gpt_neox")
    ),
    *(
        also(f"{name}-tied-base", name, kind=BASE, config={"tie_word_embeddings": True})
        for name in ("llama", "qwen2", "qwen3", "phi3")
    ),
    *(
        also(f"{name}-untied", name, config={"tie_word_embeddings": False})
        for name in ("bert", "roberta", "gpt2", "t5", "bart", "albert")
    ),
]
OTHER_TOKENIZERS = [
    also("llama-fast", "llama", tokenizer="PreTrainedTokenizer", vocabulary="gpt2",
         tokenizer_options=LLAMA3),
    also("llama-gpt2", "llama", tokenizer="GPT2Tokenizer", vocabulary="gpt2"),
    also("roberta-base-bert", "bert", tokenizer="RobertaTokenizer", vocabulary="roberta"),
    also("mbart50", "mbart", tokenizer="MBart50Tokenizer", tokenizer_options={
        "src_lang": "en_XX", "tgt_lang": "de_DE"}),
    also("nllb", "m2m_100", tokenizer="NllbTokenizer", vocabulary="nllb", tokenizer_options={
        "src_lang": "eng_Latn", "tgt_lang": "fra_Latn",
        "additional_special_tokens": ["eng_Latn", "fra_Latn", "deu_Latn"]}),
    also("bert-lower", "bert", tokenizer_options={"do_lower_case": True, "model_max_length": 64}),
    also("bert-cased", "bert", tokenizer_options={"do_lower_case": False}),
    also("bert-accents", "bert", tokenizer_options={
        "do_lower_case": True, "strip_accents": False, "tokenize_chinese_chars": False}),
    also("roberta-prefix", "roberta", tokenizer_options={"add_prefix_space": True}),
    also("gpt2-prefix", "gpt2", tokenizer_options={"add_prefix_space": True}),
    also("albert-cased", "albert", tokenizer_options={"do_lower_case": False}),
    also("albert-accents", "albert", tokenizer_options={"keep_accents": True}),
    also("gpt2-more", "gpt2", tokenizer_options={
        "additional_special_tokens": ["<|user|>", "<|end|>"]}),
    also("qwen2-left", "qwen2", tokenizer_options={"padding_side": "left",
         "truncation_side": "left"}),
]  # fmt: skip
REFUSED = {  # what must be said of rows that cannot become a bundle
    **{f"{name}-base": "lm_head" for name in ("llama", "mistral", "qwen2", "qwen3", "phi3")},
    "gpt_neox-base": "lm_head|embed_out",
    "llama-labels": "LlamaForSequenceClassification",
    "bart-labels": "BartForSequenceClassification",
    "bert-next": "BertForNextSentencePrediction",
    "electra-pretraining": "ElectraForPreTraining",
    "clip-text": "clip_text_model",
}
ROWS: dict[str, Row] = {
    row["name"]: row
    for row in [*FIRST.values(), *OTHER_CLASSES, *FORMS, *OTHER_TOKENIZERS]
}  # fmt: skip
