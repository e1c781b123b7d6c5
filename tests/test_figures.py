"""The figures that the documents show: tables and picture are those of the record."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import pytest

pytest_plugins = "tests.benchmark_commands"
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def figures(bench: Any) -> Any:
    return bench("figures")


@pytest.fixture(scope="module")
def record(figures: Any) -> Any:
    return figures.Record.read(figures.FIGURES / "decoders.json")


def test_documents_follow_from_the_record(figures: Any, record: Any) -> None:
    written = figures.written(record)
    assert [path.name for path in written] == ["README.md", "figures.md", "decoders.svg"]
    for path, text in written.items():
        assert path.read_text("utf-8") == text, "python benchmarks/figures.py writes it anew"
    readme = (figures.ROOT / "README.md").read_text("utf-8")
    assert "](docs/figures/decoders.svg)" in readme and record.command in readme
    assert [one["engine"] for one in record.few()] == record.drawn


def test_a_changed_figure_changes_the_documents(figures: Any, record: Any) -> None:
    first = record.few()[0]
    old, first["writing"] = first["writing"], 9876
    try:
        for path, text in figures.written(record).items():
            assert "9876" in text and "9876" not in path.read_text("utf-8")
    finally:
        first["writing"] = old


def test_a_page_keeps_all_but_its_table(figures: Any) -> None:
    text = "a\n\n| | prompt of 128 | x |\n|---|---:|---:|\n| b | 1 | 2 |\n\nc\n"
    assert figures.page(text, ["new", "rows"]) == "a\n\nnew\nrows\n\nc\n"


def test_a_figure_that_there_is_not_is_left_blank(figures: Any) -> None:
    rows = figures.table([{"engine": "e", "8 texts": None, "mean KL": 0}], ["8 texts", "mean KL"])
    assert rows == ["| | 8 texts | mean KL |", "|---|---:|---:|", "| e | | 0 |"]


def test_the_picture_says_in_text_what_its_bars_show(figures: Any, record: Any) -> None:
    root = ElementTree.fromstring(figures.picture(record))
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    texts = [str(element.text) for element in root.iter(f"{SVG}text")]
    bars = [box for box in root.iter(f"{SVG}rect") if "bar" in box.attrib["class"]]
    engines = record.few()
    assert len(bars) == len(engines) * len(figures.PANELS)
    for place, name in enumerate(figures.PANELS):
        values = [one[name] for one in engines]
        drawn = [float(bar.attrib["width"]) for bar in bars[place * len(engines) :][: len(engines)]]
        assert drawn == pytest.approx([figures.BAR * one / max(values) for one in values], abs=0.06)
        assert {f"{one:.0f}" for one in values} <= set(texts) and name.partition(",")[0] in texts
    for fact in (record.machine, record.method, record.recorded, record.command):
        assert any(fact in text for text in texts), fact
    for element in root.iter():
        if "x" in element.attrib:
            assert 0 < float(element.attrib["x"]) < width
            assert 0 < float(element.attrib["y"]) < height


@pytest.mark.parametrize("scheme", ["LIGHT", "DARK"])
def test_text_stands_out_on_the_page(scheme: str, figures: Any, record: Any) -> None:
    """By the ratio of WCAG: 4.5 for text, 3 for bars that must be told apart from the page."""
    colours = getattr(figures, scheme)
    assert all(colour in figures.picture(record) for colour in colours.values())
    page = luminance(colours["page"])
    for name, least in (("text", 4.5), ("note", 4.5), ("ours", 3.0), ("bar", 3.0)):
        low, high = sorted((page, luminance(colours[name])))
        assert (high + 0.05) / (low + 0.05) >= least, name


def luminance(colour: str) -> float:
    """Relative luminance of #rrggbb."""
    parts = [int(part, 16) / 255 for part in re.findall("..", colour[1:])]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
