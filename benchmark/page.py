"""One HTML file of a run: tables, figures and picture grids, with nothing to fetch."""

import base64
import io
from collections.abc import Sequence
from html import escape
from pathlib import Path

from PIL import Image

from benchmark.files import write_text
from benchmark.tables.sheet import Sheet

__all__ = ["write_page"]

_LARGE = 500_000  # bytes
_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem;
       color: #1a1a1a; background: #fff; }
table { border-collapse: collapse; font-size: 13px; display: block; overflow-x: auto; }
th, td { border-bottom: 1px solid #ddd; padding: .25rem .6rem; text-align: right;
         white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
th { border-bottom: 2px solid #888; vertical-align: bottom; white-space: normal; }
img { max-width: 100%; height: auto; }
img.grid { max-width: min(100%, 46rem); }
p.note { color: #444; font-size: 13px; max-width: 60rem; }
"""


def write_page(
    title: str, facts: str, sheets: Sequence[Sheet], figures: Sequence[tuple[str, Path]], path: Path
) -> Path:
    """Write the page.

    Args:
        title: Head of the page.
        facts: A paragraph on the run.
        sheets: Tables, in order.
        figures: Captions and PNG files, in order.
        path: Where it goes.
    """
    body = [f"<h1>{escape(title)}</h1>", f"<p>{escape(facts)}</p>"]
    body += [_table(sheet) for sheet in sheets[:1]]
    for caption, png in figures:
        grid = "grid" if png.stat().st_size > _LARGE else "plot"
        body.append(f'<h2>{escape(caption)}</h2>\n<img class="{grid}" alt="{escape(caption)}" '
                    f'src="{_data_uri(png)}">')
    body += [_table(sheet) for sheet in sheets[1:]]
    text = "\n".join(body)
    write_text(path, f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
                     f'<meta name="viewport" content="width=device-width"><title>{escape(title)}'
                     f"</title><style>{_STYLE}</style></head>\n<body>\n{text}\n</body></html>\n")
    return path


def _data_uri(png: Path) -> str:
    """A figure for the page; what is large as PNG, pictures that is, as JPEG."""
    data, kind = png.read_bytes(), "png"
    if len(data) > _LARGE:
        buffer = io.BytesIO()
        Image.open(png).convert("RGB").save(buffer, "JPEG", quality=88)
        data, kind = buffer.getvalue(), "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def _table(sheet: Sheet) -> str:
    head = "".join(f"<th>{escape(cell)}</th>" for cell in sheet.columns)
    rows = "\n".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in sheet.rows
    )
    return (f"<h2>{escape(sheet.title)}</h2>\n<table><thead><tr>{head}</tr></thead>\n"
            f'<tbody>{rows}</tbody></table>\n<p class="note">{escape(sheet.note)}</p>')
