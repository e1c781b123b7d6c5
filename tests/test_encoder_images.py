"""Image bundles: vectors and labels equal transformers; texts and images meet in one space."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from PIL import Image
from safetensors.torch import save_file

import satchel
from satchel.checkpoints.folder import load_folder
from satchel.export.image_config import image_format
from satchel.measure.verification import verify
from satchel.runtime.errors import SatchelError, UsageError
from satchel.runtime.image import sample_images
from satchel.tokenization.canonical import canonical
from tests.naflex import as_patches
from tests.test_images import CASES, STAGED, save
from tests.tiny_encoders import save_tokenizer

PROCESSOR = {
    "size": {"height": 40, "width": 40},
    "do_center_crop": False,
    "resample": 2,
    "image_mean": [0.4, 0.5, 0.6],
    "image_std": [0.2, 0.3, 0.4],
}
FLEXIBLE = {
    "image_processor_type": "Siglip2ImageProcessor",
    "patch_size": 8,
    "max_num_patches": 25,
}
WORDS = 200  # ids of the tiny tokenizer
TEXTS = ["the fox", "", "it runs on and on, the dog sees it and the cat too!", "x"]
PICTURES = [np.ascontiguousarray(picture) for picture in sample_images((50, 70), 4)]
Made = tuple[Any, Any, Path]


def save_small_gemma(folder: Path) -> None:
    """Letters and a few merges, as the class of SigLIP 2 saves them."""
    words = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "▁", *"abcdefghijklmnopqrstuvwxyz"]
    merges = [("t", "h"), ("th", "e"), ("the", "▁"), ("o", "x")]
    ids = {word: number for number, word in enumerate([*words, *map("".join, merges)])}
    transformers.Siglip2Tokenizer(
        vocab=ids, merges=merges, model_max_length=16, padding_side="right"
    ).save_pretrained(folder)


def save_pictured(folder: Path, name: str) -> transformers.PreTrainedModel:
    """Write the checkpoint of a case with its tokenizer and preprocessing; returns the model."""
    case = CASES[name]
    if "text_config" in case.config:
        text = case.config["text_config"] | {"vocab_size": WORDS, "pad_token_id": 0}
        text |= {"eos_token_id": 3, "bos_token_id": 2}  # [SEP] and [CLS]
        case = type(case)(case.model, case.config | {"text_config": text}, case.task)
    model = save(folder, case)
    save_tokenizer(folder, 0, 16, False)
    kind: dict[str, Any] = {}
    if case.model.startswith(STAGED):
        kind = {"image_processor_type": "ViTImageProcessor"}
    if case.model.startswith("Siglip2"):
        kind = FLEXIBLE
        save_small_gemma(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(PROCESSOR | kind))
    return model


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Made]:
    """Name of a case -> (a loaded bundle, transformers' model, its folder), made once."""
    known: dict[Any, Made] = {}

    def get(name: str, profile: str = "fp32") -> Made:
        if (name, profile) not in known:
            folder = tmp_path_factory.mktemp(name)
            theirs, case = save_pictured(folder / "checkpoint", name), CASES[name]
            satchel.pack(
                folder / "checkpoint",
                folder / "out",
                profile=profile,
                task=case.task,
                force=True,
            )
            known[name, profile] = (
                satchel.load(folder / "out", threads=1), theirs, folder / "checkpoint",
            )  # fmt: skip
        return known[name, profile]

    return get


def pixels(images: list[Any]) -> torch.Tensor:
    processor = transformers.ViTImageProcessorPil.from_dict(PROCESSOR)
    return processor([Image.fromarray(image) for image in images], return_tensors="pt").pixel_values


def unit(vectors: torch.Tensor) -> torch.Tensor:
    return vectors / vectors.norm(dim=-1, keepdim=True)


def test_image_vectors_equal_transformers(made: Any) -> None:
    ours, theirs, _ = made("vit")
    with torch.inference_mode():
        expected = theirs(pixels(PICTURES)).last_hidden_state[:, 0]
    found = ours.embed_images(PICTURES)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert np.ptp(found, axis=0).max() > 0.01
    np.testing.assert_allclose(ours.embed_images(PICTURES[2])[0], found[2], atol=1e-6)
    assert ours.embed_images([]).shape == (0, 32)


def test_images_come_in_many_forms(made: Any, tmp_path: Path) -> None:
    ours = made("vit")[0]
    picture, file = Image.fromarray(PICTURES[0]), io.BytesIO()
    picture.save(file, "PNG")
    (tmp_path / "a.png").write_bytes(file.getvalue())
    forms = [PICTURES[0], picture, file.getvalue(), tmp_path / "a.png", str(tmp_path / "a.png")]
    found = ours.embed_images(forms)
    np.testing.assert_array_equal(found, np.repeat(found[:1], len(forms), 0))
    for form in forms:
        np.testing.assert_array_equal(ours.embed_images(form), found[:1])
    with pytest.raises(UsageError, match="is no image"):
        ours.embed_images([7])


@pytest.mark.parametrize("name", ["vit-classify", "siglip-classify"])
def test_image_labels_equal_transformers(name: str, made: Any) -> None:
    ours, theirs, _ = made(name)
    with torch.inference_mode():
        expected = theirs(pixels(PICTURES)).logits.softmax(-1).numpy()
    for one, scores in zip(ours.classify_images(PICTURES), expected, strict=True):
        np.testing.assert_allclose(list(one.scores.values()), scores, atol=1e-4)
        assert one.label == f"LABEL_{scores.argmax()}"


@pytest.mark.parametrize("name", ["clip", "siglip"])
def test_texts_and_images_meet(name: str, made: Any) -> None:
    ours, theirs, folder = made(name)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    padding: Any = "max_length" if name == "siglip" else False
    rows = []
    for text in TEXTS:
        ids = tokenizer(text, padding=padding, truncation=True, max_length=16).input_ids
        with torch.inference_mode():
            # No mask: SigLIP was trained to read its padding.
            rows.append(theirs.get_text_features(torch.tensor([ids])).pooler_output[0])
    np.testing.assert_allclose(ours.embed(TEXTS), unit(torch.stack(rows)), atol=1e-4)
    with torch.inference_mode():
        expected = unit(theirs.get_image_features(pixels(PICTURES)).pooler_output)
    np.testing.assert_allclose(ours.embed_images(PICTURES), expected, atol=1e-4)
    np.testing.assert_allclose(ours.embed(TEXTS[2:]), ours.embed(TEXTS)[2:], atol=1e-6)
    prepare = ours.preparation
    read = [prepare.padded(ids) for text in TEXTS for ids in prepare.rows(text, window=4)]
    lengths = {len(row) for row in read}
    assert (lengths == {16}) == (name == "siglip")


@pytest.mark.parametrize("name", ["vit", "vit-classify", "clip", "siglip"])
def test_hidden_states_equal_transformers(name: str, made: Any) -> None:
    ours, theirs, folder = made(name)
    trunk = getattr(theirs, "vision_model", theirs.base_model)
    with torch.inference_mode():
        expected = trunk(pixel_values=pixels(PICTURES[:1])).last_hidden_state[0]
    found = ours.image_hidden_states(PICTURES[0])
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-4)
    with pytest.raises(UsageError, match="is no image"):
        ours.image_hidden_states([PICTURES[0]])
    if name not in ("clip", "siglip"):
        return
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    for text in TEXTS:
        padding: Any = "max_length" if name == "siglip" else False
        ids = tokenizer(text, padding=padding, truncation=True, max_length=16).input_ids
        with torch.inference_mode():
            states = theirs.text_model(torch.tensor([ids])).last_hidden_state[0]
        np.testing.assert_allclose(ours.hidden_states(text), states, atol=1e-4)
        np.testing.assert_array_equal(ours.hidden_states(ids), ours.hidden_states(text))


