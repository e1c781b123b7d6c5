"""Encoders of sound: transformers = our reference model, and what is refused."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from torch import Tensor

from satchel import models
from satchel.checkpoints.folder import load_folder
from satchel.models.encoder import ReferenceEncoder
from satchel.runtime.errors import CheckpointError, SatchelError, UnsupportedError
from tests.tiny import edit_config
from tests.tiny_sound import LARGE, STRIDE, save_sound

HUBERT: dict[str, Any] = {"conv_pos_batch_norm": True, "feat_proj_layer_norm": False}
WEIGHED = {"use_weighted_layer_sum": True}
ODD = {"num_conv_pos_embeddings": 15, "hidden_act": "relu", "feat_extract_activation": "gelu_new"}


@dataclass(frozen=True)
class Case:
    """A checkpoint that transformers saves."""

    model_type: str
    task: str = "ctc"
    overrides: dict[str, Any] = field(default_factory=dict)


CASES = {
    "wav2vec2": Case("wav2vec2"),
    "wav2vec2-large": Case("wav2vec2", overrides=LARGE),
    "wav2vec2-odd": Case("wav2vec2", overrides=ODD),
    "wav2vec2-embed": Case("wav2vec2", "audio-embed"),
    "wav2vec2-classify": Case("wav2vec2", "audio-classify"),
    "wav2vec2-weighed": Case("wav2vec2", "audio-classify", WEIGHED),
    "hubert": Case("hubert"),
    "hubert-large": Case("hubert", overrides=LARGE),
    "hubert-scaled": Case("hubert", "audio-embed", HUBERT),
    "hubert-classify": Case("hubert", "audio-classify", LARGE),
    "hubert-weighed": Case("hubert", "audio-classify", WEIGHED),
    "wavlm": Case("wavlm"),
    "wavlm-large": Case("wavlm", overrides=LARGE | {"num_buckets": 32, "max_bucket_distance": 20}),
    "wavlm-embed": Case("wavlm", "audio-embed", {"num_attention_heads": 2}),
    "wavlm-classify": Case("wavlm", "audio-classify", LARGE),
    "wavlm-weighed": Case("wavlm", "audio-classify", WEIGHED),
}


def build(folder: Path, task: str | None = None) -> ReferenceEncoder:
    return models.build_encoder(load_folder(folder), task)


def some_samples(frames: int = 60) -> Tensor:
    shape = (3, STRIDE * frames + 7)
    return 0.2 * torch.randn(shape, generator=torch.Generator().manual_seed(frames))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Any]:
    """Name of a case -> (its folder, the model of transformers), made once."""
    known: dict[str, Any] = {}

    def get(name: str) -> Any:
        if name not in known:
            folder, case = tmp_path_factory.mktemp(name), CASES[name]
            known[name] = folder, save_sound(folder, case.model_type, case.task, **case.overrides)
        return known[name]

    return get


@pytest.mark.parametrize("name", CASES)
def test_reference_model_equals_transformers(name: str, made: Any) -> None:
    case, (folder, theirs) = CASES[name], made(name)
    ours = build(folder)
    assert ours.task == case.task and list(ours.towers) == ["sound"]
    for frames in (60, 1):
        samples = some_samples(frames)
        with torch.inference_mode():
            states, answer = ours.towers["sound"](samples)
            wanted = theirs.base_model(samples).last_hidden_state
            expected = wanted.mean(1) if case.task == "audio-embed" else theirs(samples).logits
        assert (expected[0] - expected[1]).abs().max() > 0.02  # all alike they would prove nothing
        np.testing.assert_allclose(states, wanted, atol=1e-4)
        np.testing.assert_allclose(answer, expected, atol=1e-4)
    lengths = theirs._get_feat_extract_output_lengths(torch.arange(600, 2000))
    found = [
        (count - ours.facts["field"]) // ours.facts["stride"] + 1 for count in range(600, 2000)
    ]
    assert lengths.tolist() == found


@pytest.mark.parametrize("name", ["wav2vec2", "hubert-large"])
def test_older_names_of_the_convolution_over_frames(name: str, made: Any, tmp_path: Path) -> None:
    """The kernel's lengths and directions by their older names, or folded into one weight."""
    folder, theirs = made(name)
    samples = some_samples()
    with torch.inference_mode():
        expected = theirs(samples).logits
    kernel = theirs.base_model.encoder.pos_conv_embed.conv.weight.detach().clone()
    tensors = load_file(folder / "model.safetensors")
    parts = {key: key for key in tensors if ".parametrizations.weight." in key}
    assert len(parts) == 2
    rest = {key: tensor for key, tensor in tensors.items() if key not in parts}
    stem = next(iter(parts)).partition(".parametrizations.")[0]
    older = {f"{stem}.weight_{'gv'[int(key[-1])]}": tensors[key] for key in parts}
    for one in (older, {f"{stem}.weight": kernel}):
        shutil.copytree(folder, tmp_path / "one", dirs_exist_ok=True)
        save_file(rest | one, tmp_path / "one/model.safetensors")
        with torch.inference_mode():
            found = build(tmp_path / "one").towers["sound"](samples)[1]
        np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_batch_norm_with_statistics(tmp_path: Path) -> None:
    theirs = save_sound(tmp_path, "hubert", **HUBERT)
    norm = theirs.base_model.encoder.pos_conv_embed.batch_norm
    with torch.no_grad():
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2)
    theirs.save_pretrained(tmp_path)
    with torch.inference_mode():
        found = build(tmp_path).towers["sound"](some_samples())[1]
        np.testing.assert_allclose(found, theirs(some_samples()).logits, atol=1e-4)


