"""How far away an image's pixels are, of images that keep their proportions: transformers' maps, the
command, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from PIL import Image

import satchel
from satchel.cli.main import main
from satchel.export.image_config import read_format
from satchel.measure.conformance import case_file
from satchel.measure.verification import verify
from satchel.runtime.depths import cubic
from satchel.runtime.errors import SatchelError
from satchel.runtime.image import sample_images
from tests.test_images import CASES, build, save
from tests.tiny import edit_config

SHAPES = ((50, 70), (33, 129), (90, 40), (56, 56))
PICTURES = [next(sample_images(shape, 1)) for shape in SHAPES]
SIZED = {
    "size": {"height": 56, "width": 56},
    "keep_aspect_ratio": True,
    "ensure_multiple_of": 8,
    "image_processor_type": "DPTImageProcessor",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any, Path]:
    """A loaded float32 bundle, transformers' model, and the folder of both."""
    folder = tmp_path_factory.mktemp("depth")
    theirs = save(folder / "checkpoint", CASES["depth_anything"])
    (folder / "checkpoint" / "preprocessor_config.json").write_text(json.dumps(SIZED))
    satchel.pack(folder / "checkpoint", folder / "out", profile="fp32")
    return satchel.load(folder / "out", threads=1), theirs, folder


def processor(**options: Any) -> Any:
    return transformers.DPTImageProcessorPil(
        **{name: value for name, value in options.items() if "type" not in name}
    )


def test_maps_equal_those_of_transformers(made: Any) -> None:
    ours, theirs, _ = made
    assert ours.manifest.task == "depth-estimation" and ours.image_format.size is None
    for picture, found in zip(PICTURES, ours.estimate_depth(PICTURES), strict=True):
        inputs = processor(**SIZED)(picture, return_tensors="pt")
        np.testing.assert_array_equal(ours.image_format.pixels(picture), inputs.pixel_values[0])
        with torch.inference_mode():
            out = theirs(**inputs)
            [wanted] = processor().post_process_depth_estimation(out, [picture.shape[:2]])
        assert found.dtype == np.float32 and np.ptp(found) > 0.1
        np.testing.assert_allclose(found, wanted["predicted_depth"], atol=1e-3)
        np.testing.assert_array_equal(ours.estimate_depth(picture)[0], found)


def test_a_bundle_for_images_of_any_size_is_verified_and_asked(made: Any) -> None:
    ours, theirs, _ = made
    assert ours.manifest.graphs["image"].inputs[0].axes == [1, 3, "height", "width"]
    assert all(row.passed for row in verify(ours))
    states = ours.image_hidden_states(PICTURES[0])
    with torch.inference_mode():
        pixels = torch.from_numpy(ours.image_format.pixels(PICTURES[0]))[None]
        wanted = theirs.backbone(pixels).feature_maps[-1][0]
    np.testing.assert_allclose(states, wanted, atol=1e-4)
    content = json.loads(case_file.written(case_file.make(ours, 0)))
    [some, none] = [case for case in content["cases"] if case["kind"] == "estimate_depth"]
    assert len(some["expect"]["maps"]) == 5 and none["expect"] == {"maps": []}
    assert case_file.check(ours, content).lines == []


@pytest.mark.parametrize("size", [(50, 70), (7, 3), (16, 24), (1, 1)])
def test_numbers_between_places_are_those_of_torch(size: tuple[int, int]) -> None:
    plane = torch.randn((16, 24), generator=torch.Generator().manual_seed(0))
    whole = torch.nn.functional.interpolate(plane[None, None], size, mode="bicubic")
    np.testing.assert_allclose(cubic(plane.numpy(), size), whole[0, 0], atol=1e-5)


