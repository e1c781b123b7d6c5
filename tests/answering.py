"""Tiny checkpoints of every architecture and what transformers and what we answer on each."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor

from satchel import models
from satchel.checkpoints.folder import load_folder
from satchel.models.architectures import of_family
from satchel.models.seq2seq import Context
from tests import (
    tiny,
    tiny_encoders,
    tiny_image_text,
    tiny_moonshine,
    tiny_pages,
    tiny_seq2seq,
    tiny_sound,
    tiny_speech,
)
from tests.config_keys import LIKE
from tests.naflex import as_patches, save_side

LENGTH = 90
BATCH = 3
Answer = Callable[[Path], Tensor | None]


@dataclass(frozen=True)
class Subject:
    """A checkpoint and how it answers: by transformers, None where that fails, and by us."""

    save: Callable[[Path], Any]
    theirs: Answer
    ours: Answer


def ids(length: int = LENGTH) -> Tensor:
    return torch.randint(4, 250, (2, length), generator=torch.Generator().manual_seed(length))


def loaded(kind: Any, folder: Path, attention: str = "eager") -> Any:
    """The model of transformers, or None where it cannot be or was not read whole."""
    try:
        model, report = kind.from_pretrained(
            folder, dtype=torch.float32, output_loading_info=True, attn_implementation=attention
        )
    except Exception:
        return None
    whole = not (report["missing_keys"] or report["mismatched_keys"])
    return model.eval() if whole else None


def decoder(model_type: str, **overrides: Any) -> Subject:
    # Falcon's eager attention of transformers 5.24 adds ALiBi twice.
    attention = "sdpa" if model_type == "falcon" else "eager"

    def theirs(folder: Path) -> Tensor | None:
        model = loaded(tiny.reader(model_type), folder, attention)
        return None if model is None else model(ids()).logits

    def ours(folder: Path) -> Tensor:
        logits: Tensor = models.build(load_folder(folder))[0](ids())
        return logits

    return Subject(
        lambda folder: tiny.save_checkpoint(folder, model_type, **overrides), theirs, ours
    )


def encoder(model_type: str, task: str, **overrides: Any) -> Subject:
    def theirs(folder: Path) -> Tensor | None:
        model = loaded(tiny_encoders.HEADS[task], folder)
        return None if model is None else model(ids()).logits

    def ours(folder: Path) -> Tensor:
        tower = models.build_encoder(load_folder(folder)).towers["encoder"]
        inputs = [ids()]
        if "token_type_ids" in tower.input_names:
            inputs.append(torch.zeros_like(ids()))
        return tower(*inputs)[1]

    return Subject(
        lambda folder: tiny_encoders.save_encoder(folder, model_type, task, **overrides),
        theirs,
        ours,
    )


def pages(task: str, **overrides: Any) -> Subject:
    sides = torch.randint(0, 500, (2, LENGTH, 4), generator=torch.Generator().manual_seed(0))
    boxes = sides + torch.tensor([0, 0, 500, 500])

    def theirs(folder: Path) -> Tensor | None:
        model = loaded(tiny_pages.HEADS[task], folder)
        return None if model is None else model(ids(), bbox=boxes).logits

    def ours(folder: Path) -> Tensor:
        return models.build_encoder(load_folder(folder)).towers["encoder"](ids(), boxes)[1]

    return Subject(
        lambda folder: tiny_pages.save_page_encoder(folder, task, **overrides), theirs, ours
    )


def seq2seq(model_type: str, **overrides: Any) -> Subject:
    def theirs(folder: Path) -> Tensor | None:
        model = loaded(transformers.AutoModelForSeq2SeqLM, folder)
        return None if model is None else model(ids(), decoder_input_ids=ids(70)).logits

    def ours(folder: Path) -> Tensor:
        reference, _ = models.build_seq2seq(load_folder(folder))
        lengths = torch.tensor([LENGTH, LENGTH], dtype=torch.int32)
        cross = reference.read(ids(), lengths)
        return reference(ids(70), Context(lengths=lengths, cross=cross))

    return Subject(
        lambda folder: tiny_seq2seq.save_seq2seq(folder, model_type, **overrides), theirs, ours
    )


def image_text(reader: str, writer: str, reads: dict[str, Any], **writes: Any) -> Subject:
    side = tiny_image_text.SIDE
    size = (side, tiny_image_text.SIZES.get(reader, {"width": side})["width"])
    pixels = torch.randn((2, 3, *size), generator=torch.Generator().manual_seed(0))

    def theirs(folder: Path) -> Tensor | None:
        model = loaded(transformers.VisionEncoderDecoderModel, folder)
        return None if model is None else model(pixels, decoder_input_ids=ids(70)).logits

    def ours(folder: Path) -> Tensor:
        read = models.build_seq2seq(load_folder(folder), image_size=size)
        reference: Any = read[0]
        found: Tensor = reference(ids(70), Context(cross=reference.see(pixels)))
        return found

    def save(folder: Path) -> Any:
        return tiny_image_text.save_image_text(folder, reader, writer, reads, **writes)

    return Subject(save, theirs, ours)


def sound() -> Tensor:
    shape = (2, tiny_speech.MELS, 2 * tiny_speech.POSITIONS)
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def speech() -> Subject:
    def theirs(folder: Path) -> Tensor | None:
        model = loaded(transformers.WhisperForConditionalGeneration, folder)
        return None if model is None else model(sound(), decoder_input_ids=ids(70)).logits

    def ours(folder: Path) -> Tensor:
        reference: Any = models.build_seq2seq(load_folder(folder))[0]
        found: Tensor = reference(ids(70), Context(cross=reference.hear(sound())))
        return found

    return Subject(tiny_speech.save_speech, theirs, ours)


def moonshine() -> Subject:
    samples = 0.2 * torch.randn((2, 9000), generator=torch.Generator().manual_seed(0))

    def theirs(folder: Path) -> Tensor | None:
        model = loaded(transformers.MoonshineForConditionalGeneration, folder)
        return None if model is None else model(samples, decoder_input_ids=ids(70)).logits

    def ours(folder: Path) -> Tensor:
        reference: Any = models.build_seq2seq(load_folder(folder))[0]
        found: Tensor = reference(ids(70), Context(cross=reference.hear(samples)))
        return found

    return Subject(tiny_moonshine.save_moonshine, theirs, ours)


def waves(model_type: str, task: str, **overrides: Any) -> Subject:
    shape = (BATCH, 90, 2 * tiny_sound.MELS) if tiny_sound.banded(model_type) else (BATCH, 9000)
    samples = 0.2 * torch.randn(shape, generator=torch.Generator().manual_seed(0))
    kinds = {
        "ctc": transformers.AutoModelForCTC,
        "audio-classify": transformers.AutoModelForAudioClassification,
    }

    def theirs(folder: Path) -> Tensor | None:
        model = loaded(kinds[task], folder)
        return None if model is None else model(samples).logits

    def ours(folder: Path) -> Tensor:
        return models.build_encoder(load_folder(folder)).towers["sound"](samples)[1]

    return Subject(
        lambda folder: tiny_sound.save_sound(folder, model_type, task, **overrides), theirs, ours
    )


WIDE = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 48,
}
STAGES = {"num_stages": 2, "hidden_sizes": [16, 24], "depths": [2, 1]}
WINDOWS = {
    "patch_size": 4,
    "image_size": 32,
    "embed_dim": 32,
    "depths": [2, 1],
    "num_heads": [2, 4],
    "window_size": 3,
}
IMAGE = {"image_size": 32, "patch_size": 16}
PYRAMID = {
    "hidden_sizes": [16, 32, 32, 48],
    "depths": [1, 2, 1, 1],
    "num_attention_heads": [1, 2, 1, 3],
    "sr_ratios": [4, 2, 2, 1],
    "patch_sizes": [7, 3, 3, 3],
    "mlp_ratios": [2, 2, 2, 2],
    "decoder_hidden_size": 32,
}
DEPTH = {
    "backbone_config": IMAGE
    | {"model_type": "dinov2", "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    | {"out_indices": [1, 2], "reshape_hidden_states": False},
    "patch_size": 16,
    "reassemble_hidden_size": 32,
    "reassemble_factors": [2, 1],
    "neck_hidden_sizes": [8, 16],
    "fusion_hidden_size": 16,
    "head_hidden_size": 8,
}
TEXT = WIDE | {"vocab_size": 300, "max_position_embeddings": 16, "eos_token_id": 299}
PAIR = {"text_config": TEXT, "vision_config": WIDE | IMAGE}


def images(kind: str, task: str, **settings: Any) -> Subject:
    pixels = torch.randn((BATCH, 3, 32, 32), generator=torch.Generator().manual_seed(0))
    text = torch.full((BATCH, 16), 299)
    text[:, :9] = ids(9)[0]

    def save(folder: Path) -> None:
        torch.manual_seed(0)
        made = getattr(transformers, kind)
        model = made._from_config(made.config_class(**settings))
        with torch.no_grad():
            for parameter in model.parameters():
                parameter += torch.randn_like(parameter) * 0.2
                if "patch_size" not in settings and parameter.ndim == 4:  # a convolution
                    parameter.copy_(torch.randn_like(parameter) / parameter[0].numel() ** 0.5)
        model.save_pretrained(folder)
        if kind.startswith("Siglip2"):
            save_side(folder)

    def theirs(folder: Path) -> Tensor | None:
        model = loaded(getattr(transformers, kind), folder)
        if model is None:
            return None
        if task == "text-image-embed":
            flexible = kind.startswith("Siglip2")
            read = as_patches(pixels, 8) if flexible else {"pixel_values": pixels}
            out = model(**read, input_ids=text)
            return torch.cat([out.text_embeds, out.image_embeds])
        out = model(pixels)
        if task == "object-detection":
            return out.logits
        if task == "depth-estimation":
            return out.predicted_depth
        if task == "image-segment":
            return out.logits.permute(0, 2, 3, 1)
        return out.logits if task == "image-classify" else out.last_hidden_state[:, 0]

    def ours(folder: Path) -> Tensor:
        towers = models.build_encoder(load_folder(folder), task, (32, 32)).towers
        answers = [
            towers[name](x)[-1] for name, x in (("text", text), ("image", pixels)) if name in towers
        ]
        return torch.cat(answers)

    return Subject(save, theirs, ours)


def older(subject: Subject, **edits: Any) -> Subject:
    """`subject` with its config.json in the keys of an older release; `...` removes one."""

    def save(folder: Path) -> None:
        subject.save(folder)
        tiny.edit_config(folder, **edits)

    return dataclasses.replace(subject, save=save)


HALF = {"num_attention_heads": 2, "partial_rotary_factor": 0.5}
WINDOWED = {"use_sliding_window": True, "sliding_window": 20, "max_window_layers": 1}
SCALED = {"rope_scaling": {"type": "linear", "factor": 2.0}, "rope_parameters": ...}
SUBJECTS: dict[str, Subject] = {
    "llama-older": older(decoder("llama"), rope_theta=5000.0, **SCALED),
    "qwen2-older": older(decoder("qwen2", **WINDOWED), layer_types=..., rope_parameters=...),
    "gemma3_text-older": older(
        decoder("gemma3_text", sliding_window=20),
        layer_types=...,
        sliding_window_pattern=2,
        rope_theta=4000.0,
        rope_local_base_freq=500.0,
        rope_parameters=...,
        rope_scaling={"rope_type": "linear", "factor": 2.0},
    ),
    "smollm3-older": older(
        decoder("smollm3", use_sliding_window=True, sliding_window=20),
        layer_types=...,
        no_rope_layers=...,
        no_rope_layer_interval=2,
    ),
    "gpt_neox-older": older(
        decoder("gpt_neox", num_attention_heads=1, rotary_pct=0.25),
        rope_parameters=...,
        rotary_pct=0.25,
        partial_rotary_factor=0.25,
        rotary_emb_base=10000,
        rope_theta=10000,
    ),
    "gpt2-scaled": decoder("gpt2", scale_attn_by_inverse_layer_idx=True),
    "t5-older": older(
        seq2seq("t5", feed_forward_proj="gated-gelu"),
        dense_act_fn=...,
        is_gated_act=...,
        scale_decoder_outputs=...,
    ),
    "modernbert-older": older(
        encoder("modernbert", "classify"),
        layer_types=...,
        rope_parameters=...,
        global_rope_theta=4000.0,
        local_rope_theta=500.0,
        global_attn_every_n_layers=2,
    ),
    **{name: decoder(name) for name in ("llama", "mistral", "qwen2", "gemma2", "gemma3_text")},
    **{
        name: decoder(name)
        for name in ("apertus", "arcee", "cohere", "cohere2", "exaone4", "granite", "olmo3")
    },
    **{
        name: decoder(name, head_dim=16)
        for name in (
            *("qwen3", "gemma", "gemma3", "helium", "ernie4_5", "hunyuan_v1_dense", "ministral"),
            *("ministral3", "mistral3"),
        )
    },
    **{name: decoder(name, head_dim=32) for name in ("glm", "glm4", "nemotron")},
    "smollm3": decoder("smollm3"),
    "phi3": decoder("phi3"),
    "olmo2": decoder("olmo2"),
    "phi": decoder("phi", **HALF),
    "starcoder2": decoder("starcoder2"),
    "stablelm": decoder("stablelm", **HALF),
    "falcon": decoder("falcon"),
    "falcon-new": decoder("falcon", new_decoder_architecture=True, num_kv_heads=2),
    "falcon-alibi": decoder("falcon", alibi=True, multi_query=False, parallel_attn=False),
    "gpt_bigcode": decoder("gpt_bigcode"),
    "opt": decoder("opt", ffn_dim=96),
    "opt-narrow": decoder("opt", ffn_dim=96, do_layer_norm_before=False, word_embed_proj_dim=32),
    "gptj": decoder("gptj", rotary_dim=16, num_attention_heads=2),
    "codegen": decoder("codegen", rotary_dim=16, num_attention_heads=2),
    "gpt_neo": decoder("gpt_neo", attention_types=[[["global", "local"], 1]], window_size=20),
    "bloom": decoder("bloom"),
    "mpt": decoder("mpt", max_seq_len=256),
    "gpt2": decoder("gpt2"),
    "gpt_neox": decoder("gpt_neox", rotary_pct=1.0),
    **{
        f"{name}-{task}": encoder(name, task)
        for name in of_family("encoder", "text")
        if name not in ("static-embedding", *LIKE)  # without heads, or a class in transformers
        for task in ("classify", "fill-mask")
    },
    "layoutlmv3": pages("page-tokens"),
    "layoutlmv3-many": pages("page-tokens", num_labels=12),
    "layoutlmv3-page": pages("page-classify"),
    **{name: seq2seq(name) for name in tiny_seq2seq.SIZES},
    "trocr": image_text("deit", "trocr", {"hidden_size": 32}),
    "vit-mbart": image_text("vit", "mbart", {}),
    "donut": image_text("donut-swin", "mbart", {}),
    "whisper": speech(),
    "moonshine": moonshine(),
    "moonshine-older": older(
        moonshine(),
        partial_rotary_factor=0.8,
        rope_theta=10000.0,
        rope_scaling=None,
        rope_parameters=...,
    ),
    **{name: waves(name, "ctc") for name in of_family("encoder", "sound")},
    "wav2vec2-classify": waves("wav2vec2", "audio-classify", use_weighted_layer_sum=True),
    "hubert-large": waves("hubert", "audio-classify", **tiny_sound.LARGE),
    "wavlm-large": waves("wavlm", "ctc", **tiny_sound.LARGE),
    "wav2vec2-bert-adapter": waves(
        "wav2vec2-bert", "ctc", add_adapter=True, output_hidden_size=32, num_adapter_layers=2
    ),
    "wav2vec2-bert-classify": waves("wav2vec2-bert", "audio-classify", use_weighted_layer_sum=True),
    "vit": images("ViTForImageClassification", "image-classify", **WIDE, **IMAGE),
    "deit": images("DeiTForImageClassificationWithTeacher", "image-classify", **WIDE, **IMAGE),
    "beit": images(
        "BeitForImageClassification",
        "image-classify",
        **WIDE,
        **IMAGE,
        use_relative_position_bias=True,
    ),
    "dinov2": images("Dinov2ForImageClassification", "image-classify", **WIDE, **IMAGE),
    "dinov2_with_registers": images(
        "Dinov2WithRegistersForImageClassification", "image-classify", **WIDE, **IMAGE
    ),
    "dinov3_vit": images(
        "DINOv3ViTModel", "image-embed", **WIDE, **IMAGE, num_register_tokens=2, use_gated_mlp=True
    ),
    "resnet": images("ResNetForImageClassification", "image-classify", **STAGES, embedding_size=8),
    "convnext": images("ConvNextForImageClassification", "image-classify", **STAGES),
    "convnextv2": images("ConvNextV2ForImageClassification", "image-classify", **STAGES),
    "mobilenet_v2": images(
        "MobileNetV2ForImageClassification",
        "image-classify",
        depth_multiplier=0.25,
        hidden_act="relu",
    ),
    "swin": images("SwinForImageClassification", "image-classify", **WINDOWS),
    "swinv2": images("Swinv2ForImageClassification", "image-classify", **WINDOWS),
    "segformer": images("SegformerForSemanticSegmentation", "image-segment", **PYRAMID),
    "depth_anything": images("DepthAnythingForDepthEstimation", "depth-estimation", **DEPTH),
    "detr": images(
        "DetrForObjectDetection",
        "object-detection",
        backbone_config=STAGES
        | {"model_type": "resnet", "embedding_size": 8}
        | {"out_features": ["stage2"]},
        d_model=32,
        num_queries=6,
        **{f"{part}_layers": 2 for part in ("encoder", "decoder")},
        **{f"{part}_attention_heads": 2 for part in ("encoder", "decoder")},
        **{f"{part}_ffn_dim": 48 for part in ("encoder", "decoder")},
    ),
    "yolos": images(
        "YolosForObjectDetection",
        "object-detection",
        **WIDE,
        image_size=[32, 48],
        patch_size=16,
        num_detection_tokens=6,
    ),
    "clip": images("CLIPModel", "text-image-embed", **PAIR, projection_dim=24),
    "siglip": images("SiglipModel", "text-image-embed", **PAIR),
    "siglip2": images(
        "Siglip2Model",
        "text-image-embed",
        text_config=TEXT,
        vision_config=WIDE | {"patch_size": 8, "num_patches": 25},
    ),
}
