"""The digits run for the browser: one page of tables and pictures, with nothing to fetch."""

from collections.abc import Sequence
from pathlib import Path

from benchmark.attributes.page import write_page
from benchmark.attributes.sheet import Sheet
from benchmark.times import sentence

__all__ = ["write_digits_page"]


def write_digits_page(
    out: Path, sheets: Sequence[Sheet], facts: str, pictures: Sequence[tuple[str, Path]]
) -> Path:
    """Write report.html.

    Args:
        out: Run folder.
        sheets: Its tables, in order.
        facts: How good the networks are.
        pictures: Captions and PNG files.

    Returns:
        Path of the page.
    """
    about = f"Held-out images, encoded, edited in W+, drawn and judged. {facts} {sentence(out)}"
    return write_page("Adding and removing a digit", about.strip(), sheets, pictures,
                      out / "report.html")