@pytest.mark.parametrize("profile", ["fp32", "int8"])
@pytest.mark.parametrize("name", ["clip", "vit-classify"])
def test_bundles_verify(name: str, profile: str, made: Any) -> None:
    rows = verify(made(name, profile)[0])
    assert all(row.passed for row in rows)
    assert len(rows) == (6 if name == "clip" else 4)


def test_a_wrong_method_names_the_right_ones(made: Any) -> None:
    for name, method, right in (
        ("vit", "embed", "embed_images or image_hidden_states"),
        ("vit", "hidden_states", "embed_images or image_hidden_states"),
        ("vit-classify", "embed_images", "classify_images or image_hidden_states"),
        ("clip", "generate", "embed, embed_images, hidden_states or image_hidden_states"),
    ):
        with pytest.raises(UsageError, match=f"{method} does not fit .* use {right}"):
            getattr(made(name)[0], method)("x")


def test_two_encoders_keep_their_threads_ready(made: Any) -> None:
    """An encoder before a decoder does not."""
    for encoder in made("clip")[0].graphs.values():
        with pytest.raises(RuntimeError):  # not set
            encoder.session.get_session_options().get_session_config_entry(
                "session.force_spinning_stop"
            )


@pytest.mark.parametrize("shape", [(50, 70), (70, 50), (8, 8), (3, 300), (640, 9), (41, 39)])
def test_images_keep_their_proportions_to_the_last_bit(
    shape: tuple[int, int], tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "siglip2"}')
    save_file({"x": torch.zeros(1)}, tmp_path / "model.safetensors")
    for patch, most in ((8, 25), (16, 256), (3, 7)):
        options = {"patch_size": patch, "max_num_patches": most, "image_mean": [0.1, 0.2, 0.3]}
        theirs = transformers.Siglip2ImageProcessorPil(**options)
        theirs.save_pretrained(tmp_path)
        form = image_format(load_folder(tmp_path))
        (picture,) = sample_images(shape, 1)
        expected = theirs(Image.fromarray(picture), return_tensors="pt")
        found = as_patches(torch.from_numpy(form.pixels(picture))[None], patch)
        assert (found["spatial_shapes"] == expected["spatial_shapes"]).all()
        count = expected["pixel_attention_mask"].sum()
        assert torch.equal(found["pixel_values"], expected["pixel_values"][:, :count])
        assert type(form).from_dict(form.to_dict()) == form


