"""Decoders read as encoders: transformers' states and scores, vectors and ranks of folders."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from tokenizers import processors

import satchel
from satchel import models
from satchel.checkpoints.folder import load_folder
from satchel.measure.verification import verify
from satchel.quantize.profiles import NAMES
from satchel.runtime.errors import SatchelError, UnsupportedError, UsageError
from satchel.runtime.text_messages import TextMessages
from tests.test_encoders import traced_operators
from tests.tiny import SIZES, byte_tokenizer, edit_config

END, PAD = "<|endoftext|>", 256
CAUSAL, BASE = transformers.AutoModelForCausalLM, transformers.AutoModel
HEADS = {
    "embed": BASE,
    "classify": transformers.AutoModelForSequenceClassification,
    "tokens": transformers.AutoModelForTokenClassification,
}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("llama", {}),
    "qwen2-window": (
        "qwen2",
        {"use_sliding_window": True, "sliding_window": 9, "max_window_layers": 1},
    ),
    "qwen3": ("qwen3", {"head_dim": 16}),
    "mistral": ("mistral", {"sliding_window": 9}),
    "gemma2": ("gemma2", {"head_dim": 16, "sliding_window": 9}),
    "gpt2": ("gpt2", {}),
    "gpt_neox": ("gpt_neox", {"rotary_pct": 1.0}),
}
BOTH_WAYS: dict[str, Any] = {
    "head_dim": 16,
    "sliding_window": 9,
    "use_bidirectional_attention": True,
    "layer_types": ["sliding_attention", "full_attention"],
}
TEXTS = ["The fox runs.", "It is on!", "the cat sees the dog", "x", "a much longer text " * 20]
PAIRS = [("the fox", "a dog"), ("<|im_end|> hi", " spaced "), ("x", "a long document " * 20)]
TEMPLATE = """<|im_start|>system
Judge it.<|im_end|>
<|im_start|>user
{% set told = messages | selectattr("role", "eq", "system") | map(attribute="content") | first -%}
<Instruct>: {{ told if told else "Given a query" }}
<Query>: {{ messages | selectattr("role", "eq", "query") | map(attribute="content") | first }}
<Document>: {{ messages | selectattr("role", "eq", "document") | map(attribute="content") | first }}
<|im_end|>
<|im_start|>assistant
"""
CHATML = "{% for m in messages %}[{{ m.role }}]{{ m.content | trim }}!{% endfor %}"


def save(folder: Path, model_type: str, kind: Any, ends: bool = False, **options: Any) -> None:
    """A random checkpoint; texts get a last token where `ends` says so, as Qwen3-Embedding's do."""
    torch.manual_seed(0)
    template, length = options.pop("template", None), options.pop("length", 200)
    settings = SIZES | {"pad_token_id": PAD} | options
    model = kind.from_config(transformers.AutoConfig.for_model(model_type, **settings))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += torch.randn_like(parameter) * 0.2
    model.save_pretrained(folder)
    tokenizer = byte_tokenizer()
    tokenizer.add_special_tokens([END, "<|im_start|>", "<|im_end|>"])
    tokenizer.add_tokens(["yes", "no"])
    if ends:
        end = {"special_tokens": [(END, PAD)]}
        tokenizer.post_processor = processors.TemplateProcessing(single=f"$A {END}", **end)
    made = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=END, padding_side="left", model_max_length=length
    )
    made.chat_template = template
    made.save_pretrained(folder)


