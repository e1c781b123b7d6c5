"""What is wrong with encoder-decoder checkpoints, bundles and prompts is said in one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

import satchel
from satchel.runtime.cancel import Cancel
from satchel.runtime.errors import BundleError, LimitError, UsageError
from tests import damage as d
from tests.manifests import edit
from tests.outcome import refuse, refused
from tests.tiny import VOCAB, edit_config
from tests.tiny_seq2seq import COMMON, SIZES, pair, save_seq2seq

pytest_plugins = "tests.places"
U, C, W = "UNSUPPORTED", "CKPT_CONFIG", "CKPT_WEIGHTS"


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the `checkpoint` of a T5 of one layer, and its float32 `bundle`."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("original-t5")
    (folder / "checkpoint").mkdir()
    save_seq2seq(folder / "checkpoint", "t5", num_layers=1, num_decoder_layers=1)
    satchel.pack(folder / "checkpoint", folder / "bundle", profile="fp32")
    return folder


def generation(**changes: Any) -> d.Damage:
    """Change keys of generation_config.json; `...` removes one."""

    def damage(folder: Path) -> None:
        path = folder / "generation_config.json"
        content = json.loads(path.read_text()) | changes
        path.write_text(json.dumps({k: v for k, v in content.items() if v is not ...}))

    return damage


NO_START = d.both(d.config(decoder_start_token_id=...), generation(decoder_start_token_id=...))
CHECKPOINTS: dict[str, d.Case] = {
    "heads": (d.config(d_kv=12), U, "head size 12 is not a multiple of 8"),
    "heads_0": (d.config(num_heads=0), C, "num_attention_heads = 0"),
    "layers_0": (d.config(num_decoder_layers=0), C, "num_decoder_layers = 0"),
    "layers_other": (d.config(num_layers=2), W, "missing"),
    "no_seq2seq": (d.config(is_encoder_decoder=False), U, "is_encoder_decoder = False"),
    "activation": (d.config(dense_act_fn="mist"), U, "'mist'"),
    "buckets_odd": (d.config(relative_attention_num_buckets=31), C, "= 31"),
    "buckets_2": (d.config(relative_attention_num_buckets=2), C, "= 2"),
    "buckets_other": (d.config(relative_attention_num_buckets=16), W, "distance_bias"),
    "distance": (d.config(relative_attention_max_distance=16), C, "= 16"),
    "distance_huge": (d.config(relative_attention_max_distance=1 << 40), C, "1..65536"),
    "transient": (
        d.config(model_type="longt5", encoder_attention_type="transient-global"),
        U,
        "'transient-global' is not supported; known: local",
    ),
    "radius": (d.config(model_type="longt5", local_radius=-1), C, "local_radius = -1"),
    "unknown_key": (d.config(is_causal=False), U, "'is_causal'"),
    "start_absent": (NO_START, C, "decoder_start_token_id"),
    "start_beyond": (generation(decoder_start_token_id=VOCAB), C, "outside 0..319"),
    "start_text": (generation(decoder_start_token_id="0"), C, "decoder_start_token_id"),
    "beams": (generation(num_beams="4"), C, "num_beams"),
    "beams_bool": (generation(num_beams=True), C, "num_beams"),
    "length": (generation(max_length=-1), C, "max_length"),
    "early": (generation(early_stopping="soon"), C, "early_stopping"),
    "words": (generation(bad_words_ids=[[]]), C, "bad_words_ids"),
    "suppressed": (generation(suppress_tokens=[1, VOCAB]), C, "suppress_tokens"),
    "penalty": (generation(length_penalty="long"), C, "length_penalty"),
    "forced": (generation(forced_bos_token_id=VOCAB), C, "forced_bos_token_id"),
    "nan": (d.tensors(shared__weight=d.spoilt(float("nan"))), "CKPT_NONFINITE", "words.weight"),
    "no_cross_key": (
        d.tensors(decoder__block__0__layer__1__EncDecAttention__k__weight=d.gone),
        W,
        "cross.0.kv_proj.weight",
    ),
    "cross_value": (
        d.tensors(decoder__block__0__layer__1__EncDecAttention__v__weight=lambda x: x[:8]),
        W,
        "do not fit together",
    ),
}


def of_type(model_type: str, **changes: Any) -> d.Damage:
    """The config.json of another architecture; the weights stay T5's."""

    def damage(folder: Path) -> None:
        made = transformers.AutoConfig.for_model(model_type, **COMMON | SIZES.get(model_type, {}))
        made.save_pretrained(folder)
        edit_config(folder, **changes)

    return damage


