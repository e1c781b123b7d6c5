"""Objects in images that keep their proportions: transformers' boxes, the command, what is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from PIL import Image
from safetensors.torch import load_file, save_file

import satchel
from satchel.cli.main import main
from satchel.export.image_config import read_format
from satchel.measure.conformance import case_file
from satchel.measure.verification import verify
from satchel.runtime.errors import SatchelError
from satchel.runtime.image import sample_images
from tests.test_images import CASES, Case, build, save
from tests.test_timm import BACK
from tests.tiny import edit_config

SHAPES = ((50, 70), (33, 129), (90, 40), (64, 64))
PICTURES = [next(sample_images(shape, 1)) for shape in SHAPES]
SIZED = {"size": {"shortest_edge": 48, "longest_edge": 80}}
NAMES = [f"LABEL_{index}" for index in range(5)]
PROCESSORS = {"yolos": "YolosImageProcessorPil", "detr": "DetrImageProcessorPil"}


@pytest.fixture(scope="module", params=PROCESSORS)
def made(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Any, Any, Any, Path]:
    """A loaded float32 bundle, transformers' model and its processor, and the folder of all."""
    name = request.param
    folder = tmp_path_factory.mktemp(name)
    theirs = save(folder / "checkpoint", CASES[name])
    processor = getattr(transformers, PROCESSORS[name])(**SIZED)
    processor.save_pretrained(folder / "checkpoint")
    satchel.pack(folder / "checkpoint", folder / "out", profile="fp32")
    return satchel.load(folder / "out", threads=1), theirs, processor, folder


@pytest.mark.parametrize("some", [False, True])
def test_objects_equal_those_of_transformers(some: bool, made: Any) -> None:
    ours, theirs, processor, _ = made
    scores = [one.score for one in ours.detect_objects(PICTURES[0], threshold=0)[0]]
    threshold = (scores[2] + scores[3]) / 2 if some else 0.0
    assert ours.manifest.task == "object-detection" and ours.image_format.size is None
    found = ours.detect_objects(PICTURES, threshold=threshold)
    counts = []
    for picture, objects in zip(PICTURES, found, strict=True):
        inputs = processor(picture, return_tensors="pt")
        np.testing.assert_array_equal(ours.image_format.pixels(picture), inputs.pixel_values[0])
        with torch.inference_mode():
            out = theirs(**{name: inputs[name] for name in ("pixel_values",)})
        [wanted] = processor.post_process_object_detection(out, threshold, [picture.shape[:2]])
        order = torch.argsort(-wanted["scores"], stable=True)
        scores, boxes = wanted["scores"][order], wanted["boxes"][order]
        np.testing.assert_allclose([one.score for one in objects], scores, atol=1e-4)
        assert [one.label for one in objects] == [NAMES[at] for at in wanted["labels"][order]]
        if objects:
            np.testing.assert_allclose([one.box for one in objects], boxes, atol=1e-2)
        assert ours.detect_objects(picture, threshold=threshold) == [objects]
        counts.append(len(objects))
    assert counts[0] == 3 if some else counts == [6] * 4


def test_a_bundle_for_images_of_any_size_is_verified_and_asked(made: Any) -> None:
    ours, theirs, _, _ = made
    assert ours.manifest.graphs["image"].inputs[0].axes == [1, 3, "height", "width"]
    assert all(row.passed for row in verify(ours))
    with torch.inference_mode():
        pixels = torch.from_numpy(ours.image_format.pixels(PICTURES[0]))[None]
        wanted = theirs(pixels).last_hidden_state[0]
    np.testing.assert_allclose(ours.image_hidden_states(PICTURES[0]), wanted, atol=1e-4)
    content = json.loads(case_file.written(case_file.make(ours, 0)))
    [some, none] = [case for case in content["cases"] if case["kind"] == "detect_objects"]
    assert [len(one) for one in some["expect"]["objects"]] == [6] * 5
    assert none["expect"] == {"objects": []}
    assert case_file.check(ours, content).lines == []


