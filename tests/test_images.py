"""Image encoders: transformers = our reference model = the exported graph, and what is refused."""

from __future__ import annotations

import importlib
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import onnxruntime
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from torch import Tensor

from satchel.checkpoints.folder import load_folder
from satchel.models import image_encoder
from satchel.models.encoder import ReferenceEncoder
from satchel.models.ops import OPSET
from satchel.quantize.lower import lower
from satchel.quantize.profile import named
from satchel.runtime.errors import CheckpointError, SatchelError, UnsupportedError
from tests.naflex import as_patches, save_side
from tests.tiny import edit_config

LAYERS = 2
SIZES = {"hidden_size": 32, "num_hidden_layers": LAYERS, "num_attention_heads": 2}
WIDE = SIZES | {"intermediate_size": 48}
IMAGE = {"image_size": 40, "patch_size": 16}  # 8 pixels on either side fill no patch
RELATIVE = {"use_relative_position_bias": True}
REGISTERS = {"num_register_tokens": 2}
STAGES = {"num_stages": 2, "hidden_sizes": [16, 24], "depths": [2, 1], "embedding_size": 8}
WINDOWS = {
    "image_size": 64,
    "embed_dim": 32,
    "depths": [2, 2],
    "num_heads": [2, 4],
    "window_size": 3,
}
PYRAMID = {
    "hidden_sizes": [16, 32, 32, 48],
    "depths": [1, 2, 1, 1],
    "num_attention_heads": [1, 2, 1, 3],
    "sr_ratios": [4, 2, 2, 1],
    "decoder_hidden_size": 32,
    "mlp_ratios": [2, 2, 2, 2],
}
STATES = SIZES | {
    "model_type": "dinov2",
    "image_size": 40,
    "patch_size": 8,
    "out_indices": [0, 1, 2],
    "reshape_hidden_states": False,
}
DEPTH: dict[str, Any] = {
    "backbone_config": STATES,
    "patch_size": 8,
    "reassemble_hidden_size": 32,
    "reassemble_factors": [2, 1, 0.5],
    "neck_hidden_sizes": [8, 16, 24],
    "fusion_hidden_size": 16,
    "head_hidden_size": 8,
}
DETECTING = WIDE | {
    "image_size": [40, 48],
    "patch_size": 8,
    "num_detection_tokens": 6,
    "num_labels": 5,
}
PLANES = STAGES | {"model_type": "resnet", "out_features": ["stage2"]}
QUERIES: dict[str, Any] = {
    "backbone_config": PLANES,
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 48,
    "decoder_ffn_dim": 40,
    "num_queries": 6,
    "num_labels": 5,
}
END = 99
TEXT = WIDE | {"vocab_size": 100, "max_position_embeddings": 16, "eos_token_id": END}


@dataclass(frozen=True)
class Case:
    """A class of transformers with its configuration, and what we make of it."""

    model: str
    config: dict[str, Any]
    task: str
    pixels: tuple[int, int] = (40, 40)


def pair(text: dict[str, Any] | None = None, **vision: Any) -> dict[str, Any]:
    return {"text_config": TEXT | (text or {}), "vision_config": WIDE | IMAGE | vision}


def flexible(**vision: Any) -> dict[str, Any]:
    part = WIDE | {"patch_size": 8, "num_patches": 25} | vision
    return {"text_config": TEXT, "vision_config": part}


