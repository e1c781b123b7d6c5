"""Labels of an image's places: transformers' maps, its two layouts, the command, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from PIL import Image
from safetensors.torch import save_file

import satchel
from satchel.cli.main import main
from satchel.export.image_config import read_format
from satchel.measure.conformance import case_file
from satchel.runtime.areas import likeliest
from satchel.runtime.errors import SatchelError
from satchel.runtime.image import sample_images
from tests.test_encoder_images import PICTURES
from tests.test_images import CASES, build, save, some_pixels
from tests.tiny import edit_config

SIZE = {"height": 64, "width": 96}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any, Path]:
    """A loaded float32 bundle, transformers' model, and the folder of both."""
    folder = tmp_path_factory.mktemp("segformer")
    theirs = save(folder / "checkpoint", CASES["segformer"])
    transformers.SegformerImageProcessorPil(size=SIZE).save_pretrained(folder / "checkpoint")
    satchel.pack(folder / "checkpoint", folder / "out", profile="fp32")
    return satchel.load(folder / "out", threads=1), theirs, folder


def test_maps_equal_those_of_transformers(made: Any) -> None:
    ours, theirs, folder = made
    assert ours.manifest.task == "image-segment"
    processor = transformers.SegformerImageProcessorPil.from_pretrained(folder / "checkpoint")
    with torch.inference_mode():
        out = theirs(**processor(PICTURES, return_tensors="pt"))
        sizes = [picture.shape[:2] for picture in PICTURES]
        expected = processor.post_process_semantic_segmentation(out, sizes)
    for areas, wanted in zip(ours.segment_images(PICTURES), expected, strict=True):
        assert areas.places.dtype == np.int32 and areas.labels == ours.manifest.labels.names
        assert (areas.places == wanted.numpy()).mean() > 0.999  # two labels may be a tie
        shares = areas.shares()
        assert sum(shares.values()) == pytest.approx(1) and len(shares) > 1
        assert list(shares.values()) == sorted(shares.values(), reverse=True)


@pytest.mark.parametrize("size", [(50, 70), (7, 3), (16, 24), (1, 1)])
def test_scores_between_places_are_those_of_torch(size: tuple[int, int]) -> None:
    scores = torch.randn((16, 24, 7), generator=torch.Generator().manual_seed(0))
    whole = torch.nn.functional.interpolate(
        scores.permute(2, 0, 1)[None], size, mode="bilinear", align_corners=False
    )
    np.testing.assert_array_equal(likeliest(scores.numpy(), size), whole[0].argmax(0))


def test_pixels_equal_those_of_transformers(made: Any) -> None:
    ours, _, folder = made
    processor = transformers.SegformerImageProcessorPil.from_pretrained(folder / "checkpoint")
    for picture in PICTURES:
        wanted = processor(picture, return_tensors="np")["pixel_values"][0]
        np.testing.assert_array_equal(ours.image_format.pixels(picture), wanted)


@pytest.mark.parametrize(
    "change",
    [
        {"do_center_crop": True, "crop_size": {"height": 32, "width": 32}},
        {
            "size": 40,
            "do_reduce_labels": True,
            "feature_extractor_type": "SegformerFeatureExtractor",
        },
        {"do_normalize": False, "resample": 3},
    ],
)
def test_options_of_its_processor(change: dict[str, Any]) -> None:
    options = {name: value for name, value in change.items() if "type" not in name}
    processor = transformers.SegformerImageProcessorPil(**options)
    [picture] = sample_images((50, 70), 1)
    wanted = processor(picture, return_tensors="np")["pixel_values"][0]
    np.testing.assert_array_equal(read_format(change, "segformer").pixels(picture), wanted)


def test_both_layouts_of_its_weights_are_read(tmp_path: Path) -> None:
    case = CASES["segformer"]
    theirs = save(tmp_path, case)
    older, pixels = build(tmp_path, None, case.pixels), some_pixels(case)
    save_file(dict(theirs.state_dict()), tmp_path / "model.safetensors")  # names of transformers 5
    newer = build(tmp_path, None, case.pixels)
    with torch.inference_mode():
        for one, other in zip(
            *(model.towers["image"](pixels) for model in (older, newer)), strict=True
        ):
            torch.testing.assert_close(one, other, atol=0, rtol=0)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"reshape_last_stage": False}, "reshape_last_stage"),
        ({"depths": [1, 2, 1]}, "stages"),
        ({"sr_ratios": [4, 2, 0, 1]}, "sr_ratios"),
        ({"sr_ratios": [64, 2, 2, 1]}, "too small"),
        ({"num_attention_heads": [3, 2, 1, 3]}, "does not divide"),
        ({"num_encoder_blocks": 3}, "num_encoder_blocks"),
        ({"decoder_hidden_size": -1}, "decoder_hidden_size"),
        ({"decoder_hidden_size": 40}, "misshapen"),
        ({"id2label": {"0": "sky"}}, "one label"),
        ({"architectures": ["SegformerForImageClassification"]}, "no classifier"),
    ],
)
def test_what_makes_no_sense_is_refused(
    changes: dict[str, Any], words: str, made: Any, tmp_path: Path
) -> None:
    source = made[2] / "checkpoint"
    for path in source.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    edit_config(tmp_path, **changes)
    with pytest.raises(SatchelError, match=words):
        build(tmp_path, None, (64, 96))


def test_other_runtimes_are_asked_how_much_each_label_covers(made: Any) -> None:
    cases = case_file.make(made[0], 0)["cases"]
    [some, none] = [case["expect"] for case in cases if case["kind"] == "segment_images"]
    assert none == {"areas": []} and len(some["areas"]) == 5
    assert all(sum(areas["shares"]) == pytest.approx(1) for areas in some["areas"])


def test_the_command(made: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ours, _, folder = made
    files = [tmp_path / f"{index}.png" for index in range(2)]
    for file, picture in zip(files, PICTURES, strict=False):
        Image.fromarray(picture).save(file)
    names = list(map(str, files))
    out = str(folder / "out")
    assert main(["segment", out, *names, "--json", "--out", str(tmp_path / "maps")]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for line, name, picture in zip(lines, names, PICTURES, strict=False):
        [areas] = ours.segment_images(picture)
        assert line["image"] == name and line["shares"] == pytest.approx(areas.shares())
        np.testing.assert_array_equal(np.asarray(Image.open(line["map"])), areas.places)
    assert main(["segment", out, names[0]]) == 0
    assert "LABEL_" in capsys.readouterr().out
    for wrong, words in (
        ([names[0], names[0], "--out", str(tmp_path / "maps")], "two images would become"),
        ([names[0], "--out", str(tmp_path)], "the image itself"),
        ([str(tmp_path / "none.png")], "not a file"),
    ):
        assert main(["segment", out, *wrong]) != 0
        assert words in capsys.readouterr().err
