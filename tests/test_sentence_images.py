"""sentence-transformers folders around models of images: the library's own vectors."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from PIL import Image

import satchel
from satchel import models
from satchel.checkpoints.folder import load_folder
from satchel.runtime.errors import UnsupportedError
from tests.test_encoder_images import PICTURES, PROCESSOR, save_pictured
from tests.test_sentence import into_sub_folder
from tests.test_sentence_bundles import assert_close, edit

library = pytest.importorskip("sentence_transformers")
parts = pytest.importorskip("sentence_transformers.sentence_transformer.modules")

TEXTS = ["the fox", "it runs on and on, the dog sees it and the cat too!", "x", "the dog " * 40]
IMAGES = [Image.fromarray(picture) for picture in PICTURES]
FILLED = {"processing_kwargs": {"text": {"padding": "max_length"}}}
PROCESSORS = {
    "clip": (transformers.CLIPProcessor, transformers.CLIPImageProcessorPil),
    "siglip": (transformers.SiglipProcessor, transformers.SiglipImageProcessorPil),
    "vit": (None, transformers.ViTImageProcessorPil),
}
CLIP_OLD = "sentence_transformers.models.CLIPModel"


def save_around(folder: Path, name: str, *rest: Any, first: Any = None, **options: Any) -> Any:
    """Write a folder of modules around a tiny model of images; returns the library's model of it."""
    save_pictured(folder / "bare", name)
    (folder / "bare" / "preprocessor_config.json").unlink()
    whole, images = PROCESSORS[name]
    processor = images(**PROCESSOR)
    if whole is not None:
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder / "bare")
        if name == "siglip":
            tokenizer.model_input_names = ["input_ids"]
        processor = whole(image_processor=processor, tokenizer=tokenizer)
    else:
        for path in (folder / "bare").glob("tokenizer*"):
            path.unlink()
    processor.save_pretrained(folder / "bare")
    chain = [parts.Transformer(str(folder / "bare"), **(first or {})), *rest]
    made = library.SentenceTransformer(modules=chain, device="cpu", **options)
    made.save(str(folder / "made"))
    return library.SentenceTransformer(str(folder / "made"), device="cpu")


def packed(folder: Path, **options: Any) -> Any:
    satchel.pack(folder / "made", folder / "bundle", profile="fp32", **options)
    return satchel.load(folder / "bundle")


def dense(width: int) -> Any:
    torch.manual_seed(1)
    return parts.Dense(width, 12, activation_function=torch.nn.Tanh())


CHAINS: dict[str, tuple[str, list[Any], dict[str, Any]]] = {
    "clip alone": ("clip", [], {}),
    "clip and more": (
        "clip",
        [parts.Normalize(), dense(24), parts.Normalize()],
        {
            "truncate_dim": 8,
            "prompts": {"query": "the fox "},
            "default_prompt_name": "query",
            "similarity_fn_name": "dot",
        },
    ),
    "clip cut short": ("clip", [parts.Normalize()], {"first": {"max_seq_length": 9}}),
    "siglip": ("siglip", [parts.Normalize()], {"first": FILLED}),
}


@pytest.mark.filterwarnings("ignore:a text of more than")
@pytest.mark.parametrize(
    "name",
    ["clip and more", "siglip"]
    + [pytest.param(name, marks=pytest.mark.slow) for name in ("clip alone", "clip cut short")],
)
def test_texts_and_images(name: str, tmp_path: Path) -> None:
    kind, chain, options = CHAINS[name]
    theirs = save_around(tmp_path, kind, *chain, **options)
    ours = packed(tmp_path)
    assert_close(ours.embed(TEXTS), theirs.encode(TEXTS))
    assert_close(ours.embed_images(IMAGES), theirs.encode(IMAGES))
    for prompt in theirs.prompts:
        assert_close(ours.embed(TEXTS, prompt=prompt), theirs.encode(TEXTS, prompt_name=prompt))
    text = ours.manifest.text
    assert text.normalized == (bool(chain) and "truncate_dim" not in options)
    assert text.similarity == options.get("similarity_fn_name", "cosine")


@pytest.mark.parametrize("mode", ["cls", pytest.param("mean", marks=pytest.mark.slow)])
def test_images_alone(mode: str, tmp_path: Path) -> None:
    theirs = save_around(tmp_path, "vit", parts.Pooling(32, mode), parts.Normalize())
    assert_close(packed(tmp_path).embed_images(IMAGES), theirs.encode(IMAGES))


def test_the_module_of_older_versions(tmp_path: Path) -> None:
    """CLIPModel in a folder of its own, without a file that says which of its outputs is taken."""
    theirs = save_around(tmp_path, "clip")
    expected, folder = theirs.encode(TEXTS), tmp_path / "made"
    into_sub_folder(folder, "0_CLIPModel")
    (folder / "0_CLIPModel" / "sentence_bert_config.json").unlink()
    entry = {"idx": 0, "name": "0", "path": "0_CLIPModel", "type": CLIP_OLD}
    (folder / "modules.json").write_text(json.dumps([entry]))
    theirs = library.SentenceTransformer(str(folder), device="cpu")
    assert_close(theirs.encode(TEXTS), expected)
    with pytest.warns(UserWarning, match="more than 16 tokens"):
        assert_close(packed(tmp_path).embed(TEXTS), expected)


def test_padding_that_is_not_said(tmp_path: Path) -> None:
    """Without it the library fills SigLIP's texts up to the longest of a batch, which a note says."""
    theirs = save_around(tmp_path, "siglip")
    alone, among = theirs.encode(TEXTS[:1]), theirs.encode(TEXTS)[:1]
    assert np.abs(alone - among).max() > 1e-2
    [note] = models.build_encoder(load_folder(tmp_path / "made")).notes
    assert "padding = 'max_length'" in note and "16 tokens" in note
    edit(tmp_path / "made" / "sentence_bert_config.json", **FILLED)
    assert models.build_encoder(load_folder(tmp_path / "made")).notes == ()


REFUSED: dict[str, tuple[str, str, dict[str, Any], str]] = {
    "states": (
        "clip",
        "sentence_bert_config.json",
        {"modality_config": {"text": {"method": "forward", "method_output_name": "text_embeds"}}},
        "text_embeds",
    ),
    "mask": (
        "siglip",
        "tokenizer_config.json",
        {"model_input_names": ["input_ids", "attention_mask"]},
        "attention_mask",
    ),
    "length": ("siglip", "sentence_bert_config.json", {"max_seq_length": 8}, "8 tokens"),
}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folders = {name: tmp_path_factory.mktemp(name) for name in ("clip", "siglip")}
    for name, folder in folders.items():
        save_around(folder, name)
    return folders


@pytest.mark.parametrize("name", REFUSED)
def test_refused_by_name(name: str, saved: dict[str, Path], tmp_path: Path) -> None:
    kind, file, changes, words = REFUSED[name]
    shutil.copytree(saved[kind] / "made", tmp_path / "made")
    edit(tmp_path / "made" / file, **changes)
    with pytest.raises(UnsupportedError, match=words):
        packed(tmp_path)
