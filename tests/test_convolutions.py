"""Convolutions in int8: kept so in every bundle, multiplied so where one's own images fix the scales."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import transformers
from numpy.typing import NDArray
from PIL import Image

import satchel
from satchel.cli.report import describe
from satchel.runtime.bundle import open_bundle
from satchel.runtime.errors import UsageError
from tests.digits import PROCESSOR, SIDE, Digits, learnt
from tests.tiny_encoders import save_encoder


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Digits:
    return learnt(tmp_path_factory.mktemp("digits"))


@pytest.fixture(scope="module")
def convolved(digits: Digits) -> Path:
    out = digits.checkpoint.parent / "convolved"
    satchel.pack(digits.checkpoint, out, calibration=digits.images)
    return out


def likeliest(bundle: Path, images: list[Image.Image]) -> NDArray[np.int64]:
    model: Any = satchel.load(bundle)
    labels = [one.label for one in model.classify_images(images)]
    return np.array([int(label.removeprefix("LABEL_")) for label in labels])


def operators(bundle: Path, folder: Path) -> Counter[str]:
    """What ONNX Runtime makes of a bundle's graph."""
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(folder / "optimized.onnx")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(bundle / "image.onnx", options)
    model = onnx.load(folder / "optimized.onnx", load_external_data=False)
    return Counter(node.op_type for node in model.graph.node)


def quantization(bundle: Path) -> Any:
    return json.loads((bundle / "manifest.json").read_text())["quantization"]


def test_int8_products_give_the_labels_of_float32(
    digits: Digits, convolved: Path, tmp_path: Path
) -> None:
    """Of images that neither fixed scales nor measured the export."""
    assert quantization(convolved)["convolved"] is True
    assert (digits.likeliest == digits.labels).mean() > 0.97
    assert (likeliest(convolved, digits.others) == digits.likeliest).mean() >= 0.995
    assert "convolutions over images: channel8" in describe(open_bundle(convolved))
    made = operators(convolved, tmp_path)
    assert made["QLinearConv"] == 7 and not made["Conv"] and not made["FusedConv"]


def test_channels_by_themselves_and_bounded_activations(digits: Digits, tmp_path: Path) -> None:
    """MobileNet V2: ReLU6 is what the scales say, and no node of its own."""
    config = transformers.MobileNetV2Config(depth_multiplier=0.35, image_size=SIDE)
    model: Any = transformers.MobileNetV2ForImageClassification(config)
    model.save_pretrained(tmp_path / "checkpoint")
    transformers.ViTImageProcessor(**PROCESSOR).save_pretrained(tmp_path / "checkpoint")
    out = tmp_path / "out"
    satchel.pack(tmp_path / "checkpoint", out, calibration=digits.images, force=True)
    made = operators(out, tmp_path)
    assert made["QLinearConv"] > 50 and not made["Conv"] + made["FusedConv"] + made["Clip"]


def test_without_images_the_weights_alone_are_int8(digits: Digits, tmp_path: Path) -> None:
    kept, exact = tmp_path / "kept", tmp_path / "exact"
    packed = satchel.pack(digits.checkpoint, kept)
    remarks = [
        sum("--calibration FOLDER" in note for note in made.notes)
        for made in (packed, satchel.pack(digits.checkpoint, exact, profile="fp32"))
    ]
    assert remarks == [1, 0] and "convolved" not in packed.manifest.quantization
    sizes = [(bundle / "image.onnx.data").stat().st_size for bundle in (kept, exact)]
    assert sizes[0] < 0.3 * sizes[1]
    made = operators(kept, tmp_path)
    assert not made["QLinearConv"] and not made["Cast"] and not made["Mul"]  # restored once
    assert (likeliest(kept, digits.others) == digits.likeliest).mean() >= 0.995


def test_a_convolution_is_kept_in_float32_by_its_name(digits: Digits, tmp_path: Path) -> None:
    out, named = tmp_path / "out", ["trunk.stem"]
    satchel.pack(digits.checkpoint, out, calibration=digits.images, keep_fp32=named)
    graph = onnx.load(out / "image.onnx", load_external_data=False).graph
    kinds = {value.name: value.data_type for value in graph.initializer}
    assert kinds["trunk.stem.weight"] == onnx.TensorProto.FLOAT
    assert operators(out, tmp_path)["QLinearConv"] == 6


def test_scales_of_the_wrong_images_are_mended(digits: Digits, tmp_path: Path) -> None:
    """What it is measured on is nothing like what fixed its scales: products become float32 again."""
    images, out = tmp_path / "images", tmp_path / "out"
    images.mkdir()
    for number, file in enumerate(sorted(digits.images.rglob("*.png"))):
        picture = Image.open(file) if number % 4 == 0 else Image.new("RGB", (SIDE, SIDE))
        picture.save(images / file.name)
    packed = satchel.pack(digits.checkpoint, out, calibration=images)
    assert any("better schemes" in note for note in packed.notes)
    assert "blocks8" in [scheme["kind"] for scheme in quantization(out)["layers"].values()]
    assert (likeliest(out, digits.others) == digits.likeliest).mean() > 0.97


def test_images_that_are_refused(digits: Digits, tmp_path: Path) -> None:
    few, texts, out = tmp_path / "few", tmp_path / "texts", tmp_path / "out"
    few.mkdir()
    for file in sorted(digits.images.rglob("*.png"))[:15]:
        (few / file.name).write_bytes(file.read_bytes())
    (few / ".thumbnails").write_text("not an image")
    with pytest.raises(UsageError, match=r"at least 16 images, there are 15"):
        satchel.pack(digits.checkpoint, out, calibration=few)
    (few / "labels.txt").write_text("not an image")
    with pytest.raises(UsageError, match=r"labels\.txt"):
        satchel.pack(digits.checkpoint, out, calibration=few)
    save_encoder(texts, "bert")
    with pytest.raises(UsageError, match=r"a folder, of images; this model reads text"):
        satchel.pack(texts, out, calibration=digits.images)
    assert not out.exists()
