"""Models that read images and write texts: transformers = our reference model = the exported graphs."""

from __future__ import annotations

import json
from collections.abc import Callable
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
from satchel.cli.main import main
from satchel.export.check import tolerance
from satchel.models.seq2seq import Context
from satchel.runtime.cancel import Cancel
from satchel.runtime.errors import BundleError, SatchelError, UsageError
from satchel.runtime.task import TaskError
from tests import damage as d
from tests.loading import load_as
from tests.manifests import edit
from tests.outcome import refuse, refused
from tests.tiny import VOCAB, edit_config
from tests.tiny_image_text import FIELD, SIDE, SIZES, START, save_image_text

pytest_plugins = "tests.places"
U, C, W = "UNSUPPORTED", "CKPT_CONFIG", "CKPT_WEIGHTS"
NARROW = {"hidden_size": 32}
Case = tuple[str, str, dict[str, Any], dict[str, Any]]  # reader, writer, settings of each
CASES: dict[str, Case] = {
    "vit-trocr": ("vit", "trocr", {}, {}),
    "deit-trocr": (
        *("deit", "trocr", NARROW),
        {
            "layernorm_embedding": False,
            "use_learned_position_embeddings": False,
            "scale_embedding": True,
            "tie_word_embeddings": False,
        },
    ),
    "beit-trocr": ("beit", "trocr", NARROW, {"cross_attention_hidden_size": 32}),
    "vit-mbart": ("vit", "mbart", {"qkv_bias": False}, {"scale_embedding": True}),
    "swin-trocr": ("swin", "trocr", {}, {}),
    "donut-mbart": ("donut-swin", "mbart", {}, {"scale_embedding": True}),
}
PICTURES = [
    np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    for seed, (height, width) in enumerate([(50, 70), (SIDE, SIDE), (9, 90)])
]


def save(folder: Path, name: str) -> Any:
    reader, writer, reads, writes = CASES[name]
    return save_image_text(folder, reader, writer, reads, **writes)


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a `checkpoint` and its float32 `bundle`."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("original-trocr")
    save(folder / "checkpoint", "vit-trocr")
    satchel.pack(folder / "checkpoint", folder / "bundle", profile="fp32")
    return folder


@pytest.fixture(scope="module")
def pair(original: Path) -> tuple[Any, Any]:
    """A loaded bundle and transformers' model."""
    kind = transformers.VisionEncoderDecoderModel
    theirs = kind.from_pretrained(original / "checkpoint", dtype=torch.float32).eval()
    return load_as(satchel.ImageTextModel, original / "bundle", threads=1), theirs


@pytest.fixture(scope="module")
def model(pair: Any) -> Any:
    return pair[0]


def pixels_of(checkpoint: Path, pictures: list[Any]) -> torch.Tensor:
    """What transformers' own processor makes of pictures."""
    processor = transformers.ViTImageProcessorPil.from_pretrained(checkpoint)
    pixels: torch.Tensor = processor(pictures, return_tensors="pt").pixel_values
    return pixels


@pytest.mark.parametrize("name", CASES)
def test_reference_model_equals_transformers(name: str, tmp_path: Path) -> None:
    theirs = save(tmp_path, name)
    generator = torch.Generator().manual_seed(1)
    size = SIDE, SIZES.get(CASES[name][0], {"width": SIDE})["width"]
    pixels = torch.randn((2, 3, *size), generator=generator)
    targets = torch.randint(4, 250, (2, 60), generator=generator)
    reference: Any = models.build_seq2seq(load_folder(tmp_path), image_size=size)[0]
    with torch.inference_mode():
        found = reference(targets, Context(cross=reference.see(pixels)))
        expected = theirs(pixel_values=pixels, decoder_input_ids=targets).logits
    assert expected.abs().max() > 1
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance(expected.numpy()))


@pytest.mark.parametrize("beams", [1, 3])
@pytest.mark.parametrize("prompt", [[], [5, 6], [START, 9]])
def test_texts_equal_those_of_transformers(
    beams: int, prompt: list[int], pair: Any, original: Path
) -> None:
    ours, theirs = pair
    begun = {"decoder_input_ids": torch.tensor([prompt] * 3)} if prompt else {}
    with torch.inference_mode():
        expected = theirs.generate(
            pixels_of(original / "checkpoint", PICTURES),
            **begun,
            max_new_tokens=12,
            num_beams=beams,
            do_sample=False,
        )
    found = ours.read_images(PICTURES, prompt=prompt, max_new_tokens=12, num_beams=beams)
    before = prompt if prompt[:1] == [START] else [START, *prompt]
    assert [[*before, *row.tokens] for row in found] == expected.tolist()
    assert len({row.score or row.logprobs[0] for row in found}) == 3  # or all would look alike
    assert {row.prompt_tokens for row in found} == {len(prompt)}


