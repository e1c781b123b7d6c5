"""Checkpoints as each class of transformers saves them are read as its Auto classes read them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from torch import Tensor

from satchel import models
from satchel.checkpoints.folder import load_folder
from satchel.models.architectures import of_family
from satchel.models.seq2seq import Context
from satchel.runtime.errors import CheckpointError, SatchelError, UnsupportedError
from tests.tiny import INSIDE, VOCAB, edit_config, reader, save_checkpoint
from tests.tiny_encoders import HEADS, WITHOUT, save_encoder
from tests.tiny_seq2seq import save_seq2seq
from tests.tiny_speech import save_speech

IDS = torch.randint(4, VOCAB - 70, (2, 9), generator=torch.Generator().manual_seed(1))
FILE = "model.safetensors"
ROPE = {"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 1.0}
WIDE_HEADS = (  # in transformers too wide for tiny models, or too narrow for rotating in part
    *("ernie4_5", "gemma", "gemma2", "gemma3", "gemma3_text", "glm", "glm4", "hunyuan_v1_dense"),
    *("ministral3", "mistral3", "nemotron"),
)
DECODERS: dict[str, dict[str, Any]] = {
    **{model_type: {} for model_type in of_family("decoder")},
    **{model_type: {"head_dim": 32} for model_type in WIDE_HEADS},
    "helium": {"head_dim": 16},
    "ministral": {"head_dim": 16},
    "gpt2": {"num_key_value_heads": 4},
    "gpt_neox": {"num_key_value_heads": 4, "rope_parameters": ROPE},
    "phi": {"partial_rotary_factor": 1.0},
    "stablelm": {"partial_rotary_factor": 1.0},
    "gptj": {"rotary_dim": 16},
    "codegen": {"rotary_dim": 16},
    "gpt_neo": {"attention_types": [[["global", "local"], 1]]},
    "mpt": {"max_seq_len": 256},
}
BIASED = ("phi", "gptj", "codegen")  # whose head adds a bias, which no base class has
BASED = [
    name
    for name in of_family("encoder-decoder", "text")
    if name not in ("t5", "mt5", "umt5", "longt5", "encoder-decoder")
]
WORD_HEADS = {  # model_type -> the last layer of the masked-word head, the other name of its bias
    "bert": ("cls.predictions.decoder", "cls.predictions.bias"),
    "roberta": ("lm_head.decoder", "lm_head.bias"),
    "xlm-roberta": ("lm_head.decoder", "lm_head.bias"),
    "mpnet": ("lm_head.decoder", "lm_head.bias"),
    "albert": ("predictions.decoder", "predictions.bias"),
    "deberta": ("cls.predictions.decoder", "cls.predictions.bias"),
    "deberta-v2": ("cls.predictions.decoder", "cls.predictions.bias"),
    "distilbert": ("vocab_projector", None),
    "electra": ("generator_lm_head", None),
    "modernbert": ("decoder", None),
    "camembert": ("lm_head.decoder", "lm_head.bias"),
    "xlm-roberta-xl": ("lm_head.decoder", "lm_head.bias"),
    "nomic_bert": ("cls.predictions.decoder", "cls.predictions.bias"),
    "gte": ("lm_head.decoder", None),
    "jina_embeddings_v3": ("lm_head.decoder", "lm_head.bias"),
    "roformer": ("cls.predictions.decoder", "cls.predictions.bias"),
    "convbert": ("generator_lm_head", None),
    "longformer": ("lm_head.decoder", "lm_head.bias"),
}
UNSET = {
    "longformer"
}  # transformers 5.24 leaves a bias that the file lacks as memory happens to be


def rewritten(folder: Path, change: Callable[[dict[str, Tensor]], dict[str, Tensor]]) -> None:
    """Change the tensors of a checkpoint."""
    tensors = change(load_file(folder / FILE))
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / FILE)


def close(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4 * expected.abs().max().item())


def decodes_alike(folder: Path) -> None:
    kind = reader(json.loads((folder / "config.json").read_text())["model_type"])
    theirs = kind.from_pretrained(folder, dtype=torch.float32).eval()
    ours, _ = models.build(load_folder(folder))
    with torch.inference_mode():
        close(ours(IDS), theirs(IDS).logits)


def translates_alike(folder: Path) -> None:
    kind = transformers.AutoModelForSeq2SeqLM
    theirs = kind.from_pretrained(folder, dtype=torch.float32).eval()
    ours, _ = models.build_seq2seq(load_folder(folder))
    lengths = torch.full((2,), IDS.shape[1], dtype=torch.int32)
    with torch.inference_mode():
        found = ours(IDS, Context(cross=ours.read(IDS, lengths), lengths=lengths))
        close(found, theirs(input_ids=IDS, decoder_input_ids=IDS).logits)


@pytest.mark.parametrize("model_type", DECODERS)
def test_decoders_of_the_base_class(model_type: str, tmp_path: Path) -> None:
    for tied in (True, False):
        folder = tmp_path / str(tied)
        overrides = DECODERS[model_type] | {"tie_word_embeddings": tied}
        base = save_checkpoint(folder, model_type, **overrides).base_model
        base.save_pretrained(folder)
        if tied and model_type not in BIASED:
            decodes_alike(folder)
        else:
            with pytest.raises(CheckpointError, match=f"{type(base).__name__}' has no head"):
                models.build(load_folder(folder))


@pytest.mark.parametrize("layout", ["model.language_model.", "language_model.model."])
@pytest.mark.parametrize("model_type", INSIDE)
def test_language_models_beside_images_in_either_layout(
    model_type: str, layout: str, tmp_path: Path
) -> None:
    theirs = save_checkpoint(tmp_path, model_type, tie_word_embeddings=False, head_dim=32)
    old, head = "language_model.model.", "language_model.lm_head."
    published = layout == old
    rewritten(
        tmp_path,
        lambda tensors: {
            name.replace(old, layout).replace(head, head if published else "lm_head."): tensor
            for name, tensor in tensors.items()
        },
    )
    decodes_alike(tmp_path)
    ours, _ = models.build(load_folder(tmp_path))
    assert "reads images is left out" in ours.notes[0]
    assert sum(p.numel() for p in ours.parameters()) < sum(p.numel() for p in theirs.parameters())


def test_a_language_model_beside_images_of_another_kind_is_refused(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, "mistral3", head_dim=32)
    for text, words in (
        ({"model_type": "llama"}, "'llama'; known here: mistral"),
        (7, "text_config"),
    ):
        edit_config(tmp_path, text_config=text)
        with pytest.raises(SatchelError, match=words):
            models.build(load_folder(tmp_path))


@pytest.mark.parametrize("model_type", ["llama", "gpt2", "gpt_neox"])
@pytest.mark.parametrize("wrap", ["module.", "_orig_mod.", "module._orig_mod."])
def test_names_that_training_wrapped(model_type: str, wrap: str, tmp_path: Path) -> None:
    save_checkpoint(tmp_path, model_type, **DECODERS[model_type])
    plain, _ = models.build(load_folder(tmp_path))
    rewritten(tmp_path, lambda tensors: {wrap + name: tensors[name] for name in tensors})
    found, _ = models.build(load_folder(tmp_path))
    assert torch.equal(found(IDS), plain(IDS))


@pytest.mark.parametrize("model_type", ["llama", "gpt2"])
def test_a_tied_table_under_the_name_of_the_head_alone(model_type: str, tmp_path: Path) -> None:
    save_checkpoint(tmp_path, model_type, tie_word_embeddings=True, **DECODERS[model_type])
    table = "transformer.wte.weight" if model_type == "gpt2" else "model.embed_tokens.weight"
    rewritten(tmp_path, lambda t: {"lm_head.weight" if n == table else n: t[n] for n in t})
    decodes_alike(tmp_path)


@pytest.mark.parametrize(
    ("model_type", "prefix", "buffers"),
    [
        ("gptj", "transformer.", ("h.0.attn.bias", "h.0.attn.masked_bias")),
        ("codegen", "transformer.", ("h.0.attn.causal_mask", "h.1.attn.causal_mask")),
        ("gpt_neo", "transformer.", ("h.0.attn.attention.bias", "h.0.attn.attention.masked_bias")),
        ("gpt_bigcode", "transformer.", ("h.0.attn.bias",)),
        ("falcon", "transformer.", ("h.0.self_attention.rotary_emb.inv_freq",)),
        ("stablelm", "model.", ("layers.0.self_attn.rotary_emb.inv_freq",)),
        ("bloom", "transformer.", ()),
        ("opt", "model.", ()),
        ("mpt", "transformer.", ()),
    ],
)
def test_names_of_older_files(
    model_type: str, prefix: str, buffers: tuple[str, ...], tmp_path: Path
) -> None:
    """Without the prefix before the base class, with buffers, and with a head that repeats the table."""
    save_checkpoint(tmp_path, model_type, **DECODERS[model_type])
    plain, _ = models.build(load_folder(tmp_path))
    held = load_file(tmp_path / FILE)
    table = next(
        name
        for name in held
        if name.endswith(("wte.weight", "embed_tokens.weight", "word_embeddings.weight"))
    )
    rewritten(
        tmp_path,
        lambda t: (
            {n.removeprefix(prefix): t[n] for n in t}
            | {"lm_head.weight": t.get("lm_head.weight", t[table]).clone()}
            | {n: torch.ones(1) for n in buffers}
        ),
    )
    found, _ = models.build(load_folder(tmp_path))
    assert torch.equal(found(IDS), plain(IDS)) and not found.notes


def test_a_second_head_of_gpt2_is_left_out(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, "gpt2", **DECODERS["gpt2"])
    config = transformers.AutoConfig.from_pretrained(tmp_path, num_labels=1)
    transformers.GPT2DoubleHeadsModel(config).save_pretrained(tmp_path)
    decodes_alike(tmp_path)


@pytest.mark.parametrize(
    "kind",
    ["LlamaForSequenceClassification", "LlamaForTokenClassification", "LlamaForQuestionAnswering"],
)
def test_decoders_with_another_head_are_refused_by_class(kind: str, tmp_path: Path) -> None:
    save_checkpoint(tmp_path, "llama")
    config = transformers.AutoConfig.from_pretrained(tmp_path)
    getattr(transformers, kind)(config).save_pretrained(tmp_path)
    with pytest.raises(UnsupportedError, match=f"'{kind}' does not generate"):
        models.build(load_folder(tmp_path))


def test_sentence_models_around_a_decoder_are_refused(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, "qwen3", tie_word_embeddings=True).base_model.save_pretrained(
        tmp_path
    )
    kinds = {"models.Transformer": "", "models.Pooling": "1_Pooling"}
    entries = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.{kind}"}
        for i, (kind, path) in enumerate(kinds.items())
    ]
    (tmp_path / "modules.json").write_text(json.dumps(entries))
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "1_Pooling" / "config.json").write_text('{"pooling_mode": "lasttoken"}')
    with pytest.raises(UnsupportedError, match="around 'qwen3'; satchel embeds with bert"):
        models.build(load_folder(tmp_path))


@pytest.mark.parametrize(
    ("model_type", "task"),
    [(name, task) for name in WORD_HEADS for task in HEADS if task not in WITHOUT.get(name, ())],
)
def test_encoders_of_the_base_class(model_type: str, task: str, tmp_path: Path) -> None:
    save_encoder(tmp_path, model_type, task).base_model.save_pretrained(tmp_path)
    theirs = transformers.AutoModel.from_pretrained(tmp_path, dtype=torch.float32).eval()
    ours = models.build_encoder(load_folder(tmp_path))
    assert ours.task == "embed"
    with torch.inference_mode():
        close(ours.towers["encoder"](IDS)[0], theirs(IDS).last_hidden_state)
    if task != "embed":
        with pytest.raises(UnsupportedError, match=f"has no head for {task}: it lacks"):
            models.build_encoder(load_folder(tmp_path), task)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("model_type", WORD_HEADS)
def test_biases_of_masked_word_heads(model_type: str, tied: bool, tmp_path: Path) -> None:
    """A tied head reads its bias under either name, an untied one under its own; else it has none."""
    save_encoder(tmp_path, model_type, "fill-mask", tie_word_embeddings=tied)
    whole = load_file(tmp_path / FILE)
    out, other = WORD_HEADS[model_type]
    names = [f"{out}.bias", *([other] if other else [])]
    table = next(
        n for n in whole if n.endswith(("word_embeddings.weight", "tok_embeddings.weight"))
    )
    rest = {name: tensor for name, tensor in whole.items() if name not in names}
    rest.setdefault(f"{out}.weight", whole[table].clone())  # which older files repeat
    lacking: list[list[str]] = [] if model_type in UNSET else [[]]
    for held in (*lacking, *[[name] for name in names], names):
        biases = {name: torch.arange(VOCAB) / 50 + i for i, name in enumerate(held)}
        save_file(rest | biases, tmp_path / FILE)
        kind = transformers.AutoModelForMaskedLM
        theirs = kind.from_pretrained(tmp_path, dtype=torch.float32).eval()
        ours = models.build_encoder(load_folder(tmp_path))
        with torch.inference_mode():
            close(ours.towers["encoder"](IDS)[1], theirs(IDS).logits)
        used = set(held) & set(names if tied else names[:1])
        assert any("get no bias" in note for note in ours.notes) == (not used)


@pytest.mark.parametrize("model_type", BASED)
def test_encoder_decoders_of_the_base_class(model_type: str, tmp_path: Path) -> None:
    for tied in (True, False):
        folder = tmp_path / str(tied)
        base = save_seq2seq(folder, model_type, tie_word_embeddings=tied).base_model
        base.save_pretrained(folder)
        if tied:
            translates_alike(folder)
        else:
            with pytest.raises(CheckpointError, match=f"{type(base).__name__}' has no head"):
                models.build_seq2seq(load_folder(folder))


@pytest.mark.parametrize(
    ("model_type", "base"), [("t5", "T5Model"), ("mt5", "MT5Model"), ("umt5", "UMT5Model")]
)
def test_t5_of_the_base_class(model_type: str, base: str, tmp_path: Path) -> None:
    save_seq2seq(tmp_path, model_type)
    getattr(transformers, base).from_pretrained(tmp_path).save_pretrained(tmp_path)
    translates_alike(tmp_path)


def test_whisper_of_the_base_class(tmp_path: Path) -> None:
    theirs = save_speech(tmp_path)
    whole, _ = models.build_seq2seq(load_folder(tmp_path))
    theirs.base_model.save_pretrained(tmp_path)
    base, _ = models.build_seq2seq(load_folder(tmp_path))
    expected = dict(whole.named_parameters())
    for name, parameter in base.named_parameters():
        assert torch.equal(parameter, expected[name])


@pytest.mark.parametrize(
    ("model_type", "kind"),
    [("t5", "T5EncoderModel"), ("bart", "BartForSequenceClassification")],
)
def test_parts_and_other_heads_of_encoder_decoders(
    model_type: str, kind: str, tmp_path: Path
) -> None:
    save_seq2seq(tmp_path, model_type)
    config = transformers.AutoConfig.from_pretrained(tmp_path)
    getattr(transformers, kind)(config).save_pretrained(tmp_path)
    with pytest.raises(UnsupportedError, match=f"'{kind}' does not generate"):
        models.build_seq2seq(load_folder(tmp_path))


@pytest.mark.parametrize("kind", ["CLIPText", "CLIPVision", "SiglipText", "SiglipVision"])
def test_one_tower_of_two_is_refused_by_name(kind: str, tmp_path: Path) -> None:
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = getattr(transformers, f"{kind}Config")(**sizes, intermediate_size=48)
    getattr(transformers, f"{kind}Model")(config).save_pretrained(tmp_path)
    with pytest.raises(UnsupportedError, match="is one tower of two"):
        models.build_encoder(load_folder(tmp_path))


def test_adapters_and_variants_are_refused_by_name(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, "llama")
    (tmp_path / FILE).rename(tmp_path / "model.fp16.safetensors")
    with pytest.raises(UnsupportedError, match=r"rename it to model\.safetensors"):
        load_folder(tmp_path)
    (tmp_path / "model.fp16.safetensors").rename(tmp_path / "adapter_model.safetensors")
    (tmp_path / "config.json").unlink()
    with pytest.raises(UnsupportedError, match="an adapter"):
        load_folder(tmp_path)


def test_weights_beside_older_pickles(tmp_path: Path) -> None:
    theirs = save_checkpoint(tmp_path, "llama", torch.bfloat16)
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x02")
    decodes_alike(tmp_path)
    (tmp_path / FILE).unlink()
    with pytest.raises(UnsupportedError, match="save_pretrained"):
        load_folder(tmp_path)
    theirs.save_pretrained(tmp_path)
    rewritten(
        tmp_path, lambda t: {n: t[n].to(torch.float64 if "mlp" in n else t[n].dtype) for n in t}
    )
    edit_config(tmp_path, dtype="float32")
    decodes_alike(tmp_path)


def test_an_index_of_one_shard(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, "llama")
    shard = "model-00001-of-00001.safetensors"
    names = list(load_file(tmp_path / FILE))
    (tmp_path / FILE).rename(tmp_path / shard)
    index = {"metadata": {"total_size": 1}, "weight_map": dict.fromkeys(names, shard)}
    (tmp_path / f"{FILE}.index.json").write_text(json.dumps(index))
    decodes_alike(tmp_path)
