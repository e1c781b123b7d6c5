"""Where the time of a bundle goes: every workload of every family, and nothing left behind."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import satchel
from satchel.cli.main import main
from satchel.measure import node_times as profiling
from satchel.runtime.errors import SatchelError
from tests.tiny import save_checkpoint
from tests.tiny_encoders import save_encoder
from tests.tiny_seq2seq import save_seq2seq
from tests.tiny_speech import save_speech

pytest_plugins = "tests.places"

# case -> checkpoint, profile, operator of its linear layers, runs of graphs per workload
Case = tuple[Callable[[Path], Any], str, str, dict[str, dict[str, int]]]
FAMILIES: dict[str, Case] = {
    "decoder": (
        lambda folder: save_checkpoint(folder, "llama", max_position_embeddings=600),
        "int8",
        "MatMulNBits",
        {"decoder": {"prefill 16": 1, "prefill 128": 1, "prefill 512": 4, "step after 128": 1}},
    ),
    "decoder, portable": (
        lambda folder: save_checkpoint(folder, "llama"),
        "int8-portable",
        "MatMulIntegerToFloat",
        {"decoder": {"prefill 16": 1, "prefill 128": 1, "step after 128": 1}},
    ),
    "decoder, int4": (
        lambda folder: save_checkpoint(folder, "llama"),
        "int4",
        "MatMulNBits",
        {"decoder": {"prefill 16": 1, "prefill 128": 1, "step after 128": 1}},
    ),
    "encoder": (
        lambda folder: save_encoder(folder, "bert", "embed"),
        "fp32",
        "FusedMatMul",
        {"encoder": {"batch 1x16": 1}},
    ),
    "encoder, int8": (
        lambda folder: save_encoder(folder, "bert", "embed"),
        "int8",
        "MatMulIntegerToFloat",
        {"encoder": {"batch 1x16": 1}},
    ),
    "encoder-decoder": (
        lambda folder: save_seq2seq(folder, "t5"),
        "int8",
        "MatMulIntegerToFloat",
        {
            "encoder": {"source 1x64": 1, "source 8x64": 1},
            "decoder": {"step of 1": 1, "step of 8": 1},
        },
    ),
    "speech": (
        save_speech,
        "fp32",
        "FusedMatMul",
        {"encoder": {"window": 1}, "decoder": {"step": 1}},
    ),
}


@pytest.fixture(scope="module", params=FAMILIES)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    torch.set_num_threads(1)
    checkpoint, profile, *expected = FAMILIES[request.param]
    folder = tmp_path_factory.mktemp("profiled")
    (folder / "checkpoint").mkdir()
    checkpoint(folder / "checkpoint")
    satchel.pack(folder / "checkpoint", folder / "bundle", profile=profile, force=True)
    return folder / "bundle", *expected


def test_every_workload_is_split_into_operators(
    made: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    bundle, linear, expected = made
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    profile = profiling.profile_nodes(bundle, 1)
    assert not os.listdir(tmp_path), "the profiler's files are gone"
    assert {role: {name: found["runs"] for name, found in workloads.items()}
            for role, workloads in profile.items()} == expected  # fmt: skip
    for workloads in profile.values():
        for found in workloads.values():
            spent = sum(row["microseconds"] for row in found["operators"])
            total = spent + found["outside_nodes_microseconds"]
            assert total == pytest.approx(found["microseconds"])
            assert 0 < spent < found["microseconds"]
            rows = {row["operator"]: row for row in found["operators"]}
            assert "SkipLayerNormalization" not in rows or not rows[
                "SkipLayerNormalization"]["weights_per_second"]  # fmt: skip
            assert len(found["slowest"]) == min(10, sum(row["nodes"] for row in rows.values()))
    last = list(profile.values())[-1]
    for found in last.values():
        [row] = [row for row in found["operators"] if row["operator"] == linear]
        assert row["weights_per_second"] > 0


def event(number: int, operator: str, start: int, duration: int, **shapes: Any) -> dict[str, Any]:
    arguments = {"op_name": operator, "node_index": str(number), "parameter_size": "0"} | shapes
    return {"cat": "Node", "name": f"n{number}_kernel_time", "ts": start, "dur": duration,
            "args": arguments}  # fmt: skip


def test_figures_of_known_events() -> None:
    """Two runs of 100 us: a linear layer of 8 x 4 weights, a product of activations, a sum."""
    weights = {
        "input_type_shape": [{"float": [1, 3, 8]}],
        "output_type_shape": [{"float": [1, 3, 4]}],
    }
    product = {
        "input_type_shape": [{"float": [1, 3, 8]}, {"float": [1, 8, 3]}],
        "output_type_shape": [{"float": [1, 3, 3]}],
    }
    events = []
    for start in (0, 100):
        events.append(event(0, "MatMul", start, 40, **weights))
        events.append(event(1, "MatMul", start + 40, 10, **product))
        events.append(event(2, "Add", start + 50, 5 + start // 10))
    found = profiling._figures(events, 100, 2)
    matmul, add = found["operators"]
    assert matmul == {"operator": "MatMul", "nodes": 2, "microseconds": 50, "share": 0.5,
                      "weights_per_second": pytest.approx(32 / 40e-6)}  # fmt: skip
    assert add["microseconds"] == 10 and add["weights_per_second"] is None
    assert found["outside_nodes_microseconds"] == 40
    assert [row["node"] for row in found["slowest"]] == ["n0", "n1", "n2"]
    found["runs"] = 2
    [(heading, rows), (_, slowest)] = profiling.tables({"decoder": {"prefill 3": found}})
    assert heading == "decoder, prefill 3: 0.1 ms in 2 runs of the graph"
    assert rows[1] == ("MatMul", "2", "50.0", "50.0%", "0.0008")
    assert rows[-1] == ("(outside nodes)", "", "40.0", "40.0%", "")
    assert slowest[1] == ("n0", "MatMul", "40.0", "40.0%")


def test_a_profile_that_lacks_runs_is_refused(tmp_path: Path) -> None:
    class Session:
        def end_profiling(self) -> str:
            (tmp_path / "events.json").write_text("[]")
            return str(tmp_path / "events.json")

    watch = profiling.Watch()
    session = watch.over("decoder", Session())
    session.runs.append("step")
    with pytest.raises(SatchelError, match="profiled 0 of 1 runs"):
        session.profile(watch.times)


def test_the_command_line_prints_and_keeps_it(original: Path, tmp_path: Path, capsys: Any) -> None:
    file = tmp_path / "figures.json"
    options = ["--profile-nodes", "--repeats", "1", "--threads", "1", "--json", str(file)]
    assert main(["bench", str(original / "bundle"), *options]) == 0
    page = capsys.readouterr().out
    assert "decode (tok/s)" in page and "decoder, step after 128:" in page
    assert "(outside nodes)" in page and "slowest nodes" in page
    found = json.loads(file.read_text())
    assert found["figures"] and set(found["nodes"]) == {"decoder"}
