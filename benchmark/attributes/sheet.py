"""A table once, written as Markdown, CSV and LaTeX."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from benchmark.files import write_text

__all__ = ["NOT_REACHED", "NO_OTHERS", "Sheet", "number", "save_sheet"]

NOT_REACHED = "not reached"
NO_OTHERS = "n/a"  # what says something of other attributes, where there are none
_LATEX = {"&": r"\&", "%": r"\%", "_": r"\_", "#": r"\#", "$": r"\$", "→": r"$\to$",
          "−": "$-$", "–": "--", "±": r"$\pm$", "×": r"$\times$", "≥": r"$\geq$",
          "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}",
          "^": r"\textasciicircum{}"}


@dataclass(frozen=True)
class Sheet:
    """A table.

    Attributes:
        name: Of its files.
        title: What it shows.
        columns: Heads.
        rows: Text of each cell.
        note: How to read it, with the accuracy of the judges behind it.
    """

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str

    def markdown(self, level: int = 2) -> str:
        """Title, table and note."""
        lines = [" | ".join(self.columns), " | ".join("---" for _ in self.columns)]
        lines += [" | ".join(cell.replace("|", r"\|") for cell in row) for row in self.rows]
        body = "\n".join(f"| {line} |" for line in lines)
        return f"{'#' * level} {self.title}\n\n{body}\n\n{self.note}\n"

    def csv(self) -> str:
        """Heads and rows."""
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows(self.rows)
        return buffer.getvalue()

    def latex(self) -> str:
        """A table float with booktabs rules; the note is its caption."""
        heads, *rows = (
            " & ".join(_escape(cell) for cell in row) + r" \\" for row in (self.columns, *self.rows)
        )
        spec = "l" + "r" * (len(self.columns) - 1)
        lines = [r"\begin{table}", r"\centering", rf"\begin{{tabular}}{{{spec}}}", r"\toprule",
                 heads, r"\midrule", *rows, r"\bottomrule", r"\end{tabular}",
                 rf"\caption{{{_escape(self.title)}. {_escape(self.note)}}}", r"\end{table}"]
        return "\n".join(lines) + "\n"


def save_sheet(sheet: Sheet, folder: Path) -> None:
    """Write NAME.md, NAME.csv and NAME.tex."""
    write_text(folder / f"{sheet.name}.md", sheet.markdown())
    write_text(folder / f"{sheet.name}.csv", sheet.csv())
    write_text(folder / f"{sheet.name}.tex", sheet.latex())


def number(value: float | None, digits: int = 3) -> str:
    """A number as text; what was not reached says so."""
    if value is None or value != value:
        return NOT_REACHED
    return f"{value:.{digits}f}"


def _escape(text: str) -> str:
    return "".join(_LATEX.get(letter, letter) for letter in text.replace("**", ""))
