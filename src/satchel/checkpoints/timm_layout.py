"""A folder whose config.json names an architecture of timm, as a checkpoint in the words of Hugging Face.

Knows which of timm's architectures are ours under another name, and what its files say of images.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from satchel.checkpoints.checkpoint import Checkpoint
from satchel.checkpoints.tensors import LazyTensor
from satchel.runtime.errors import CheckpointError, UnsupportedError, shown

Config = dict[str, Any]
WRAPPER, WRAPPED = (
    "timm_wrapper",
    "timm_model.",
)  # what transformers calls such a model and its weights
PROCESSOR = "TimmWrapperImageProcessor"
FILTERS = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3, "box": 4, "hamming": 5}
RESNETS = {  # blocks of each stage, and how much wider than its convolutions it is
    "18": ([2, 2, 2, 2], 1),
    "34": ([3, 4, 6, 3], 1),
    "50": ([3, 4, 6, 3], 4),
    "101": ([3, 4, 23, 3], 4),
    "152": ([3, 8, 36, 3], 4),
}
VITS = {  # channels, blocks, heads
    "tiny": (192, 12, 3),
    "small": (384, 12, 6),
    "base": (768, 12, 12),
    "large": (1024, 24, 16),
}
CONVNEXTS = {  # blocks of each stage, and channels of the first
    "atto": ([2, 2, 6, 2], 40),
    "femto": ([2, 2, 6, 2], 48),
    "pico": ([2, 2, 6, 2], 64),
    "nano": ([2, 2, 8, 2], 80),
    "tiny": ([3, 3, 9, 3], 96),
    "small": ([3, 3, 27, 3], 96),
    "base": ([3, 3, 27, 3], 128),
    "large": ([3, 3, 27, 3], 192),
    "xlarge": ([3, 3, 27, 3], 256),
    "huge": ([3, 3, 27, 3], 352),
}
RESNET_NAMES = (
    (r"^conv1\.", "embedder.embedder.convolution."),
    (r"^bn1\.", "embedder.embedder.normalization."),
    (r"\.downsample\.0\.", ".shortcut.convolution."),
    (r"\.downsample\.1\.", ".shortcut.normalization."),
    (r"^fc\.", "classifier.1."),
    (r"^layer(\d)\.(\d+)\.", r"encoder.stages.-\1.layers.\2."),
    (r"\.conv(\d)\.", r".layer.-\1.convolution."),
    (r"\.bn(\d)\.", r".layer.-\1.normalization."),
)
VIT_NAMES = (
    (r"^cls_token$", "embeddings.cls_token"),
    (r"^pos_embed$", "embeddings.position_embeddings"),
    (r"^patch_embed\.proj\.", "embeddings.patch_embeddings.projection."),
    (r"^blocks\.", "encoder.layer."),
    (r"\.norm1\.", ".layernorm_before."),
    (r"\.norm2\.", ".layernorm_after."),
    (r"\.attn\.proj\.", ".attention.output.dense."),
    (r"\.mlp\.fc1\.", ".intermediate.dense."),
    (r"\.mlp\.fc2\.", ".output.dense."),
    (r"^norm\.", "layernorm."),
    (r"^head\.", "classifier."),
)
CONVNEXT_NAMES = (
    (r"^stem\.0\.", "embeddings.patch_embeddings."),
    (r"^stem\.1\.", "embeddings.layernorm."),
    (r"^head\.norm\.", "layernorm."),
    (r"^head\.fc\.", "classifier."),
    (r"^stages\.(\d+)\.downsample\.", r"encoder.stages.\1.downsampling_layer."),
    (r"^stages\.(\d+)\.blocks\.", r"encoder.stages.\1.layers."),
    (r"\.gamma$", ".layer_scale_parameter"),
    (r"\.conv_dw\.", ".dwconv."),
    (r"(\d)\.norm\.", r"\1.layernorm."),
    (r"\.mlp\.fc1\.", ".pwconv1."),
    (r"\.mlp\.fc2\.", ".pwconv2."),
    (r"\.mlp\.grn\.", ".grn."),
)
MOBILENET_NAMES = (
    (r"^conv_stem\.", "stem.convolution."),
    (r"^bn1\.", "stem.normalization."),
    (r"^(blocks\.0\.\d+)\.conv_dw\.", r"\1.deep.convolution."),  # they do not expand
    (r"^(blocks\.0\.\d+)\.bn1\.", r"\1.deep.normalization."),
    (r"^(blocks\.0\.\d+)\.conv_pw\.", r"\1.reduce.convolution."),
    (r"^(blocks\.0\.\d+)\.bn2\.", r"\1.reduce.normalization."),
    (r"\.conv_pw\.", ".expand.convolution."),
    (r"\.bn1\.", ".expand.normalization."),
    (r"\.conv_dw\.", ".deep.convolution."),
    (r"\.bn2\.", ".deep.normalization."),
    (r"\.conv_pwl\.", ".reduce.convolution."),
    (r"\.bn3\.", ".reduce.normalization."),
)
CLASSES = {
    "resnet": "ResNet",
    "vit": "ViT",
    "convnext": "ConvNext",
    "convnextv2": "ConvNextV2",
    "mobilenet_v3": "MobileNetV3",
}
NEUTRAL = (
    "num_classes",
    "in_chans",
    "img_size",
)  # arguments of a model that its files say elsewhere


def is_timm(config: Config) -> bool:
    """Whether config.json is one of timm's, or of transformers around one."""
    return isinstance(config.get("architecture"), str) and config.get("model_type") in (
        None,
        WRAPPER,
    )