def two(**changes: Any) -> d.Damage:
    """The config.json of two encoders; `changes` are of the decoder's part."""
    return of_type("encoder-decoder", decoder=pair("bert")["decoder"] | changes)


CHECKPOINTS |= {
    "bart_heads": (of_type("bart", decoder_attention_heads=5), C, "decoder_attention_heads = 5"),
    "bart_source_heads": (of_type("bart", encoder_attention_heads=3), C, "heads = 3"),
    "bart_layers": (of_type("bart", encoder_layers=0), C, "encoder_layers = 0"),
    "bart_layers_twice": (of_type("bart", num_hidden_layers=7), C, "num_hidden_layers = 7"),
    "bart_norms": (of_type("bart", normalize_before=True), U, "normalize_before = True"),
    "mbart_norms": (of_type("mbart", add_final_layer_norm=False), U, "it is True"),
    "bart_positions": (of_type("bart", max_position_embeddings=32), U, "for 32 tokens"),
    "bart_activation": (of_type("bart", activation_function="mist"), U, "'mist'"),
    "bart_weights": (of_type("bart"), W, "missing"),
    "marian_vocabularies": (
        of_type("marian", share_encoder_decoder_embeddings=False),
        U,
        "one vocabulary",
    ),
    "marian_targets": (of_type("marian", decoder_vocab_size=319), U, "decoder_vocab_size = 319"),
    "two_widths": (two(hidden_size=128), U, "hidden_size = 64 of the encoder and 128"),
    "two_vocabularies": (two(vocab_size=300), U, "vocab_size = 320 of the encoder and 300"),
    "two_uncrossed": (two(add_cross_attention=False), U, "add_cross_attention = False"),
    "two_kinds": (two(model_type="gpt2"), U, "'gpt2'; known here: bert, roberta"),
    "two_keys": (two(is_causal=False), U, "'is_causal'"),
    "two_absent": (of_type("encoder-decoder", encoder=..., decoder=...), C, "lacks"),
    "two_text": (of_type("encoder-decoder", encoder="bert", decoder="bert"), C, "not a dict"),
}


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_checkpoint(name: str, place: Path, capfd: Any) -> None:
    damage, code, words = CHECKPOINTS[name]
    damage(place / "checkpoint")
    refuse(capfd, place, code, words)


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--task", "embed"], "USAGE", "use text-to-text"),
        (["--context", "10"], U, "--context 10 is outside 64.."),
    ],
    ids=["task", "context"],
)
def test_export_options(options: list[str], code: str, words: str, place: Path, capfd: Any) -> None:
    refuse(capfd, place, code, words, options=options)


def manifest(change: Callable[[dict[str, Any]], Any]) -> d.Damage:
    return lambda folder: edit(folder, change)


def ports(role: str, kind: str, name: str, **changes: Any) -> d.Damage:
    """Change the port `name` of a graph; with nothing to change, remove it."""

    def change(content: dict[str, Any]) -> None:
        listed = content["graphs"][role][kind]
        port = next(port for port in listed if port["name"] == name)
        port.update(changes) if changes else listed.remove(port)

    return manifest(change)


