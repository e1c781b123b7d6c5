"""The comparison of encoder-decoders and the large decoder: conclusions, and from end to end."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from tests.benchmark_commands import compared, on_linux, refused

pytest_plugins = "tests.benchmark_commands"
pytestmark = on_linux


def test_a_target_of_another_length_is_seen(bench: Any) -> None:
    """An engine that ends early would be the faster for it."""
    seq2seq, error = bench("seq2seq"), bench("interleave").WorkerError

    class Ends:
        def ask(self, **_: Any) -> dict[str, Any]:
            return {"seconds": 1.0, "targets": [[5] * 64, [5] * 63]}

    with pytest.raises(error, match=r"targets of \[64, 63\] tokens; expected 2 of 64"):
        seq2seq._ask(Ends(), (2, 1))


def test_seq2seq_tables_compare_with_float32_and_with_peers(bench: Any) -> None:
    peers, report = bench("seq2seq_peers"), bench("seq2seq_report")
    ours, theirs, broken = (peers.Seq2seqEntrant(name) for name in ("satchel", "peer", "broken"))
    figure = report.speed(8, 4)
    assert figure.title == "beam 4, batch 8 (tok/s)"
    for entrant, seconds in ((ours, (1, 2)), (theirs, (4, 4))):
        for second in seconds:
            entrant.add(figure.name, second)
    ours.found, ours.distance = [[1, 2, 3], [4, 5, 6]], 0.25
    broken.failure = "no wheel"
    page = report.tables("t5", [ours, theirs, broken], [[1, 2, 3], [4, 9, 6]], 2).splitlines()
    row = "| beam 4, batch 8 (tok/s) | 384 (256 to 512) | 128 | - | 3 (2 to 4) | - |"
    assert row in page
    assert "  Ids as float32's, from the first on: 3 of 64 greedy, 1 of 64 by 4 beams." in page
    assert (
        "  Log-probabilities of given targets differ from float32's by 0.2500 in the mean." in page
    )
    assert "  Failed: no wheel" in page
    result = report.result([ours, theirs, broken], [[1, 2, 3], [4, 9, 6]], {"threads": 2})
    assert result["ids_as_float32"] == {"satchel": [3, 1], "peer": [], "broken": []}
    assert result["ratios"]["peer"][figure.name]["pairs"] == [4, 2]


@pytest.mark.parametrize("model", ["t5", pytest.param("marian", marks=pytest.mark.slow)])
def test_seq2seq_without_peers(model: str, tmp_path: Path) -> None:
    arguments = ("--quick", "--models", model, "--peers", "--threads", 1)
    result = compared("seq2seq.py", tmp_path, *arguments)[1][model]
    [entrant] = result["entrants"]
    assert entrant["failure"] is None and entrant["distance"] < 0.3  # of noise
    assert [len(target) for target in entrant["found"]] == [64, 64]
    assert len(result["figures"]["satchel"]) == 8
    assert len(result["shares"]["satchel"]) == 4


def test_large(tmp_path: Path) -> None:
    _, result = compared("large.py", tmp_path, "--quick", "--threads", 1)
    [entrant] = result["entrants"]
    assert entrant["failure"] is None and len(result["figures"]["satchel"]) == 8
    assert result["figures"]["satchel"]["peak memory of the export (MB)"]["max"] > 100
    assert len(result["shares"]["satchel"]) == 2


def test_the_large_checkpoint_has_1_1_billion_weights(bench: Any) -> None:
    model = bench("large_model")
    shapes = [shape for file in model.shards(model.CONFIG) for shape in file.values()]
    assert sum(map(math.prod, shapes)) == 1_100_048_384  # as TinyLlama-1.1B


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--rounds", "0"], "--rounds"),
        (["--models", "bart"], "--models"),
        (["--peers", "llama.cpp"], "--peers"),
        (["--markdown", "{nowhere}/t.md"], "there is no folder"),
        (["--pictures", "{nowhere}/x"], "nor a new one in a folder"),
    ],
)
def test_bad_options_of_seq2seq(arguments: list[str], reason: str, tmp_path: Path) -> None:
    given = [argument.format(nowhere=tmp_path / "nowhere") for argument in arguments]
    refused("seq2seq.py", tmp_path / "home", reason, *given)