def translated(checkpoint: Checkpoint) -> Checkpoint:
    """The same model in the words of Hugging Face.

    Raises UnsupportedError for an architecture that is not ours, or arguments that change one.
    """
    said = checkpoint.config
    about = said.get("pretrained_cfg") or {}
    if not isinstance(about, dict):
        raise CheckpointError("config.json: pretrained_cfg is no object", "CKPT_CONFIG")
    name = said["architecture"]
    sizes = _input_size(about)
    config, names = architecture(name, sizes)
    kind = config["model_type"]
    count = said.get("num_classes", about.get("num_classes", 1000))
    if type(count) is not int or count < 0:
        raise CheckpointError(f"config.json: num_classes = {shown(count)}", "CKPT_CONFIG")
    _check_arguments(said, kind, count, sizes)
    tensors = {key.removeprefix(WRAPPED): tensor for key, tensor in checkpoint.tensors.items()}
    classes = f"{CLASSES[kind]}{'ForImageClassification' if count else 'Model'}"
    return dataclasses.replace(
        checkpoint,
        config=config | {"architectures": [classes]} | _labels(said, count),
        tensors=renamed(tensors, names),
        preprocessor_config=_preprocessing(about, sizes),
        preprocessor_file="config.json: pretrained_cfg",
    )


def _check_arguments(said: Config, kind: str, count: int, sizes: list[int]) -> None:
    """Refuse arguments that make another model of an architecture."""
    pool = "token" if kind == "vit" else "avg"
    usual: dict[str, tuple[Any, ...]] = {
        "global_pool": (pool,),
        "img_size": (sizes, sizes[0]),
        "in_chans": (3,),
        "num_classes": (count,),
    }
    arguments = said.get("model_args") or {}
    if not isinstance(arguments, dict):
        raise CheckpointError("config.json: model_args is no object", "CKPT_CONFIG")
    for name, value in (("global_pool", said.get("global_pool")), *arguments.items()):
        if value is not None and value not in usual.get(name, ()):
            raise UnsupportedError(
                f"config.json: {shown(name)} = {shown(value)} makes another model of "
                f"{said['architecture']}, which is not supported"
            )


def architecture(name: str, sizes: list[int]) -> tuple[Config, tuple[tuple[str, str], ...]]:
    """config.json of Hugging Face's for an architecture of timm's, and how weights are called."""
    if (found := re.fullmatch(r"resnet(\d+)", name)) and found[1] in RESNETS:
        depths, wider = RESNETS[found[1]]
        kind = "bottleneck" if wider > 1 else "basic"
        wide = [wider * channels for channels in (64, 128, 256, 512)]
        return {
            "model_type": "resnet", "depths": depths, "hidden_sizes": wide, "layer_type": kind,
        }, RESNET_NAMES  # fmt: skip
    if (found := re.fullmatch(r"vit_(\w+)_patch(\d+)_(\d+)(_in21k)?", name)) and found[1] in VITS:
        size, blocks, heads = VITS[found[1]]
        return {
            "model_type": "vit", "hidden_size": size, "num_hidden_layers": blocks,
            "num_attention_heads": heads, "intermediate_size": 4 * size, "layer_norm_eps": 1e-6,
            "patch_size": int(found[2]), "image_size": sizes,
        }, VIT_NAMES  # fmt: skip
    if (found := re.fullmatch(r"(convnext(?:v2)?)_([a-z]+)", name)) and found[2] in CONVNEXTS:
        depths, first = CONVNEXTS[found[2]]
        wide = [first << stage for stage in range(len(depths))]
        return {
            "model_type": found[1], "depths": depths, "hidden_sizes": wide, "layer_norm_eps": 1e-6,
        }, CONVNEXT_NAMES  # fmt: skip
    if found := re.fullmatch(r"(tf_)?mobilenetv3_(small|large)_(minimal_)?(050|075|100)", name):
        return _mobilenet(bool(found[1]), found[2], bool(found[3]), int(found[4]) / 100)
    raise UnsupportedError(
        f"config.json: architecture {shown(name)} of timm is not supported; known: "
        f"resnet{', '.join(RESNETS)}, vit_({', '.join(VITS)})_patch*_*, convnext_ and convnextv2_"
        f"({', '.join(CONVNEXTS)}), mobilenetv3_ and tf_mobilenetv3_(small, large)_(050, 075, 100)"
    )


