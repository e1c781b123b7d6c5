"""tokenizer_config.json beside tokenizer.json: the bundle reads texts as AutoTokenizer does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from tokenizers import Tokenizer

import satchel
from satchel.checkpoints.folder import load_folder
from satchel.runtime.errors import CheckpointError, SatchelError, UnsupportedError
from satchel.tokenization.class_tokenizer import cuts_left, tells_pairs_apart
from satchel.tokenization.tokenizer import bundle_tokenizer
from tests.class_folders import (
    AS_THEY_ARE,
    KINDS,
    SIZE,
    TEXTS,
    assert_alike,
    ours,
    save_class,
    say,
    write,
)
from tests.loading import load_as
from tests.tiny_encoders import save_encoder

SWITCHES: dict[str, list[dict[str, Any]]] = {
    "do_lower_case": [{"do_lower_case": True}, {"do_lower_case": False}],
    "strip_accents": [
        {"strip_accents": True, "do_lower_case": False},
        {"strip_accents": False, "do_lower_case": True},
    ],
    "tokenize_chinese_chars": [{"tokenize_chinese_chars": False}],
    "keep_accents": [{"keep_accents": True}, {"keep_accents": False}],
    "add_prefix_space": [{"add_prefix_space": True}, {"add_prefix_space": False}],
    "trim_offsets": [{"trim_offsets": False}],
    "split_by_punct": [{"split_by_punct": True}, {"unk_id": 5, "unk_token": "<unk>"}],
    "legacy": [{"legacy": True}, {"legacy": False}],
    "nothing": [
        {"add_bos_token": True, "add_eos_token": True, "clean_up_tokenization_spaces": True},
        {"never_split": ["fox"], "do_basic_tokenize": False, "errors": "ignore"},
    ],
    "tokens": [
        {"mask_token": "<tag>", "pad_token": "<ent>"},
        {"extra_special_tokens": ["<ent>", "<tag>"]},
        {"additional_special_tokens": ["<tag>"]},
        {"image_token": "<ent>"},
        {"extra_special_tokens": {"sound_token": "<tag>"}},
        {"model_specific_special_tokens": {"image_token": "<ent>"}},
        {"added_tokens_decoder": {}, "pad_token": None},
        {"added_tokens_decoder": None},
    ],
}


@pytest.mark.parametrize("switch", SWITCHES)
@pytest.mark.parametrize("name", KINDS)
def test_settings_beside_tokenizer_json(name: str, switch: str, tmp_path: Path) -> None:
    for number, keys in enumerate(SWITCHES[switch]):
        folder = tmp_path / str(number)
        if name != "DebertaV2" and "unk_id" in keys:
            continue  # theirs alone; WordPiece has an unknown token of its own
        save_class(folder, name)
        say(folder, **keys)
        assert_alike(folder, around=name != "Whisper")


@pytest.mark.parametrize("name", AS_THEY_ARE)
def test_tokenizer_json_as_it_is(name: str, tmp_path: Path) -> None:
    settings: dict[str, Any] = (
        {"extra_special_tokens": ["eng_Latn", "fra_Latn"]} if name == "Nllb" else {}
    )
    save_class(tmp_path, name, **settings)
    assert_alike(tmp_path)
    say(tmp_path, image_token="<ent>", add_bos_token=True)
    assert_alike(tmp_path)


@pytest.mark.parametrize("name", ["Bert", "Roberta", "GPT2", "Qwen2", "Albert", "T5", "Llama"])
def test_flags_of_added_tokens(name: str, tmp_path: Path) -> None:
    """Spaces beside a token, whole words alone, case: in the list, in older files, in tokenizer.json."""
    flags = ("lstrip", "rstrip", "single_word", "normalized", "special")
    tokens = [
        {"content": text, **{flag: flag in said for flag in flags}}
        for text, said in {
            "<ent>": ("lstrip", "special"),
            "<tag>": ("rstrip", "normalized"),
            "fox": ("single_word",),
            "Quick": ("normalized",),
            "[MASK]": ("lstrip", "rstrip"),
            "mask": ("single_word", "special"),
        }.items()
    ]
    texts = ["a  <ent>  b <tag>  c<TAG>d", "foxes fox FOX Quick quicker quickQuick", *TEXTS[-3:]]
    save_class(tmp_path, name)
    known = ours(tmp_path)
    listed, free = {}, len(known.get_vocab())
    for index, token in known.get_added_tokens_decoder().items():
        listed[str(index)] = {"content": token.content, **{f: getattr(token, f) for f in flags}}
    for added in tokens:
        place = known.token_to_id(str(added["content"]))
        listed[str(free if place is None else place)] = added
        free += place is None
    say(tmp_path, added_tokens_decoder=listed)
    assert_alike(tmp_path, texts)
    say(tmp_path, added_tokens_decoder=None)
    content = json.loads((tmp_path / "tokenizer.json").read_text("utf-8"))
    content["added_tokens"] = [
        {"id": int(index), **token}
        for index, token in sorted(listed.items(), key=lambda i: int(i[0]))
    ]
    write(tmp_path, "tokenizer.json", content)
    assert_alike(tmp_path, texts)
    say(tmp_path, tokenizer_class="TokenizersBackend")
    assert_alike(tmp_path, texts)


PLAIN = [name for name, (kind, _) in KINDS.items() if kind in ("WordPiece", "bytes", "words")]


@pytest.mark.parametrize("name", PLAIN)
def test_plain_vocabulary_files(name: str, tmp_path: Path) -> None:
    """vocab.txt, or vocab.json and merges.txt, and no tokenizer.json."""
    save_class(tmp_path, name, plain=True)
    assert_alike(tmp_path, around=name != "Whisper")


@pytest.mark.parametrize("name", ["Bert", "MPNet", "GPT2", "Roberta", "Qwen2"])
def test_older_files_beside_plain_ones(name: str, tmp_path: Path) -> None:
    """special_tokens_map.json and added_tokens.json, settings in tokenizer_config.json."""
    save_class(tmp_path, name, plain=True)
    say(
        tmp_path, added_tokens_decoder=None, do_lower_case=False, add_prefix_space=True,
        add_bos_token=True, add_eos_token=True, never_split=["fox"], bos_token="<ent>",
    )  # fmt: skip
    token = {"content": "<ent>", "lstrip": True, "rstrip": False, "normalized": False}
    special = {"mask_token": token | {"content": "<mine>"}, "eos_token": "<ent>"}
    write(tmp_path, "special_tokens_map.json", special | {"extra_special_tokens": ["<tag>"]})
    size = len(transformers.AutoTokenizer.from_pretrained(tmp_path))
    write(tmp_path, "added_tokens.json", {"<TAG>": size - 3})
    first = 1 + max(json.loads((tmp_path / "added_tokens.json").read_text()).values())
    assert first < SIZE
    reads = transformers.AutoTokenizer.from_pretrained(tmp_path)
    write(tmp_path, "added_tokens.json", {"<TAG>": reads.convert_tokens_to_ids("<TAG>")})
    assert_alike(tmp_path)


CLASSES: dict[str, tuple[str, dict[str, Any]]] = {
    "generic": ("bert", {"tokenizer_class": "TokenizersBackend"}),
    "unknown": ("bert", {"tokenizer_class": "MyOwnTokenizer"}),
    "older name": ("bert", {"tokenizer_class": "BertTokenizerFast"}),
    "another model's": ("bert", {"tokenizer_class": "DistilBertTokenizer"}),
    "none": ("bert", {"tokenizer_class": None}),
    "modernbert": ("modernbert", {}),
    "modernbert none": ("modernbert", {"tokenizer_class": None}),
    "mistral": ("mistral", {}),
    "llama": ("llama", {"tokenizer_class": None}),
}


@pytest.mark.parametrize("case", CLASSES)
def test_which_class_reads_a_folder(case: str, tmp_path: Path) -> None:
    model_type, keys = CLASSES[case]
    save_class(tmp_path, "Bert", do_lower_case=False, strip_accents=False)
    write(tmp_path, "config.json", {"model_type": model_type, "vocab_size": SIZE})
    say(tmp_path, do_lower_case=True, **keys)
    assert_alike(tmp_path)
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    told = "token_type_ids" in theirs.model_input_names
    assert tells_pairs_apart(load_folder(tmp_path)) == told


@pytest.mark.parametrize("named", ["Qwen2Tokenizer", "LlamaTokenizer", "TokenizersBackend", None])
@pytest.mark.parametrize("model_type", ["qwen2", "qwen3", "llama", "mistral", "smollm3", "phi3"])
def test_byte_level_decoders(model_type: str, named: str | None, tmp_path: Path) -> None:
    save_class(tmp_path, "GPT2", add_prefix_space=True)
    write(tmp_path, "config.json", {"model_type": model_type, "vocab_size": SIZE})
    say(
        tmp_path,
        tokenizer_class=named,
    )
    assert_alike(tmp_path)


def test_a_token_without_an_embedding_is_left_out(tmp_path: Path) -> None:
    save_class(tmp_path, "Bert")
    say(tmp_path, pad_token="<new>")
    size = len(transformers.AutoTokenizer.from_pretrained(tmp_path)) - 1
    assert ours(tmp_path, size).token_to_id("<new>") is None
    assert ours(tmp_path, size + 1).token_to_id("<new>") == size


def test_thousands_of_added_tokens(tmp_path: Path) -> None:
    save_class(tmp_path, "GPT2")
    path = tmp_path / "tokenizer_config.json"
    entry = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False}
    count = len(ours(tmp_path).get_vocab())
    added = {"0": {"content": "<|endoftext|>", "special": True, **entry}} | {
        str(count + n): {"content": f"<extra {n}>", "special": False, **entry} for n in range(9000)
    }
    say(tmp_path, added_tokens_decoder=added)
    assert path.stat().st_size > 1 << 20
    found = Tokenizer.from_buffer(bundle_tokenizer(load_folder(tmp_path), 20_000))
    assert found.encode("<extra 8999>").ids == [count + 8999]


BAD: dict[str, tuple[dict[str, Any], type[SatchelError], str]] = {
    "split": ({"split_special_tokens": True}, UnsupportedError, "split_special_tokens = True"),
    "switch": ({"do_lower_case": "yes"}, CheckpointError, "do_lower_case = 'yes'"),
    "token": ({"mask_token": {"lstrip": True}}, CheckpointError, "has no content"),
    "list": ({"extra_special_tokens": "<a>"}, CheckpointError, "expected a list of tokens"),
    "decoder": ({"added_tokens_decoder": []}, CheckpointError, "expected an object"),
    "moved": (
        {"added_tokens_decoder": {"2000": {"content": "<a>"}}}, CheckpointError, "the id 2000",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_honoured_is_refused(name: str, tmp_path: Path) -> None:
    keys, error, words = BAD[name]
    save_class(tmp_path, "Bert")
    say(tmp_path, **keys)
    with pytest.raises(error, match=words):
        ours(tmp_path)


@pytest.mark.parametrize("file", ["tekken.json", "qwen.tiktoken", "vocab.txt"])
def test_files_of_which_no_tokenizer_is_made(file: str, tmp_path: Path) -> None:
    save_class(tmp_path, "GPT2")
    (tmp_path / "tokenizer.json").unlink()
    (tmp_path / file).write_text("x")
    with pytest.raises(CheckpointError, match=f"no tokenizer.json, and of '{file}' none"):
        ours(tmp_path)


def test_truncation_side(tmp_path: Path) -> None:
    save_class(tmp_path, "Bert")
    assert not cuts_left(load_folder(tmp_path))
    content = json.loads((tmp_path / "tokenizer.json").read_text("utf-8"))
    cut = {"direction": "Left", "max_length": 9, "strategy": "LongestFirst", "stride": 0}
    write(tmp_path, "tokenizer.json", content | {"truncation": cut})
    assert cuts_left(load_folder(tmp_path))
    assert transformers.AutoTokenizer.from_pretrained(tmp_path).truncation_side == "left"
    say(tmp_path, truncation_side="right")
    assert not cuts_left(load_folder(tmp_path))
    say(tmp_path, truncation_side="up")
    with pytest.raises(CheckpointError, match="truncation_side = 'up'"):
        cuts_left(load_folder(tmp_path))


def test_bundle_cuts_and_pairs_as_the_library(tmp_path: Path) -> None:
    """Long texts keep their end; a tokenizer without token types gives a BERT none."""
    folder = tmp_path / "bert"
    model = save_encoder(folder, "bert", "classify")
    say(
        folder, truncation_side="left", model_max_length=20,
        model_input_names=["input_ids", "attention_mask"],
    )  # fmt: skip
    satchel.pack(folder, tmp_path / "bundle", profile="fp32")
    bundle, theirs = load_as(satchel.EncoderModel, tmp_path / "bundle"), transformers.AutoTokenizer
    tokenizer = theirs.from_pretrained(folder)
    for pair in [("the dog runs", "it sees the fox"), ("the dog " * 30 + "runs", "a fox " * 3)]:
        for texts in (pair, pair[:1]):
            ids = tokenizer(*texts, truncation=True, return_tensors="pt")
            with torch.inference_mode():
                expected = model(**ids).logits.softmax(-1)[0].numpy()
            item: Any = texts if len(texts) == 2 else texts[0]
            found = list(bundle.classify([item])[0].scores.values())
            assert np.abs(np.array(found) - expected).max() < 1e-5
