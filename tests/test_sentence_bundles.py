"""Bundles of sentence-transformers folders give the library's own vectors, whatever the modules."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import satchel
from satchel.checkpoints.folder import load_folder
from satchel.checkpoints.sentence_steps import ACTIVATIONS
from satchel.checkpoints.sentence_texts import TRANSFORMER_KEYS
from satchel.runtime.errors import LimitError, SatchelError, UnsupportedError
from tests.tiny_encoders import save_encoder, wordpiece_tokenizer

library = pytest.importorskip("sentence_transformers")
parts = pytest.importorskip("sentence_transformers.sentence_transformer.modules")
sparse = pytest.importorskip("sentence_transformers.sparse_encoder.modules")
multi = pytest.importorskip("sentence_transformers.multi_vector_encoder.modules")

TEXTS = ["The fox runs.", "It is on!", "the cat sees the dog, and to the fox it is a dog", "x"]
LONG = "the fox sees the dog and the cat runs to it " * 30
TOKENS, VECTOR = "token_embeddings", "sentence_embedding"


def weighted_norm() -> Any:
    norm = parts.LayerNorm(64)
    with torch.no_grad():
        norm.norm.weight += torch.randn(64)
        norm.norm.bias += torch.randn(64)
    return norm


def dense(inputs: int, outputs: int, act: nn.Module, **options: Any) -> Any:
    return parts.Dense(inputs, outputs, activation_function=act, **options)


def mean() -> Any:
    return parts.Pooling(64, "mean")


CHAINS: dict[str, Any] = {
    "dropout": lambda: [mean(), parts.Dropout(0.5), parts.Normalize()],
    "layer norm": lambda: [mean(), weighted_norm()],
    "unit before dense": lambda: [mean(), parts.Normalize(), dense(64, 8, nn.Tanh())],
    "unit twice": lambda: [mean(), parts.Normalize(), dense(64, 8, nn.ReLU()), parts.Normalize()],
    "residual": lambda: [mean(), dense(64, 64, nn.GELU(), use_residual=True)],
    "projected residual": lambda: [mean(), dense(64, 24, nn.Mish(), use_residual=True)],
    "no bias": lambda: [mean(), dense(64, 24, nn.Identity(), bias=False)],
    "dense of tokens": lambda: [
        dense(64, 24, nn.ELU(), module_input_name=TOKENS),
        parts.Pooling(24),
    ],
    "unit tokens": lambda: [parts.Normalize(TOKENS), mean()],
    "unit elsewhere": lambda: [mean(), parts.Normalize(VECTOR, "unit")],
    "unit of nothing": lambda: [mean(), parts.Normalize("unknown")],
    "unit from elsewhere": lambda: [
        mean(),
        dense(64, 24, nn.Tanh(), module_output_name="other"),
        parts.Normalize("other", VECTOR),
    ],
    "prompts left out, but none": lambda: [parts.Pooling(64, "mean", include_prompt=False)],
}


def save_chain(folder: Path, chain: list[Any], **options: Any) -> Any:
    """Write a folder with these modules behind a transformer; returns the library's model of it."""
    save_encoder(folder / "bare", "bert", num_hidden_layers=1)
    first = parts.Transformer(str(folder / "bare"))
    made = library.SentenceTransformer(modules=[first, *chain], device="cpu", **options)
    made.save(str(folder / "made"))
    return library.SentenceTransformer(str(folder / "made"), device="cpu")


def packed(folder: Path, profile: str = "fp32", **options: Any) -> Any:
    satchel.pack(folder / "made", folder / "bundle", profile=profile, **options)
    return satchel.load(folder / "bundle")


def edit(path: Path, **changes: Any) -> None:
    content = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: value for key, value in content.items() if value is not ...}))


def assert_close(found: np.ndarray, expected: np.ndarray) -> None:
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=2e-5 * max(1, np.abs(expected).max()))


@pytest.mark.parametrize("name", CHAINS)
def test_modules_in_any_order(name: str, tmp_path: Path) -> None:
    torch.manual_seed(1)
    theirs = save_chain(tmp_path, CHAINS[name]())
    assert_close(packed(tmp_path).embed(TEXTS), theirs.encode(TEXTS))


@pytest.mark.parametrize("act", sorted(ACTIVATIONS))
def test_activations_of_dense_layers(act: str, tmp_path: Path) -> None:
    theirs = save_chain(tmp_path, [mean(), dense(64, 24, getattr(nn, act)())])
    assert_close(packed(tmp_path).embed(TEXTS), theirs.encode(TEXTS))