def test_donut_fits_its_images_and_begins_with_its_prompts(tmp_path: Path) -> None:
    theirs = save(tmp_path / "in", "donut-mbart")
    satchel.pack(tmp_path / "in", tmp_path / "out", profile="fp32")
    ours = load_as(satchel.ImageTextModel, tmp_path / "out", threads=1)
    processor = transformers.DonutImageProcessorPil.from_pretrained(tmp_path / "in")
    sizes = [(50, 70), (SIDE, 24), (9, 90), (90, 9), (61, 47), (24, 24), (24, 60), (33, 25)]
    random = np.random.default_rng(0)
    pictures = [random.integers(0, 256, (*size, 3), np.uint8) for size in sizes]
    for picture in pictures:
        expected = processor(picture, return_tensors="np").pixel_values[0]
        np.testing.assert_array_equal(ours.image.pixels(picture), expected)
    pixels = processor(pictures, return_tensors="pt").pixel_values
    for prompt in ([], [5, 6]):
        begun = {"decoder_input_ids": torch.tensor([prompt] * len(sizes))} if prompt else {}
        with torch.inference_mode():
            expected = theirs.generate(pixels, **begun, max_new_tokens=9, do_sample=False)
        found = ours.read_images(pictures, prompt=prompt, max_new_tokens=9)
        assert [[*(prompt or [START]), *row.tokens] for row in found] == expected.tolist()


def test_special_tokens_stay_where_they_are_asked_for(model: Any) -> None:
    field = START - 1
    asked = {"suppress_tokens": [*range(field), *range(START, VOCAB)], "max_new_tokens": 2}
    [plain] = model.read_images(PICTURES[:1], **asked)
    [marked] = model.read_images(PICTURES[:1], special_tokens=True, **asked)
    assert plain.tokens == marked.tokens == [field] * 2
    assert (plain.text, marked.text) == ("", FIELD * 2)


def test_an_image_is_read_alone_as_among_others(model: Any) -> None:
    together = model.read_images(PICTURES, prompt="a", max_new_tokens=10)
    alone = [model.read_images([one], prompt="a", max_new_tokens=10)[0] for one in PICTURES]
    assert together == alone


def test_a_text_is_read_piece_by_piece(model: Any) -> None:
    [whole] = model.read_images(PICTURES[:1], prompt="ab", max_new_tokens=9)
    stream = model.read_image_stream(PICTURES[0], prompt="ab", max_new_tokens=9)
    assert "".join(stream) == whole.text
    assert stream.result.tokens == whole.tokens
    cancel = Cancel()
    cancel.cancel()
    [none] = model.read_images(PICTURES[:1], cancel=cancel)
    assert (none.finish_reason, none.tokens) == ("cancelled", [])


