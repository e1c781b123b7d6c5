"""Stop strings that a checkpoint recommends: the default of every way to generate."""

from __future__ import annotations

import json
from pathlib import Path

import satchel
from tests.loading import load_as
from tests.tiny import save_checkpoint


def test_recommended_stop_strings_end_a_text(tmp_path: Path) -> None:
    source, out = tmp_path / "checkpoint", tmp_path / "bundle"
    save_checkpoint(source, "llama", num_hidden_layers=1)
    advice = {"stop_strings": ["never written"], "max_new_tokens": 40}
    (source / "generation_config.json").write_text(json.dumps(advice))
    assert satchel.pack(source, out, profile="fp32").manifest.generation == advice
    model = load_as(satchel.DecoderModel, out, threads=1)
    plain = model.generate("hello")
    assert len(plain.tokens) == 40 and plain.finish_reason == "length"
    stop = plain.text[len(plain.text) // 2]
    model.manifest.generation["stop_strings"] = stop
    found, stream = model.generate("hello"), model.stream("hello")
    assert found.finish_reason == "stop" and found.text == plain.text.partition(stop)[0]
    assert "".join(stream) == found.text and stream.result.finish_reason == "stop"
    assert model.generate("hello", stop=()).text == plain.text