@pytest.mark.parametrize(
    "change",
    [
        SIZED,
        SIZED | {"ensure_multiple_of": 14, "resample": 2, "do_normalize": False},
        SIZED | {"size": {"height": 70, "width": 40}, "ensure_multiple_of": 1},
        {"size": 40, "do_rescale": False},
        {"size": {"height": 48, "width": 72}, "ensure_multiple_of": 12, "do_pad": True},
    ],
)
def test_options_of_its_processor(change: dict[str, Any]) -> None:
    form = read_format(change, "depth_anything")
    for picture in PICTURES:
        wanted = processor(**change)(picture, return_tensors="np")["pixel_values"][0]
        np.testing.assert_array_equal(form.pixels(picture), wanted)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"size": 40, "ensure_multiple_of": 14}, "no multiple"),
        ({"size": 28, "ensure_multiple_of": 0}, "no multiple"),
        (SIZED | {"ensure_multiple_of": 0}, "multiple = 0"),
        (SIZED | {"keep_aspect_ratio": 1}, "keep_aspect_ratio"),
        ({"do_pad": True, "size_divisor": 32}, "size_divisor"),
        (SIZED | {"do_pad": True, "pad_size": {"height": 70, "width": 70}}, "pad_size"),
        ({"do_resize": False}, "differ in size"),
    ],
)
def test_options_that_are_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(SatchelError, match=words):
        read_format(change, "depth_anything")


def test_models_of_one_size_refuse_images_that_keep_their_proportions() -> None:
    with pytest.raises(SatchelError, match="differ in size"):
        read_format(SIZED, "vit")


BACKBONE = CASES["depth_anything"].config["backbone_config"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"backbone_config": None, "backbone": "small"}, "backbone_config"),
        ({"backbone_config": BACKBONE | {"model_type": "beit"}}, "beit"),
        ({"backbone_config": BACKBONE | {"reshape_hidden_states": True}}, "reshape_hidden"),
        ({"backbone_config": BACKBONE | {"out_indices": [0, 1]}}, "with the last"),
        ({"backbone_config": BACKBONE | {"out_indices": [0, 2, 1]}}, "out_indices"),
        ({"backbone_config": BACKBONE | {"out_features": ["stage2"]}}, "out_features"),
        ({"backbone_config": BACKBONE | {"out_indices": [1, 2]}}, "neck_hidden_sizes"),
        ({"patch_size": 16}, "patch_size"),
        ({"reassemble_hidden_size": 48}, "reassemble_hidden_size"),
        ({"reassemble_factors": [2.5, 1, 0.5]}, "whole"),
        ({"reassemble_factors": [2, 0, 0.5]}, "reassemble_factors"),
        ({"reassemble_factors": [2, "1", 0.5]}, "reassemble_factors"),
        ({"neck_hidden_sizes": [8, 16, 32]}, "misshapen"),
        ({"fusion_hidden_size": 1}, "fusion_hidden_size"),
        ({"head_in_index": 3}, "head_in_index"),
        ({"depth_estimation_type": "both"}, "depth_estimation_type"),
        ({"use_timm_backbone": True}, "use_timm_backbone"),
    ],
)
def test_what_makes_no_sense_is_refused(
    changes: dict[str, Any], words: str, made: Any, tmp_path: Path
) -> None:
    for path in (made[2] / "checkpoint").iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    edit_config(tmp_path, **changes)
    with pytest.raises(SatchelError, match=words):
        build(tmp_path)


def test_the_command(made: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ours, _, folder = made
    names = [str(tmp_path / f"{index}.png") for index in range(2)]
    for name, picture in zip(names, PICTURES, strict=False):
        Image.fromarray(picture).save(name)
    out, maps = str(folder / "out"), str(tmp_path / "maps")
    assert main(["depth", out, *names, "--json", "--out", maps]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert main(["depth", out, *names, "--npy", "--out", maps]) == 0
    assert names[1] in capsys.readouterr().out
    for line, name, picture in zip(lines, names, PICTURES, strict=False):
        [wanted] = ours.estimate_depth(picture)
        assert line["image"] == name and line["greatest"] == pytest.approx(float(wanted.max()))
        levels = np.asarray(Image.open(line["map"])).astype(float)
        assert levels.shape == wanted.shape and levels.min() == 0 and levels.max() == 65535
        part = (wanted - wanted.min()) / np.ptp(wanted)
        np.testing.assert_allclose(levels / 65535, part, atol=2e-5)
        np.testing.assert_array_equal(np.load(Path(line["map"]).with_suffix(".npy")), wanted)
    assert main(["depth", out, names[0], "--out", str(tmp_path)]) != 0
    assert "the image itself" in capsys.readouterr().err
    assert main(["depth", out, names[0], "--npy"]) != 0
    assert "--npy" in capsys.readouterr().err
