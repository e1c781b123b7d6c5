"""Tiny random checkpoints of encoders that read pages, and pages, all through transformers itself."""

from __future__ import annotations

import string
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import pre_tokenizers

SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
MERGES = [
    *(("\u0120", "t"), ("\u0120t", "o"), ("a", "l"), ("\u0120to", "t"), ("\u0120tot", "al")),
    ("1", "2"),
]
POSITIONS = 96
SIZES = {
    "hidden_size": 72,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": POSITIONS + 2,
    "coordinate_size": 12,
    "shape_size": 12,
    "rel_pos_bins": 16,
    "max_rel_pos": 24,
    "rel_2d_pos_bins": 16,
    "max_rel_2d_pos": 200,
    "input_size": 32,
    "patch_size": 16,
}
HEADS = {
    "page-tokens": transformers.LayoutLMv3ForTokenClassification,
    "page-classify": transformers.LayoutLMv3ForSequenceClassification,
    "page-embed": transformers.LayoutLMv3Model,
    "answer": transformers.LayoutLMv3ForQuestionAnswering,
}
FORM = (  # words with their boxes
    ("Invoice", (100, 40, 260, 62)),
    ("No.", (270, 40, 310, 62)),
    ("12-7", (320, 38, 400, 63)),
    ("total:", (100, 900, 180, 922)),
    ("\u20ac1,212.00", (700, 900, 1000, 1000)),
    ("e\u0301\u4e16", (0, 0, 0, 0)),
)
WORDS, BOXES = [word for word, _ in FORM], [list(box) for _, box in FORM]


def page_tokenizer(**settings: Any) -> transformers.LayoutLMv3Tokenizer:
    """Bytes and a few merges."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = [*SPECIAL[:4], *alphabet, *("".join(pair) for pair in MERGES), SPECIAL[4]]
    vocab = {token: index for index, token in enumerate(tokens)}
    return transformers.LayoutLMv3Tokenizer(vocab=vocab, merges=MERGES, **settings)


def save_page_encoder(
    folder: Path, task: str = "page-tokens", **overrides: Any
) -> transformers.PreTrainedModel:
    """Write a random checkpoint with its processor to `folder`; returns the model as stored."""
    torch.manual_seed(0)
    tokenizer = page_tokenizer(model_max_length=POSITIONS)
    labels = {"num_labels": 5} if task in ("page-tokens", "page-classify") else {}
    settings = SIZES | labels | {"vocab_size": len(tokenizer)} | overrides
    kind = HEADS[task]
    model = kind(transformers.LayoutLMv3Config(**settings)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            # Large enough that attention is far from uniform and every term shows in the answer.
            parameter += torch.randn_like(parameter) * (0.2 if parameter.ndim > 1 else 0.1)
        for name, parameter in model.named_parameters():
            if "rel_pos" in name:
                parameter += torch.randn_like(parameter) * 4
    model.save_pretrained(folder)
    images = transformers.LayoutLMv3ImageProcessor(
        apply_ocr=False, size={"height": 32, "width": 32}
    )
    transformers.LayoutLMv3Processor(images, tokenizer).save_pretrained(folder)
    return kind.from_pretrained(folder, dtype=torch.float32).eval()


def made_page(count: int, seed: int = 0) -> tuple[list[str], list[list[int]]]:
    """A page of so many words in boxes that overlap and lie anywhere."""
    generator = torch.Generator().manual_seed(seed)

    def numbers(size: int, most: int) -> list[int]:
        return torch.randint(most, (size,), generator=generator).tolist()

    words = ["".join(string.printable[i] for i in numbers(3, 90)) for _ in range(count)]
    boxes = []
    for _ in words:
        (left, right), (top, bottom) = (sorted(numbers(2, 1001)) for _ in range(2))
        boxes.append([left, top, right, bottom])
    return words, boxes
