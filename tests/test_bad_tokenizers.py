"""Tokenizer files and generation_config.json of a checkpoint: what they may not say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import satchel
from satchel.checkpoints.folder import load_folder
from tests import damage as d
from tests.outcome import refuse

pytest_plugins = "tests.places"

T, C = "TOKENIZER_INVALID", "CKPT_CONFIG"
SPLIT = {"type": "Split", "behavior": "Isolated", "invert": False}
CUT = {"direction": "Right", "max_length": 1, "strategy": "LongestFirst", "stride": 5}
FILLED = {
    "strategy": {"Fixed": 9},
    "direction": "Right",
    "pad_id": 99999,
    "pad_type_id": 0,
    "pad_token": "x",
}


def marked(index: int, name: str = "[X]") -> dict[str, Any]:
    """A post-processor that begins every text with token `index`."""
    text = {"Sequence": {"id": "A", "type_id": 0}}
    return {
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "[X]", "type_id": 0}}, text],
        "pair": [text, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {name: {"id": name, "ids": [index], "tokens": [name]}},
    }


def sampling(**values: Any) -> d.Damage:
    return d.wrote("generation_config.json", json.dumps({"do_sample": True, **values}))


BAD: dict[str, d.Case] = {
    "tokenizer absent": (d.without("tokenizer.json"), T, "no tokenizer.json"),
    "tokenizer empty": (
        d.wrote("tokenizer.json", ""),
        "CHECKPOINT",
        "tokenizer.json is not valid JSON",
    ),
    "tokenizer an empty object": (d.wrote("tokenizer.json", "{}"), T, "tokenizer.json"),
    "tokenizer a list": (d.wrote("tokenizer.json", "[]"), "CHECKPOINT", "expected an object"),
    "tokenizer cut": (
        d.wrote("tokenizer.json", '{"version": "1.0", '),
        "CHECKPOINT",
        "not valid JSON",
    ),
    "tokenizer model null": (d.tokenizer(model=None), T, "not usable"),
    "tokenizer model empty": (d.tokenizer(model={}), T, "not usable"),
    "token id a text": (d.vocabulary(zz="b"), T, "not usable"),
    "token id negative": (d.vocabulary(zz=-1), T, "not usable"),
    "merge of no token": (d.tokenizer(model={"merges": [["q", "zzz"]]}), T, "out of vocabulary"),
    "added tokens a text": (d.tokenizer(added_tokens="x"), T, "not usable"),
    "added token with a negative id": (d.tokenizer(added_tokens=[d.added(-1)]), T, "not usable"),
    "bad regex": (d.tokenizer(pre_tokenizer=SPLIT | {"pattern": {"Regex": "("}}), T, "Oniguruma"),
    "character map that panics": (
        d.tokenizer(normalizer={"type": "Precompiled", "precompiled_charsmap": "AAAA"}),
        T,
        "charsmap",
    ),
    "template that panics in use": (d.tokenizer(post_processor=marked(5, "[Y]")), T, "not usable"),
    "unknown token absent": (
        d.tokenizer(model={"type": "WordLevel", "unk_token": "[UNK]"}, pre_tokenizer=None),
        T,
        "UNK",
    ),
    "token beyond the embeddings": (
        d.vocabulary(zz=320),
        T,
        "1 tokens beyond the model's 320 embeddings, such as 'zz'",
    ),
    "token with the largest id": (d.vocabulary(zz=2**32 - 1), T, "beyond"),
    "token with escapes": (d.vocabulary(**{"\x1b[2J" + "x" * 900: 400}), T, "'\\x1b[2J"),
    "token with the id of another": (d.vocabulary(zz=5), T, "'zz'"),
    "added token renumbered": (d.tokenizer(added_tokens=[d.added(300)]), T, "id 300"),
    "added token with the id of another": (d.tokenizer(added_tokens=[d.added(5)]), T, "id 5"),
    "template id beyond the embeddings": (d.tokenizer(post_processor=marked(99999)), T, "99999"),
    "normalizer unknown": (d.tokenizer(normalizer={"type": "Fake"}), T, "not usable"),
    "pre-tokenizer unknown": (d.tokenizer(pre_tokenizer={"type": "Fake"}), T, "not usable"),
    "decoder unknown": (d.tokenizer(decoder={"type": "Fake"}), T, "not usable"),
    "tokenizer version unknown": (d.tokenizer(version="9.0"), T, "version"),
    "fewer embeddings than tokens": (
        d.both(
            d.config(vocab_size=250),
            d.tensors(
                lm_head__weight=lambda x: x[:250], model__embed_tokens__weight=lambda x: x[:250]
            ),
        ),
        T,
        "6 tokens beyond the model's 250 embeddings",
    ),
    "end of text in digits": (d.config(eos_token_id="2"), C, "eos_token_id '2' is not an id"),
    "end of text a list with digits": (d.config(eos_token_id=[1, "999"]), C, "eos_token_id '999'"),
    "end of text a text": (d.config(eos_token_id="</s>"), C, "eos_token_id '</s>'"),
    "end of text a bool": (d.config(eos_token_id=True), C, "eos_token_id True"),
    "end of text a float": (d.config(eos_token_id=1.5), C, "eos_token_id 1.5"),
    "end of text in generation_config": (
        sampling(eos_token_id=[2, "4000"]),
        C,
        "eos_token_id '4000'",
    ),
    "begin of text a list with a bool": (d.config(bos_token_id=[True]), C, "bos_token_id True"),
    "generation_cut": (
        d.wrote("generation_config.json", "{"),
        "CHECKPOINT",
        "generation_config.json",
    ),
    "generation_text": (sampling(temperature="hot"), C, "temperature = 'hot'"),
    "generation_negative": (sampling(temperature=-1), C, "temperature = -1"),
    "generation_top_k": (sampling(top_k=1.5), C, "top_k = 1.5"),
    "generation_top_p": (sampling(top_p=1.5), C, "top_p = 1.5"),
    "generation_penalty": (sampling(repetition_penalty=[1]), C, "repetition_penalty = '[1]'"),
    "tokenizer_config_cut": (
        d.wrote("tokenizer_config.json", "{"),
        "CHECKPOINT",
        "tokenizer_config",
    ),
    "template_not_utf8": (d.wrote("chat_template.jinja", b"\xff"), "CHECKPOINT", "not UTF-8"),
    "template_large": (d.wrote("chat_template.jinja", b"x" * 70_000), "CHECKPOINT", "larger than"),
}
SOUND = {
    "added": d.both(
        d.vocabulary(**{"<x>": 256}), d.tokenizer(added_tokens=[d.added(256), d.added(257, "<y>")])
    ),
    "cut_and_filled": d.tokenizer(truncation=CUT, padding=FILLED),
    "no_tokenizer_config": d.without("tokenizer_config.json"),
    "odd_templates": d.wrote("tokenizer_config.json", '{"chat_template": [3, {"name": []}, {}]}'),
    "sampling_off": sampling(temperature=0, top_k=0, top_p=None, repetition_penalty=1.0),
}


@pytest.fixture(autouse=True)
def no_tracing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The graph has no part in this; a case that gets so far has not been refused."""
    import satchel.packing.pack

    monkeypatch.setattr(satchel.packing.pack, "trace", lambda module, inputs, outputs: None)


