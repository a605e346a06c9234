"""The report of a run, from the files of its folder: results.csv, then tables, figures and a page.

Every number goes from the cells into results.csv; tables, curves and matrices are made from rows
alone, and are data (tables/tables.json) until the last step, where they become Markdown, CSV, LaTeX
and HTML. Beside them stands only what is no measurement: facts.json says how good the judges are,
costs/ what it cost, and pictures are those of the cells. A missing, damaged or non-finite cell
stops the report, naming the cell. readme.md is what `--publish` puts into README.md.
"""

from benchmark.attributes import AttributeRun
from benchmark.collect import collect
from benchmark.digits import DigitsRun
from benchmark.figures import Figures, attribute_figures, digit_figures
from benchmark.files import write_text
from benchmark.page import write_page
from benchmark.rows import write_results
from benchmark.runs import Run
from benchmark.shares import write_shares
from benchmark.tables import attributes, digits
from benchmark.tables.sheet import Made, save_sheets
from benchmark.times import sentence

__all__ = ["AnyRun", "write_report", "write_rows", "write_tables"]

AnyRun = DigitsRun | AttributeRun


def write_report(run: AnyRun) -> Made:
    """Write everything that a run can say.

    Raises:
        FileNotFoundError: Naming a file that an earlier stage should have left.
        ValueError: Naming a cell that is damaged or not finite.
    """
    write_rows(run)
    made = write_tables(run)
    figures = digit_figures(run) if isinstance(run, DigitsRun) else attribute_figures(run)
    _write_page(run, made, figures)
    return made


def write_rows(run: AnyRun) -> None:
    """Write results.csv, and what averages it, from the cells.

    Raises:
        FileNotFoundError: If a cell is missing.
        ValueError: If a cell is damaged or not finite.
    """
    if isinstance(run, DigitsRun):
        write_shares(run)
    else:
        write_results(collect(run), run)


def write_tables(run: AnyRun) -> Made:
    """Write the tables of a run in every form, without what needs its images.

    Raises:
        FileNotFoundError: Naming a file that an earlier stage should have left.
        ValueError: Naming a cell that is missing or not finite.
    """
    made = (digits.make_tables(run) if isinstance(run, DigitsRun)
            else attributes.make_tables(run))
    save_sheets(made.sheets, run.out / "tables")
    took = sentence(run.out)
    head = (f"# {made.title}\n", f"{made.about}\n", *([f"{took}\n"] if took else []))
    tables = [sheet.markdown() for sheet in made.sheets]
    text = "\n".join([*(made.before or head), *tables, *made.after])
    write_text(run.out / f"{made.name}.md", text + ("\n" if made.after else ""))
    write_text(run.out / "readme.md", made.readme)
    return made


def _write_page(run: Run, made: Made, figures: Figures) -> None:
    about = f"{made.about} {sentence(run.out)}".strip()
    write_page(made.title, about, made.sheets, figures, run.out / "report.html")
