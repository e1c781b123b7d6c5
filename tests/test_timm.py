"""Folders of timm: the same model as under transformers' names, the same pixels, and what is refused.

The names of weights and the shape of config.json are those that timm 1.0 writes.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import onnxruntime
import pytest
import torch
import transformers
from PIL import Image
from safetensors.torch import load_file, save_file

from satchel import models
from satchel.checkpoints import timm_layout
from satchel.checkpoints.folder import load_folder
from satchel.export.image_config import image_format
from satchel.quantize.lower import lower
from satchel.quantize.profile import named
from satchel.runtime.errors import CheckpointError, SatchelError, UnsupportedError
from tests.test_images import Case, exported, save
from tests.tiny_timm import SIDES, noise_images, save_mobilenet

BLOCK = r"^vit\.encoder\.layer\.(\d+)\."
STAGE = r"^(?:convnext|convnextv2)\.encoder\.stages\.(\d+)\."
CELL = r"^resnet\.encoder\.stages\.(\d+)\.layers\.(\d+)\."
BACK: dict[str, list[tuple[str, Any]]] = {  # from transformers' names to timm's
    "resnet": [
        (r"^resnet\.embedder\.embedder\.convolution", "conv1"),
        (r"^resnet\.embedder\.embedder\.normalization", "bn1"),
        (r"^classifier\.1", "fc"),
        (r"shortcut\.convolution", "downsample.0"),
        (r"shortcut\.normalization", "downsample.1"),
        (r"layer\.(\d)\.convolution", lambda found: f"conv{int(found[1]) + 1}"),
        (r"layer\.(\d)\.normalization", lambda found: f"bn{int(found[1]) + 1}"),
        (CELL, lambda found: f"layer{int(found[1]) + 1}.{found[2]}."),
    ],
    "vit": [
        (r"^vit\.embeddings\.cls_token", "cls_token"),
        (r"^vit\.embeddings\.position_embeddings", "pos_embed"),
        (r"^vit\.embeddings\.patch_embeddings\.projection", "patch_embed.proj"),
        (r"attention\.output\.dense", "attn.proj"),
        (r"intermediate\.dense", "mlp.fc1"),
        (r"(\d)\.output\.dense", r"\1.mlp.fc2"),
        (r"layernorm_before", "norm1"),
        (r"layernorm_after", "norm2"),
        (BLOCK, r"blocks.\1."),
        (r"^vit\.layernorm", "norm"),
        (r"^classifier", "head"),
    ],
    "convnext": [
        (r"^convnext(v2)?\.embeddings\.patch_embeddings", "stem.0"),
        (r"^convnext(v2)?\.embeddings\.layernorm", "stem.1"),
        (r"^convnext(v2)?\.layernorm", "head.norm"),
        (r"^classifier", "head.fc"),
        (STAGE, r"stages.\1."),
        (r"downsampling_layer", "downsample"),
        (r"layers\.(\d+)", r"blocks.\1"),
        (r"layer_scale_parameter", "gamma"),
        (r"dwconv", "conv_dw"),
        (r"(blocks\.\d+)\.layernorm", r"\1.norm"),
        (r"pwconv", "mlp.fc"),
        (r"grn", "mlp.grn"),
    ],
}
BACK["convnextv2"] = BACK["convnext"]
KINDS = {
    "resnet18": "ResNetForImageClassification",
    "resnet50": "ResNetForImageClassification",
    "vit_tiny_patch16_224": "ViTForImageClassification",
    "convnext_atto": "ConvNextForImageClassification",
    "convnextv2_atto": "ConvNextV2ForImageClassification",
}


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Architectures of few blocks."""
    monkeypatch.setitem(timm_layout.RESNETS, "18", ([2, 1, 1, 1], 1))
    monkeypatch.setitem(timm_layout.RESNETS, "50", ([1, 1, 1, 1], 4))
    monkeypatch.setitem(timm_layout.VITS, "tiny", (48, 2, 3))
    monkeypatch.setitem(timm_layout.CONVNEXTS, "atto", ([1, 2, 1, 1], 8))


