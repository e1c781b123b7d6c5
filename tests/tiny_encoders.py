"""Tiny random checkpoints of text encoders, written by transformers itself."""

from __future__ import annotations

import string
import sys
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from tests.tiny import VOCAB

POSITIONS = 96
SIZES = {
    "vocab_size": VOCAB,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": POSITIONS,
}
# model_type -> what differs; the last families count positions from the padding token's id
OWN: dict[str, dict[str, Any]] = {
    "modernbert": {  # each third layer reads the whole text
        "num_hidden_layers": 3,
        "local_attention": 8,
        "eos_token_id": 2,
        "sep_token_id": 2,
    },
    "electra": {"embedding_size": 32},
    "albert": {"embedding_size": 32},
    "deberta": {
        "relative_attention": True,
        "pos_att_type": ["c2p", "p2c"],
        "position_biased_input": False,
    },
    "deberta-v2": {  # as version 3 has it, with few buckets
        "relative_attention": True,
        "pos_att_type": ["p2c", "c2p"],
        "position_biased_input": False,
        "position_buckets": 16,
        "share_att_key": True,
        "norm_rel_ebd": "layer_norm",
    },
    "distilbert": {"hidden_dim": 96},
    "roberta": {"pad_token_id": 1, "type_vocab_size": 1},
    "xlm-roberta": {"pad_token_id": 1, "type_vocab_size": 1},
    "camembert": {"pad_token_id": 1, "type_vocab_size": 1},
    "xlm-roberta-xl": {"pad_token_id": 1, "type_vocab_size": 1},
    "jina_embeddings_v3": {"pad_token_id": 1, "type_vocab_size": 1},
    "eurobert": {"num_key_value_heads": 2},
    "roformer": {"embedding_size": 32},
    "esm": {
        "pad_token_id": 1,
        "mask_token_id": 4,
        "token_dropout": True,
        "position_embedding_type": "rotary",
    },
    "convbert": {"embedding_size": 32, "conv_kernel_size": 5},
    "mpnet": {"pad_token_id": 1, "max_position_embeddings": 400},
    "longformer": {
        "pad_token_id": 1,
        "sep_token_id": 3,
        "type_vocab_size": 1,
        "max_position_embeddings": 400,
        "attention_window": [8, 24],
    },
}
COMMON = {"pad_token_id": 0, "bos_token_id": None, "eos_token_id": None, "cls_token_id": None}
HEADS = {
    "embed": transformers.AutoModel,
    "classify": transformers.AutoModelForSequenceClassification,
    "tokens": transformers.AutoModelForTokenClassification,
    "answer": transformers.AutoModelForQuestionAnswering,
    "fill-mask": transformers.AutoModelForMaskedLM,
}
WITHOUT = {  # model_type -> the tasks for which transformers has no class
    **dict.fromkeys(("nomic_bert", "gte", "eurobert", "esm"), ("answer",)),
}
WORDS = ["the", "of", "and", "to", "is", "it", "on", "fox", "dog", "cat", "runs", "sees"]


def wordpiece_tokenizer(padding: int = 0, between: str = "[SEP]") -> Tokenizer:
    """Letters, digits, punctuation and a few words; the padding token has the id `padding`, and what
    stands `between` two texts is one separator or more."""
    special = ["[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    special.insert(padding, "[PAD]")
    signs = string.ascii_lowercase + string.digits + string.punctuation
    vocab = [*special, *signs, *(f"##{sign}" for sign in signs), *WORDS]
    ids = {token: index for index, token in enumerate(vocab)}
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair=f"[CLS] $A {between} $B:1 [SEP]:1",
        special_tokens=[("[CLS]", ids["[CLS]"]), ("[SEP]", ids["[SEP]"])],
    )
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.add_special_tokens(special)
    return tokenizer


def save_tokenizer(
    folder: Path, padding: int, positions: int, typed: bool, between: str = "[SEP]"
) -> None:
    """Write the tokenizer as transformers does; `typed` says whether it tells pairs apart."""
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=wordpiece_tokenizer(padding, between),
        model_max_length=positions,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_input_names=["input_ids", *(["token_type_ids"] if typed else []), "attention_mask"],
    ).save_pretrained(folder)


def save_encoder(
    folder: Path, model_type: str, task: str = "embed", **overrides: Any
) -> transformers.PreTrainedModel:
    """Write a random checkpoint with the head of `task` to `folder`; returns the model as stored."""
    torch.manual_seed(0)
    settings = SIZES | COMMON | OWN.get(model_type, {})
    if task in ("classify", "tokens"):
        settings["num_labels"] = 3
    config = transformers.AutoConfig.for_model(model_type, **(settings | overrides))
    kind = HEADS[task]
    model = kind.from_config(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            # Large enough that attention is far from uniform and every term shows in the answer.
            parameter += torch.randn_like(parameter) * (0.2 if parameter.ndim > 1 else 0.1)
    model.save_pretrained(folder)
    padding, typed = config.pad_token_id, getattr(config, "type_vocab_size", 0) > 1
    between = "[SEP] [SEP]" if model_type == "longformer" else "[SEP]"
    positions = config.max_position_embeddings - 2 * padding
    save_tokenizer(folder, padding, positions, typed, between)
    return kind.from_pretrained(folder, dtype=torch.float32).eval()


if __name__ == "__main__":  # a checkpoint for trying things by hand: FOLDER [MODEL_TYPE [TASK]]
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True)
    save_encoder(folder, *(sys.argv[2:] or ["bert"]))
