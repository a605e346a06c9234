"""What a finished benchmark left, read for the page: charts and tables of `results/` and `runs/`.

A report is a folder. That of digits has table2.json; that of an attribute domain has results.csv,
one row a (method, attribute, direction, seed, alpha). Only means over seeds are computed here.
"""

import csv
import json
from pathlib import Path
from statistics import mean
from typing import Any

from benchmark.methods import look_of
from benchmark.paper import TABLE_2
from benchmark.strengths import PAPERS
from benchmark.tables.sheet import read_sheets
from demo.charts import Bar, Line, bar_chart, line_chart

__all__ = [
    "ATTRIBUTE_METRICS",
    "DIGIT_METRICS",
    "NOTES",
    "attributes_of",
    "commit_of",
    "digit_chart",
    "digit_metrics",
    "face_chart",
    "find_reports",
    "strategies_of",
    "table_of",
]

ROOT = Path(__file__).resolve().parents[1]
DIGIT_METRICS = {
    "accepted": "Accepted",
    "clean": "As many as wanted, the others unchanged",
    "fooled": "The classifier fooled",
    "actual": "Actual change",
    "exact": "Exactly as many digits as wanted",
    "kept": "The other digits unchanged",
    "latent": "Latent change",
    "alpha": "Strength alpha",
    "distance": "Distance to real codes",
}
NOTES = {
    "accepted": "Share of edits that a person would accept: both judges are sure of exactly as "
                "many digits as wanted, and the other digits are as they were.",
    "clean": "Share of images in which the judge sees exactly as many digits as wanted and the "
             "others are as they were, sure of it or not.",
    "fooled": "Share of edits that the latent classifier accepts and the image judge does not see.",
    "actual": "Share of images in which the image judge sees the change; with a strength that the "
              "latent classifier sets, among the edits that it accepts: what is missing to 1 is "
              "adversarial.",
    "exact": "Share of those in which it sees exactly as many digits as wanted.",
    "kept": "Share of images in which the other digits are as they were; with a strength that the "
            "latent classifier sets, among those that changed.",
    "latent": "Share of edits that the latent classifier accepts.",
    "alpha": "The strength at which this was measured; it means something else for each method.",
    "distance": "From edited codes to the nearest held-out code of the target, 1 being that of a "
                "real one.",
    "preservation": "Share of the other attributes that stay as they were, by the image judge.",
    "identity": "Cosine similarity of the face before and after.",
    "worst": "Share of images that keep the attribute disturbed most.",
    "latent_change": "Share of edits that the latent classifier accepts; what is above the target "
                     "change is adversarial.",
    "nearest": "From edited codes to the nearest held-out code that has the attribute, 1 being the "
               "distance of a real one.",
    "norm": "Length of edited codes over that of real ones: 1 is as long.",
}
ATTRIBUTE_METRICS = {
    "preservation": "Other attributes preserved",
    "identity": "Identity kept",
    "worst": "Worst-kept attribute",
    "latent_change": "Latent change",
    "nearest": "Distance to real codes",
    "norm": "Length of the edited codes",
}
_CEILING = "ceiling"  # in the rows of digits: real images of as many digits as wanted
_DASHES = {"--": "7 4", "-.": "8 3 2 3", ":": "2 3"}
_LAST = ("lt_star", "lw_star", "lt", "lw_paper", "lw", "lw_neural")  # drawn on top


def find_reports() -> dict[str, Path]:
    """Reports at hand, by the name under which they are chosen; those of this repository first."""
    results, runs = ROOT / "results", ROOT / "runs"
    files = {
        "digits, published": results / "digits" / "table2.json",
        "faces, published": results / "faces" / "results.csv",
        "digits, LT's classifier as published": results / "digits_published" / "table2.json",
        "digits, your last run": runs / "digits" / "table2.json",
        "faces, your last run": runs / "faces" / "results.csv",
    }
    return {name: file.parent for name, file in files.items() if file.exists()}


def attributes_of(report: Path) -> list[str]:
    """Target attributes of a report of faces, without the rows that are means over all."""
    names = dict.fromkeys(row["attribute"] for row in _rows(report))
    return [name for name in names if name != "all"]


