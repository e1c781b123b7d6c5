"""Images in: pixels equal those of transformers, whatever the file, and one line for what is no image."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import transformers
from PIL import Image

from satchel.export.image_config import PROCESSOR_OF, read_format
from satchel.runtime.errors import BundleError, CheckpointError, SatchelError, UsageError
from satchel.runtime.image import FORMATS, ImageFormat

RNG = np.random.default_rng(0)
SIZES = [(64, 64), (37, 91), (300, 20), (1, 1), (224, 224), (225, 224), (9, 200)]  # height, width
MODES = ["1", "L", "LA", "P", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV", "RGBa", "PA"]
THROUGH = {"RGBA": (), "RGBa": ("RGBa",), "LA": ("LA",), "La": ("LA", "La"), "PA": ("P", "PA")}
MEAN = [0.485, 0.456, 0.406]
STYLES: list[tuple[str, dict[str, Any]]] = [  # preprocessor_config.json as found on the hub
    ("vit", {}),
    ("vit", {"size": 32, "feature_extractor_type": "ViTFeatureExtractor", "resample": 3}),
    ("vit", {"size": [40, 24], "image_mean": [0, 1, 2], "do_rescale": False}),
    ("vit", {"size": {"height": 32, "width": 48}, "do_normalize": False, "resample": 0}),
    ("vit", {"image_processor_type": "ViTImageProcessorFast", "resample": 1}),
    ("dinov2", {"size": {"shortest_edge": 48}, "crop_size": {"height": 40, "width": 40}}),
    ("dinov2", {"size": 33, "crop_size": 40, "resample": 4, "rescale_factor": 0.01}),
    ("clip", {"size": 32, "crop_size": 32, "image_processor_type": "CLIPImageProcessor"}),
    ("clip", {"crop_size": [50, 30], "size": {"shortest_edge": 31}, "resample": 5}),
    ("clip", {"size": {"height": 64, "width": 20}, "crop_size": 31, "image_std": MEAN}),
    ("clip", {"do_resize": False, "crop_size": 64}),
    ("siglip", {}),
    ("siglip", {"size": {"height": 40, "width": 40}, "resample": 2, "crop_size": None}),
]
SQUARE = ImageFormat([32, 32], None, 32, 3, 1 / 255, MEAN, [0.2, 0.2, 0.2])


def some_image(height: int = 40, width: int = 60, mode: str = "RGB") -> Image.Image:
    """Smooth below, noisy above, so that filters and orientations show."""
    down, right = np.mgrid[0:height, 0:width]
    waves = [np.sin(down / 7 + i) * np.cos(right / (9 + i)) for i in range(4)]
    array = np.stack(waves, -1) * 100 + 128
    array[: height // 2] += RNG.normal(0, 40, array[: height // 2].shape)
    image = Image.fromarray(np.clip(array, 0, 255).astype(np.uint8), "RGBA")
    for step in THROUGH.get(mode, ("RGB", mode)):
        image = image.convert(step)
    return image


def processor(model_type: str, options: dict[str, Any]) -> Any:
    name = PROCESSOR_OF[model_type] + "Pil"
    return getattr(transformers, name).from_dict(json.loads(json.dumps(options)))


def theirs(of: Any, image: Any) -> np.ndarray:
    return of(image, return_tensors="np", do_convert_rgb=True)["pixel_values"][0]


@pytest.mark.parametrize(("model_type", "options"), STYLES)
def test_pixels_equal_transformers(model_type: str, options: dict[str, Any]) -> None:
    ours = read_format(options, model_type)
    assert ImageFormat.from_dict(json.loads(json.dumps(ours.to_dict()))) == ours
    reference = processor(model_type, options)
    for height, width in SIZES:
        image = some_image(height, width)
        wanted = theirs(reference, image)
        found = ours.pixels(image)
        assert found.dtype == np.float32 and list(found.shape[1:]) == ours.size
        np.testing.assert_array_equal(found, wanted)
        np.testing.assert_array_equal(ours.pixels(np.asarray(image)), wanted)


@pytest.mark.parametrize("mode", MODES)
def test_modes_equal_transformers(mode: str) -> None:
    image = some_image(mode=mode)
    reference = processor("clip", {"size": 32, "crop_size": 32})
    ours = read_format({"size": 32, "crop_size": 32}, "clip")
    np.testing.assert_array_equal(ours.pixels(image), theirs(reference, image))


@pytest.mark.parametrize("mode", ["P", "L", "RGB"])
def test_transparent_colours_are_white(mode: str) -> None:
    image = Image.new(mode, (8, 8), 0)
    image.info["transparency"] = (0, 0, 0) if mode == "RGB" else 0
    plain = ImageFormat([8, 8], None, None, 2, 1 / 255, [0.0] * 3, [1.0] * 3)
    assert (plain.pixels(image) == 1).all()


@pytest.mark.parametrize("kind", FORMATS)
def test_paths_and_bytes_of_every_format(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "image.of_any_name"
    some_image().save(path, kind)
    with Image.open(path) as opened:
        wanted = SQUARE.pixels(opened)
    for source in (path, str(path), path.read_bytes(), bytearray(path.read_bytes())):
        np.testing.assert_array_equal(SQUARE.pixels(source), wanted)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_files_are_turned_upright_as_by_transformers(orientation: int, tmp_path: Path) -> None:
    image, exif = some_image(), Image.Exif()
    exif[0x0112] = orientation
    image.save(tmp_path / "photo.jpg", exif=exif)
    reference = processor("clip", {"size": 32, "crop_size": 32})
    ours = read_format({"size": 32, "crop_size": 32}, "clip")
    wanted = theirs(reference, str(tmp_path / "photo.jpg"))
    np.testing.assert_array_equal(ours.pixels(tmp_path / "photo.jpg"), wanted)
    with Image.open(tmp_path / "photo.jpg") as opened:  # which is taken as it is, here and there
        np.testing.assert_array_equal(ours.pixels(opened), theirs(reference, opened))


def file_of(kind: str, mode: str = "RGB") -> bytes:
    data = io.BytesIO()
    some_image(300, 300, mode).save(data, kind)
    return data.getvalue()


DAMAGED: dict[str, object] = {
    "empty": b"",
    "text": b"not an image",
    "page": b"<!doctype html><html></html>",
    "PostScript": file_of("EPS"),
    "PDF": file_of("PDF"),
    "short PNG": file_of("PNG")[:3000],
    "short JPEG": file_of("JPEG")[:900],
    "short WEBP": file_of("WEBP")[:900],
    "short TIFF": file_of("TIFF")[:900],
    "header": file_of("PNG")[:30],
    "changed PNG": file_of("PNG")[:60] + b"\xff" * 200 + file_of("PNG")[260:],
    "nothing": None,
    "number": 7,
    "list": [[1, 2], [3, 4]],
    "missing": "no/such/image.png",
    "address": "https://example.org/image.png",
    "folder": Path("."),
    "no name": "",
    "16 bit": Image.new("I;16", (40, 40)),
    "32 bit": Image.new("I", (40, 40)),
    "float": Image.new("F", (40, 40)),
    "premultiplied grey": some_image(mode="La"),
    "no rows": Image.new("RGB", (40, 0)),
    "narrow": np.zeros((100_000, 1, 3), np.uint8),
    "grey array": np.zeros((40, 40), np.uint8),
    "transparent array": np.zeros((40, 40, 4), np.uint8),
    "channels first": np.zeros((3, 40, 40), np.uint8),
    "float array": np.zeros((40, 40, 3), np.float32),
    "array without rows": np.zeros((0, 40, 3), np.uint8),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_what_is_no_image_is_refused_in_one_line(name: str, recwarn: Any) -> None:
    with pytest.raises(UsageError) as raised:
        SQUARE.pixels(DAMAGED[name])
    assert "\n" not in str(raised.value) and len(str(raised.value)) < 250
    assert not recwarn.list


def test_16_bit_files_are_refused(tmp_path: Path) -> None:
    Image.fromarray(np.full((40, 40), 40_000, np.uint16)).save(tmp_path / "deep.png")
    with pytest.raises(UsageError, match="8 bits"):
        SQUARE.pixels(tmp_path / "deep.png")


def test_bombs_are_refused(monkeypatch: pytest.MonkeyPatch, recwarn: Any) -> None:
    for most in (80_000, 20_000):  # where Pillow warns, where it raises
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", most)
        with pytest.raises(UsageError, match="MAX_IMAGE_PIXELS"):
            SQUARE.pixels(file_of("PNG"))
    assert not recwarn.list


def test_arrays_of_the_right_size_need_no_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    array = np.asarray(some_image(32, 32))
    wanted = SQUARE.pixels(array)
    monkeypatch.setitem(sys.modules, "PIL", None)
    np.testing.assert_array_equal(SQUARE.pixels(array), wanted)
    for image in (array[:20], "image.png", b"bytes"):
        with pytest.raises(UsageError, match=r"needs Pillow: pip install 'satchel\[image\]'"):
            SQUARE.pixels(image)


def test_importing_loads_neither_pillow_nor_torch() -> None:
    code = "import sys, satchel.runtime.image; assert not {'PIL', 'torch'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


BROKEN: list[dict[str, Any]] = [
    {"size": [32]},
    {"size": [32, 0]},
    {"size": [32, 1 << 20]},
    {"size": [32, True]},
    {"resize": 32},
    {"shortest_edge": 32, "resize": [32, 32]},
    {"shortest_edge": 0},
    {"resample": 9},
    {"rescale": float("nan")},
    {"rescale": "1/255"},
    {"mean": [0.5]},
    {"mean": [0.5, 0.5, 1]},  # a float is always written with its point
    {"std": [0.5, 0.5, 0.0]},
    {"std": [0.5, 0.5, 1e-300]},
    {"std": [0.5, 0.5, float("inf")]},
    {"gamma": 2.2},
]


@pytest.mark.parametrize("changes", BROKEN)
def test_a_broken_manifest_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(BundleError, match=next(iter(changes))):
        ImageFormat.from_dict(SQUARE.to_dict() | changes)
    incomplete = SQUARE.to_dict()
    del incomplete["resample"]
    with pytest.raises(BundleError, match="resample"):
        ImageFormat.from_dict(incomplete)


UNSUPPORTED: list[tuple[str, dict[str, Any], str]] = [
    ("vit", {"image_processor_type": "OwlViTImageProcessor"}, "OwlViT"),
    ("bert", {}, "image processor"),
    ("vit", {"size": {"shortest_edge": 32}}, "shortest_edge"),
    ("siglip", {"size": 32}, "no crop"),
    ("vit", {"size": {"longest_edge": 32}}, "longest_edge"),
    ("clip", {"size": {"longest_edge": 64}}, "longest_edge"),
    ("vit", {"size": {"max_height": 32, "max_width": 64}}, "max_height"),
    ("vit", {"size": "big"}, "big"),
    ("vit", {"do_resize": False}, "do_resize"),
    ("clip", {"do_center_crop": False}, "shortest_edge"),
    ("clip", {"crop_size": {"shortest_edge": 32}}, "crop_size"),
    ("vit", {"do_pad": True, "pad_size": {"height": 32, "width": 32}}, "pad_size"),
    ("vit", {"data_format": "channels_last"}, "data_format"),
    ("vit", {"resample": 17}, "resample"),
    ("vit", {"image_mean": "0.5"}, "mean"),
    ("vit", {"image_std": [0, 0.5, 0.5]}, "std"),
    ("vit", {"do_resize": "yes"}, "do_resize"),
    ("vit", {"rescale_factor": "1/255"}, "rescale"),
    ("vit", {"rescale_factor": 10**400}, "rescale"),
]


@pytest.mark.parametrize(("model_type", "options", "word"), UNSUPPORTED)
def test_unsupported_preprocessing_is_named(
    model_type: str, options: dict[str, Any], word: str
) -> None:
    with pytest.raises(SatchelError, match=word) as raised:
        read_format(options, model_type)
    assert not isinstance(raised.value, UsageError)
    assert isinstance(raised.value, CheckpointError) or raised.value.code == "UNSUPPORTED"
