"""One comparison as its JSON holds it, asked by what pictures and tables need. Draws nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Spread = dict[str, float]  # median, min, max
LESS = ("ms", "s", "MB")  # units of which less is better
LEAST = 1e-7  # a difference from float32 below this is none


@dataclass(frozen=True)
class Quality:
    """How far an entrant is from float32, and the figures it is set against."""

    title: str
    speeds: tuple[str, ...]  # names of figures, where there are such
    values: dict[str, float]  # by entrant


@dataclass(frozen=True)
class Comparison:
    """What `report.result` made, with a name for files and headings."""

    name: str
    result: dict[str, Any]

    @property
    def entrants(self) -> list[dict[str, Any]]:
        """As they were measured, satchel first."""
        entrants: list[dict[str, Any]] = self.result["entrants"]
        return entrants

    @property
    def titles(self) -> list[str]:
        """Of all figures, in their order."""
        figures = self.result["figures"].values()
        return list(dict.fromkeys(title for by_title in figures for title in by_title))

    @property
    def speeds(self) -> list[str]:
        """Titles of figures that say how fast a loaded model is."""
        return [title for title in self.titles if unit(title) not in ("s", "MB")]

    @property
    def resources(self) -> list[str]:
        """Titles of figures of loading, memory and files."""
        return [title for title in self.titles if unit(title) in ("s", "MB")]

    def values(self, title: str) -> dict[str, Spread]:
        """A figure by entrant."""
        figures = self.result["figures"]
        return {name: found[title] for name, found in figures.items() if title in found}

    def rates(self, title: str) -> tuple[str, dict[str, Spread]]:
        """A speed as something of which more is better, with its unit."""
        found = self.values(title)
        batch = re.match(r"batch (\d+)x(\d+) \(ms\)", title)
        if not batch:
            return unit(title), found
        tokens = int(batch[1]) * int(batch[2]) * 1e3
        return "tok/s", {
            name: {key: tokens / spread[other] for key, other in INVERSE.items()}
            for name, spread in found.items()
        }

    def lengths(self) -> list[tuple[str, dict[str, Spread]]]:
        """(label, tokens per second by entrant) of figures that read tokens, fewest first."""
        found = []
        for title in self.speeds:
            size = re.match(r"(?:prefill|batch) (\d+)(?:x(\d+))? ", title)
            if size:
                tokens = int(size[1]) * int(size[2] or 1)
                label = f"{size[1]} x {size[2]}" if size[2] else size[1]
                found.append((tokens, label, self.rates(title)[1]))
        return [(label, rates) for _, label, rates in sorted(found, key=lambda one: one[0])]

    def shares(self) -> dict[str, dict[str, float]]:
        """By title and entrant, the share of the machine's limit."""
        found: dict[str, dict[str, float]] = {}
        for name, by_title in self.result.get("shares", {}).items():
            for title, share in by_title.items():
                found.setdefault(title, {})[name] = share
        return found

    def quality(self) -> Quality | None:
        """What this family is judged by, where it was."""
        for title, speeds, of in QUALITIES:
            values = {one["name"]: value for one in self.entrants if (value := of(one)) is not None}
            if values:
                return Quality(title, speeds, values)
        return None

    def qualities(self) -> dict[str, dict[str, float]]:
        """Every number that says how close an entrant is to float32, by entrant."""
        found: dict[str, dict[str, float]] = {}
        for one in self.entrants:
            quality = one.get("quality") or {}
            numbers = {name.replace("_", " "): value for name, value in quality.items()}
            for check, cosine in (one.get("agreement") or {}).items():
                numbers |= {f"cosine, {check}, {key}": value for key, value in cosine.items()}
            if one.get("distance") is not None:
                numbers["difference of log-probabilities"] = one["distance"]
            if numbers:
                found[one["name"]] = numbers
        return found

    def conditions(self) -> Iterator[tuple[str, str]]:
        """What a reader has to know of a measurement, as (name, value)."""
        for name in ("processor", "threads", "rounds", "date", "platform"):
            if name in self.result:
                yield name, str(self.result[name])
        if self.result.get("quick"):
            yield "warning", "--quick: only whether it works"

    def versions(self) -> Iterator[tuple[str, str]]:
        """By entrant."""
        for one in self.entrants:
            versions = ", ".join(f"{name} {text}" for name, text in one["versions"].items())
            if versions:
                yield one["name"], versions


INVERSE = {"median": "median", "min": "max", "max": "min"}  # of a time and its speed


def read(path: Path) -> list[Comparison]:
    """The comparisons of a file that a command wrote with --json; ValueError where it holds none."""
    made = json.loads(path.read_text("utf-8"))
    if not isinstance(made, dict):
        raise ValueError("not the JSON of a comparison")
    return split(made, path.stem)


def split(made: dict[str, Any], name: str = "comparison") -> list[Comparison]:
    """One comparison, or one by model."""
    if "entrants" in made:
        return [Comparison(made.get("model") or name, made)]
    if not made:
        raise ValueError("it holds no comparison")
    for model, result in made.items():
        if not isinstance(result, dict) or "entrants" not in result:
            raise ValueError(f"{model!r} is no comparison")
    return [Comparison(model, result) for model, result in made.items()]


def unit(title: str) -> str:
    """What stands in the brackets of a figure's title."""
    return title.rpartition(" (")[2].rstrip(")")


def bare(title: str) -> str:
    """A figure's title without its unit."""
    return title.rpartition(" (")[0]


def _divergence(entrant: dict[str, Any]) -> float | None:
    return (entrant.get("quality") or {}).get("mean_kl")


def _angle(entrant: dict[str, Any]) -> float | None:
    cosine = (entrant.get("agreement") or {}).get("sentences")
    return None if cosine is None else 1 - float(cosine["mean"])


def _distance(entrant: dict[str, Any]) -> float | None:
    return entrant.get("distance")


QUALITIES = (
    ("mean KL from float32 (nats)", ("decode 64 after 128", "prefill 512"), _divergence),
    ("1 - cosine with float32", ("batch 1x128", "batch 8x128"), _angle),
    ("log-probabilities from float32 (nats)", ("greedy, batch 1", "beam 4, batch 8"), _distance),
)