def configuration(name: str, **changes: Any) -> dict[str, Any]:
    pool = "token" if name.startswith("vit") else "avg"
    return {
        "architecture": name,
        "num_classes": 5,
        "num_features": 512,
        "global_pool": pool,
        "model_args": {"in_chans": 3, "num_classes": 5, "global_pool": pool},
        "pretrained_cfg": {
            "tag": "a1_in1k",
            "input_size": [3, 64, 64],
            "interpolation": "bicubic",
            "crop_pct": 0.95,
            "crop_mode": "center",
            "mean": [0.485, 0.456, 0.406],
            "std": [0.229, 0.224, 0.225],
            "num_classes": 5,
        },
    } | changes


def save_timm(folder: Path, name: str, prefix: str = "", **changes: Any) -> Any:
    """Write a folder as timm does; returns transformers' model with the same weights."""
    config, _ = timm_layout.architecture(name, [64, 64])
    kind = config.pop("model_type")
    theirs = save(folder, Case(KINDS[name], config | {"num_labels": 5}, "image-classify"))
    tensors = {}
    for key, tensor in load_file(folder / "model.safetensors").items():
        for pattern, replacement in BACK[kind]:
            key = re.sub(pattern, replacement, key)
        tensors[key] = tensor
    for key in [key for key in tensors if ".attention.attention.query." in key]:
        parts = [tensors.pop(key.replace("query", part)) for part in ("query", "key", "value")]
        tensors[key.replace("attention.attention.query", "attn.qkv")] = torch.cat(parts)
    if name == "convnext_atto":  # small ones have convolutions there
        tensors = {
            k: t[..., None, None] if re.search(r"mlp.fc\d.w", k) else t for k, t in tensors.items()
        }
    save_file(
        {prefix + key: tensor for key, tensor in tensors.items()}, folder / "model.safetensors"
    )
    (folder / "config.json").write_text(json.dumps(configuration(name, **changes)))
    return theirs.eval()


