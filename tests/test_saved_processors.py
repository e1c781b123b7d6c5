"""Processors as transformers saves them: the same pixels and features from the same folder."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import transformers
from PIL import Image
from tokenizers import Tokenizer, models
from transformers.processing_utils import ImagesKwargs

from satchel.checkpoints.folder import load_folder
from satchel.export.audio_config import FIELDS, audio_format
from satchel.export.audio_config import NEUTRAL as AUDIO_NEUTRAL
from satchel.export.image_config import NEUTRAL, PROCESSORS, STEPS, image_format
from satchel.runtime.errors import CheckpointError, UnsupportedError
from satchel.runtime.image import ImageFormat
from tests.test_images import CASES, save
from tests.tiny_speech import MELS, RATE, SECONDS, save_speech, some_sound

IMAGES = {
    "clip": "CLIP",
    "siglip": "Siglip",
    "vit": "ViT",
    "dinov2": "Bit",
    "deit": "DeiT",
    "beit": "Beit",
}
DOCS = Path(__file__).resolve().parent.parent / "docs" / "checkpoints.md"


def write(folder: Path, name: str, content: dict[str, Any]) -> None:
    (folder / name).write_text(json.dumps(content))


def read(folder: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / name).read_text())
    return found


def image_processor(kind: str, **options: Any) -> Any:
    return getattr(transformers, f"{IMAGES[kind]}ImageProcessorPil")(**options)


def some_picture(width: int = 70, height: int = 50) -> Image.Image:
    random = np.random.default_rng(width)
    return Image.fromarray(random.integers(0, 256, (height, width, 3), np.uint8))


def same_pixels(folder: Path) -> None:
    theirs = transformers.AutoImageProcessor.from_pretrained(folder)
    found = image_format(load_folder(folder))
    for size in ((70, 50), (31, 64)):
        picture = some_picture(*size)
        expected = theirs(picture, return_tensors="np")["pixel_values"][0]
        np.testing.assert_allclose(found.pixels(picture), expected, atol=1e-6)


@pytest.mark.parametrize("kind", IMAGES)
def test_image_processors_alone(kind: str, tmp_path: Path) -> None:
    save(tmp_path, CASES[kind])
    options: dict[str, Any] = {"image_mean": [0.1, 0.2, 0.3], "resample": 2}
    image_processor(kind, **options).save_pretrained(tmp_path)
    assert not (tmp_path / "processor_config.json").exists()
    same_pixels(tmp_path)


def small_tokenizer() -> Any:
    pieces = models.WordLevel({"<s>": 0, "</s>": 1, "<unk>": 2}, unk_token="<unk>")
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(pieces),
        model_max_length=16,
        unk_token="<unk>",
        eos_token="</s>",
        pad_token="</s>",
    )


@pytest.mark.parametrize("kind", ["clip", "siglip"])
def test_an_image_processor_is_a_part_of_a_processor(kind: str, tmp_path: Path) -> None:
    save(tmp_path, CASES[kind])
    part = image_processor(kind, image_std=[0.3, 0.3, 0.4])
    whole = {
        "clip": transformers.CLIPProcessor,
        "siglip": transformers.SiglipProcessor,
    }[kind](part, small_tokenizer())
    whole.save_pretrained(tmp_path)
    assert not (tmp_path / "preprocessor_config.json").exists()
    assert "image_processor" in read(tmp_path, "processor_config.json")
    same_pixels(tmp_path)
    # The file of its own, left by an older save, gives way.
    image_processor(kind, image_mean=[0.0, 0.0, 0.0]).save_pretrained(tmp_path)
    same_pixels(tmp_path)
    assert image_format(load_folder(tmp_path)).std == [0.3, 0.3, 0.4]
    write(tmp_path, "processor_config.json", {"processor_class": "X", "image_processor": None})
    same_pixels(tmp_path)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("clip", {"crop_size": 30, "size": 40}),
        ("clip", {"do_center_crop": False, "size": {"height": 24, "width": 40}}),
        ("clip", {"do_pad": True, "do_reduce_labels": True, "image_seq_length": 49}),
        ("clip", {"do_convert_rgb": False, "device": "cuda"}),
        ("clip", {"do_resize": False, "crop_size": {"height": 60, "width": 33}}),
        ("clip", {"use_square_size": True}),
        ("clip", {"size": {"shortest_edge": 40, "longest_edge": 48}, "crop_size": 44}),
        ("clip", {"size": {"shortest_edge": 31, "longest_edge": 90}, "crop_size": 30}),
        ("clip", {"size": {"shortest_edge": 300, "longest_edge": 33}, "crop_size": 30}),
        ("dinov2", {"size": {"shortest_edge": 50, "longest_edge": 70}}),
        ("beit", {"size": 30, "crop_size": 26, "do_center_crop": True, "do_reduce_labels": True}),
        ("deit", {"size": 40, "crop_size": 36, "resample": 3}),
        ("siglip", {"do_normalize": False, "do_rescale": False, "size": [20, 30]}),
        ("siglip", {"do_center_crop": True, "crop_size": 12, "image_mean": 0.5}),
        ("vit", {"size": 28, "crop_pct": 0.875, "apply_eos": None}),
        ("vit", {"do_pad": False, "pad_size": {"height": 900, "width": 900}}),
        ("dinov2", {"rescale_factor": 0.01, "do_resize": None}),
        ("dinov2", {"do_center_crop": None, "size": 30, "default_to_square": True, "resample": 1}),
    ],
)
def test_options_of_images(kind: str, options: dict[str, Any], tmp_path: Path) -> None:
    save(tmp_path, CASES[kind])
    image_processor(kind).save_pretrained(tmp_path)
    before = read(tmp_path, "preprocessor_config.json")
    write(tmp_path, "preprocessor_config.json", before | options)
    same_pixels(tmp_path)


@pytest.mark.parametrize("size", [20, 300, 383, 384])
def test_of_small_images_of_convnext_the_middle_is_kept(size: int, tmp_path: Path) -> None:
    save(tmp_path, CASES["vit"])
    kind = transformers.ConvNextImageProcessorPil
    kind(size={"shortest_edge": size}, crop_pct=0.9, resample=2).save_pretrained(tmp_path)
    same_pixels(tmp_path)
    raw = read(tmp_path, "preprocessor_config.json")
    for change, word in (
        ({"crop_pct": None}, "crop_pct"),
        ({"size": {"height": 30, "width": 30}}, "size"),
        ({"do_center_crop": True, "crop_size": 10}, "crop_size"),
    ):
        if word == "size" or size < 384:
            write(tmp_path, "preprocessor_config.json", raw | change)
            with pytest.raises((CheckpointError, UnsupportedError), match=word):
                image_format(load_folder(tmp_path))


def test_mobilenets_images(tmp_path: Path) -> None:
    save(tmp_path, CASES["vit"])
    kind = transformers.MobileNetV2ImageProcessorPil
    kind(image_mean=[0.1, 0.2, 0.3]).save_pretrained(tmp_path)
    same_pixels(tmp_path)


@pytest.mark.parametrize(("picture", "size"), [((70, 50), (40, 48)), ((31, 64), (80, 80))])
def test_images_of_dinov3_are_resized_after_they_are_rescaled(
    picture: tuple[int, int], size: tuple[int, int], tmp_path: Path
) -> None:
    """As the library does with torchvision alone, whose resize of numbers is torch's."""
    save(tmp_path, CASES["dinov3_vit"])
    sides = {"height": size[0], "width": size[1]}
    write(tmp_path, "preprocessor_config.json", {"size": sides})
    shown = some_picture(*picture)
    levels = torch.from_numpy(np.array(shown)).permute(2, 0, 1)[None] * (1 / 255)
    resized = F.interpolate(levels, size, mode="bilinear", antialias=True, align_corners=False)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    expected = (resized[0] - mean[:, None, None]) / std[:, None, None]
    form = image_format(load_folder(tmp_path))
    np.testing.assert_allclose(
        form.pixels(shown), expected, atol=3e-5
    )  # torch has its filter in 32 bits
    assert not form.rounded and not form.to_dict()["rounded"]
    assert ImageFormat.from_dict(form.to_dict()) == form
    array = np.array(shown.resize(size[::-1]))
    found = form.pixels(array)  # nothing to resize
    plain = dataclasses.replace(form, rounded=True)
    np.testing.assert_allclose(found, plain.pixels(array), atol=1e-6)


