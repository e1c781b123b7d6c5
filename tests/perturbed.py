"""Checkpoints whose config.json is changed key by key: what transformers and what we make of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor

from satchel import models
from satchel.models.config_keys import keys_read
from satchel.models.folder import load_folder
from satchel.models.seq2seq import Context
from satchel.runtime.errors import SatchelError
from tests import tiny, tiny_encoders, tiny_seq2seq, tiny_speech
from tests.config_table import classified

LENGTH = 90
BATCH = 3
ACTIVATIONS = ["relu", "gelu", "gelu_new", "silu"]
ELSEWHERE = {"architectures", "model_type", "id2label", "label2id", "num_labels", "problem_type"}
ODD: list[Any] = [True, False, 0, 1, 3, 0.5, "relu", [1], ["sliding_attention"] * 3, {"a": 1}]
ROPE: list[Any] = [
    {"rope_type": "linear", "factor": 2.0},
    {"type": "dynamic", "factor": 2.0},
    {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64},
    {"rope_type": "yarn", "factor": 4.0, "attention_factor": 0.5, "low_freq_factor": 3},
    {"rope_type": "default", "rope_theta": 500.0, "factor": 0.5, "mrope_section": [1, 2]},
    {"rope_type": "default", "partial_rotary_factor": 0.5},
    {"rope_type": "linear", "factor": 2.0, "partial_rotary_factor": 0.5},
    {
        "rope_type": "llama3",
        "factor": 4.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 64,
        "rope_theta": 10000.0,
    },
]
Answer = Callable[[Path], Tensor | None]


@dataclass(frozen=True)
class Subject:
    """A checkpoint and how it answers: by transformers, None where that fails, and by us."""

    save: Callable[[Path], Any]
    theirs: Answer
    ours: Callable[[Path], Tensor]


def ids(length: int = LENGTH) -> Tensor:
    return torch.randint(4, 250, (2, length), generator=torch.Generator().manual_seed(length))


def loaded(kind: Any, folder: Path) -> Any:
    """The model of transformers, or None where it cannot be or was not read whole."""
    try:
        model, report = kind.from_pretrained(
            folder, dtype=torch.float32, output_loading_info=True, attn_implementation="eager"
        )
    except Exception:
        return None
    whole = not (report["missing_keys"] or report["mismatched_keys"])
    return model.eval() if whole else None


def decoder(model_type: str, **overrides: Any) -> Subject:
    def theirs(folder: Path) -> Tensor | None:
        model = loaded(transformers.AutoModelForCausalLM, folder)
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


def sound() -> Tensor:
    shape = (2, tiny_speech.MELS, 2 * tiny_speech.POSITIONS)
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def speech() -> Subject:
    def theirs(folder: Path) -> Tensor | None:
        model = loaded(transformers.WhisperForConditionalGeneration, folder)
        return None if model is None else model(sound(), decoder_input_ids=ids(70)).logits

    def ours(folder: Path) -> Tensor:
        reference, _ = models.build_seq2seq(load_folder(folder))
        return reference(ids(70), Context(cross=reference.hear(sound())))

    return Subject(tiny_speech.save_speech, theirs, ours)


WIDE = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 48,
}
IMAGE = {"image_size": 32, "patch_size": 16}
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
        model.save_pretrained(folder)

    def theirs(folder: Path) -> Tensor | None:
        model = loaded(getattr(transformers, kind), folder)
        if model is None:
            return None
        if task == "text-image-embed":
            out = model(pixel_values=pixels, input_ids=text)
            return torch.cat([out.text_embeds, out.image_embeds])
        out = model(pixels)
        return out.logits if task == "image-classify" else out.last_hidden_state[:, 0]

    def ours(folder: Path) -> Tensor:
        towers = models.build_encoder(load_folder(folder), task).towers
        answers = [
            towers[name](x)[1] for name, x in (("text", text), ("image", pixels)) if name in towers
        ]
        return torch.cat(answers)

    return Subject(save, theirs, ours)


SUBJECTS: dict[str, Subject] = {
    **{name: decoder(name) for name in ("llama", "mistral", "qwen2", "gemma2", "gemma3_text")},
    "qwen3": decoder("qwen3", head_dim=16),
    "smollm3": decoder("smollm3"),
    "phi3": decoder("phi3"),
    "gpt2": decoder("gpt2"),
    "gpt_neox": decoder("gpt_neox", rotary_pct=1.0),
    **{
        f"{name}-{task}": encoder(name, task)
        for name in models.ENCODERS
        for task in ("classify", "fill-mask")
    },
    **{name: seq2seq(name) for name in tiny_seq2seq.SIZES},
    "whisper": speech(),
    "vit": images("ViTForImageClassification", "image-classify", **WIDE, **IMAGE),
    "dinov2": images("Dinov2ForImageClassification", "image-classify", **WIDE, **IMAGE),
    "clip": images("CLIPModel", "text-image-embed", **PAIR, projection_dim=24),
    "siglip": images("SiglipModel", "text-image-embed", **PAIR),
}


def alternatives(key: str, value: Any) -> Iterator[Any]:
    """Other values that `key` might have; `...` removes it."""
    yield ...
    yield None
    match value:
        case bool():
            yield not value
        case int() if "position" in key:  # fewer would not hold the text that is tried
            yield from (value + 1, value * 2, 0, -1)
        case int():
            yield from (value + 1, value * 2, value // 2, 0, -1)
        case float():
            yield from (value * 2 + 1, value / 4, 0.0, -1.0)
        case str():
            yield from (*ACTIVATIONS, "relative_key", "gated-silu", "mean", "x")
        case list():
            yield from (value[::-1], [], value + value)
        case _:
            yield from ODD
    if key in ("rope_parameters", "rope_scaling"):
        yield from ROPE


def changes(folder: Path) -> Iterator[dict[str, Any]]:
    """Every change of one key of a config.json, nested ones included, and of those that change nothing
    all at once."""
    config = json.loads((folder / "config.json").read_text())
    kind = config["model_type"]
    nothing = classified(kind)["nothing"] - ELSEWHERE
    for key in sorted((keys_read(kind) | config.keys()) - ELSEWHERE - nothing):
        value = config.get(key)
        if isinstance(value, Mapping) and key not in ("rope_parameters", "rope_scaling"):
            yield from ({key: dict(value) | change} for change in nested(value))
        else:
            yield from ({key: other} for other in alternatives(key, value) if other != value)
    for odd in ODD:
        yield {key: odd for key in sorted(nothing) if is_valid(config | {key: odd})}


def is_valid(config: dict[str, Any]) -> bool:
    """Whether transformers takes `config` for a configuration."""
    try:
        transformers.CONFIG_MAPPING[config["model_type"]].from_dict(config)
    except Exception:
        return False
    return True


def nested(part: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for key, value in part.items():
        for other in alternatives(key, value):
            if other is not ... and other != value and key not in ELSEWHERE:
                yield {key: other}


def differences(
    subject: Subject, folder: Path, wanted: Iterator[dict[str, Any]]
) -> list[tuple[dict[str, Any], float]]:
    """The changes of config.json after which we answer otherwise than transformers."""
    path = folder / "config.json"
    before = path.read_text()
    found = []
    pending = list(wanted)
    while pending:
        change = pending.pop()
        config = json.loads(before) | change
        path.write_text(json.dumps({key: v for key, v in config.items() if v is not ...}))
        try:
            with torch.inference_mode():
                ours = subject.ours(folder)
        except SatchelError:
            ours = None
        theirs = None if ours is None and len(change) == 1 else answer(subject, folder)
        if len(change) > 1 and (ours is None or theirs is None or not same(ours, theirs)):
            entries = list(change.items())
            half = len(entries) // 2
            pending += [dict(entries[:half]), dict(entries[half:])]
        elif ours is not None and theirs is not None and not same(ours, theirs):
            gap = (ours - theirs).abs().max().item() if ours.shape == theirs.shape else -1.0
            found.append((change, gap))
    path.write_text(before)
    return found


def answer(subject: Subject, folder: Path) -> Tensor | None:
    """What transformers answers, None where it fails."""
    try:
        with torch.inference_mode():
            return subject.theirs(folder)
    except Exception:
        return None


def same(ours: Tensor, theirs: Tensor) -> bool:
    """Whether two answers agree as far as float32 lets them."""
    if ours.shape != theirs.shape or not theirs.isfinite().all():
        return not theirs.isfinite().all()
    scale = max(theirs.abs().max().item(), 1e-3)
    return bool((ours - theirs).abs().max() <= 2e-4 * scale)