def _mobilenet(
    late: bool, size: str, minimal: bool, wider: float
) -> tuple[Config, tuple[tuple[str, str], ...]]:
    """A MobileNet V3, whose last stage is one convolution."""
    last = rf"^blocks\.{5 if size == 'small' else 6}\.0\."
    one = ((last + r"conv\.", "last.convolution."), (last + r"bn1\.", "last.normalization."))
    return {
        "model_type": "mobilenet_v3", "size": size, "channel_multiplier": wider, "minimal": minimal,
        "tf_padding": late, "layer_norm_eps": 1e-3 if late else 1e-5,
    }, one + MOBILENET_NAMES  # fmt: skip


def renamed(
    tensors: Mapping[str, LazyTensor], names: tuple[tuple[str, str], ...]
) -> dict[str, LazyTensor]:
    """The weights of an architecture under their `names` in Hugging Face's files."""
    named: dict[str, LazyTensor] = {}
    for name, tensor in tensors.items():
        for pattern, replacement in names:
            name = re.sub(pattern, replacement, name)
        name = re.sub(r"\.-(\d)", lambda found: f".{int(found[1]) - 1}", name)  # they count from 1
        stem, packed, kind = name.partition(".attn.qkv.")
        if packed and tensor.shape and tensor.shape[0] % 3 == 0:
            for place, part in enumerate(("query", "key", "value")):
                named[f"{stem}.attention.attention.{part}.{kind}"] = _third(tensor, place)
        elif (
            ".pwconv" in name and len(tensor.shape) == 4
        ):  # small ones have convolutions of one cell
            named[name] = LazyTensor(tensor.shape[:2], _flat(tensor))
        else:
            named[name] = tensor
    return named


def _flat(tensor: LazyTensor) -> Callable[[], Any]:
    return lambda: tensor.load().flatten(1)


def _third(tensor: LazyTensor, place: int) -> LazyTensor:
    rows = tensor.shape[0] // 3
    return LazyTensor(
        (rows, *tensor.shape[1:]), lambda: tensor.load()[place * rows : (place + 1) * rows].clone()
    )


def _labels(said: Config, count: int) -> Config:
    """Names of the classes, by their descriptions where there are some. The library knows ImageNet's by
    heart; its files mostly lack them."""
    names, told = said.get("label_names"), said.get("label_descriptions") or {}
    if isinstance(said.get("id2label"), dict):
        return {"id2label": said["id2label"]}
    if not isinstance(names, list) or not isinstance(told, dict):
        return {"num_labels": count} if count else {}
    return {"id2label": {str(i): str(told.get(name, name)) for i, name in enumerate(names)}}


def _input_size(about: Config) -> list[int]:
    """Height and width of images."""
    size = about.get("input_size", [3, 224, 224])
    if not isinstance(size, list) or len(size) != 3 or not all(type(one) is int for one in size):
        raise CheckpointError(f"config.json: input_size = {shown(size)}", "CKPT_CONFIG")
    if size[0] != 3:
        raise UnsupportedError(
            f"config.json: input_size = {shown(size)}; satchel reads images in RGB"
        )
    return size[1:]


def _preprocessing(about: Config, size: list[int]) -> Config:
    """What timm does to an image that is to be judged."""
    part, mode = about.get("crop_pct", 0.875), about.get("crop_mode", "center")
    if isinstance(part, bool) or not isinstance(part, float | int) or not 0.01 <= part <= 1:
        raise CheckpointError(
            f"config.json: crop_pct = {shown(part)}; expected 1 at most", "CKPT_CONFIG"
        )
    if mode != "center" or (size[0] != size[1]):
        raise UnsupportedError(
            f"config.json: crop_mode = {shown(mode)} to {shown(size)} is not supported; expected "
            "center, to a square"
        )
    interpolation = about.get("interpolation", "bicubic")
    if interpolation not in FILTERS:
        raise UnsupportedError(
            f"config.json: interpolation = {shown(interpolation)} is not supported"
        )
    return {
        "image_processor_type": PROCESSOR,
        "size": {"shortest_edge": math.floor(size[0] / part)},
        "crop_size": {"height": size[0], "width": size[1]},
        "resample": FILTERS[interpolation],
        "image_mean": about.get("mean", [0.485, 0.456, 0.406]),
        "image_std": about.get("std", [0.229, 0.224, 0.225]),
    }