@pytest.mark.parametrize("name", KINDS)
def test_a_model_of_timm_is_that_of_transformers(name: str, tmp_path: Path) -> None:
    wrapped = name == "resnet50"
    prefix, changes = ("timm_model.", {"model_type": "timm_wrapper"}) if wrapped else ("", {})
    theirs = save_timm(tmp_path, name, prefix, **changes)
    checkpoint = load_folder(tmp_path)
    form = image_format(checkpoint)
    ours = models.build_encoder(checkpoint, None, (64, 64))
    assert ours.task == "image-classify" and form.size == [64, 64] and form.shortest_edge == 67
    pixels = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = theirs(pixels).logits
        found = ours.towers["image"](pixels)[1]
    assert (expected[0] - expected[1]).abs().max() > 0.02
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", SIDES)
def test_a_mobilenet_answers_as_timm(name: str, tmp_path: Path) -> None:
    expected = save_mobilenet(tmp_path, name)
    side = SIDES[name]
    ours = models.build_encoder(load_folder(tmp_path), None, (side, side))
    with torch.inference_mode():
        found = ours.towers["image"](noise_images(side))[1]
    assert ours.task == "image-classify" and (expected[0] - expected[1]).abs().max() > 0.02
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_the_graph_of_a_mobilenet_without_classes(tmp_path: Path) -> None:
    """Its vector is what the classifier would read."""
    expected = save_mobilenet(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    weight, bias = (tensors.pop(f"classifier.{kind}").numpy() for kind in ("weight", "bias"))
    save_file(tensors, tmp_path / "model.safetensors")
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"num_classes": 0}))
    ours = models.build_encoder(load_folder(tmp_path), None, (64, 64))
    graph = exported(ours.towers["image"], (64, 64))
    lower(graph, named("fp32"), "encoder")
    ir.save(graph, tmp_path / "graph.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "graph.onnx")
    states, vectors = session.run(None, {"pixel_values": noise_images(64).numpy()})
    assert ours.task == "image-embed" and states.shape == (2, 4, 288)
    np.testing.assert_allclose(vectors @ weight.T + bias, expected, rtol=1e-4, atol=1e-5)


def test_pixels_are_cropped_where_torchvision_does(tmp_path: Path) -> None:
    save_timm(tmp_path, "convnext_atto")
    form = image_format(load_folder(tmp_path))
    for size in ((90, 67), (67, 81), (70, 100)):
        picture = Image.fromarray(
            np.random.default_rng(size[0]).integers(0, 256, (*size[::-1], 3), np.uint8)
        )
        short = min(size)
        wide = [67 if side == short else int(67 * side / short) for side in size]
        resized = picture.resize((wide[0], wide[1]), Image.Resampling.BICUBIC)
        left, top = (round((side - 64) / 2) for side in wide)
        levels = np.asarray(resized.crop((left, top, left + 64, top + 64)), np.float32) / 255
        mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
        np.testing.assert_allclose(
            form.pixels(picture), ((levels - mean) / std).transpose(2, 0, 1), atol=1e-6
        )
    assert form.to_dict()["first"] is False and "rounded" not in form.to_dict()


def test_labels_are_their_descriptions(tmp_path: Path) -> None:
    names, told = ["n1", "n2", "n3", "n4", "n5"], {"n1": "fox", "n3": "dog"}
    save_timm(tmp_path, "vit_tiny_patch16_224", label_names=names, label_descriptions=told)
    labels = models.build_encoder(load_folder(tmp_path), None, (64, 64)).labels
    assert labels is not None and labels.names == ["fox", "n2", "dog", "n4", "n5"]


def test_a_model_without_classes_embeds(tmp_path: Path) -> None:
    save_timm(tmp_path, "vit_tiny_patch16_224", num_classes=0, model_args={})
    tensors = load_file(tmp_path / "model.safetensors")
    kept = {name: tensor for name, tensor in tensors.items() if not name.startswith("head.")}
    save_file(kept, tmp_path / "model.safetensors")
    assert models.build_encoder(load_folder(tmp_path), None, (64, 64)).task == "image-embed"


CFG = configuration("resnet18")["pretrained_cfg"]


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"architecture": "resnet50d"}, "resnet50d"),
        ({"architecture": "mobilenetv3_large_150d"}, "mobilenetv3_large_150d"),
        ({"global_pool": "max"}, "global_pool"),
        ({"model_args": {"stem_width": 32}}, "stem_width"),
        ({"model_args": [1]}, "model_args"),
        ({"num_classes": -1}, "num_classes"),
        ({"pretrained_cfg": 3}, "pretrained_cfg"),
        ({"pretrained_cfg": CFG | {"input_size": [1, 64, 64]}}, "input_size"),
        ({"pretrained_cfg": CFG | {"input_size": 64}}, "input_size"),
        ({"pretrained_cfg": CFG | {"crop_mode": "border"}}, "crop_mode"),
        ({"pretrained_cfg": CFG | {"crop_pct": 1.2}}, "crop_pct"),
        ({"pretrained_cfg": CFG | {"interpolation": "random"}}, "interpolation"),
        ({"pretrained_cfg": CFG | {"mean": [0.1]}}, "mean"),
    ],
    ids=str,
)
def test_what_is_not_ours_is_refused(changes: dict[str, Any], word: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(configuration("resnet18", **changes)))
    save_file({"fc.weight": torch.zeros(5, 512)}, tmp_path / "model.safetensors")
    with pytest.raises(SatchelError, match=word) as raised:
        image_format(load_folder(tmp_path))
    assert isinstance(raised.value, CheckpointError | UnsupportedError)


def test_transformers_knows_the_wrapper_by_that_name() -> None:
    assert transformers.TimmWrapperConfig.model_type == timm_layout.WRAPPER