BUNDLES: dict[str, d.Case] = {
    "no_seq2seq": (manifest(lambda c: c.pop("seq2seq")), "BUNDLE", "seq2seq"),
    "start": (manifest(lambda c: c["seq2seq"].update(start=VOCAB)), "BUNDLE", "seq2seq"),
    "source_0": (manifest(lambda c: c["seq2seq"].update(source_context=0)), "BUNDLE", "= 0"),
    "source_text": (
        manifest(lambda c: c["seq2seq"].update(source_context="9")),
        "BUNDLE",
        "wrong type",
    ),
    "no_encoder": (
        manifest(lambda c: c["graphs"].pop("encoder")),
        "BUNDLE",
        "expected decoder, encoder",
    ),
    "no_decoder": (
        manifest(lambda c: c["graphs"].pop("decoder")),
        "BUNDLE",
        "expected decoder, encoder",
    ),
    "no_cache": (manifest(lambda c: c.update(cache=None)), "BUNDLE", "lacks cache"),
    "layers": (manifest(lambda c: c["cache"].update(layers=2)), "BUNDLE_IO", ".1.key"),
    "cross_absent": (ports("encoder", "outputs", "cross.0.value"), "BUNDLE_IO", "cross.0.value"),
    "cross_size": (
        ports("encoder", "outputs", "cross.0.key", axes=["batch", 4, "source", 8]),
        "BUNDLE_IO",
        "cross.0.key",
    ),
    "cross_unread": (ports("decoder", "inputs", "cross.0.key"), "BUNDLE_IO", "cross.0.key"),
    "lengths": (ports("decoder", "inputs", "source_lengths"), "BUNDLE_IO", "source_lengths"),
}


@pytest.mark.parametrize("name", BUNDLES)
def test_bundle(name: str, place: Path, capfd: Any) -> None:
    damage, code, words = BUNDLES[name]
    damage(place / "bundle")
    refused(capfd, ["generate", place / "bundle", "hi"], code, words, within=place)


@pytest.fixture(scope="module")
def model(original: Path) -> Any:
    return satchel.load(original / "bundle", threads=1)


def test_prompts(model: Any) -> None:
    empty: str | list[int]
    for empty in ("", []):
        with pytest.raises(UsageError, match="empty"):
            model.generate(empty)
    with pytest.raises(UsageError, match="index 1"):
        model.generate([1, VOCAB])
    with pytest.raises(UsageError, match="index 0"):
        model.logits([1], [-1])
    for long in ([1] * 4097, "a" * 5000, "a" * 1_000_000):
        for call in (model.generate, model.stream, lambda text: model.logits(text, [1])):
            with pytest.raises(LimitError) as caught:
                call(long)
            assert caught.value.code == "PROMPT_TOO_LONG"


def test_targets_end_with_the_context(model: Any) -> None:
    found = model.generate([1, 2], max_new_tokens=None)
    assert (found.finish_reason, len(found.tokens)) == ("length", model.manifest.context - 1)
    with pytest.raises(LimitError, match="context is 512"):
        model.logits([1], [2] * 512)


def test_methods_of_other_tasks(model: Any) -> None:
    for name in ("chat", "chat_stream", "score", "embed"):
        assert not hasattr(model, name)
        with pytest.raises(UsageError, match="use generate, stream, translate or logits"):
            model.require(name)


def test_commands_of_other_tasks(place: Path, capfd: Any) -> None:
    for arguments in (["chat", place / "bundle"], ["generate", place / "bundle", "a", "--chat"]):
        refused(capfd, arguments, "WRONG_TASK", "text-to-text", within=place)


def test_cancelling_before_the_source_is_read(model: Any) -> None:
    cancel = Cancel()
    cancel.cancel()
    for row in model.generate([[1, 2], [3]], cancel=cancel):
        assert (row.finish_reason, row.tokens) == ("cancelled", [])
    stream = model.stream([1, 2])
    stream.cancel()
    assert list(stream) == [] and stream.result.finish_reason == "cancelled"


def test_verify_needs_a_probe_with_a_source(place: Path) -> None:
    from satchel.measure.verification import verify

    manifest(lambda c: c["probe"].pop("source"))(place / "bundle")
    with pytest.raises(BundleError, match="no probe"):
        verify(satchel.load(place / "bundle"))