def assert_tower_equals(folder: Path, kind: Any, task: str | None) -> None:
    theirs = kind.from_pretrained(folder, dtype=torch.float32).eval()
    tower = models.build_encoder(load_folder(folder), task).towers["encoder"]
    for length in (1, 2, 40):
        ids = torch.randint(0, 250, (3, length))
        ids[1, -2:], ids[2, length // 2] = PAD, PAD
        with torch.inference_mode():
            ours, base = tower(ids), getattr(theirs, theirs.base_model_prefix, theirs)
            states = base(ids).last_hidden_state
            expected = [states] if task else [states, theirs(ids).logits]
        for found, wanted in zip(ours, expected, strict=False):
            assert found.shape == wanted.shape and wanted.std() > 0.01
            np.testing.assert_allclose(found, wanted, atol=1e-4 * float(wanted.abs().max()))


@pytest.mark.parametrize("task", HEADS)
@pytest.mark.parametrize("name", CASES)
def test_tower_equals_transformers(name: str, task: str, tmp_path: Path) -> None:
    """Also where padding, of which files name the id, stands in a text: scores are those before it."""
    model_type, options = CASES[name]
    save(tmp_path, model_type, HEADS[task], num_labels=3, **options)
    assert_tower_equals(tmp_path, HEADS[task], task if task == "embed" else None)


@pytest.mark.parametrize("window", [2, 9, 10, 64])
def test_attention_both_ways(window: int, tmp_path: Path) -> None:
    save(tmp_path, "gemma3_text", BASE, **BOTH_WAYS | {"sliding_window": window})
    assert_tower_equals(tmp_path, BASE, "embed")
    with pytest.raises(UnsupportedError, match="both ways"):
        models.build(load_folder(tmp_path))


def test_graphs_have_no_cache(tmp_path: Path) -> None:
    save(tmp_path / "a", "qwen3", BASE, head_dim=16)
    save(tmp_path / "b", "gemma3_text", BASE, **BOTH_WAYS)
    for folder, fused in (("a", "GroupQueryAttention"), ("b", "MultiHeadAttention")):
        tower = models.build_encoder(load_folder(tmp_path / folder), "embed").towers["encoder"]
        assert tower.input_names == ("input_ids",)
        assert traced_operators(tower)[fused] == 2


def test_what_a_decoder_is_read_as(tmp_path: Path) -> None:
    save(tmp_path / "writes", "llama", CAUSAL)
    save(tmp_path / "labels", "llama", HEADS["classify"], num_labels=2)
    made = satchel.pack(tmp_path / "writes", tmp_path / "a", profile="fp32")
    assert made.manifest.task == "generate"
    with pytest.raises(UnsupportedError, match="no head for fill-mask"):
        satchel.pack(tmp_path / "writes", tmp_path / "b", task="fill-mask")
    with pytest.raises(UnsupportedError, match="was made for classify"):
        satchel.pack(tmp_path / "labels", tmp_path / "b", task="tokens")
    with pytest.raises(UsageError, match="does not fit a decoder"):
        satchel.pack(tmp_path / "writes", tmp_path / "b", task="translate")


def test_positions_are_as_many_as_asked(tmp_path: Path) -> None:
    save(tmp_path, "llama", BASE, max_position_embeddings=1 << 17)
    source = load_folder(tmp_path)
    assert models.build_encoder(source, "embed").context == 32768
    assert models.build_encoder(source, "embed", context=64).context == 64


library = pytest.importorskip("sentence_transformers")
parts = pytest.importorskip("sentence_transformers.sentence_transformer.modules")
logits = pytest.importorskip("sentence_transformers.cross_encoder.modules")


def save_embedder(folder: Path, model_type: str, chain: list[Any], **options: Any) -> Any:
    save(folder / "bare", model_type, CAUSAL, **options)
    prompts = {"query": "Instruct: find\nQuery:", "document": ""}
    whole = [parts.Transformer(str(folder / "bare")), *chain]
    made = library.SentenceTransformer(modules=whole, device="cpu", prompts=prompts)
    made.save(str(folder / "made"))
    return library.SentenceTransformer(str(folder / "made"), device="cpu")


def dense(inputs: int, outputs: int) -> Any:
    return parts.Dense(inputs, outputs, bias=False, activation_function=torch.nn.Identity())


EMBEDDERS: dict[str, Any] = {
    "last token": lambda folder: save_embedder(
        folder, "qwen3", [parts.Pooling(64, "lasttoken"), parts.Normalize()], ends=True, head_dim=16
    ),
    "both ways": lambda folder: save_embedder(
        folder,
        "gemma3_text",
        [parts.Pooling(64, "mean"), dense(64, 96), dense(96, 64), parts.Normalize()],
        **BOTH_WAYS,
    ),
    "messages": lambda folder: save_embedder(
        folder, "llama", [parts.Pooling(64, "lasttoken")], template=CHATML
    ),
}


@pytest.mark.parametrize("name", EMBEDDERS)
def test_vectors_of_a_folder(name: str, tmp_path: Path) -> None:
    """With prompts, cut, alone as among others, and shortened as the library shortens them."""
    theirs = EMBEDDERS[name](tmp_path)
    satchel.pack(tmp_path / "made", tmp_path / "out", profile="fp32")
    model: Any = satchel.load(tmp_path / "out", threads=1)
    for prompt in (None, "query", "document"):
        expected = theirs.encode(TEXTS, prompt_name=prompt)
        with pytest.warns(UserWarning, match="is cut"):
            found = model.embed(TEXTS, prompt=prompt)
            alone = [model.embed(text, prompt=prompt)[0] for text in TEXTS]
        np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())
        assert (found == np.stack(alone)).all()
    unit = bool(model.manifest.text.normalized)
    expected = theirs.encode(TEXTS[:4], truncate_dim=16, normalize_embeddings=unit)
    found = model.embed(TEXTS[:4], dims=16)
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())
    for dims in (0, 65, True, "8"):
        with pytest.raises(UsageError, match="dims"):
            model.embed("x", dims=dims)
    if name == "messages":
        with pytest.raises(UsageError, match="no window"):
            model.embed("x", window=4)