@pytest.mark.parametrize(
    "options",
    [
        {"size": {"longest_edge": 30}},
        {"size": {"max_height": 30, "max_width": 30}},
        {"do_pad": True, "pad_size": {"height": 300, "width": 300}},
        {"data_format": "channels_last"},
        {"image_processor_type": "OwlViTImageProcessor"},
    ],
    ids=str,
)
def test_what_cannot_be_done_to_images_is_refused(options: dict[str, Any], tmp_path: Path) -> None:
    save(tmp_path, CASES["clip"])
    part = read_back(image_processor("clip"), tmp_path) | options
    write(tmp_path, "processor_config.json", {"image_processor": part})
    with pytest.raises(UnsupportedError, match=r"^processor_config\.json: ") as caught:
        image_format(load_folder(tmp_path))
    value = list(options.values())[-1]
    assert list(options)[-1] in str(caught.value) or str(value) in str(caught.value)


def read_back(processor: Any, folder: Path) -> dict[str, Any]:
    processor.save_pretrained(folder / "alone")
    return read(folder / "alone", "preprocessor_config.json")


def table() -> dict[str, str]:
    """Key to what satchel does, of the section on processors."""
    section = DOCS.read_text("utf-8").split("## Processors of images and speech")[1]
    rows = [line.split("|")[1:3] for line in section.split("\n## ")[0].splitlines() if "|" in line]
    return {key: what for keys, what in rows for key in keys.split("`")[1::2]}