@pytest.mark.parametrize("name", BAD)
def test_damage_is_refused(name: str, place: Path, capfd: Any) -> None:
    damage, code, words = BAD[name]
    damage(place / "checkpoint")
    refuse(capfd, place, code, words)


@pytest.mark.parametrize("name", SOUND)
def test_what_is_harmless_is_read(name: str, place: Path) -> None:
    from tokenizers import Tokenizer

    from satchel.export.generation_config import recommended
    from satchel.tokenization.tokenizer import bundle_tokenizer, special_tokens

    SOUND[name](place / "checkpoint")
    checkpoint = load_folder(place / "checkpoint")
    tokenizer = bundle_tokenizer(checkpoint, 320)
    assert len(Tokenizer.from_buffer(tokenizer).encode("two words").ids) == 9
    special_tokens(checkpoint, tokenizer, 320)
    assert not recommended(checkpoint, 320)[0]
    assert checkpoint.chat_template is None or "im_start" in checkpoint.chat_template


@pytest.mark.parametrize(
    ("value", "template"),
    [
        ("x", "x"),
        ([{"name": "tool_use", "template": "T"}, {"name": "default", "template": "D"}], "D"),
        ([{"name": "tool_use", "template": "T"}], None),
        ([], None),
        (None, None),
        (5, None),
    ],
)
def test_the_default_template_is_picked(value: object, template: str | None, place: Path) -> None:
    d.wrote("tokenizer_config.json", json.dumps({"chat_template": value}))(place / "checkpoint")
    assert load_folder(place / "checkpoint").chat_template == template


def test_eos_of_all_files_ends_a_text(place: Path) -> None:
    from satchel.tokenization.tokenizer import special_tokens

    folder = place / "checkpoint"
    d.config(eos_token_id=[7, 9], bos_token_id=3)(folder)
    d.wrote("generation_config.json", '{"eos_token_id": 9, "pad_token_id": 0}')(folder)
    d.wrote("tokenizer_config.json", '{"eos_token": {"content": "!"}, "pad_token": "\\u0120"}')(
        folder
    )
    checkpoint = load_folder(folder)
    assert checkpoint.tokenizer is not None
    tokens = special_tokens(checkpoint, json.dumps(checkpoint.tokenizer).encode(), 320)
    exclamation = checkpoint.tokenizer["model"]["vocab"]["!"]
    assert (tokens.bos, tokens.eos, tokens.pad) == (3, [9, 7, exclamation], 0)


def test_an_id_outside_the_vocabulary_names_no_token(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    folder = place / "checkpoint"
    d.config(pad_token_id=-1, eos_token_id=[7, 320], bos_token_id=10**30)(folder)
    d.wrote("generation_config.json", '{"eos_token_id": -1, "pad_token_id": 400}')(folder)
    packed = satchel.pack(folder, place / "new", profile="fp32")
    tokens = packed.manifest.tokens
    assert (tokens.bos, tokens.eos, tokens.pad) == (None, [7], None)


def test_optional_files_may_be_absent(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    for name in ("generation_config.json", "tokenizer_config.json"):
        (place / "checkpoint" / name).unlink()
    packed = satchel.pack(place / "checkpoint", place / "new", profile="fp32")
    assert packed.manifest.verified and packed.manifest.chat is None
    assert packed.manifest.tokens.eos == [] and packed.manifest.generation == {}