@pytest.mark.parametrize("kind", PROCESSORS)
@pytest.mark.parametrize(
    "change",
    [
        {},
        SIZED,
        {"size": 48},
        {"size": 40, "max_size": 90},
        {"size": {"height": 48, "width": 72}, "resample": 3},
        {"size": {"shortest_edge": 64, "longest_edge": 64}, "do_pad": False, "do_rescale": False},
        {"size": {"shortest_edge": 1000, "longest_edge": 64}, "do_normalize": False},
    ],
)
def test_options_of_its_processor(change: dict[str, Any], kind: str) -> None:
    processor = getattr(transformers, PROCESSORS[kind])(**change)
    form = read_format(change, kind)
    for picture in (*PICTURES, next(sample_images((50, 26), 1))):
        wanted = processor(picture, return_tensors="np")["pixel_values"][0]
        np.testing.assert_array_equal(form.pixels(picture), wanted)


@pytest.mark.parametrize("kind", PROCESSORS)
def test_sizes_of_many_images(kind: str) -> None:
    """Every way that a size takes, by sizes alone."""
    processor = getattr(transformers, PROCESSORS[kind])
    numbers = np.random.default_rng(0)
    for _ in range(60):
        height, width, edge, most = (int(side) for side in numbers.integers(16, 200, 4))
        size = {"shortest_edge": edge, "longest_edge": most}
        for image in ((height, width), (edge, width), (height, edge), (most, edge)):
            if max(image) > 6 * min(image):
                continue  # of too few pixels, in sum
            blank = np.zeros((*image, 3), np.uint8)
            made = processor(size=size)
            try:
                wanted = made(blank, return_tensors="np")["pixel_values"].shape[2:]
            except ValueError:  # no pixels are left
                continue
            assert read_format({"size": size}, kind).pixels(blank).shape[1:] == wanted, (
                image,
                size,
            )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"size": {"shortest_edge": 48}}, "shortest_edge"),
        ({"size": {"max_height": 48, "max_width": 48}}, "max_height"),
        (SIZED | {"pad_size": {"height": 80, "width": 80}}, "pad_size"),
        ({"size": {"shortest_edge": 48, "longest_edge": "80"}}, "longest_edge"),
        ({"do_resize": False}, "differ in size"),
    ],
)
def test_options_that_are_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(SatchelError, match=words):
        read_format(change, "yolos")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"num_detection_tokens": 0}, "num_detection_tokens"),
        ({"num_detection_tokens": 5}, "misshapen"),
        ({"use_mid_position_embeddings": False}, "middle"),
        ({"image_size": [40, 40]}, "misshapen"),
        ({"id2label": {"0": "fox"}}, "misshapen"),
        ({"num_channels": 1}, "num_channels"),
    ],
)
def test_what_makes_no_sense_is_refused(
    changes: dict[str, Any], words: str, tmp_path: Path
) -> None:
    save(tmp_path, CASES["yolos"])
    edit_config(tmp_path, **changes)
    with pytest.raises(SatchelError, match=words):
        build(tmp_path)


DETR = CASES["detr"].config


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"auxiliary_loss": True}, "auxiliary_loss"),
        ({"dilation": True}, "dilation"),
        ({"position_embedding_type": "learned"}, "position_embedding_type"),
        ({"num_queries": 7}, "misshapen"),
        ({"num_queries": 0}, "num_queries"),
        ({"d_model": 34}, "d_model"),
        ({"encoder_layers": 3}, "missing"),
        ({"activation_function": "mish"}, "mish"),
        ({"backbone_config": None}, "missing"),  # then it is the resnet50 of timm
        ({"backbone_config": None, "backbone": "resnet50d"}, "resnet50d"),
        ({"backbone_config": None, "use_timm_backbone": False, "backbone": "small"}, "backbone"),
        ({"backbone_config": DETR["backbone_config"] | {"model_type": "swin"}}, "swin"),
        ({"backbone_config": DETR["backbone_config"] | {"out_features": ["stage1"]}}, "stage2"),
        (
            {
                "backbone_config": {
                    "model_type": "timm_backbone",
                    "backbone": "resnet50",
                    "output_stride": 16,
                }
            },
            "output_stride",
        ),
    ],
)
def test_what_makes_no_sense_of_detr_is_refused(
    changes: dict[str, Any], words: str, tmp_path: Path
) -> None:
    save(tmp_path, CASES["detr"])
    edit_config(tmp_path, **changes)
    with pytest.raises(SatchelError, match=words):
        build(tmp_path)