@pytest.mark.parametrize("kept", [10, 64, 100])
def test_vectors_cut_short(kept: int, tmp_path: Path) -> None:
    theirs = save_chain(tmp_path, [mean(), parts.Normalize()], truncate_dim=kept)
    model = packed(tmp_path)
    assert_close(model.embed(TEXTS), theirs.encode(TEXTS))
    assert model.manifest.text.normalized == (kept >= 64)


LENGTHS: dict[
    str, dict[str, Any]
] = {  # changes of sentence_bert_config.json and tokenizer_config.json
    "old key": {"max_seq_length": 20},
    "old key above the tokenizer's": {"max_seq_length": 40, "model_max_length": 20},
    "tokenizer alone": {"model_max_length": 20},
    "tokenizer without limit": {"model_max_length": int(1e18)},
    "tokenizer silent": {"model_max_length": ...},
    "argument of the loader": {
        "processor_kwargs": {"model_max_length": 30, "padding_side": "left"},
        "model_kwargs": {"add_pooling_layer": False},
        "max_seq_length": 20,
    },
    "older argument": {"tokenizer_args": {"model_max_length": 30}},
    "argument of the call": {
        "processing_kwargs": {"text": {"max_length": 12}},
        "max_seq_length": 20,
    },
    "common argument": {
        "processing_kwargs": {"text": {"max_length": 12}, "common": {"max_length": 15}}
    },
}


@pytest.mark.parametrize("truncation", [False, True])
@pytest.mark.parametrize("name", LENGTHS)
@pytest.mark.filterwarnings("ignore:a text of more than")
def test_lengths(name: str, truncation: bool, tmp_path: Path) -> None:
    """`truncation`: tokenizer.json keeps another, of no weight to the library either."""
    save_chain(tmp_path, [mean()])
    folder, changes = tmp_path / "made", dict(LENGTHS[name])
    if "model_max_length" in changes:
        edit(folder / "tokenizer_config.json", model_max_length=changes.pop("model_max_length"))
    edit(folder / "sentence_bert_config.json", **changes)
    if truncation:
        cut = {"max_length": 7, "strategy": "LongestFirst", "stride": 0, "direction": "Right"}
        edit(folder / "tokenizer.json", truncation=cut)
    theirs = library.SentenceTransformer(str(folder), device="cpu")
    assert_close(packed(tmp_path).embed([LONG]), theirs.encode([LONG]))


def test_prompts_of_queries_and_documents(tmp_path: Path) -> None:
    prompts = {"query": "to the ", "passage": "of a "}
    theirs = save_chain(tmp_path, [mean()], prompts=prompts, default_prompt_name="passage")
    model = packed(tmp_path)
    assert_close(model.embed(TEXTS), theirs.encode(TEXTS))
    assert_close(model.embed(TEXTS, prompt="query"), theirs.encode_query(TEXTS))
    assert_close(
        model.embed(TEXTS, prompt="document"), theirs.encode(TEXTS, prompt_name="document")
    )
    prepare = model.preparation.refusing()
    bare = prepare.limit - len(prepare.tokenizer.encode("").ids)
    assert [len(ids) for ids in prepare.rows("of " * (bare - 2), "query")] == [prepare.limit]
    with pytest.raises(LimitError, match=f"more than {prepare.limit} tokens"):
        prepare.rows("of " * bare, "query")
    edit(
        tmp_path / "made" / "config_sentence_transformers.json", prompts={}, default_prompt_name=...
    )
    older = packed(tmp_path, overwrite=True)
    assert_close(older.embed(TEXTS, prompt="query"), theirs.encode(TEXTS, prompt=""))


def test_lower_case_leaves_special_tokens(tmp_path: Path) -> None:
    """The tokenizer of the library does it, behind its search for them."""
    save_chain(tmp_path, [mean()])
    edit(tmp_path / "made" / TRANSFORMER, do_lower_case=True)
    tokenizer = json.loads((tmp_path / "made" / "tokenizer.json").read_text())
    tokenizer["normalizer"] = {"type": "NFC"}
    (tmp_path / "made" / "tokenizer.json").write_text(json.dumps(tokenizer))
    theirs = library.SentenceTransformer(str(tmp_path / "made"), device="cpu")
    texts = ["THE Fox", "a [SEP] B", "THE [MASK] fox", "\u039f\u0394\u039f\u03a3 \u0130x", ""]
    assert_close(packed(tmp_path).embed(texts), theirs.encode(texts))


