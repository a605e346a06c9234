"""The digits run for print and for the browser: Table 2 as LaTeX, and one page of the whole run.

Both are made from table2.json and table2.md, which the report wrote, and from the
pictures of Fig. 6.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmark.attributes.page import write_page
from benchmark.attributes.sheet import Sheet
from benchmark.files import write_text
from benchmark.measure import READINGS
from benchmark.report import LABELS
from benchmark.times import sentence

__all__ = ["write_digits_page"]

_COLUMNS = {
    "actual": "actual change", "exact": "exactly n+1", "kept": "digits kept",
    "clean": "exactly n+1 and all kept", "kept_photo": "digits of the photo kept",
    "latent": "latent change", "alpha": "α", "distance": "distance to targets",
}
_WITH_INTERVALS = ("actual", "exact", "kept", "clean")


def write_digits_page(out: Path, figures: Mapping[str, Path]) -> Path:
    """Write table2.tex and report.html.

    Args:
        out: Run folder with its report.
        figures: Fig. 6 as PNG, by the reading that it shows.

    Returns:
        Path of the page.
    """
    rows = json.loads((out / "table2.json").read_text())
    text = (out / "table2.md").read_text()
    legend = text.rpartition("## How to read it")[2].strip().replace("\n\n", " ")
    sheets = [_table2(rows, reading, legend) for reading in READINGS]
    if "## LW against" in text:
        sheets.append(_gains(text))
    write_text(out / "table2.tex", "\n".join(sheet.latex() for sheet in sheets))
    about = "Held-out images, encoded, edited in W+, drawn and judged. " + sentence(out)
    caption = "Fig. 6: what each method makes of an image asked for one digit more, alpha: "
    pictures = [(caption + reading, path) for reading, path in figures.items()]
    return write_page("Adding a digit", about, sheets, pictures, out / "report.html")


def _table2(rows: list[dict[str, Any]], reading: str, legend: str) -> Sheet:
    cells = [
        (row["task"], LABELS.get(row["method"], row["method"]),
         *(_shown(row[name], whole=name in _WITH_INTERVALS) for name in _COLUMNS),
         "" if row["paper"] is None else f"{row['paper']:.2f}")
        for row in rows if row["reading"] == reading
    ]
    return Sheet(f"table2_{reading.replace(' ', '_')}", f"Table 2, alpha: {reading}",
                 ("edit", "method", *_COLUMNS.values(), "paper, actual change"), tuple(cells),
                 legend)


def _shown(value: dict[str, float | None], *, whole: bool) -> str:
    if value["mean"] is None:
        return "no image"
    interval = f" [{value['low']:.3f}, {value['high']:.3f}]" if whole else ""
    return f"{value['mean']:.3f}{interval}"


def _gains(text: str) -> Sheet:
    """The table of paired differences, from the Markdown."""
    part = text.partition("## LW against")[2].partition("\n## ")[0]
    lines = [line for line in part.splitlines() if line.startswith("|")]
    head, _, *rows = [tuple(cell.strip() for cell in line.split("|")[1:-1]) for line in lines]
    note = (
        "Share of images that are counted (the verdict flipped; by the judge, all) and in which "
        "the judge counts more, and in which it counts exactly one more with all digits kept; "
        "paired."
    )
    return Sheet("gains", "LW against the others, image by image", head, tuple(rows), note)