@pytest.mark.parametrize("older", [True, False])
def test_a_resnet_in_the_names_of_timm_is_read(older: bool, tmp_path: Path) -> None:
    """The same weights as transformers' own ResNet of that shape, as timm calls them."""
    planes = transformers.ResNetConfig(
        layer_type="basic",
        hidden_sizes=[64, 128, 256, 512],
        depths=[2] * 4,
        out_features=["stage4"],
    ).to_dict()
    theirs = save(tmp_path, Case("DetrForObjectDetection", DETR | {"backbone_config": planes}, ""))
    path, stem = tmp_path / "model.safetensors", "model.backbone.conv_encoder.model."
    tensors, named = load_file(path), {}
    for name, tensor in tensors.items():
        planes_of = name.replace(stem, "resnet.")
        for pattern, replacement in BACK["resnet"] if name.startswith(stem) else ():
            planes_of = re.sub(pattern, replacement, planes_of)
        named[stem + planes_of if name.startswith(stem) else name] = tensor
    assert any(f"{stem}layer4.1.bn2." in name for name in named)
    save_file(named, path)
    changes: dict[str, Any] = {"backbone_config": None, "backbone": "resnet18"}
    if not older:
        timm = {"model_type": "timm_backbone", "backbone": "resnet18", "out_indices": [1, 2, 3, 4]}
        changes = {"backbone_config": timm}
    edit_config(tmp_path, use_timm_backbone=True, **changes)
    pixels = torch.randn((1, 3, 64, 90), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        _, boxes, logits = build(tmp_path).towers["image"](pixels)
        wanted = theirs(pixels)
    np.testing.assert_allclose(logits, wanted.logits, atol=1e-3)
    np.testing.assert_allclose(boxes, wanted.pred_boxes, atol=1e-3)


@pytest.mark.parametrize("threshold", [-0.1, 1.5, float("nan"), "1", True])
def test_a_threshold_is_a_part(threshold: Any, made: Any) -> None:
    with pytest.raises(SatchelError, match="threshold"):
        made[0].detect_objects(PICTURES[0], threshold=threshold)


def test_the_command(made: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ours, folder = made[0], made[3]
    names = [str(tmp_path / f"{index}.png") for index in range(2)]
    for name, picture in zip(names, PICTURES, strict=False):
        Image.fromarray(picture).save(name)
    out = str(folder / "out")
    assert main(["detect", out, *names, "--json", "--threshold", "0"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for line, name, picture in zip(lines, names, PICTURES, strict=False):
        [wanted] = ours.detect_objects(picture, threshold=0)
        assert line["image"] == name
        boxes = [tuple(one["box"]) for one in line["objects"]]
        assert boxes == [one.box for one in wanted]
    assert main(["detect", out, names[0], "--threshold", "0"]) == 0
    assert capsys.readouterr().out.count("LABEL_") == 6
    for wrong, words in (
        ([names[0], "--threshold", "2"], "outside 0..1"),
        ([names[0], "--threshold", "x"], "--threshold"),
        ([str(tmp_path / "none.png")], "not a file"),
    ):
        assert main(["detect", out, *wrong]) != 0
        assert words in capsys.readouterr().err