CLIP = pair() | {"projection_dim": 24}
CASES = {
    "vit": Case("ViTModel", WIDE | IMAGE, "image-embed"),
    "vit-oblong": Case("ViTModel", WIDE | {"image_size": [32, 48]}, "image-embed", (32, 48)),
    "vit-classify": Case(
        "ViTForImageClassification",
        WIDE | IMAGE | {"num_labels": 5, "qkv_bias": False, "hidden_act": "gelu_pytorch_tanh"},
        "image-classify",
    ),
    "deit": Case("DeiTModel", WIDE | IMAGE, "image-embed"),
    "deit-classify": Case(
        "DeiTForImageClassification", WIDE | IMAGE | {"num_labels": 5}, "image-classify"
    ),
    "deit-taught": Case(
        "DeiTForImageClassificationWithTeacher", WIDE | IMAGE | {"num_labels": 5}, "image-classify"
    ),
    "beit": Case("BeitModel", WIDE | IMAGE | RELATIVE, "image-embed"),
    "beit-stretched": Case("BeitModel", WIDE | IMAGE | RELATIVE, "image-embed", (64, 48)),
    "beit-first": Case(
        "BeitForImageClassification",
        WIDE | IMAGE | {"use_mean_pooling": False, "layer_scale_init_value": 0.0},
        "image-classify",
    ),
    "beit-classify": Case(
        "BeitForImageClassification",
        WIDE
        | IMAGE
        | {"use_shared_relative_position_bias": True, "use_absolute_position_embeddings": True},
        "image-classify",
        (48, 64),
    ),
    "dinov2": Case("Dinov2Model", SIZES | IMAGE, "image-embed"),
    "dinov2-resampled": Case(
        "Dinov2Model", SIZES | {"image_size": 64, "patch_size": 8}, "image-embed"
    ),
    "dinov2-oblong": Case(
        "Dinov2Model", SIZES | {"image_size": 64, "patch_size": 8}, "image-embed", (80, 48)
    ),
    "dinov2-classify": Case(
        "Dinov2ForImageClassification", SIZES | IMAGE | {"use_swiglu_ffn": True}, "image-classify"
    ),
    "dinov2_with_registers": Case("Dinov2WithRegistersModel", SIZES | IMAGE, "image-embed"),
    "dinov2_with_registers-classify": Case(
        "Dinov2WithRegistersForImageClassification",
        SIZES | {"image_size": 64, "patch_size": 8, "num_register_tokens": 2},
        "image-classify",
        (80, 48),
    ),
    "dinov3_vit": Case("DINOv3ViTModel", WIDE | IMAGE | REGISTERS, "image-embed"),
    "dinov3_vit-gated": Case(
        "DINOv3ViTModel",
        WIDE
        | IMAGE
        | {"use_gated_mlp": True, "hidden_act": "silu", "query_bias": False, "value_bias": False}
        | {"proj_bias": False, "mlp_bias": False, "rope_theta": 30.0},
        "image-embed",
        (64, 48),
    ),
    "resnet": Case("ResNetModel", STAGES, "image-embed", (48, 64)),
    "resnet-classify": Case(
        "ResNetForImageClassification",
        STAGES
        | {"layer_type": "basic", "downsample_in_first_stage": True, "num_labels": 5}
        | {"hidden_act": "gelu"},
        "image-classify",
        (70, 61),
    ),
    "resnet-bottleneck": Case(
        "ResNetForImageClassification",
        STAGES | {"downsample_in_bottleneck": True},
        "image-classify",
        (70, 61),
    ),
    "convnext": Case("ConvNextModel", STAGES, "image-embed", (64, 64)),
    "convnext-classify": Case(
        "ConvNextForImageClassification",
        STAGES | {"layer_scale_init_value": 0.0, "layer_norm_eps": 0.1, "num_labels": 5},
        "image-classify",
        (70, 61),
    ),
    "convnextv2": Case("ConvNextV2Model", STAGES, "image-embed", (64, 48)),
    "convnextv2-classify": Case(
        "ConvNextV2ForImageClassification", STAGES | {"num_labels": 5}, "image-classify", (64, 64)
    ),
    "mobilenet_v2": Case("MobileNetV2Model", {"depth_multiplier": 0.35}, "image-embed", (64, 64)),
    "mobilenet_v2-classify": Case(
        "MobileNetV2ForImageClassification",
        {"depth_multiplier": 0.25, "finegrained_output": False, "first_layer_is_expansion": False}
        | {"output_stride": 8, "num_labels": 5},
        "image-classify",
        (61, 70),
    ),
    "mobilenet_v2-evenly": Case(
        "MobileNetV2ForImageClassification",
        {"depth_multiplier": 0.3, "tf_padding": False, "hidden_act": "relu", "expand_ratio": 3.0},
        "image-classify",
        (70, 61),
    ),
    "swin": Case("SwinModel", WINDOWS, "image-embed", (64, 64)),
    "swin-classify": Case(
        "SwinForImageClassification",
        WINDOWS | {"num_labels": 5, "qkv_bias": False, "layer_norm_eps": 0.01},
        "image-classify",
        (67, 75),
    ),
    "swinv2": Case("Swinv2Model", WINDOWS, "image-embed", (64, 64)),
    "swinv2-classify": Case(
        "Swinv2ForImageClassification",
        WINDOWS | {"num_labels": 5, "pretrained_window_sizes": [4, 0], "image_size": 40},
        "image-classify",
        (67, 75),
    ),
    "segformer": Case(
        "SegformerForSemanticSegmentation", PYRAMID | {"num_labels": 5}, "image-segment"
    ),
    "segformer-oblong": Case(
        "SegformerForSemanticSegmentation",
        PYRAMID | {"num_labels": 5, "hidden_act": "relu", "patch_sizes": [5, 3, 2, 3]},
        "image-segment",
        (67, 90),
    ),
    "segformer-classify": Case(
        "SegformerForImageClassification", PYRAMID | {"num_labels": 5}, "image-classify", (64, 48)
    ),
    "depth_anything": Case("DepthAnythingForDepthEstimation", DEPTH, "depth-estimation"),
    "depth_anything-metric": Case(
        "DepthAnythingForDepthEstimation",
        DEPTH
        | {"depth_estimation_type": "metric", "max_depth": 2, "head_in_index": 1}
        | {"backbone_config": STATES | {"apply_layernorm": False}},
        "depth-estimation",
        (61, 40),
    ),
    "yolos": Case("YolosForObjectDetection", DETECTING, "object-detection", (64, 40)),
    "yolos-plain": Case(
        "YolosForObjectDetection",
        DETECTING | {"use_mid_position_embeddings": False, "qkv_bias": False},
        "object-detection",
        (40, 53),
    ),
    "detr": Case("DetrForObjectDetection", QUERIES, "object-detection", (64, 90)),
    "detr-basic": Case(
        "DetrForObjectDetection",
        QUERIES
        | {"backbone_config": PLANES | {"layer_type": "basic"}, "activation_function": "gelu"},
        "object-detection",
        (61, 40),
    ),
    "clip": Case("CLIPModel", CLIP, "text-image-embed"),
    "clip-gelu": Case(
        "CLIPModel",
        pair({"hidden_act": "gelu", "eos_token_id": 2}, hidden_act="gelu", image_size=32),
        "text-image-embed",
        (32, 32),
    ),
    "clip-image": Case("CLIPModel", CLIP, "image-embed"),
    "clip-classify": Case("CLIPForImageClassification", CLIP | {"num_labels": 3}, "image-classify"),
    "siglip": Case("SiglipModel", pair(), "text-image-embed"),
    "siglip-projected": Case(
        "SiglipModel", pair({"hidden_size": 48, "projection_size": 32}), "text-image-embed"
    ),
    "siglip-image": Case("SiglipModel", pair(), "image-embed"),
    "siglip2": Case("Siglip2Model", flexible(), "text-image-embed", (32, 56)),
    "siglip2-coarser": Case("Siglip2Model", flexible(), "text-image-embed", (16, 24)),
    "siglip2-image": Case("Siglip2Model", flexible(), "image-embed", (56, 64)),
    "siglip2-classify": Case(
        "Siglip2ForImageClassification",
        flexible() | {"num_labels": 3},
        "image-classify",
        (40, 40),
    ),
    "siglip-classify": Case(
        "SiglipForImageClassification", pair() | {"num_labels": 3}, "image-classify"
    ),
}
EXPORTED = {  # one of each graph
    "vit": ["image"],
    "deit-taught": ["image"],
    "beit": ["image"],
    "beit-classify": ["image"],
    "dinov2-classify": ["image"],
    "dinov2_with_registers-classify": ["image"],
    "dinov3_vit": ["image"],
    "resnet": ["image"],
    "convnext": ["image"],
    "convnextv2-classify": ["image"],
    "mobilenet_v2-classify": ["image"],
    "swin": ["image"],
    "swinv2-classify": ["image"],
    "segformer": ["image"],
    "depth_anything": ["image"],
    "yolos": ["image"],
    "detr": ["image"],
    "clip": ["text", "image"],
    "clip-gelu": ["text"],
    "siglip": ["text", "image"],
    "siglip2": ["image"],
}
POOLED = (
    "SwinModel",
    "Swinv2Model",
    "BeitModel",
    "ResNetModel",
    "ConvNextModel",
    "ConvNextV2Model",
    "MobileNetV2Model",
)
STAGED = ("ResNet", "ConvNext", "MobileNet", "Swin", "Segformer", "DepthAnything", "Yolos", "Detr")
CONVOLUTIONS = ("ResNet", "ConvNext", "MobileNet", "Detr")
GLUE = 30  # most nodes beside those of the blocks