def test_vectors_of_images_that_keep_their_proportions(made: Any) -> None:
    ours, theirs, folder = made("siglip2")
    processor = transformers.Siglip2ImageProcessorPil.from_pretrained(folder)
    shapes = [(50, 70), (70, 50), (20, 90), (9, 8)]
    pictures = [picture for shape in shapes for picture in sample_images(shape, 1)]
    with torch.inference_mode():
        read = processor([Image.fromarray(picture) for picture in pictures], return_tensors="pt")
        expected = unit(theirs.get_image_features(**read).pooler_output)
    found = ours.embed_images(pictures)
    assert np.ptp(found, axis=0).max() > 0.01 and ours.manifest.image["patches"] == 25
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert (ours.embed_images(pictures[2])[0] == found[2]).all()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    texts = [*TEXTS, "The FOX"]
    ids = tokenizer(texts, padding="max_length", truncation=True, max_length=16).input_ids
    with torch.inference_mode():
        expected = unit(theirs.get_text_features(torch.tensor(ids)).pooler_output)
    np.testing.assert_allclose(ours.embed(texts), expected, atol=1e-4)
    np.testing.assert_array_equal(ours.embed("The FOX"), ours.embed("the fox"))
    rows = verify(ours)
    assert rows and all(row.passed for row in rows), rows


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"patch_size": 16}, "patch_size"),
        ({"patch_size": "8"}, "patch_size"),
        ({"max_num_patches": 0}, "max_num_patches"),
        ({"max_num_patches": None}, "max_num_patches"),
        ({"max_num_patches": 9999}, "patches"),
        ({"do_resize": False}, "do_resize"),
    ],
    ids=str,
)
def test_patches_that_make_no_sense_are_refused(
    options: dict[str, Any], word: str, tmp_path: Path
) -> None:
    save_pictured(tmp_path, "siglip2")
    file = tmp_path / "preprocessor_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | options))
    with pytest.raises(SatchelError, match=word):
        image_format(load_folder(tmp_path))


def test_texts_that_no_bpe_reads_are_refused(tmp_path: Path) -> None:
    save_pictured(tmp_path, "siglip2")
    save_tokenizer(tmp_path, 0, 16, False)
    file = json.loads((tmp_path / "tokenizer.json").read_text())
    with pytest.raises(SatchelError, match="no BPE"):
        canonical(load_folder(tmp_path), file)


def test_texts_filled_up_before_their_start_are_refused(tmp_path: Path) -> None:
    """As transformers' class of SigLIP 2 does, where its file does not say the side."""
    save_pictured(tmp_path, "siglip2")
    file = tmp_path / "tokenizer_config.json"
    said = json.loads(file.read_text())
    del said["padding_side"]  # it was "right"
    file.write_text(json.dumps(said))
    assert transformers.AutoTokenizer.from_pretrained(tmp_path).padding_side == "left"
    with pytest.raises(SatchelError, match="padding_side"):
        satchel.pack(tmp_path, tmp_path.parent / "out", profile="fp32")
    assert not (tmp_path.parent / "out").exists()