def save_static(folder: Path, *rest: Any) -> Any:
    torch.manual_seed(0)
    tokenizer = wordpiece_tokenizer()
    table = parts.StaticEmbedding(tokenizer, embedding_dim=32)
    library.SentenceTransformer(modules=[table, *rest], device="cpu").save(str(folder / "made"))
    return library.SentenceTransformer(str(folder / "made"), device="cpu")


@pytest.mark.parametrize("unit", [False, True])
def test_table_of_words(unit: bool, tmp_path: Path) -> None:
    theirs = save_static(tmp_path, *([parts.Normalize()] if unit else []))
    assert_close(packed(tmp_path).embed([*TEXTS, LONG]), theirs.encode([*TEXTS, LONG]))


def test_table_of_words_in_int8(tmp_path: Path) -> None:
    theirs = save_static(tmp_path, parts.Normalize())
    found = packed(tmp_path, "int8").embed(TEXTS)
    assert ((found * theirs.encode(TEXTS)).sum(-1) > 0.999).all()


def test_table_in_a_folder_of_its_own(tmp_path: Path) -> None:
    """As older versions wrote it, with the cut that its tokenizer.json keeps."""
    save_static(tmp_path)
    folder = tmp_path / "made"
    (folder / "0_StaticEmbedding").mkdir()
    for name in ("model.safetensors", "tokenizer.json"):
        (folder / name).rename(folder / "0_StaticEmbedding" / name)
    entry = {"idx": 0, "name": "0", "path": "./0_StaticEmbedding/"}
    entry["type"] = "sentence_transformers.models.StaticEmbedding"
    (folder / "modules.json").write_text(json.dumps([entry]))
    cut = {"max_length": 7, "strategy": "LongestFirst", "stride": 0, "direction": "Right"}
    edit(folder / "0_StaticEmbedding" / "tokenizer.json", truncation=cut)
    theirs = library.SentenceTransformer(str(folder), device="cpu")
    with pytest.warns(UserWarning, match="more than 7 tokens"):
        found = packed(tmp_path).embed([*TEXTS, LONG])
    assert_close(found, theirs.encode([*TEXTS, LONG]))


@pytest.mark.parametrize("mapped", [False, True])
def test_table_in_the_layout_of_model2vec(mapped: bool, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_static(tmp_path, parts.Normalize())
    folder = tmp_path / "made"
    rows = wordpiece_tokenizer().get_vocab_size()
    tensors = {"embeddings": torch.randn(20 if mapped else rows, 16)}
    if mapped:
        tensors |= {"mapping": torch.arange(rows) % 20, "weights": torch.rand(rows).double()}
    save_file(tensors, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"model_type": "model2vec", "normalize": True}))
    entries = json.loads((folder / "modules.json").read_text())
    entries[0]["path"] = "."
    (folder / "modules.json").write_text(json.dumps(entries))
    theirs = library.SentenceTransformer(str(folder), device="cpu")
    assert_close(packed(tmp_path).embed(TEXTS), theirs.encode(TEXTS))


@pytest.mark.parametrize("strategy", ["max", "sum"])
@pytest.mark.parametrize("act", ["relu", "log1p_relu"])
@pytest.mark.parametrize("model_type", ["bert", "distilbert"])
def test_splade(strategy: str, act: str, model_type: str, tmp_path: Path) -> None:
    save_encoder(tmp_path / "bare", model_type, "fill-mask", num_hidden_layers=1)
    first = sparse.MLMTransformer(str(tmp_path / "bare"))
    pooling = sparse.SpladePooling(strategy, act)
    kept = 7 if strategy == "max" else None
    made = library.SparseEncoder(modules=[first, pooling], device="cpu", max_active_dims=kept)
    made.save(str(tmp_path / "made"))
    theirs = library.SparseEncoder(str(tmp_path / "made"), device="cpu")
    expected = theirs.encode(TEXTS, convert_to_sparse_tensor=False, convert_to_tensor=True)
    model = packed(tmp_path)
    found = model.embed(TEXTS)
    assert_close(found, expected.to_dense().numpy())
    assert kept is None or ((found > 0).sum(1) == kept).all()
    sparse_rows = theirs.encode(TEXTS, convert_to_sparse_tensor=True).coalesce()
    for row, one in enumerate(model.embed_sparse(TEXTS)):
        places = sparse_rows.indices()[0] == row
        assert one.indices.tolist() == sparse_rows.indices()[1, places].tolist()
        assert_close(one.values, sparse_rows.values()[places].numpy())
    assert not model.manifest.text.normalized
    assert model.manifest.text.similarity == theirs.similarity_fn_name == "dot"