def test_every_option_of_images_is_classified() -> None:
    """Whatever transformers' processors read is honoured, has one value, or changes nothing."""
    told, ours = table(), set(STEPS) | set(PROCESSORS["CLIPImageProcessor"])
    for key in get_type_hints(ImagesKwargs):
        assert key in told, f"docs/checkpoints.md does not say what becomes of {key}"
        assert ("honoured" in told[key]) == (key in ours), key
        assert ("refused" in told[key]) == (key in NEUTRAL or key in ("size", "pad_size")), key


def test_every_key_of_a_feature_extractor_is_classified() -> None:
    saved = transformers.WhisperFeatureExtractor().to_dict()
    told = table()
    for key in saved:
        assert key in told, f"docs/checkpoints.md does not say what becomes of {key}"
        assert ("honoured" in told[key]) == (key in FIELDS), key
        assert ("refused" in told[key]) == (key in AUDIO_NEUTRAL), key


def whisper_folder(folder: Path) -> None:
    save_speech(folder)
    (folder / "preprocessor_config.json").unlink()
    extractor = transformers.WhisperFeatureExtractor(feature_size=MELS, chunk_length=SECONDS)
    file = str(folder / "tokenizer.json")
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_file=file, model_max_length=96)
    whole = transformers.WhisperProcessor.__new__(transformers.WhisperProcessor)
    transformers.ProcessorMixin.__init__(whole, extractor, tokenizer)
    whole.save_pretrained(folder)


def same_features(folder: Path) -> None:
    theirs = transformers.AutoFeatureExtractor.from_pretrained(folder)
    found, sound = audio_format(load_folder(folder)), some_sound(1.3)
    expected = theirs(sound, sampling_rate=RATE, return_tensors="np")["input_features"][0]
    np.testing.assert_allclose(found.log_mel(sound), expected, atol=2e-4)


def test_a_feature_extractor_is_a_part_of_a_processor(tmp_path: Path) -> None:
    whisper_folder(tmp_path)
    whole = read(tmp_path, "processor_config.json")
    assert not (tmp_path / "preprocessor_config.json").exists() and "feature_extractor" in whole
    same_features(tmp_path)
    older = whole["feature_extractor"] | {"feature_size": 20, "hop_length": 80}
    write(tmp_path, "preprocessor_config.json", older)
    same_features(tmp_path)
    assert audio_format(load_folder(tmp_path)).mels == MELS
    changes = {"do_normalize": True, "return_attention_mask": True, "device": "cuda", "new": 1}
    whole["feature_extractor"] |= changes
    write(tmp_path, "processor_config.json", whole)
    same_features(tmp_path)
    write(tmp_path, "processor_config.json", {"processor_class": "WhisperProcessor"})
    same_features(tmp_path)
    assert audio_format(load_folder(tmp_path)).mels == 20


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"dither": 1e-5}, "dither"),
        ({"padding_value": 1.0}, "padding_value"),
        ({"padding_side": "left"}, "padding_side"),
        ({"feature_extractor_type": "Wav2Vec2FeatureExtractor"}, "Wav2Vec2FeatureExtractor"),
    ],
)
def test_what_cannot_be_done_to_sounds_is_refused(
    options: dict[str, Any], words: str, tmp_path: Path
) -> None:
    save_speech(tmp_path)
    part = read(tmp_path, "preprocessor_config.json") | options
    write(tmp_path, "processor_config.json", {"feature_extractor": part})
    with pytest.raises(UnsupportedError, match=f"^processor_config.json: .*{words}"):
        audio_format(load_folder(tmp_path))
    write(tmp_path, "processor_config.json", {"feature_extractor": [1]})
    with pytest.raises(CheckpointError, match="expected an object"):
        load_folder(tmp_path)
