"""Results as pictures and as shares of the machine's limits, from numbers that are known."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import pytest
import torch
from PIL import Image

import satchel
from satchel.runtime.bundle import open_bundle
from tests.tiny import save_checkpoint

FOLDER = Path(__file__).resolve().parent.parent / "benchmarks"
LIMITS = {
    "threads": 2,
    "read": {"a": 10e9, "b": 8e9},
    "int8": {"a": 1000e9},
    "fp32": {"a": 100e9},
}
pytest_plugins = "tests.places"
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="benchmarks run on Linux alone")


@pytest.fixture(scope="module")
def bench() -> Iterator[Any]:
    """Modules of the folder by name, as its commands import them."""
    sys.path.insert(0, str(FOLDER))
    before = set(sys.modules)
    yield importlib.import_module
    sys.path.remove(str(FOLDER))
    for name in set(sys.modules) - before:
        if str(FOLDER) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def decoders(bench: Any) -> dict[str, Any]:
    """What decoders.py would write of four entrants with known samples."""
    interleave, report = bench("interleave"), bench("decoder_report")
    names = ("satchel int8", "satchel fp32", "llama.cpp Q8_0, flash attention off", "other")
    entrants = [interleave.Entrant(name, versions={"engine": "1.0"}) for name in names]
    *running, broken = entrants
    broken.failure = "exit status 1: <no wheel>"
    for entrant, factor in zip(running, (1, 4, 2), strict=True):
        for figure in report.FIGURES:
            for round_ in (1.0, 1.1):
                entrant.add(figure.name, factor * round_ * (1e8 if figure.unit == "MB" else 1))
    conditions = {"threads": 2, "rounds": 2, "model": "a model/1"}
    result = report.result(entrants[0], entrants[1:], conditions)
    for one, divergence in zip(result["entrants"], (0.01, 0.0, 0.002), strict=False):
        one["quality"] = {"mean_kl": divergence, "top1": 0.95}
    shares = bench("shares")
    linear = {"decoder": shares.Linear(weights=90, head=10, bytes=100)}
    running[0].layers = linear
    limits = bench("limits").Limits(**LIMITS)
    return json.loads(json.dumps(result | shares.result(limits, entrants, report.FIGURES)))


def run(script: str, *arguments: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(FOLDER / script), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_shares_of_known_work(bench: Any) -> None:
    """A step reads 5e9 bytes at 10e9 a second; a prompt of 1000 multiplies 4e9 weights in int8."""
    shares, report, interleave = bench("shares"), bench("report"), bench("interleave")
    limits = bench("limits").Limits(**LIMITS)
    linear = shares.Linear(weights=4 * 10**9, head=10**9, bytes=5 * 10**9)
    ours = interleave.Entrant("satchel", layers={"decoder": linear})
    whole = interleave.Entrant("as large", size=10**10)
    exact = interleave.Entrant("fp32", size=2 * 10**10, arithmetic="fp32")
    step = report.Figure("steps", "tok/s", 2, (report.Phase("decoder", 2, 1, 1),))
    prompt = report.Figure("prompt", "tok/s", 1000, (report.Phase("decoder", 1, 1000, 1),))
    both = report.Figure("both", "s", 0, prompt.work + step.work)
    other = report.Figure("other", "s")
    for entrant in (ours, whole, exact):
        for figure in (step, prompt, both, other):
            entrant.add(figure.name, 10)
    unknown = report.Figure("unknown", "s", 0, (report.Phase("encoder", 1, 1),))
    ours.add("unknown", 10)
    found = shares.shares(limits, [ours, whole, exact], [step, prompt, both, other, unknown])
    reading, multiplying = 2 * 0.5, 2 * (4e12 + 1e9) / 1e12
    assert found["satchel"] == pytest.approx(
        {"steps (tok/s)": reading / 10, "prompt (tok/s)": multiplying / 10,
         "both (s)": (reading + multiplying) / 10}
    )  # fmt: skip
    assert found["as large"]["steps (tok/s)"] == pytest.approx(2 * 1 / 10)
    assert found["fp32"]["prompt (tok/s)"] == pytest.approx(10 * multiplying / 10)
    page = shares.tables(limits, [ours, whole, exact], [step, other])
    assert "reads 10 GB/s (a), multiplies in int8 1000 GOP/s (a)" in page
    rows = {
        "| share | steps (tok/s) |",
        "| satchel | 10% |",
        "| as large | 20% |",
        "| fp32 | 40% |",
    }
    assert rows <= set(page.splitlines())


def test_a_peers_file_spends_nothing_on_what_is_only_looked_up(bench: Any) -> None:
    shares, entrant = bench("shares"), bench("interleave").Entrant("peer", size=1200)
    layers = {
        "encoder": shares.Linear(weights=300, head=0, bytes=0, tables=200),
        "decoder": shares.Linear(weights=400, head=100, bytes=0),
    }
    assert shares._bytes(entrant, layers, "decoder") == 600


def test_the_work_of_a_bundle_is_counted(bench: Any, original: Path) -> None:
    """One layer of llama, 64 wide, 4 heads and 2 of keys, 96 inside, 320 ids, head untied; float32."""
    found = bench("shares").of_bundle(open_bundle(original / "bundle"))
    body = 64 * (64 + 2 * 32) + 64 * 64 + 3 * 64 * 96
    linear = found["layers"]["decoder"]
    assert (linear.weights, linear.head, linear.tables) == (body, 64 * 320, 64 * 320)
    assert linear.bytes == 4 * (body + 64 * 320)
    assert found["arithmetic"] == "fp32"


@pytest.mark.parametrize(
    ("profile", "scales", "values", "tables"),
    [
        ("int8", 128 + 64 + 192 + 64 * 3, 1, 0),
        ("int8-portable", 128 + 64 + 192 + 64, 1, 64 * 320),
        ("int4", 2 * (128 + 64 + 192) + 64 * 3, 0.5, 0),
    ],
)
def test_the_work_of_quantised_bundles(
    bench: Any, tmp_path: Path, profile: str, scales: int, values: float, tables: int
) -> None:
    """The same layer and a head tied to its table, which is rotated on: 64 x 64 in float32."""
    torch.set_num_threads(1)
    (tmp_path / "checkpoint").mkdir()
    save_checkpoint(tmp_path / "checkpoint", "llama", num_hidden_layers=1, tie_word_embeddings=True)
    satchel.pack(tmp_path / "checkpoint", tmp_path / "bundle", profile=profile, force=True)
    found = bench("shares").of_bundle(open_bundle(tmp_path / "bundle"))
    body, rotation, head = 64 * (128 + 64 + 3 * 96), 64 * 64, 64 * 320
    linear = found["layers"]["decoder"]
    assert (linear.weights, linear.head, linear.tables) == (body + rotation, head, tables)
    zeros = 128 + 64 + 192 + 64 * 2 if profile == "int4" else 0  # two to a byte
    read = values * body + head + 4 * (scales + 320 + rotation) + zeros
    assert linear.bytes == pytest.approx(read, rel=1e-3)  # and scales of activations
    assert found["arithmetic"] == "int8"


def test_limits_are_the_best_of_all_measurements(bench: Any, monkeypatch: Any) -> None:
    limits = bench("limits")
    rates = iter([{"a": 1.0, "b": 5.0}, {"a": 3.0, "b": 4.0}])
    monkeypatch.setattr(
        limits, "_measured", lambda threads, quick: limits.Limits(threads, *[next(rates)] * 3)
    )
    machine = limits.Machine(2)
    machine.measure()
    found = machine.measure()
    assert found.read == found.int8 == found.fp32 == {"a": 3, "b": 5} and found.bandwidth == 5


def test_limits_are_measured(bench: Any) -> None:
    found = bench("limits").Machine(1, quick=True).measure()
    assert found.threads == 1 and len(found.read) == 4
    assert 1e8 < found.bandwidth < 1e13
    assert 1e8 < found.operations("fp32") < 1e14 and 1e8 < found.operations("int8") < 1e15


def test_every_chart_and_one_page(bench: Any, tmp_path: Path) -> None:
    one = decoders(bench)
    (tmp_path / "one.json").write_text(json.dumps(one))
    (tmp_path / "more.json").write_text(json.dumps({"t5": one | {"model": "t5"}}))
    out = tmp_path / "out"
    done = run("pictures.py", tmp_path / "one.json", tmp_path / "more.json", "--out", out)
    assert done.returncode == 0 and not done.stderr, done.stderr
    charts = ("lengths", "limits", "quality", "resources", "speed")
    expected = {f"{name}-{chart}.png" for name in ("a-model-1", "t5") for chart in charts}
    assert {path.name for path in out.iterdir()} == expected | {"index.html"}
    for name in expected:
        with Image.open(out / name) as image:
            assert image.width > 700 and len(image.convert("RGB").getcolors(1 << 24) or []) > 20
    page = (out / "index.html").read_text("utf-8")
    assert not re.search(
        r"<(script|link|img|iframe)|https?://(?!www\.w3\.org)|@import|url\((?!#)", page
    )
    assert "exit status 1: &lt;no wheel&gt;" in page
    drawings = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    assert len(drawings) == 2 * (4 + 1 + 2 + 4 + 4)
    for drawing in drawings:
        ElementTree.fromstring(drawing)
        assert "#0072b2" not in drawing, "colours come from the style sheet"
    used = set(re.findall(r"var\(--([a-z0-9-]+)\)", page))
    assert all(f"--{name}:" in page for name in used)
    assert '<th scope="row">decode 64 after 128 (tok/s)</th><td>61.1 (58.2 to 64)</td>' in page


def test_what_charts_are_made_of(bench: Any) -> None:
    comparison, charts = bench("comparison"), bench("charts")
    [found] = comparison.split(decoders(bench))
    assert [label for label, _ in found.lengths()] == ["128", "512"]
    quality = found.quality()
    assert quality.title == "mean KL from float32 (nats)" and len(quality.values) == 3
    panels = {chart.key: [panel.title for panel in chart.panels] for chart in charts.charts(found)}
    assert panels["quality"] == [
        "Quality against decode 64 after 128",
        "Quality against prefill 512",
    ]
    assert panels["limits"] == [
        "prefill 128",
        "prefill 512",
        "decode 64 after 128",
        "decode 32 of 8 texts",
    ]
    looks = charts.Looks(["satchel a", "satchel b", "llama.cpp x", "llama.cpp y", "other"])
    assert len({looks.colours[name] for name in looks.colours}) == 3
    assert looks.colours["satchel b"] == charts.OURS
    milliseconds = {"median": 2.0, "min": 1.0, "max": 4.0}
    batch = comparison.Comparison("x", {"figures": {"a": {"batch 8x128 (ms)": milliseconds}}})
    unit, rates = batch.rates("batch 8x128 (ms)")
    assert unit == "tok/s" and rates["a"] == {"median": 512e3, "min": 256e3, "max": 1024e3}


def test_a_legend_names_every_point_below_the_plot(bench: Any) -> None:
    charts = bench("charts")
    texts = [
        "satchel int8",
        *(f"engine{i} {kind}" for i in range(4) for kind in ("int8", "int4", "b", "c")),
    ]
    rates = {text: dict.fromkeys(("median", "min", "max"), 100 + i) for i, text in enumerate(texts)}
    quality = SimpleNamespace(title="KL", values={text: 0.01 * i for i, text in enumerate(texts)})
    panel = charts._scatter("decode", "tok/s", rates, quality, charts.Looks(texts))
    figure = charts.render([panel])
    [axes] = figure.axes
    names = axes.get_legend().get_texts()
    assert [name.get_text() for name in names] == ["satchel int8 (exact)", *texts[1:]]
    assert names[0].get_weight() == "bold"
    box = axes.get_legend().get_window_extent()
    assert box.y1 < axes.get_window_extent().y0 and figure.bbox.padded(2).contains(box.x0, box.y0)
    looks = {
        (line.get_color(), line.get_marker()) for line in axes.lines if line.get_marker() != "None"
    }
    assert len(looks) == len(texts)


@pytest.mark.parametrize(
    ("text", "arguments", "reason"),
    [
        ("{}", ["--out", "{tmp}/no/where"], "not a folder"),
        ("{}", ["--out", "{tmp}/out"], "holds no comparison"),
        ("[]", ["--out", "{tmp}/out"], "not the JSON of a comparison"),
        ('{"t5": 1}', ["--out", "{tmp}/out"], "'t5' is no comparison"),
        ("no", ["--out", "{tmp}/out"], "expected what a comparison command wrote"),
    ],
)
def test_what_cannot_be_drawn_is_one_line(
    text: str, arguments: list[str], reason: str, tmp_path: Path
) -> None:
    (tmp_path / "r.json").write_text(text)
    given = [argument.format(tmp=tmp_path) for argument in arguments]
    done = run("pictures.py", tmp_path / "r.json", *given)
    assert done.returncode != 0 and "Traceback" not in done.stderr
    assert reason in done.stderr.splitlines()[-1], done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["r.json"]
