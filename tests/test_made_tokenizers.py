"""Checkpoints with a SentencePiece model and no tokenizer.json: ids as transformers gives them."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
import transformers
from tokenizers import Tokenizer

import satchel
from satchel.checkpoints.checkpoint import Checkpoint
from satchel.measure.fidelity import sentences
from satchel.runtime.errors import CheckpointError, SatchelError, UnsupportedError, UsageError
from satchel.tokenization.language_tokens import M2M_100, MBART, MBART_50, translation
from satchel.tokenization.made_tokenizer import made_tokenizer
from satchel.tokenization.tokenizer import bundle_tokenizer
from tests.loading import load_as
from tests.tiny_sentencepiece import FAIRSEQ, T5, pieces, read, trained, write_folder

BPE = {"model_type": "bpe"}
LLAMA = {
    **BPE,
    **FAIRSEQ,
    "byte_fallback": True,
    "normalization_rule_name": "identity",
    "remove_extra_whitespaces": False,
}
GEMMA = LLAMA | {
    "add_dummy_prefix": False,
    "pad_id": 0,
    "eos_id": 1,
    "bos_id": 2,
    "unk_id": 3,
    "eos_piece": "<eos>",
    "bos_piece": "<bos>",
    "user_defined_symbols": ["<start_of_turn>", "\n\n", "\u2581\u2581"],
}
BRACKETS = {"control_symbols": ["[CLS]", "[SEP]", "[MASK]"]}
DEBERTA = {
    "pad_id": 0,
    "bos_id": 1,
    "eos_id": 2,
    "unk_id": 3,
    "pad_piece": "[PAD]",
    "bos_piece": "[CLS]",
    "eos_piece": "[SEP]",
    "unk_piece": "[UNK]",
}
NLLB = ["eng_Latn", "fra_Latn", "zho_Hans"]
SIZE = 2000
TEXTS = [
    *("Hello, world! na\u00efve  caf\u00e9", "  two  spaces", "12.50", "\U0001f392 \u4e16\u754c x"),
    *("", "a\tb\nc", "</s>start", "e\u0301", *sentences(40)),
]


def fairseq_ids(model: bytes, more: list[str]) -> dict[str, int]:
    """The numbers that fairseq gives, and `more` behind them."""
    tokens = ["<s>", "<pad>", "</s>", "<unk>", *pieces(model)[3:], *more]
    return {token: index for index, token in enumerate(tokens)}


def m2m_files() -> dict[str, Any]:
    """A vocab.json that lacks some of the pieces."""
    return {"vocab.json": dict(list(fairseq_ids(trained(**BPE, **FAIRSEQ), []).items())[:650])}


def marian_files() -> dict[str, Any]:
    source, target = trained(**FAIRSEQ, half=0), trained(**FAIRSEQ, half=1)
    both = sorted({*pieces(source)[3:], *pieces(target)[3:]})
    tokens = ["</s>", "<unk>", ">>fr<<", ">>de<<", *both[:-30], "<pad>"]
    return {
        "vocab.json": {token: index for index, token in enumerate(tokens)},
        "target.spm": target,
    }


Case = tuple[str, str, bytes, dict[str, Any]]  # tokenizer, model type, .model, write_folder's rest
CASES: dict[str, Callable[[], Case]] = {
    "t5": lambda: ("T5", "t5", trained(**T5), {}),
    "mt5": lambda: ("T5", "mt5", trained(**T5), {"extra_ids": 0}),
    "pegasus": lambda: ("Pegasus", "pegasus", trained(**T5), {}),
    "xlm_roberta": lambda: ("XLMRoberta", "xlm-roberta", trained(**FAIRSEQ), {}),
    "mbart": lambda: ("MBart", "mbart", trained(**FAIRSEQ), {"src_lang": "de_DE"}),
    "mbart50": lambda: ("MBart50", "mbart", trained(**FAIRSEQ), {}),
    "m2m_100": lambda: ("M2M100", "m2m_100", trained(**BPE, **FAIRSEQ), {"files": m2m_files()}),
    "marian": lambda: ("Marian", "marian", trained(**FAIRSEQ, half=0), {"files": marian_files()}),
    "llama": lambda: (
        "Llama", "llama", trained(**LLAMA),
        {"legacy": False, "add_bos_token": False, "add_eos_token": False},
    ),
    "gemma": lambda: ("Gemma", "gemma", trained(**GEMMA), {"add_bos_token": False}),
    "deberta": lambda: ("DebertaV2", "deberta-v2", trained(**DEBERTA), {}),
    "albert": lambda: (
        "Albert", "albert", trained(pad_id=0, unk_id=1, bos_id=-1, eos_id=-1, **BRACKETS), {}
    ),
}  # fmt: skip


@functools.cache
def _tokenizer(name: str, folder: Path) -> tuple[Checkpoint, Tokenizer]:
    kind, model_type, model, rest = CASES[name]()
    write_folder(folder, kind, model, model_type, SIZE, **rest)
    checkpoint = read(folder)
    return checkpoint, Tokenizer.from_buffer(bundle_tokenizer(checkpoint, SIZE))


@pytest.fixture
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    name = request.getfixturevalue("name")
    return _tokenizer(name, tmp_path_factory.getbasetemp() / f"made-{name}")


@pytest.mark.parametrize("name", CASES)
def test_as_transformers(name: str, made: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    _, tokenizer = made
    kind = CASES[name]()[0]
    theirs = getattr(transformers, f"{kind}Tokenizer").from_pretrained(
        tmp_path_factory.getbasetemp() / f"made-{name}"
    )
    unknown = theirs.unk_token_id
    for text in TEXTS:
        # What the checkpoint lacks has an id beyond its words here, and is told to be unknown.
        ids = [i if i < SIZE else unknown for i in tokenizer.encode(text).ids]
        if name == "mbart" and text == "e\u0301":
            continue  # transformers leaves this model's normalisation out
        assert ids == theirs(text)["input_ids"], text
    for text in sentences(40):
        ids = theirs(text, add_special_tokens=False)["input_ids"]
        if unknown not in ids:
            assert tokenizer.decode(ids) == theirs.decode(ids, skip_special_tokens=True), text


@pytest.mark.parametrize("legacy", [True, False])
def test_nllb(legacy: bool, tmp_path: Path) -> None:
    model = trained(**BPE, **FAIRSEQ)
    files = {"special_tokens_map.json": {"additional_special_tokens": NLLB}}
    write_folder(tmp_path, "Nllb", model, "m2m_100", SIZE, files, legacy_behaviour=legacy)
    checkpoint = read(tmp_path)
    data = bundle_tokenizer(checkpoint, SIZE)
    tokenizer, known = Tokenizer.from_buffer(data), fairseq_ids(model, [*NLLB, "<mask>"])
    assert tokenizer.get_vocab() == known
    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    eng = known["eng_Latn"]
    for text in ["Hello, world!", "caf\u00e9"]:
        ids = [known.get(piece, 3) for piece in processor.encode_as_pieces(text)]
        around = [*ids, 2, eng] if legacy else [eng, *ids, 2]
        assert tokenizer.encode(text).ids == around
    told = translation(checkpoint, data, SIZE)
    assert told is not None and told.languages == {name: known[name] for name in NLLB}
    around_source: Any = ([], [2, "source"]) if legacy else (["source"], [2])
    assert (told.prefix, told.suffix) == around_source


@pytest.mark.parametrize(
    ("name", "languages", "prefix", "suffix", "target"),
    [
        ("mbart", MBART, [], [2, "source"], "start"),
        ("mbart50", MBART_50, ["source"], [2], "forced"),
        ("m2m_100", M2M_100, ["source"], [2], "forced"),
        ("marian", ["fr", "de"], ["target"], [0], "source"),
    ],
)
def test_languages(
    name: str, made: Any, languages: list[str], prefix: Any, suffix: Any, target: str
) -> None:
    checkpoint, tokenizer = made
    told = translation(checkpoint, tokenizer.to_str().encode(), SIZE)
    assert told is not None and list(told.languages) == languages
    assert (told.prefix, told.suffix, told.target) == (prefix, suffix, target)
    usual = {"mbart": "de_DE", "mbart50": "en_XX", "m2m_100": "en", "marian": None}[name]
    assert (told.source_lang, told.target_lang) == (usual, None)


@pytest.mark.parametrize("legacy", [True, None])
def test_llama_begins_every_part_with_a_space(legacy: bool | None, tmp_path: Path) -> None:
    said: dict[str, Any] = {} if legacy is None else {"legacy": legacy}
    write_folder(tmp_path, "Llama", trained(**LLAMA), "llama", SIZE, **said)
    tokenizer = Tokenizer.from_buffer(bundle_tokenizer(read(tmp_path), SIZE))
    processor = sentencepiece.SentencePieceProcessor(model_proto=trained(**LLAMA))
    parts = [processor.encode(text) for text in (" one ", "two")]
    assert tokenizer.encode(" one </s>two").ids == [1, *parts[0], 2, *parts[1]]


def test_declared_tokens(tmp_path: Path) -> None:
    declared = {
        "0": {"content": "<pad>", "special": True},
        "1": {"content": "</s>", "special": True},
        "2": {"content": "<unk>", "special": True},
        "900": {"content": "<ent>", "special": False, "lstrip": True},
        "901": {"content": "<tag>", "special": True},
    }
    files = {  # older ones, which are not looked at beside that list
        "added_tokens.json": {"<old>": 950},
        "special_tokens_map.json": {"sep_token": {"content": "<other>"}},
    }
    said = {"added_tokens_decoder": declared, "sep_token": "<sep>"}
    write_folder(tmp_path, "T5", trained(**T5), "t5", SIZE, files, **said)
    tokenizer = Tokenizer.from_buffer(bundle_tokenizer(read(tmp_path), SIZE))
    ids = tokenizer.encode("one  <ent><tag> <sep>two <extra_id_0>", add_special_tokens=False).ids
    one, two = (tokenizer.encode(text, add_special_tokens=False).ids for text in ("one", "two"))
    assert ids == [*one, 900, 901, 902, *two, 799]
    assert tokenizer.decode([900, 901]) == "<ent>"
    assert tokenizer.token_to_id("<old>") is None and tokenizer.token_to_id("<other>") is None


def test_tokenizer_json_wins(tmp_path: Path) -> None:
    write_folder(tmp_path, "T5", b"no model at all", "t5")
    content: Any = made_tokenizer(
        read(write_folder(tmp_path / "b", "T5", trained(**T5), "t5")), SIZE
    )
    (tmp_path / "tokenizer.json").write_text(json.dumps(content), "utf-8")
    assert json.loads(bundle_tokenizer(read(tmp_path), SIZE))["model"] == content["model"]


V = dict(list(fairseq_ids(trained(**BPE, **FAIRSEQ), []).items()))
BAD: dict[str, tuple[Any, type[SatchelError], str]] = {
    "cut": ({"sentencepiece.bpe.model": trained()[:9000]}, CheckpointError, "not a whole"),
    "no_proto": ({"sentencepiece.bpe.model": b"IQ== 0\nIg== 1\n"}, CheckpointError, "not a whole"),
    "doubled": ({"vocab.json": V | {"zz": 5}}, CheckpointError, "'zz' the same id 5"),
    "gap": ({"vocab.json": V | {"zz": 5000}}, CheckpointError, "no token with the id 701"),
    "text_id": ({"vocab.json": V | {"zz": "a"}}, CheckpointError, "the id of 'zz' is 'a'"),
    "no_vocab": ({"vocab.json": {}}, CheckpointError, "needs a vocab.json"),
    "no_unknown": (
        {"vocab.json": {k: i for i, k in enumerate(k for k in V if k != "<unk>")}},
        CheckpointError,
        "lacks '<unk>'",
    ),
    "taken": (
        {"added_tokens.json": {"<x>": 5}}, CheckpointError, "the id 5 of '<x>' belongs to",
    ),
    "text_added": ({"added_tokens.json": {"<x>": None}}, CheckpointError, "no whole number"),
    "other_class": (
        {"tokenizer_config.json": {"tokenizer_class": "FooTokenizer"}},
        UnsupportedError,
        "'Foo'Tokenizer is not understood; known: Albert",
    ),
    "other_shape": (
        {
            "sentencepiece.bpe.model": trained(**T5),
            "tokenizer_config.json": {"tokenizer_class": "XLMRobertaTokenizer"},
        },
        UnsupportedError,
        "expected <unk>, <s>, </s>",
    ),
    "two_vocabularies": (
        {"tokenizer_config.json": {"tokenizer_class": "MarianTokenizer", "separate_vocabs": True}},
        UnsupportedError,
        "vocabularies of their own",
    ),
    "no_languages": (
        {"tokenizer_config.json": {"tokenizer_class": "NllbTokenizer"}}, CheckpointError, "languages",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_files(name: str, tmp_path: Path) -> None:
    files, error, words = BAD[name]
    model = trained(**BPE, **FAIRSEQ)
    write_folder(tmp_path, "M2M100", model, "m2m_100", SIZE, {"vocab.json": V} | files)
    with pytest.raises(error, match=words) as caught:
        bundle_tokenizer(read(tmp_path), SIZE)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


def test_vocabulary_larger_than_the_model(tmp_path: Path) -> None:
    write_folder(tmp_path, "T5", trained(**T5), "t5", 750)
    with pytest.raises(CheckpointError, match="50 tokens beyond the model's 750 embeddings"):
        bundle_tokenizer(read(tmp_path), 750)


def test_without_sentencepiece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_folder(tmp_path, "T5", trained(**T5), "t5")
    monkeypatch.setitem(__import__("sys").modules, "sentencepiece", None)
    with pytest.raises(UsageError, match=r"pip install 'satchel\[sentencepiece\]'"):
        bundle_tokenizer(read(tmp_path), SIZE)


def test_export_and_generate(tmp_path: Path) -> None:
    """A T5 as it was published: spiece.model and no tokenizer.json."""
    from tests.tiny_seq2seq import save_seq2seq

    folder = tmp_path / "t5"
    reference = save_seq2seq(folder, "t5", vocab_size=800, eos_token_id=1)
    (folder / "tokenizer.json").unlink()
    (folder / "spiece.model").write_bytes(trained(**T5))
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "T5Tokenizer"}')
    satchel.pack(folder, tmp_path / "bundle", profile="fp32")
    model = load_as(satchel.Seq2seqModel, tmp_path / "bundle")
    theirs = transformers.T5Tokenizer.from_pretrained(folder)
    text = "The house is wonderful."
    ids = theirs(text, return_tensors="pt").input_ids
    found = model.generate(text, max_new_tokens=12, temperature=0)
    expected = reference.generate(ids, max_new_tokens=12, do_sample=False)[0].tolist()[1:]
    assert found.tokens == [index for index in expected if index != 1]
    assert found.text == theirs.decode(expected, skip_special_tokens=True)
