"""A table once, written as Markdown, CSV and LaTeX."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmark.files import read_list, write_json, write_text

__all__ = ["NOT_REACHED", "NO_OTHERS", "Made", "Sheet", "interval", "markdown", "number",
           "read_sheets", "save_sheets"]

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
        return f"{'#' * level} {self.title}\n\n{self.body()}\n"

    def body(self) -> str:
        """Table and note."""
        return f"{markdown(self.columns, self.rows)}\n\n{self.note}"

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


@dataclass(frozen=True)
class Made:
    """What a report says, before it is written.

    Attributes:
        name: Of its file in Markdown.
        title: Of its page.
        about: A paragraph on the run.
        before: Paragraphs of the Markdown before the tables; the title and `about` if empty.
        after: And after them.
        sheets: Tables, the main one first.
        readme: What stands of it in README.md.
    """

    name: str
    title: str
    about: str
    sheets: tuple[Sheet, ...]
    readme: str
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


def save_sheets(sheets: Sequence[Sheet], folder: Path) -> None:
    """Write each as NAME.md, NAME.csv and NAME.tex, and all of them as data: tables.json."""
    for sheet in sheets:
        write_text(folder / f"{sheet.name}.md", sheet.markdown())
        write_text(folder / f"{sheet.name}.csv", sheet.csv())
        write_text(folder / f"{sheet.name}.tex", sheet.latex())
    write_json(folder / "tables.json", [asdict(sheet) for sheet in sheets])


def read_sheets(folder: Path) -> list[Sheet]:
    """The tables that `save_sheets` left in a folder."""
    return [
        Sheet(held["name"], held["title"], tuple(held["columns"]),
              tuple(tuple(row) for row in held["rows"]), held["note"])
        for held in read_list(folder / "tables.json", "the tables of a report")
    ]


def interval(mean: float, low: float, high: float, *, sign: bool = False) -> str:
    """A mean with its interval as text.

    Args:
        mean: The mean.
        low: Lower end.
        high: Upper end.
        sign: Whether each has its sign, as differences have.
    """
    form = "+.3f" if sign else ".3f"
    return f"{mean:{form}} [{low:{form}}, {high:{form}}]"


def markdown(columns: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    """A table in Markdown.

    Args:
        columns: Heads.
        rows: Cells, which may be numbers.
    """
    lines = [" | ".join(map(str, columns)), " | ".join("---" for _ in columns)]
    lines += [" | ".join(str(cell).replace("|", r"\|") for cell in row) for row in rows]
    return "\n".join(f"| {line} |" for line in lines)


def number(value: float | None, digits: int = 3) -> str:
    """A number as text; what was not reached says so."""
    if value is None or value != value:
        return NOT_REACHED
    return f"{value:.{digits}f}"


def _escape(text: str) -> str:
    return "".join(_LATEX.get(letter, letter) for letter in text.replace("**", ""))