def strategies_of(report: Path) -> list[str]:
    """How alpha was chosen in a report of digits, in its order."""
    return list(dict.fromkeys(row["strategy"] for row in _table2(report)))


def digit_metrics(report: Path) -> dict[str, str]:
    """Those of `DIGIT_METRICS` that a report of digits has; older ones lack some."""
    rows = _table2(report)
    return {name: text for name, text in DIGIT_METRICS.items() if all(name in row for row in rows)}


def digit_chart(report: Path, metric: str, strategy: str) -> str:
    """Bars of a metric, an edit and a method.

    Args:
        report: Folder of a digits run.
        metric: One of `DIGIT_METRICS`.
        strategy: How alpha was chosen, one of `strategies_of`.
    """
    bars = []
    for row in _table2(report):
        value = row[metric]
        if row["strategy"] != strategy or value["mean"] is None:
            continue
        colour, dash = _look(row["method"])
        bars.append(Bar(row["task"], _label(row["method"]), colour, value["mean"], value["low"],
                        value["high"], dash, _papers(row, metric)))
    title = f"{DIGIT_METRICS[metric]}, for each edit and method"
    return bar_chart(bars, DIGIT_METRICS[metric], title)


def face_chart(report: Path, attribute: str, direction: str, metric: str) -> str:
    """Curves of a metric over the target change that the image judge sees, seeds averaged.

    Args:
        report: Folder of a faces run.
        attribute: Target attribute.
        direction: "add" or "remove".
        metric: One of `ATTRIBUTE_METRICS`.
    """
    cells: dict[str, dict[float, list[tuple[float, float]]]] = {}
    for row in _rows(report):
        if row["attribute"] == attribute and row["direction"] == direction and row[metric]:
            place = cells.setdefault(row["method"], {}).setdefault(abs(float(row["alpha"])), [])
            place.append((float(row["target_change"]), float(row[metric])))
    order = sorted(cells, key=lambda name: (_LAST.index(name) if name in _LAST else -1, name))
    lines = []
    for method in order:
        points = sorted((mean(x for x, _ in at), mean(y for _, y in at))
                        for at in cells[method].values())
        lines.append(Line(_label(method), *_look(method), *zip(*points, strict=True)))
    name = ATTRIBUTE_METRICS[metric]
    title = f"{name} over target change, {direction} {attribute}, for each method"
    return line_chart(lines, "target change seen by the image judge", name, title)


def table_of(report: Path) -> str:
    """The report's tables of digits, or its main one of faces, as Markdown; nothing without any."""
    if not (report / "tables" / "tables.json").exists():
        return ""
    sheets = read_sheets(report / "tables")
    shown = sheets if (report / "table2.json").exists() else sheets[:1]
    return "\n".join(sheet.markdown(level=3) for sheet in shown)


def commit_of(report: Path) -> str:
    """Commit and versions a report was made with."""
    try:
        about: dict[str, Any] = json.loads((report / "config.json").read_text())
    except (OSError, ValueError):
        return ""
    return f"commit {str(about.get('commit', 'unknown'))[:12]}, torch {about.get('torch', '?')}"


def _papers(row: dict[str, Any], metric: str) -> float | None:
    """What the paper reports in this place."""
    if metric != "actual" or row["strategy"] not in PAPERS:
        return None
    method = {"lw": "", "lw_paper": "lw"}.get(row["method"], row["method"])  # as published
    return TABLE_2.get(method, {}).get(row["task"])


def _table2(report: Path) -> list[dict[str, Any]]:
    return json.loads((report / "table2.json").read_text())


def _rows(report: Path) -> list[dict[str, str]]:
    with (report / "results.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def _label(method: str) -> str:
    return "real images" if method == _CEILING else look_of(method).label


def _look(method: str) -> tuple[str, str]:
    """Colour and dashes as SVG has them."""
    if method == _CEILING:
        return "#332288", "2 3"
    look = look_of(method)
    if isinstance(look.line, str):
        return look.colour, _DASHES.get(look.line, "")
    return look.colour, " ".join(str(2 * part) for part in look.line[1])