def save_ranker(folder: Path, kind: Any, chain: list[Any] | None, **options: Any) -> Any:
    save(folder / "bare", "qwen3", kind, head_dim=16, **options)
    task = {"transformer_task": "text-generation"}
    given: dict[str, Any] = {"model_name_or_path": str(folder / "bare")}
    if chain is not None:
        given = {"modules": [logits.Transformer(str(folder / "bare"), **task), *chain]}
    made = library.CrossEncoder(
        **given, device="cpu", prompts={"found": "Find it", "none": ""}, default_prompt_name="found"
    )
    made.save(str(folder / "made"))
    return library.CrossEncoder(str(folder / "made"), device="cpu")


RANKERS: dict[str, Any] = {
    "logits": lambda folder: save_ranker(
        folder, CAUSAL, [logits.LogitScore(33, 40)], template=TEMPLATE
    ),
    "one logit, tied": lambda folder: save_ranker(
        folder, CAUSAL, [logits.LogitScore(33)], tie_word_embeddings=True
    ),
    "head": lambda folder: save_ranker(
        folder, HEADS["classify"], None, num_labels=1, template=TEMPLATE
    ),
}


@pytest.mark.parametrize("name", RANKERS)
def test_ranks_of_a_folder(name: str, tmp_path: Path) -> None:
    """What a template writes behind the texts stays where those are cut."""
    theirs = RANKERS[name](tmp_path)
    satchel.pack(tmp_path / "made", tmp_path / "out", profile="fp32")
    model: Any = satchel.load(tmp_path / "out", threads=1)
    assert (model.manifest.chat is None) == (name == "one logit, tied")
    for prompt in (None, "found", "none"):
        expected = theirs.predict(PAIRS, prompt_name=prompt)
        assert len(set(expected.tolist())) == len(PAIRS)
        with pytest.warns(UserWarning, match="is cut"):
            found = [one.score for one in model.classify(PAIRS, prompt=prompt)]
            alone = [model.classify(pair, prompt=prompt).score for pair in PAIRS]
        np.testing.assert_allclose(found, expected, atol=2e-5)
        assert found == alone
    ranked = theirs.rank("the fox", TEXTS[:4])
    assert [one.index for one in model.rank("the fox", TEXTS[:4])] == [
        one["corpus_id"] for one in ranked
    ]
    if model.manifest.chat is not None:
        with pytest.raises(UsageError, match="a pair of texts"):
            model.classify("alone")
    assert all(row.passed for row in verify(model))


def test_a_decoder_without_modules_ranks_by_yes_over_no(tmp_path: Path) -> None:
    save(tmp_path / "made", "qwen3", CAUSAL, head_dim=16, template=TEMPLATE)
    theirs = library.CrossEncoder(str(tmp_path / "made"), device="cpu")
    made = satchel.pack(tmp_path / "made", tmp_path / "out", profile="fp32", task="classify")
    assert any("yes over no" in note for note in made.notes)
    model: Any = satchel.load(tmp_path / "out", threads=1)
    found = [one.score for one in model.classify(PAIRS[:2])]
    np.testing.assert_allclose(found, theirs.predict(PAIRS[:2]), atol=2e-5)