def save(folder: Path, case: Case) -> transformers.PreTrainedModel:
    """Write a random checkpoint of `case` to `folder`; returns the model."""
    torch.manual_seed(0)
    kind = getattr(transformers, case.model)
    config = kind.config_class(**case.config)
    config._attn_implementation = "eager"
    model = kind._from_config(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            # Large enough that attention is far from uniform and every term shows.
            parameter += torch.randn_like(parameter) * 0.2
            if (
                case.model.startswith(CONVOLUTIONS) and parameter.ndim == 4
            ):  # neither lost nor too loud
                parameter.copy_(torch.randn_like(parameter) * (2 / parameter[0].numel()) ** 0.5)
        for name, buffer in model.named_buffers():
            if "running" in name:  # of a batch norm
                buffer += torch.rand_like(buffer) * 0.5
    model.save_pretrained(folder)
    if case.model.startswith("Siglip2"):
        save_side(folder)
    return model


def build(folder: Path, task: str | None = None, pixels: Any = None) -> ReferenceEncoder:
    checkpoint = load_folder(folder)
    module = importlib.import_module(f"satchel.models.{checkpoint.config['model_type']}")
    config = module.Config.from_dict(checkpoint.config)
    return image_encoder.assemble(module, config, checkpoint, task, pixels, iter)


def some_pixels(case: Case, batch: int = 3) -> Tensor:
    return torch.randn(batch, 3, *case.pixels, generator=torch.Generator().manual_seed(batch))


def some_ids(batch: int = 3, length: int = 16) -> Tensor:
    """Texts of several lengths, each padded with its end."""
    ids = torch.randint(3, END, (batch, length), generator=torch.Generator().manual_seed(batch))
    for row in range(batch):
        ids[row, length - 1 - 2 * row :] = END
    return ids


def as_read(case: Case, pixels: Tensor) -> dict[str, Tensor]:
    """What transformers takes for pictures."""
    if not case.model.startswith("Siglip2"):
        return {"pixel_values": pixels}
    return as_patches(pixels, case.config["vision_config"]["patch_size"])


def expected(case: Case, theirs: Any, pixels: Tensor, ids: Tensor) -> dict[str, list[Tensor]]:
    """States and answer of each tower, by transformers."""
    read = as_read(case, pixels)
    with torch.inference_mode():
        if case.task == "text-image-embed":
            out = theirs(**read, input_ids=ids)
            text, image = out.text_model_output, out.vision_model_output
            return {
                "text": [text.last_hidden_state, out.text_embeds],
                "image": [image.last_hidden_state, out.image_embeds],
            }
        if case.task == "object-detection":
            out = theirs(pixels)
            return {"image": [out.last_hidden_state, out.pred_boxes, out.logits]}
        if case.task == "depth-estimation":
            states = theirs.backbone(pixels).feature_maps[-1]
            return {"image": [states, theirs(pixels).predicted_depth]}
        part = theirs if case.task == "image-embed" else theirs.base_model
        part = getattr(part, "vision_model", part)
        states = part(**read).last_hidden_state
        states = states.flatten(2).mT if states.ndim == 4 else states
        if case.task == "image-classify":
            answer = theirs(**read).logits
        elif case.task == "image-segment":
            answer = theirs(pixels).logits.permute(0, 2, 3, 1)
        elif case.model in POOLED:
            answer = part(pixels).pooler_output.flatten(1)
        elif case.model.startswith(("ViT", "DeiT", "Dino", "DINO")):
            answer = states[:, 0]
        else:
            answer = theirs.get_image_features(**read).pooler_output
            answer = answer / answer.norm(dim=-1, keepdim=True)
        return {"image": [states, answer]}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Any]:
    """Name of a case -> (case, folder, model of transformers, our model), made once."""
    known: dict[str, Any] = {}

    def get(name: str) -> Any:
        if name not in known:
            case, folder = CASES[name], tmp_path_factory.mktemp(name)
            theirs = save(folder, case)
            known[name] = (case, folder, theirs, build(folder, case.task, case.pixels))
        return known[name]

    return get


