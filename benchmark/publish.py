"""Results that stand in the repository: copies of a run's tables and pictures, and README's table.

Nothing is retyped: what stands between the two markers in README.md is made from the run's data.
"""

import shutil
from pathlib import Path

from benchmark.command import resumed
from benchmark.digits_tables import strict_sheet
from benchmark.files import read_list
from benchmark.presets import RunConfig
from benchmark.report import read_facts

__all__ = ["first_page", "publish", "replace_between"]

_FILES = ("config.json", "facts.json", "results.csv", "table2.md", "table2.csv", "table2.json",
          "table2.tex", "fig6.png", "fig6.pdf", "examples.png", "shipped.json", "times.json")


def publish(out: Path, root: Path, name: str = "digits") -> None:
    """Copy a finished run to `results/NAME`, and of "digits" the main table into README.md.

    Args:
        out: Run folder.
        root: Root of the repository.
        name: Folder below `results`.

    Raises:
        ValueError: If README.md has lost its markers.
        FileNotFoundError: If the run is not finished.
    """
    shown = name == "digits"
    if shown:  # whatever may be wrong, before anything is written
        text = first_page(out)
        _split(root / "README.md", "results")
    missing = [file for file in _FILES if not (out / file).exists()]
    if missing:
        raise FileNotFoundError(f"a run must be finished before it is published, {out} lacks "
                                f"{', '.join(missing)}.")
    folder = root / "results" / name
    folder.mkdir(parents=True, exist_ok=True)
    for file in _FILES:
        shutil.copyfile(out / file, folder / file)
    for path in out.glob("classifier_*.json"):
        shutil.copyfile(path, folder / path.name)
    sheets = folder / "sheets"
    shutil.rmtree(sheets, ignore_errors=True)
    shutil.copytree(out / "sheets", sheets)
    if shown:
        replace_between(root / "README.md", "results", text)


def first_page(out: Path) -> str:
    """The strict table of adding, how to read it, and the first images, in Markdown.

    Args:
        out: Run folder, or a published one.
    """
    config = resumed(out, RunConfig, "a digits")
    adding = [task for task in config.tasks if task[0] < task[-1]]
    rows = read_list(out / "table2.json", "table2.json")
    sheet = strict_sheet(rows, adding, config, read_facts(out), brief=True)
    picture = ("![The first held-out images of each edit, not picked; green: accepted]"
               "(results/digits/examples.png)")
    return f"{sheet.markdown(level=3).strip()}\n\n{picture}"


def replace_between(path: Path, name: str, text: str) -> None:
    """Put text between the markers <!-- name --> and <!-- /name --> of a file.

    Args:
        path: The file.
        name: Name of the markers.
        text: What stands between them afterwards.

    Raises:
        ValueError: If a marker is missing.
    """
    head, tail = _split(path, name)
    whole = f"{head}<!-- {name} -->\n{text}\n<!-- /{name} -->{tail}"
    path.with_suffix(".tmp").write_text(whole)
    path.with_suffix(".tmp").replace(path)


def _split(path: Path, name: str) -> tuple[str, str]:
    """What stands before and after a pair of markers."""
    head, start, rest = path.read_text().partition(f"<!-- {name} -->")
    _, end, tail = rest.partition(f"<!-- /{name} -->")
    if not (start and end):
        raise ValueError(
            f"{path.name} must hold the markers <!-- {name} --> and <!-- /{name} -->, "
            "found one at most."
        )
    return head, tail