def _edited(folder: Path, file: str, **changes: Any) -> None:
    path = folder / "made" / file
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


REFUSED: dict[str, tuple[Any, str]] = {
    "roles": (
        lambda folder: (folder / "made" / "chat_template.jinja").write_text(
            "{{ messages[0].role }}"
        ),
        "cannot stand around texts",
    ),
    "changed": (
        lambda folder: (folder / "made" / "chat_template.jinja").write_text(
            "{{ messages[-2].content | upper }} {{ messages[-1].content }}"
        ),
        "cannot stand around texts",
    ),
    "no template": (
        lambda folder: (folder / "made" / "chat_template.jinja").unlink(),
        "no chat template",
    ),
    "argument": (
        lambda folder: _edited(
            folder,
            "sentence_bert_config.json",
            processing_kwargs={"chat_template": {"enable_thinking": False}},
        ),
        "enable_thinking",
    ),
    "id": (lambda folder: _edited(folder, "1_LogitScore/config.json", true_token_id=-1), "no id"),
    "beyond": (
        lambda folder: _edited(folder, "1_LogitScore/config.json", true_token_id=999),
        "999",
    ),
}


@pytest.fixture(scope="module")
def ranker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ranker")
    RANKERS["logits"](folder)
    return folder / "made"


@pytest.mark.parametrize("name", REFUSED)
def test_refused_by_name(name: str, ranker: Path, tmp_path: Path) -> None:
    import shutil

    change, words = REFUSED[name]
    shutil.copytree(ranker, tmp_path / "made")
    change(tmp_path)
    with pytest.raises(SatchelError, match=words):
        satchel.pack(tmp_path / "made", tmp_path / "out", profile="fp32")


def test_capped_logits_are_refused(ranker: Path, tmp_path: Path) -> None:
    save(tmp_path / "made", "gemma2", CAUSAL, head_dim=16, template=TEMPLATE)
    edit_config(tmp_path / "made", final_logit_softcapping=30.0)
    with pytest.raises(UnsupportedError, match="changed behind the head"):
        satchel.pack(tmp_path / "made", tmp_path / "out", task="classify")


@pytest.mark.parametrize(
    "value",
    [
        {"kind": "joints"},
        {"kind": "texts", "pieces": {"": ["a", "b"]}, "trim": False},
        {"kind": "texts", "pieces": {"": ["a", "b"], "other": ["c", "d"]}, "trim": False},
        {"kind": "texts", "pieces": {"": ["a", "b"], "query": ["c"]}, "trim": False},
        {"kind": "texts", "pieces": {"": ["a", 1], "query": ["c", "d"]}, "trim": False},
        {"kind": "texts", "pieces": {"": ["a", "b"], "query": ["c", "d"]}, "trim": 1},
    ],
)
def test_pieces_that_do_not_fit(value: Any) -> None:
    with pytest.raises(SatchelError, match="not one of texts"):
        TextMessages.from_dict(value, {"query": "x", "document": ""}, 1)


@pytest.mark.parametrize("kind", ["qwen3", "both ways"])
@pytest.mark.parametrize(
    "profile",
    [pytest.param(name, marks=() if name == "int8" else pytest.mark.slow) for name in NAMES],
)
def test_every_profile(kind: str, profile: str, tmp_path: Path) -> None:
    options = {"head_dim": 16} if kind == "qwen3" else BOTH_WAYS
    save(tmp_path / "a", "qwen3" if kind == "qwen3" else "gemma3_text", BASE, **options)
    made = satchel.pack(tmp_path / "a", tmp_path / "out", profile=profile, task="embed", force=True)
    assert all(check.passed or "cosine" in check.name for check in made.checks), made.checks
    model: Any = satchel.load(tmp_path / "out", threads=1)
    found = model.embed(TEXTS[:4])
    assert (found == np.stack([model.embed(text)[0] for text in TEXTS[:4]])).all()
    assert all(row.passed for row in verify(model))
    if kind == "qwen3" and profile != "fp32":
        assert made.manifest.quantization["rotated"]
