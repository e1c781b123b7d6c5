"""A tiny random checkpoint as the library gliner saves it, and its scores, written from its layout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import save_file
from torch import Tensor, nn

from tests.tiny_encoders import wordpiece_tokenizer

SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 256,
}
DEBERTA: dict[str, Any] = {
    "model_type": "deberta-v2",
    "relative_attention": True,
    "position_buckets": 16,
    "norm_rel_ebd": "layer_norm",
    "share_att_key": True,
    "pos_att_type": "p2c|c2p",
    "position_biased_input": False,
    "type_vocab_size": 0,
}
SPECIAL = ["[FLERT]", "<<ENT>>", "<<SEP>>"]


class Library(nn.Module):
    """Its modules by their names in a file: a span is two layers over its first word beside its last."""

    def __init__(self, said: dict[str, Any]) -> None:
        super().__init__()
        self.said, size = said, said["hidden_size"]
        inner = dict(said["encoder_config"])
        config = transformers.AutoConfig.for_model(inner.pop("model_type"), **inner)
        self.token_rep_layer: Any = nn.Module()
        self.token_rep_layer.bert_layer = nn.Module()
        self.token_rep_layer.bert_layer.model = transformers.AutoModel.from_config(config)
        if size != inner["hidden_size"]:
            self.token_rep_layer.projection = nn.Linear(inner["hidden_size"], size)
        if said["num_rnn_layers"]:
            self.rnn: Any = nn.Module()
            self.rnn.lstm = nn.LSTM(
                size, size // 2, said["num_rnn_layers"], bidirectional=True, batch_first=True
            )
        marker: Any = nn.Module()
        marker.project_start, marker.project_end = layers(size, size), layers(size, size)
        marker.out_project = layers(2 * size, size)
        self.span_rep_layer: Any = nn.Module()
        self.span_rep_layer.span_rep_layer = marker
        self.prompt_rep_layer = layers(size, size)

    def forward(self, ids: Tensor, words: list[int], labels: list[int]) -> Tensor:
        """Scores [words, longest, labels]."""
        states = self.token_rep_layer.bert_layer.model(ids).last_hidden_state
        if hasattr(self.token_rep_layer, "projection"):
            states = self.token_rep_layer.projection(states)
        x, sought = states[:, words], self.prompt_rep_layer(states[0, labels])
        if hasattr(self, "rnn"):
            x = self.rnn.lstm(x)[0]
        marker, count, longest = (
            self.span_rep_layer.span_rep_layer,
            len(words),
            self.said["max_width"],
        )
        start, end = marker.project_start(x)[0], marker.project_end(x)[0]
        rows = []
        for first in range(count):
            lasts = [min(first + more, count - 1) for more in range(longest)]
            pairs = [torch.cat([start[first], end[last]]).relu() for last in lasts]
            rows.append(marker.out_project(torch.stack(pairs)) @ sought.T)
        return torch.stack(rows)


def layers(size: int, out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(size, 4 * out), nn.ReLU(), nn.Dropout(0.4), nn.Linear(4 * out, out)
    )


def save_gliner(folder: Path, encoder: dict[str, Any] | None = None, **overrides: Any) -> Library:
    """Write a checkpoint to `folder`; returns the model that is stored."""
    tokenizer = wordpiece_tokenizer()
    tokenizer.add_special_tokens(SPECIAL)
    words = tokenizer.get_vocab_size()
    said: dict[str, Any] = {
        "model_type": "gliner_uni_encoder_span",
        "model_name": "somewhere/else",
        "span_mode": "markerV0",
        "hidden_size": 24,
        "max_width": 5,
        "max_len": 60,
        "num_rnn_layers": 1,
        "embed_ent_token": True,
        "vocab_size": words,
        "class_token_index": tokenizer.token_to_id("<<ENT>>"),
        "dropout": 0.4,
        "encoder_config": {**SIZES, "vocab_size": words, **(encoder or DEBERTA)},
    } | overrides
    torch.manual_seed(0)
    model = Library(said).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.1)
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    save_file(tensors, folder / "model.safetensors")
    (folder / "gliner_config.json").write_text(json.dumps(said))
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    ).save_pretrained(folder)
    return model