def test_what_a_checkpoint_can_be_exported_for(made: Any, tmp_path: Path) -> None:
    folder, theirs = made("wav2vec2")
    samples = some_samples()
    with torch.inference_mode():
        expected = theirs.base_model(samples).last_hidden_state.mean(1)
        found = build(folder, "audio-embed").towers["sound"](samples)[1]
    np.testing.assert_allclose(found, expected, atol=1e-4)
    for task, words in (("audio-classify", "Wav2Vec2ForCTC"), ("classify", "audio-embed, ctc")):
        with pytest.raises(SatchelError, match=words):
            build(folder, task)
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    for saved in ("Wav2Vec2ForXVector", "Wav2Vec2ForAudioFrameClassification"):
        edit_config(tmp_path, architectures=[saved])
        with pytest.raises(UnsupportedError, match=f"{saved}.* --task audio-embed"):
            build(tmp_path)
        assert build(tmp_path, "audio-embed").task == "audio-embed"
    edit_config(tmp_path, architectures=["Wav2Vec2ForPreTraining"])
    assert build(tmp_path).task == "audio-embed"


@pytest.mark.parametrize(
    "kind", ["Wav2Vec2ForPreTraining", "Wav2Vec2ForXVector", "WavLMForAudioFrameClassification"]
)
def test_other_heads_are_left_out(kind: str, tmp_path: Path) -> None:
    sizes = {"conv_dim": [8], "conv_kernel": [9], "conv_stride": [8], "hidden_size": 32}
    made = getattr(transformers, kind)
    config = made.config_class(
        **sizes, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        num_conv_pos_embedding_groups=4, num_codevectors_per_group=8, tdnn_dim=[16] * 5,
    )  # fmt: skip
    theirs = made(config).eval()
    theirs.save_pretrained(tmp_path)
    with torch.inference_mode():
        states = build(tmp_path, "audio-embed").towers["sound"](some_samples(5))[0]
        wanted = theirs.base_model(some_samples(5)).last_hidden_state
    np.testing.assert_allclose(states, wanted, atol=1e-4)


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("wav2vec2", {"add_adapter": True}, "add_adapter"),
    ("wav2vec2", {"adapter_attn_dim": 16}, "adapter_attn_dim"),
    ("wav2vec2", {"feat_extract_norm": "batch"}, "feat_extract_norm"),
    ("wav2vec2", {"feat_extract_activation": "mish"}, "mish"),
    ("wav2vec2", {"hidden_act": "mish"}, "mish"),
    ("wav2vec2", {"conv_dim": [32, 32]}, "conv_dim"),
    ("wav2vec2", {"conv_stride": []}, "conv_stride"),
    ("wav2vec2", {"conv_kernel": [10, 0, 4]}, "outside"),
    ("wav2vec2", {"conv_kernel": [10, 8, 5]}, "misshapen"),
    ("wav2vec2", {"num_feat_extract_layers": 7}, "num_feat_extract_layers"),
    ("wav2vec2", {"num_attention_heads": 5}, "num_attention_heads"),
    ("wav2vec2", {"num_conv_pos_embedding_groups": 5}, "num_conv_pos_embedding_groups"),
    ("wav2vec2", {"num_conv_pos_embeddings": 0}, "outside"),
    ("wav2vec2", {"vocab_size": None}, "vocab_size"),
    ("wav2vec2", {"vocab_size": 19}, "misshapen"),
    ("wav2vec2", {"num_hidden_layers": 3}, "missing"),
    ("wav2vec2", {"feat_extract_norm": "layer"}, "missing"),
    ("hubert-large", {"feat_extract_norm": "group"}, "unexpected"),
    ("hubert", {"conv_pos_batch_norm": True}, "missing"),
    ("wav2vec2-weighed", {"do_stable_layer_norm": True}, "use_weighted_layer_sum"),
    ("wav2vec2-classify", {"use_weighted_layer_sum": True}, "layer_weights"),
    ("wavlm", {"num_buckets": 3}, "num_buckets"),
    ("wavlm", {"max_bucket_distance": 80}, "max_bucket_distance"),
    ("wavlm", {"num_buckets": 160}, "misshapen"),
]


@pytest.mark.parametrize(("name", "changes", "word"), REFUSED)
def test_refusals_name_what_is_wrong(
    name: str, changes: dict[str, Any], word: str, made: Any, tmp_path: Path
) -> None:
    shutil.copytree(made(name)[0], tmp_path, dirs_exist_ok=True)
    edit_config(tmp_path, **changes)
    with pytest.raises(SatchelError, match=word) as raised:
        build(tmp_path)
    assert isinstance(raised.value, CheckpointError | UnsupportedError)
    assert "\n" not in str(raised.value)