@pytest.mark.parametrize("name", CASES)
def test_reference_model_equals_transformers(name: str, made: Any) -> None:
    case, _, theirs, ours = made(name)
    pixels, ids = some_pixels(case), some_ids()
    wanted = expected(case, theirs, pixels, ids)
    assert set(ours.towers) == set(wanted)
    for part, tower in ours.towers.items():
        with torch.inference_mode():
            found = tower(pixels if part == "image" else ids)
        first, second, _ = wanted[part][1]
        assert (first - second).abs().max() > 0.02  # all alike they would prove nothing
        for (output, axes), one, other in zip(
            tower.outputs.items(), found, wanted[part], strict=True
        ):
            assert list(one.shape[1:]) == [16 if axis == "length" else axis for axis in axes[1:]]
            np.testing.assert_allclose(one, other, atol=1e-4, err_msg=output)


def test_the_task_is_the_one_a_checkpoint_was_made_for(made: Any) -> None:
    for name in ("vit", "vit-classify", "dinov2", "clip", "siglip-classify"):
        case, folder, _, ours = made(name)
        assert build(folder).task == case.task
        assert (ours.labels is not None) == (case.task == "image-classify")
    assert made("vit-classify")[3].labels.names == [f"LABEL_{i}" for i in range(5)]
    embedding = build(made("vit-classify")[1], "image-embed")
    assert list(embedding.towers["image"].outputs) == ["last_hidden_state", "embedding"]