def test_files_are_read_by_the_command(
    original: Path, model: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [str(tmp_path / f"{index}.png") for index in range(2)]
    for name, picture in zip(names, PICTURES, strict=False):
        Image.fromarray(picture).save(name)
    bundle, bound = str(original / "bundle"), ["--max-new-tokens", "6"]
    assert main(["read", bundle, *names, "--prompt", "a", *bound, "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    expected = model.read_images(PICTURES[:2], prompt="a", max_new_tokens=6)
    assert [(line["image"], line["tokens"]) for line in lines] == [
        (name, row.tokens) for name, row in zip(names, expected, strict=True)
    ]
    for arguments in (["inspect", bundle], ["verify", bundle]):
        assert main(arguments) == 0
    assert "images        32 x 32 pixels" in capsys.readouterr().out


def test_what_generation_config_recommends_is_done(tmp_path: Path) -> None:
    theirs = save(tmp_path / "in", "vit-trocr")
    advice = transformers.GenerationConfig(
        decoder_start_token_id=START,
        pad_token_id=0,
        eos_token_id=261,
        num_beams=3,
        max_length=9,
        length_penalty=2.0,
        early_stopping=True,
        no_repeat_ngram_size=2,
        encoder_no_repeat_ngram_size=4,
    )
    advice.save_pretrained(tmp_path / "in")
    packed = satchel.pack(tmp_path / "in", tmp_path / "out", profile="fp32")
    assert any("an image has no ids" in note for note in packed.notes)
    found = load_as(satchel.ImageTextModel, tmp_path / "out").read_images(PICTURES)
    advice.encoder_no_repeat_ngram_size = None
    with torch.inference_mode():
        pixels = pixels_of(tmp_path / "in", PICTURES)
        expected = theirs.generate(pixels, generation_config=advice)
    assert [[START, *row.tokens] for row in found] == expected.tolist()


def part(name: str, **changes: Any) -> d.Damage:
    """Change the config.json of one of the two parts."""

    def damage(folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text())
        edit_config(folder, **{name: config[name] | changes})

    return damage


def without(name: str) -> d.Damage:
    return lambda folder: (folder / name).unlink()


CHECKPOINTS: dict[str, d.Case] = {
    "reader": (
        part("encoder", model_type="clip"),
        U,
        "'clip'; known here: vit, deit, beit, swin",
    ),
    "writer": (part("decoder", model_type="gpt2"), U, "'gpt2'; known here: trocr, mbart"),
    "uncrossed": (part("decoder", add_cross_attention=False), U, "add_cross_attention = False"),
    "reader_writes": (part("encoder", is_decoder=True), U, "is_decoder = True of the encoder"),
    "reader_key": (part("encoder", wobble=1, is_causal=False), U, "'is_causal'"),
    "width": (part("decoder", cross_attention_hidden_size=32), W, "cross.0.kv_proj"),
    "heads": (part("decoder", decoder_attention_heads=3), C, "decoder_attention_heads = 3"),
    "activation": (part("decoder", activation_function="mist"), U, "'mist'"),
    "positions": (part("decoder", max_position_embeddings=32), U, "for 32 tokens"),
    "image_size": (part("encoder", image_size=48), U, "the position table of config.json is for"),
    "absent": (d.config(encoder=..., decoder=...), C, "lacks"),
    "no_images": (without("preprocessor_config.json"), "CHECKPOINT", "preprocessor_config.json"),
    "no_cross_key": (
        d.tensors(decoder__model__decoder__layers__0__encoder_attn__k_proj__weight=d.gone),
        W,
        "cross.0.",
    ),
    "no_patches": (
        d.tensors(encoder__embeddings__patch_embeddings__projection__weight=d.gone),
        W,
        "patch_proj",
    ),
}


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_checkpoints_that_are_refused(name: str, place: Path, capfd: Any) -> None:
    damage, code, words = CHECKPOINTS[name]
    damage(place / "checkpoint")
    refuse(capfd, place, code, words)


def test_texts_of_ones_own_are_refused(place: Path, capfd: Any) -> None:
    (place / "text.txt").write_text("a text of several words\n" * 20)
    options = ["--quality-text", str(place / "text.txt")]
    refuse(capfd, place, "USAGE", "this model reads images", options=options)
    refuse(capfd, place, "USAGE", "use image-to-text", options=["--task", "embed"])


EDITS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "image": lambda content: content.update(image=None),
    "size": lambda content: content["image"].update(size=[SIDE, 2 * SIDE]),
    "axes": lambda content: content["graphs"]["encoder"]["inputs"][0].update(
        axes=[2, 3, SIDE, SIDE]
    ),
    "start": lambda content: content["seq2seq"].update(start=1 << 20),
    "fitted": lambda content: content["image"].update(fitted=True),
}


@pytest.mark.parametrize("name", EDITS)
def test_manifests_that_contradict_themselves(name: str, place: Path) -> None:
    edit(place / "bundle", EDITS[name])
    with pytest.raises(BundleError):
        satchel.load(place / "bundle")


BAD: dict[str, tuple[Callable[[Any], Any], str]] = {
    "one image": (lambda model: model.read_images("a.png"), "expected a list of images"),
    "no image": (lambda model: model.read_images([b"x"]), "cannot read the image"),
    "no file": (lambda model: model.read_images(["no.png"]), "is not a file"),
    "source": (
        lambda model: model.read_images(PICTURES, encoder_repetition_penalty=2.0),
        "no effect on the text of an image",
    ),
    "ids": (lambda model: model.read_images(PICTURES, prompt=[1 << 20]), "index 0"),
    "long": (lambda model: model.read_images(PICTURES, prompt=[9] * 100), "shorten it"),
    "option": (lambda model: model.read_images(PICTURES, bean=1), "unknown option"),
    "streamed": (
        lambda model: model.read_image_stream(PICTURES[0], num_beams=2),
        "cannot be streamed",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_questions_that_are_refused(name: str, model: Any) -> None:
    ask, words = BAD[name]
    with pytest.raises(SatchelError, match=words):
        ask(model)


def test_other_tasks_and_nothing_to_read(model: Any, place: Path, capfd: Any) -> None:
    assert model.read_images([]) == []
    for name in ("generate", "transcribe", "embed_images"):
        assert not hasattr(model, name)
    with pytest.raises(TaskError, match="use read_images or read_image_stream"):
        model.require("generate")
    refused(capfd, ["generate", place / "bundle", "a"], "WRONG_TASK", "satchel read", within=place)
    with pytest.raises(UsageError, match="no cases for a bundle made for image-to-text"):
        from satchel.measure.conformance import case_file

        case_file.make(model)
