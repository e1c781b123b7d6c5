"""Tokenizer folders as people have them: slow files alone, or a tokenizer_config that overrides."""

from __future__ import annotations

from typing import Any

SLOW = [  # rows of which vocab.txt, vocab.json and merges.txt or the SentencePiece model are kept
    "bert", "distilbert", "electra", "mpnet", "roberta", "gpt2", "qwen2", "bart", "clip", "t5",
    "albert", "xlm-roberta", "pegasus", "mbart", "llama", "bert-cased", "bert-accents",
    "gpt2-prefix", "roberta-prefix", "albert-cased", "llama-gpt2",
]  # fmt: skip
OVERRIDES: list[tuple[str, dict[str, Any]]] = [
    ("bert", {"do_lower_case": False}),
    ("bert-cased", {"do_lower_case": True}),
    ("bert", {"strip_accents": False}),
    ("bert-cased", {"strip_accents": True}),
    ("bert", {"tokenize_chinese_chars": False}),
    ("bert", {"do_lower_case": False, "strip_accents": True, "tokenize_chinese_chars": False}),
    ("distilbert", {"do_lower_case": False}),
    ("electra", {"do_lower_case": False}),
    ("electra", {"strip_accents": False}),
    ("mpnet", {"do_lower_case": False}),
    ("albert", {"do_lower_case": False}),
    ("albert", {"keep_accents": True}),
    ("albert", {"add_prefix_space": False}),
    ("roberta", {"add_prefix_space": True}),
    ("roberta-prefix", {"add_prefix_space": False}),
    ("roberta", {"trim_offsets": False}),
    ("bart", {"add_prefix_space": True}),
    ("gpt2", {"add_prefix_space": True}),
    ("gpt2-prefix", {"add_prefix_space": False}),
    ("gpt2", {"add_bos_token": True}),
    ("qwen2", {"add_prefix_space": True}),
    ("llama", {"add_prefix_space": False}),
    ("llama", {"legacy": False}),
    ("llama", {"add_bos_token": True}),
    ("llama", {"add_eos_token": True}),
    ("llama-fast", {"add_bos_token": False}),
    ("gemma2", {"add_bos_token": False}),
    ("t5", {"extra_ids": 10}),
    ("t5", {"add_prefix_space": False}),
    ("xlm-roberta", {"add_prefix_space": False}),
    ("clip", {"do_lower_case": False}),
    ("bert", {"cls_token": "[MASK]"}),
    ("bert", {"mask_token": "the"}),
    ("bert", {"extra_special_tokens": ["[ONE]", "[TWO]"]}),
    ("bert", {"additional_special_tokens": ["[ONE]", "[TWO]"]}),
    ("bert", {"clean_up_tokenization_spaces": False}),
    ("bert", {"tokenizer_class": "BertTokenizerFast"}),
    ("bert", {"tokenizer_class": "PreTrainedTokenizerFast"}),
    ("roberta", {"tokenizer_class": "RobertaTokenizerFast"}),
    ("gpt2", {"errors": "ignore", "model_max_length": 64}),
    (
        "gpt2",
        {
            "added_tokens_decoder": {
                "700": {"content": "<|endoftext|>", "special": True, "normalized": False,
                        "lstrip": False, "rstrip": False, "single_word": False},
                "701": {"content": "<|more|>", "special": True, "normalized": False,
                        "lstrip": False, "rstrip": False, "single_word": False},
            }
        },
    ),
]  # fmt: skip