@pytest.mark.parametrize("name", ["clip", "siglip"])
def test_facts_give_the_scores_of_transformers(name: str, made: Any) -> None:
    case, folder, theirs, ours = made(name)
    pixels, ids = some_pixels(case), some_ids()
    module = importlib.import_module(f"satchel.models.{name}")
    checkpoint = load_folder(folder)
    facts = module.facts(checkpoint.tensors, module.Config.from_dict(checkpoint.config))
    with torch.inference_mode():
        cosine = ours.towers["image"](pixels)[1] @ ours.towers["text"](ids)[1].T
        wanted = theirs(pixel_values=pixels, input_ids=ids).logits_per_image
    np.testing.assert_allclose(
        facts["logit_scale"] * cosine + facts["logit_bias"], wanted, atol=1e-4
    )
    assert facts["context"] == 16 and facts["pad_to_context"] == (name == "siglip")


def exported(tower: Any, pixels: tuple[int, int]) -> ir.Model:
    image = tower.input_names == ("pixel_values",)
    example = torch.zeros(2, 3, *pixels) if image else torch.zeros(2, 6, dtype=torch.int64)
    axes = {0: torch.export.Dim("batch")} | ({} if image else {1: torch.export.Dim("length")})
    with torch.no_grad():
        program = torch.onnx.export(
            tower,
            (example,),
            dynamo=True,
            opset_version=OPSET,
            input_names=list(tower.input_names),
            output_names=list(tower.outputs),
            dynamic_shapes=((axes,),),
            verbose=False,
        )
    assert program is not None
    return program.model


@pytest.mark.parametrize("name", EXPORTED)
def test_graph_equals_transformers(name: str, made: Any, tmp_path: Path) -> None:
    case, _, theirs, ours = made(name)
    for part in EXPORTED[name]:
        tower = ours.towers[part]
        graph = exported(tower, case.pixels)
        ops = Counter(node.op_type for node in graph.graph)
        pooled = part == "image" and case.model in ("SiglipModel", "Siglip2Model")
        if not case.model.startswith(STAGED):
            assert ops["MultiHeadAttention"] == LAYERS + pooled
            assert ops["SkipLayerNormalization"] >= 2 * LAYERS - 1
            assert ops.total() < 9 * LAYERS + GLUE, ops
        assert "BatchNormalization" not in ops
        lower(graph, named("fp32"), "encoder")
        ir.save(graph, tmp_path / "graph.onnx")
        session = onnxruntime.InferenceSession(tmp_path / "graph.onnx")
        for batch, length in ((1, 7), (3, 16)):
            pixels, ids = some_pixels(case, batch), some_ids(batch, length)
            wanted = expected(case, theirs, pixels, ids)[part]
            fed = (pixels if part == "image" else ids).numpy()
            for one, other in zip(
                session.run(None, {tower.input_names[0]: fed}), wanted, strict=True
            ):
                np.testing.assert_allclose(one, other, atol=1e-4)


