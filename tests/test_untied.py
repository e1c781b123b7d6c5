"""Tables of words that config.json ties and a file holds apart stay apart, as in transformers 5."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file
from torch import Tensor

import satchel
from satchel import models
from satchel.checkpoints.folder import load_folder
from satchel.models.seq2seq import Context
from tests.loading import load_as
from tests.test_saved_classes import (
    DECODERS,
    FILE,
    IDS,
    WORD_HEADS,
    close,
    decodes_alike,
    rewritten,
    translates_alike,
)
from tests.tiny import save_checkpoint
from tests.tiny_encoders import save_encoder
from tests.tiny_seq2seq import save_seq2seq
from tests.tiny_speech import save_speech

DECODING = {
    **dict.fromkeys(
        ("gpt2", "gpt_bigcode", "gptj", "codegen", "gpt_neo", "mpt"), "transformer.wte.weight"
    ),
    **dict.fromkeys(("falcon", "bloom"), "transformer.word_embeddings.weight"),
    "gpt_neox": "gpt_neox.embed_in.weight",
    "opt": "model.decoder.embed_tokens.weight",
    **dict.fromkeys(("gemma3", "mistral3"), "language_model.model.embed_tokens.weight"),
}
INSIDE = {"gemma3", "mistral3"}  # whose head stands beside the language model, not outside
STACKS = ["t5", "mt5", "umt5", "bart", "mbart", "marian", "pegasus", "m2m_100", "blenderbot"]
FILES = ["sh", "se", "sd", "ed", "edh", "eh", "dh", "h"]
SHARED, HEAD = ("shared.weight", "model.shared.weight"), "lm_head.weight"


def apart(table: Tensor, seed: int) -> Tensor:
    """Another table of that shape."""
    generator = torch.Generator().manual_seed(seed)
    return table + 0.3 * torch.randn(table.shape, generator=generator)


@pytest.mark.parametrize("model_type", DECODERS)
def test_heads_of_decoders(model_type: str, tmp_path: Path) -> None:
    save_checkpoint(tmp_path, model_type, tie_word_embeddings=True, **DECODERS[model_type])
    table = DECODING.get(model_type, "model.embed_tokens.weight")
    head = table.replace(".model.embed_tokens.", ".lm_head.") if model_type in INSIDE else HEAD
    rewritten(tmp_path, lambda held: held | {head: held[table].clone()})
    model, _ = models.build(load_folder(tmp_path))
    assert not any("ties" in note for note in model.notes) and not hasattr(model, "lm_head")
    rewritten(tmp_path, lambda held: held | {head: apart(held[table], 1)})
    decodes_alike(tmp_path)
    notes = models.build(load_folder(tmp_path))[0].notes
    [note] = [note for note in notes if "ties" in note]
    assert note.startswith("config.json ties lm_head.weight to model.embed_tokens.weight, but")


def holding(held: Mapping[str, Tensor], parts: str) -> dict[str, Tensor]:
    """`held` with tables that differ, of those that `parts` has: shared, encoder, decoder, head."""
    [(shared, table)] = [(name, held[name]) for name in SHARED if name in held]
    base = shared.removesuffix("shared.weight")
    names = {
        "s": shared,
        "e": f"{base}encoder.embed_tokens.weight",
        "d": f"{base}decoder.embed_tokens.weight",
        "h": HEAD,
    }
    rest = {name: tensor for name, tensor in held.items() if name not in names.values()}
    return rest | {names[part]: apart(table, ord(part)) for part in parts}


@pytest.mark.parametrize(
    ("model_type", "parts"),
    [
        *((name, "sedh") for name in STACKS),
        *((name, parts) for name in ("t5", "bart") for parts in FILES),
    ],
)
def test_tables_of_encoder_decoders(model_type: str, parts: str, tmp_path: Path) -> None:
    save_seq2seq(tmp_path, model_type, tie_word_embeddings=True)
    rewritten(tmp_path, lambda held: holding(held, parts))
    translates_alike(tmp_path)
    model, _ = models.build_seq2seq(load_folder(tmp_path))
    assert bool(model.notes) == (parts != "h")


def test_a_pair_of_encoders(tmp_path: Path) -> None:
    save_seq2seq(tmp_path, "encoder-decoder")
    table = "decoder.bert.embeddings.word_embeddings.weight"
    head = "decoder.cls.predictions.decoder.weight"
    rewritten(tmp_path, lambda held: held | {head: apart(held[table], 1)})
    translates_alike(tmp_path)
    assert len(models.build_seq2seq(load_folder(tmp_path))[0].notes) == 1


def test_speech(tmp_path: Path) -> None:
    save_speech(tmp_path)
    table = "model.decoder.embed_tokens.weight"
    rewritten(tmp_path, lambda held: held | {"proj_out.weight": apart(held[table], 1)})
    kind = transformers.AutoModelForSpeechSeq2Seq
    theirs = kind.from_pretrained(tmp_path, dtype=torch.float32).eval()
    ours: Any = models.build_seq2seq(load_folder(tmp_path))[0]
    frames = 2 * theirs.config.max_source_positions
    sound = torch.randn((2, theirs.config.num_mel_bins, frames))
    with torch.inference_mode():
        found = ours(IDS, Context(cross=ours.hear(sound)))
        close(found, theirs(input_features=sound, decoder_input_ids=IDS).logits)
    assert len(ours.notes) == 1


@pytest.mark.parametrize("model_type", WORD_HEADS)
def test_heads_that_score_words(model_type: str, tmp_path: Path) -> None:
    save_encoder(tmp_path, model_type, "fill-mask", tie_word_embeddings=True)
    ends = ("word_embeddings.weight", "tok_embeddings.weight")
    [table] = [name for name in load_file(tmp_path / FILE) if name.endswith(ends)]
    head = f"{WORD_HEADS[model_type][0]}.weight"
    rewritten(tmp_path, lambda held: held | {head: apart(held[table], 1)})
    theirs = transformers.AutoModelForMaskedLM.from_pretrained(tmp_path, dtype=torch.float32)
    ours = models.build_encoder(load_folder(tmp_path))
    with torch.inference_mode():
        close(ours.towers["encoder"](IDS)[1], theirs.eval()(IDS).logits)
    assert [note for note in ours.notes if note.startswith(f"config.json ties {head} to ")]


@pytest.mark.parametrize("profile", ["fp32", pytest.param("int8", marks=pytest.mark.slow)])
def test_a_bundle_of_a_head_apart(profile: str, tmp_path: Path) -> None:
    """The way to a graph takes the head for its own as well, and the caller hears of it."""
    save_checkpoint(tmp_path / "in", "qwen2", tie_word_embeddings=True)
    table = "model.embed_tokens.weight"
    rewritten(tmp_path / "in", lambda held: held | {HEAD: apart(held[table], 1)})
    packed = satchel.pack(tmp_path / "in", tmp_path / "out", profile=profile, force=True)
    assert any(note.startswith("config.json ties lm_head.weight") for note in packed.notes)
    kind = transformers.AutoModelForCausalLM
    theirs = kind.from_pretrained(tmp_path / "in", dtype=torch.float32).eval()
    with torch.inference_mode():
        expected = theirs(IDS[:1]).logits[0].numpy()
    found = load_as(satchel.DecoderModel, tmp_path / "out", threads=1).logits(IDS[0].tolist())
    limit = {"fp32": 1e-3, "int8": 0.2}[profile]
    assert abs(found - expected).max() < limit * abs(expected).max()