TRANSFORMER, MODEL = "sentence_bert_config.json", "config_sentence_transformers.json"
REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "output": (
        TRANSFORMER,
        {"modality_config": {"text": {"method": "forward", "method_output_name": "pooler_output"}}},
        "pooler_output",
    ),
    "layer": (
        TRANSFORMER,
        {
            "modality_config": {
                "text": {"method": "forward", "method_output_name": ["hidden_states", -2]}
            }
        },
        "hidden_states",
    ),
    "task": (TRANSFORMER, {"transformer_task": "text-generation"}, "modality_config takes"),
    "head": (TRANSFORMER, {"transformer_task": "fill-mask", "modality_config": ...}, "fill-mask"),
    "name": (TRANSFORMER, {"module_output_name": "other"}, "token_embeddings"),
    "query length": (TRANSFORMER, {"query_length": 32}, "query_length"),
    "expansion": (TRANSFORMER, {"query_expansion": {"strategy": "fixed"}}, "query_expansion"),
    "side": (TRANSFORMER, {"processing_kwargs": {"text": {"stride": 3}}}, "stride"),
    "special": (
        TRANSFORMER,
        {"processing_kwargs": {"text": {"add_special_tokens": False}}},
        "add_special_tokens",
    ),
    "argument": (TRANSFORMER, {"processor_kwargs": {"do_lower_case": True}}, "do_lower_case"),
    "unknown": (TRANSFORMER, {"later": 1}, "later"),
    "pooling key": ("1_Pooling/config.json", {"later": 1}, "later"),
    "kind": (MODEL, {"model_type": "MultiVectorEncoder"}, "MultiVectorEncoder"),
    "active": (
        MODEL,
        {"max_active_dims": 4, "model_type": "SparseEncoder"},
        "max_active_dims",
    ),
    "cut": (MODEL, {"truncate_dim": 0}, "truncate_dim"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_by_name(name: str, tmp_path: Path) -> None:
    file, changes, words = REFUSED[name]
    save_chain(tmp_path, [parts.Pooling(64, include_prompt=False)])
    edit(tmp_path / "made" / file, **changes)
    with pytest.raises(SatchelError, match=words):
        packed(tmp_path)
    assert not (tmp_path / "bundle").exists()


@pytest.mark.parametrize("module", ["Router", "Asym", "WeightedLayerPooling", "BoW", "CNN", "LSTM"])
def test_other_modules_are_refused_by_name(module: str, tmp_path: Path) -> None:
    entry = {"idx": 0, "name": "0", "path": "", "type": f"sentence_transformers.models.{module}"}
    (tmp_path / "modules.json").write_text(json.dumps([entry]))
    with pytest.raises(UnsupportedError, match=f"models.{module}' is not supported"):
        load_folder(tmp_path)


def test_the_table_names_every_key_of_the_library() -> None:
    """Each key that a module of the installed library may write stands in the documentation."""
    page = (Path(__file__).parents[1] / "docs" / "checkpoints.md").read_text("utf-8")
    section = page.split("## sentence-transformers and cross-encoders")[1].split("\n## ")[0]
    modules = [getattr(parts, name) for name in ("Pooling", "Dense", "Normalize", "LayerNorm")]
    modules += [parts.Dropout, parts.Transformer, sparse.SpladePooling, multi.MultiVectorMask]
    keys = {key for module in modules for key in module.config_keys}
    keys |= {old for module in modules for old in module.config_key_renames}
    for kind in ("SentenceTransformer", "CrossEncoder", "SparseEncoder", "MultiVectorEncoder"):
        made = getattr(library, kind)(
            modules=[parts.StaticEmbedding(wordpiece_tokenizer(), embedding_dim=4)]
        )
        keys |= made._get_model_config().keys()
    assert [key for key in sorted(keys) if f"`{key}`" not in section] == []
    for name in parts.__all__:
        assert name in section or name in ("InputModule", "Module", "CLIPModel"), name


@pytest.mark.parametrize("names", [parts.Transformer.config_keys])
def test_every_key_of_a_transformer_is_known(names: list[str]) -> None:
    assert set(names) <= TRANSFORMER_KEYS