def test_older_keys_of_clip_hold_over_newer_ones() -> None:
    raw = {
        "model_type": "clip",
        "text_config": TEXT | {"hidden_act": "gelu", "eos_token_id": 2},
        "text_config_dict": {"hidden_size": 48, "num_attention_heads": 4},
        "vision_config": WIDE | {"hidden_act": "gelu"},
        "vision_config_dict": None,
    }
    theirs = transformers.CLIPConfig(**json.loads(json.dumps(raw)))
    ours = importlib.import_module("satchel.models.clip").Config.from_dict(raw)
    for part, other in (("text", theirs.text_config), ("vision", theirs.vision_config)):
        for key, value in vars(getattr(ours, part)).items():
            assert getattr(other, key) == value, key
    assert ours.text.hidden_act == "quick_gelu" and ours.text.eos_token_id == 49407


def test_counters_in_older_checkpoints_are_left_out(tmp_path: Path) -> None:
    save(tmp_path, CASES["clip"])
    path = tmp_path / "model.safetensors"
    counters = {
        f"{part}_model.embeddings.position_ids": torch.arange(16)[None]
        for part in ("text", "vision")
    }
    save_file(load_file(path) | counters, path)
    assert build(tmp_path).task == "text-image-embed"


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("vit", {"per_layer_config": {"0": {}}}, "per_layer_config"),
    ("vit", {"num_channels": 1}, "num_channels"),
    ("vit", {"hidden_act": "mish"}, "mish"),
    ("vit", {"num_attention_heads": 5}, "num_attention_heads"),
    ("vit", {"hidden_size": 1 << 20}, "hidden_size"),
    ("vit", {"patch_size": 64}, "patch_size"),
    ("vit", {"patch_size": [16]}, "patch_size"),
    ("vit", {"patch_size": 0}, "patch_size"),
    ("vit", {"image_size": [40, True]}, "image_size"),
    ("vit", {"image_size": "40"}, "image_size"),
    ("vit", {"num_hidden_layers": 3}, "missing"),
    ("vit", {"num_hidden_layers": 1}, "unexpected"),
    ("vit", {"intermediate_size": 64}, "misshapen"),
    ("vit-classify", {"id2label": {"1": "cat"}}, "id2label"),
    ("vit-classify", {"problem_type": "guessing"}, "problem_type"),
    ("dinov2", {"use_swiglu_ffn": True}, "gate_up_proj"),
    ("dinov2", {"image_size": 64}, "positions"),
    ("clip", {"text_config": 7}, "text_config"),
    ("clip", {"text_config_dict": 7}, "text_config"),
    ("clip", {"text_config": TEXT | {"is_causal": 1.5}}, "is_causal"),
    ("clip", {"text_config": TEXT | {"eos_token_id": [1, 2]}}, "eos_token_id"),
    ("clip", {"vision_config": WIDE | IMAGE | {"per_layer_config": {"0": {}}}}, "per_layer_config"),
    ("clip", {"projection_dim": 32}, "misshapen"),
    ("siglip2", {"vision_config": WIDE | {"num_patches": 24}}, "num_patches"),
    ("siglip2", {"vision_config": WIDE | {"patch_size": [8, 8]}}, "patch_size"),
    ("siglip2", {"vision_config": WIDE | {"patch_size": 8, "num_patches": 36}}, "misshapen"),
    ("siglip", {"vision_config": WIDE | IMAGE | {"vision_use_head": False}}, "vision_use_head"),
]


@pytest.mark.parametrize(("name", "changes", "word"), REFUSED)
def test_refusals_name_what_is_wrong(
    name: str, changes: dict[str, Any], word: str, made: Any, tmp_path: Path
) -> None:
    source = made(name)[1]
    for path in source.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    edit_config(tmp_path, **changes)
    with pytest.raises(SatchelError, match=word) as raised:
        build(tmp_path)
    assert isinstance(raised.value, CheckpointError | UnsupportedError)


def test_tasks_and_sizes_that_a_checkpoint_lacks(made: Any) -> None:
    with pytest.raises(UnsupportedError, match="no task 'embed'"):
        build(made("vit")[1], "embed")
    with pytest.raises(UnsupportedError, match="no classifier"):
        build(made("clip")[1], "image-classify")
    for name in ("vit", "clip", "siglip"):
        with pytest.raises(UnsupportedError, match="48"):
            build(made(name)[1], None, (48, 48))
    with pytest.raises(ValueError, match="pixel_values"):
        made("vit")[3].towers["image"](torch.zeros(1, 3, 80, 80))
